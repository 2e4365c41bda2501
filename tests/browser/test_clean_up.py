"""Find look-alikes, merge them, and undo it."""

from __future__ import annotations

from playwright.sync_api import Page, expect

from productive.accounts.models import Organization
from tests.browser.axe import barriers
from tests.browser.steps import lines_under, save
from tests.support.factories import ServiceFactory, ServiceTypeFactory


def test_look_alikes_are_merged_and_the_merge_undone(page: Page, organization: Organization) -> None:
    qa = ServiceTypeFactory(organization=organization, name="QA")
    quality = ServiceTypeFactory(organization=organization, name="Quality assurance", description="Tests")
    service = ServiceFactory(organization=organization, service_type=qa, name="Test plan")
    page.goto("/admin/")
    page.get_by_role("link", name="Clean-up").click()
    expect(page.get_by_role("checkbox", name="QA")).to_be_checked()
    assert barriers(page) == []
    page.get_by_role("button", name="Merge…").click()
    page.get_by_role("group", name="Keep").get_by_role("radio", name="Quality assurance").check()
    page.get_by_role("group", name="Name").get_by_role("radio", name="Quality assurance").check()
    assert barriers(page) == []
    page.get_by_role("button", name="Preview").click()
    moved = lines_under(page, "Services whose service type will be Quality assurance")
    assert [line.partition(" · ")[0] for line in moved] == ["Test plan"]
    page.get_by_role("button", name="Choose again").click()
    kept = page.get_by_role("group", name="Keep").get_by_role("radio", name="Quality assurance")
    expect(kept).to_be_checked()
    page.get_by_role("button", name="Preview").click()
    page.get_by_role("button", name="Merge 1 service type").click()
    expect(page.get_by_text("No service types look alike.")).to_be_visible()
    service.refresh_from_db()
    assert service.service_type == quality

    page.get_by_role("link", name="View or undo").click()
    page.get_by_role("link", name="Undo").click()
    page.get_by_role("button", name="Undo").click()
    # The test must not end before the page is loaded: the server would read while the database is emptied.
    expect(page.get_by_text("Undone: ")).to_be_visible()
    service.refresh_from_db()
    assert service.service_type == qa


def test_similar_service_type_is_restored_instead(page: Page, organization: Organization) -> None:
    archived = ServiceTypeFactory(organization=organization, name="Quality Assurance")
    archived.archive()
    page.goto("/admin/catalog/servicetype/add/")
    page.get_by_role("textbox", name="Name").fill("QA")
    save(page)
    expect(page.get_by_text("“Quality Assurance” exists already, archived.")).to_be_visible()
    assert barriers(page) == []
    page.get_by_role("button", name="Restore it…").click()
    page.get_by_role("button", name="Restore: 1 service type").click()
    expect(page.get_by_text("1 service type restored.")).to_be_visible()
    archived.refresh_from_db()
    assert archived.archived_at is None
