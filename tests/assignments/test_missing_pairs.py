"""Test that a preview adds the project memberships and service types that new assignments need."""

from __future__ import annotations

from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from assignments.models import ProjectAssignment, ServiceAssignment, ServiceTypeAssignment
from catalog.models import Service
from productive.accounts.models import Organization, Person
from tests.support.admin import click, is_preview, press, staff, url
from tests.support.bulk import apply, consequences, messages_of, preview
from tests.support.factories import OrganizationFactory, PersonFactory, ServiceFactory

pytestmark = [pytest.mark.django_db, pytest.mark.any_database, pytest.mark.no_cover]

MEMBERS, TYPES = "assignments.projectassignment", "assignments.servicetypeassignment"


@pytest.fixture
def organization() -> Organization:
    return OrganizationFactory()


@pytest.fixture
def client(organization: Organization) -> Client:
    return staff(organization)


@pytest.fixture
def service(organization: Organization) -> Service:
    """Return QA, whose budget is restricted by person and by type."""
    return ServiceFactory(
        organization=organization,
        name="QA",
        deal__name="Budget",
        deal__person_restricted_tracking=True,
        deal__service_type_restricted_tracking=True,
        deal__project__name="Portal",
        deal__project__project_number=None,
        service_type__name="Testing",
    )


@pytest.fixture
def cy(organization: Organization) -> Person:
    """Return a person who is on no project and holds no service type."""
    return PersonFactory(organization=organization, first_name="Cy", last_name="Z", email=None)


def related(page: Any) -> list[tuple[str, list[str], bool]]:
    return [
        (change.label, [line.text for line in change.lines], change.is_included)
        for change in page.context["preview"].related
    ]


def test_form_adds_what_is_missing_in_one_change(client: Client, service: Service, cy: Person) -> None:
    page = client.post(url(ServiceAssignment, "add"), {"person": cy.pk, "service": service.pk})
    assert related(page) == [
        ("Also add Cy Z to Portal", ["Cy Z → Portal"], False),
        ("Also give Cy Z Testing", ["Cy Z → Testing"], False),
    ]
    assert "has no effect today" in consequences(page)[0][-1]
    assert not ServiceAssignment.objects.exists()

    page = click(client, click(client, page, "_include", MEMBERS), "_include", TYPES)
    assert [is_included for *_, is_included in related(page)] == [True, True]
    assert consequences(page)[0] == ["1 person gains access to 1 service."]
    assert not ProjectAssignment.objects.exists()
    assert press(client, page, "apply").status_code == 302
    written = [
        model.history.get().change_set
        for model in (ServiceAssignment, ProjectAssignment, ServiceTypeAssignment)
    ]
    assert len(set(written)) == 1


def test_bulk_action_leaves_out_what_is_excluded_again(client: Client, service: Service, cy: Person) -> None:
    page = click(client, preview(client, "assign_people", [service], [cy]), "_include", MEMBERS)
    assert [is_included for *_, is_included in related(page)] == [True, False]
    page = click(client, page, "_exclude", MEMBERS)
    assert [is_included for *_, is_included in related(page)] == [False, False]
    assert apply(client, page) == ["Assigned 1 person to 1 service: 1 new service assignment."]
    assert not ProjectAssignment.objects.exists()


def test_import_says_so_in_the_row_and_adds_what_is_missing(
    client: Client, service: Service, cy: Person
) -> None:
    upload = SimpleUploadedFile("sheet.csv", f"Person,Service\n#{cy.pk},#{service.pk}\n".encode())
    page = client.post(url(ServiceAssignment, "import"), {"file": upload})
    [line] = next(group.lines for group in page.context["preview"].groups if group.lines)
    assert line.prefix == "Row 2"
    assert line.notes[0].startswith("no effect today: Cy Z is not on the project Portal; ")
    page = click(client, click(client, page, "_include", MEMBERS), "_include", TYPES)
    [line] = next(group.lines for group in page.context["preview"].groups if group.lines)
    assert not line.notes
    assert press(client, page, "apply").status_code == 302
    assert (cy.project_assignments.count(), cy.service_type_assignments.count()) == (1, 1)


def test_only_what_the_user_may_add_and_what_can_help_is_offered(
    organization: Organization, service: Service, cy: Person
) -> None:
    views = [f"view_{name}" for name in ("person", "service", "deal", "project", "servicetype")]
    may_give_types = staff(organization, *views, "add_serviceassignment", "add_servicetypeassignment")
    data = {"person": cy.pk, "service": service.pk}
    page = may_give_types.post(url(ServiceAssignment, "add"), data)
    assert [label for label, *_ in related(page)] == ["Also give Cy Z Testing"]
    forged = click(may_give_types, page, "_include", MEMBERS)
    assert not press(may_give_types, forged, "apply", _included=MEMBERS).context
    assert (ServiceAssignment.objects.count(), ProjectAssignment.objects.count()) == (1, 0)

    ServiceAssignment.objects.all().delete()
    service.deal.close()
    response = staff(organization).post(url(ServiceAssignment, "add"), data)
    assert not is_preview(response)
    assert "is closed" in messages_of(response)[-1]
