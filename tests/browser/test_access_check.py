from __future__ import annotations

from playwright.sync_api import Page, expect

from productive.accounts.models import Organization
from tests.browser.steps import choose
from tests.support.factories import PersonFactory, ServiceFactory


def test_access_check_works_with_keyboard(page: Page, organization: Organization) -> None:
    PersonFactory(organization=organization, first_name="Ana", last_name="Kovač", email=None)
    ServiceFactory(
        organization=organization, name="Design", deal__name="Spring", deal__project__name="Relaunch"
    )
    page.goto("/admin/access-check/")
    choose(page, page.get_by_role("combobox", name="Person"), "kov", "Ana Kovač")
    choose(page, page.get_by_role("combobox", name="Service"), "des", "Design · Spring · Relaunch")
    page.get_by_role("button", name="Check").press("Enter")
    expect(page.get_by_role("status")).to_contain_text("Ana Kovač can't track time for Design on Spring")
    expect(page.get_by_role("listitem").filter(has_text="Ana Kovač is active")).to_contain_text("passed")
    expect(page.get_by_role("checkbox", name="Add Ana Kovač to the project")).to_be_checked()
    page.get_by_role("button", name="Preview the repair").press("Enter")
    expect(page.get_by_text("1 person gains access to 1 service.")).to_be_visible()
    page.get_by_role("button", name="Repair").press("Enter")
    expect(page.get_by_role("status")).to_contain_text("Ana Kovač can track time for Design on Spring")
