"""Run bulk actions, from the list to the preview and back."""

from __future__ import annotations

from playwright.sync_api import Page, expect

from assignments.models import ServiceAssignment
from productive.accounts.models import Organization
from tests.browser.steps import choose, lines_under, run_action
from tests.support.factories import (
    PersonFactory,
    ServiceAssignmentFactory,
    ServiceFactory,
    ServiceTypeFactory,
)


def test_service_type_is_archived_after_a_preview(page: Page, organization: Organization) -> None:
    consulting = ServiceTypeFactory(organization=organization, name="Consulting")
    ServiceTypeFactory(organization=organization, name="Illustration")
    page.goto("/admin/catalog/servicetype/")
    run_action(page, "Archive…", "Consulting")
    assert lines_under(page, "Will be archived") == ["Consulting"]
    consulting.refresh_from_db()
    assert consulting.archived_at is None

    page.get_by_role("button", name="Archive: 1 service type").click()
    expect(page.get_by_text("1 service type archived.")).to_be_visible()
    consulting.refresh_from_db()
    assert consulting.archived_at is not None
    expect(page.get_by_role("row", name="Illustration")).to_contain_text("Active")
    expect(page.get_by_role("row", name="Consulting")).to_be_hidden()
    page.get_by_role("link", name="All", exact=True).click()
    expect(page.get_by_role("row", name="Consulting")).to_contain_text("Archived")


def test_people_are_chosen_by_typing_and_by_pasting(page: Page, organization: Organization) -> None:
    for first, last in (("Ana", "Kovač"), ("Iva", "Horvat"), ("Eva", "Babić"), ("Ivo", "Zorić")):
        PersonFactory(organization=organization, first_name=first, last_name=last, email=None)
    ServiceFactory(organization=organization, name="Design", deal__name="Spring", deal__project__name="Shop")
    page.goto("/admin/catalog/service/")
    run_action(page, "Assign people…", "Design")
    box = page.get_by_role("combobox", name="People").get_by_role("searchbox")
    expect(box).to_be_focused()
    for term, name in (("ana", "Ana Kovač"), ("iva", "Iva Horvat")):
        page.keyboard.type(term)
        expect(page.get_by_role("listbox").get_by_role("option")).to_have_text([name])
        page.keyboard.press("Enter")
        expect(box).to_have_value("")
    box.evaluate(
        """(field) => {
          const clipboardData = new DataTransfer();
          clipboardData.setData("text", "Eva Babić, Ivo Zorić; Nina Nikad");
          const options = { clipboardData, bubbles: true, cancelable: true };
          field.dispatchEvent(new ClipboardEvent("paste", options));
        }"""
    )
    expect(page.get_by_role("alert")).to_have_text(["Not found: Nina Nikad"])
    expect(page.get_by_label("Or paste names")).to_have_value("Nina Nikad")
    page.get_by_label("Or paste names").fill("")
    page.get_by_role("button", name="Preview").click()
    assert lines_under(page, "Will be created") == [
        "Ana Kovač → Design · Spring · Shop",
        "Eva Babić → Design · Spring · Shop",
        "Iva Horvat → Design · Spring · Shop",
        "Ivo Zorić → Design · Spring · Shop",
    ]


def test_people_are_assigned_to_services_after_a_preview(page: Page, organization: Organization) -> None:
    ana, iva = (
        PersonFactory(organization=organization, first_name=name, email=None) for name in ("Ana", "Iva")
    )
    design, audit = (
        ServiceFactory(
            organization=organization, name=name, deal__name="Spring", deal__project__name="Relaunch"
        )
        for name in ("Design", "Audit")
    )
    ServiceAssignmentFactory(organization=organization, person=iva, service=audit)
    page.goto("/admin/accounts/person/")
    run_action(page, "Assign to services…", "Ana", "Iva")
    services = page.get_by_role("combobox", name="Services")
    choose(page, services.get_by_role("searchbox"), "des", "Design · Spring · Relaunch")
    choose(page, services.get_by_role("searchbox"), "aud", "Audit · Spring · Relaunch")
    page.get_by_role("button", name="Preview").click()
    assert lines_under(page, "Will be created") == [
        f"{ana} → Audit · Spring · Relaunch",
        f"{ana} → Design · Spring · Relaunch",
        f"{iva} → Design · Spring · Relaunch",
    ]
    assert lines_under(page, "Already exist, skipped") == [f"{iva} → Audit · Spring · Relaunch"]
    assert ServiceAssignment.objects.count() == 1

    page.get_by_role("button", name="Create 3 service assignments").click()
    expect(page.get_by_text("3 new service assignments, 1 already existed.")).to_be_visible()
    pairs = ServiceAssignment.objects.values_list("person", "service")
    assert {*pairs} == {(person.pk, service.pk) for person in (ana, iva) for service in (design, audit)}
