from __future__ import annotations

from playwright.sync_api import Page, expect

from productive.accounts.models import Organization, User
from tests.browser.steps import save
from tests.support.factories import ServiceTypeFactory


def test_mistake_is_undone_from_the_history(page: Page, organization: Organization, operator: User) -> None:
    consulting = ServiceTypeFactory(organization=organization, name="Consulting")
    page.goto(f"/admin/catalog/servicetype/{consulting.pk}/change/")
    page.get_by_label("Name").fill("Insulting")
    save(page)
    page.get_by_role("rowheader", name="Insulting").get_by_role("link").click()
    page.locator("#header-inner").get_by_role("link", name="History").click()

    newest = page.get_by_role("listitem").filter(has_text="Consulting → Insulting")
    expect(newest).to_contain_text(f"by {operator}")
    page.get_by_role("link", name="Restore this state").click()
    expect(page.get_by_text("Nothing has been changed yet")).to_be_visible()
    page.get_by_role("button", name="Restore").click()
    expect(page.get_by_text("Restored: 1 changed.")).to_be_visible()
    consulting.refresh_from_db()
    assert consulting.name == "Consulting"
