"""Save a form whose change affects access, with its preview."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page, expect

from catalog.models import Deal, Service
from productive.accounts.models import Organization
from tests.browser.steps import lines_under, save
from tests.support.factories import (
    PersonFactory,
    ProjectAssignmentFactory,
    ServiceAssignmentFactory,
    ServiceFactory,
)


@pytest.fixture
def service(organization: Organization) -> Service:
    """Return Design, to which Ana is assigned. Bo is on the project, too."""
    service = ServiceFactory(
        organization=organization, name="Design", deal__name="Spring", deal__project__name="Shop"
    )
    people = [
        PersonFactory(organization=organization, first_name=name, last_name="Z", email=None)
        for name in ("Ana", "Bo")
    ]
    for person in people:
        ProjectAssignmentFactory(organization=organization, person=person, project=service.deal.project)
    ServiceAssignmentFactory(organization=organization, person=people[0], service=service)
    return service


def lines(service: str, *people: str) -> list[str]:
    return [f"{person} \N{EN DASH} {service} · Spring · Shop" for person in people]


def restrict(page: Page, deal: Deal) -> None:
    page.goto(f"/admin/catalog/deal/{deal.pk}/change/")
    page.get_by_label("Restricted by person").check()


def test_enter_confirms_who_loses_access(page: Page, service: Service) -> None:
    restrict(page, service.deal)
    save(page)
    assert lines_under(page, "Lose access") == lines("Design", "Bo Z")
    expect(page.get_by_role("button", name="Save")).to_be_focused()
    service.deal.refresh_from_db()
    assert not service.deal.person_restricted_tracking

    page.keyboard.press("Enter")
    expect(page.get_by_text("was changed successfully")).to_be_visible()
    expect(page.get_by_role("link", name="View or undo")).to_be_visible()
    service.deal.refresh_from_db()
    assert service.deal.person_restricted_tracking
    page.go_back()
    expect(page.get_by_text("There is nothing to do.")).to_be_visible()


def test_back_returns_to_the_form_as_it_was_filled_in(page: Page, service: Service) -> None:
    restrict(page, service.deal)
    page.get_by_label("Name").first.fill("Autumn")
    save(page)
    page.get_by_role("button", name="Back to the form").click()
    expect(page.get_by_label("Name").first).to_have_value("Autumn")
    expect(page.get_by_label("Restricted by person")).to_be_checked()
    expect(page.get_by_role("group", name="Services")).to_contain_text("Ana Z")
    service.deal.refresh_from_db()
    assert service.deal.name == "Spring"


def test_double_click_saves_once(page: Page, service: Service) -> None:
    page.goto(f"/admin/catalog/service/add/?deal={service.deal_id}&service_type={service.service_type_id}")
    page.get_by_label("Name").fill("Audit")
    save(page)
    assert lines_under(page, "Gain access") == lines("Audit", "Ana Z", "Bo Z")
    page.get_by_role("button", name="Save").dblclick()
    expect(page.get_by_role("link", name="View or undo")).to_be_visible()
    assert Service.objects.filter(name="Audit").count() == 1


def test_long_preview_is_shown_from_its_beginning(page: Page, service: Service) -> None:
    organization = service.organization
    for person in PersonFactory.create_batch(60, organization=organization):
        ProjectAssignmentFactory(organization=organization, person=person, project=service.deal.project)
    page.goto(f"/admin/catalog/service/{service.pk}/delete/")
    button = page.get_by_role("button", name="Delete 1 service")
    expect(button).to_be_focused()
    expect(button).to_be_in_viewport()
    expect(page.get_by_text("62 people lose access to 1 service.")).to_be_in_viewport()


def test_deletion_names_who_loses_access(page: Page, service: Service) -> None:
    page.goto(f"/admin/catalog/service/{service.pk}/delete/")
    assert lines_under(page, "Lose access") == lines("Design", "Ana Z", "Bo Z")
    expect(page.get_by_role("button", name="Delete 1 service")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.get_by_text("was deleted successfully.")).to_be_visible()
    assert not Service.objects.exists()


def test_person_is_archived_from_their_page(page: Page, service: Service) -> None:
    bo = service.deal.project.project_assignments.get(person__first_name="Bo").person
    page.goto(f"/admin/accounts/person/{bo.pk}/change/")
    page.get_by_role("button", name="Archive…").click()
    assert lines_under(page, "Lose access") == lines("Design", "Bo Z")
    page.get_by_role("button", name="Archive: 1 person").click()
    expect(page.get_by_text("1 person archived.")).to_be_visible()
    page.goto(f"/admin/accounts/person/{bo.pk}/change/")
    expect(page.get_by_role("button", name="Restore…")).to_be_visible()
    expect(page.get_by_role("button", name="Archive…")).to_have_count(0)
