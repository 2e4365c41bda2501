from __future__ import annotations

from playwright.sync_api import Page, expect

from assignments.models import ServiceAssignment
from productive.accounts.models import Organization
from tests.browser.steps import choose, save
from tests.support.factories import PersonFactory, ServiceAssignmentFactory, ServiceFactory


def test_assignees_are_changed_on_the_page_of_the_budget(page: Page, organization: Organization) -> None:
    ana, iva = (
        PersonFactory(organization=organization, first_name=name, email=None) for name in ("Ana", "Iva")
    )
    service = ServiceFactory(organization=organization, name="Design")
    ServiceAssignmentFactory(organization=organization, person=iva, service=service)
    page.goto(f"/admin/catalog/deal/{service.deal_id}/change/")
    line = page.get_by_role("group", name="Services").get_by_role("row", name="Design")
    expect(line).to_contain_text(str(iva))
    line.get_by_title(str(iva)).locator(".select2-selection__choice__remove").click()
    page.keyboard.press("Escape")
    choose(page, line.get_by_role("searchbox"), "ana", str(ana))
    save(page)
    page.get_by_role("button", name=f"Also add {ana} to").click()
    expect(page.get_by_text("1 person gains access to 1 service.")).to_be_visible()
    save(page)
    expect(page.get_by_text("was changed successfully")).to_be_visible()
    assert [member.person for member in service.deal.project.project_assignments.all()] == [ana]
    assert list(ServiceAssignment.objects.values_list("person", "service")) == [(ana.pk, service.pk)]


def test_service_is_added_on_the_page_of_the_budget(page: Page, organization: Organization) -> None:
    service = ServiceFactory(organization=organization, name="Design", service_type__name="Consulting")
    page.goto(f"/admin/catalog/deal/{service.deal_id}/change/")
    services = page.get_by_role("group", name="Services")
    services.get_by_role("link", name="Add another Service").click()
    line = services.locator("tbody:has(input[name=services-1-name])")
    line.locator("input[name=services-1-name]").fill("Audit")
    choose(page, line.get_by_role("combobox").first, "con", "Consulting")
    save(page)
    expect(page.get_by_text("was changed successfully")).to_be_visible()
    assert sorted(service.deal.services.values_list("name", "service_type__name")) == [
        ("Audit", "Consulting"),
        ("Design", "Consulting"),
    ]
