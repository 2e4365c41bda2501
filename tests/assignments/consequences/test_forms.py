"""Test that every form of the admin shows whose access a change affects, before it is written."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from assignments.consequences.affected_services import affected_services
from assignments.models import ProjectAssignment, ServiceAssignment, ServiceTypeAssignment
from catalog.models import Deal, Project, Service
from productive.accounts.models import Organization, Person
from productive.database.written_rows import WrittenRows
from tests.support.admin import delete, edit, form_data, is_preview, press, staff, url
from tests.support.bulk import consequences, messages_of, shown
from tests.support.factories import OrganizationFactory, PersonFactory, ProjectAssignmentFactory

pytestmark = [pytest.mark.django_db, pytest.mark.any_database, pytest.mark.no_cover]

# Permissions to see the records, but not to add anybody to a project.
VIEWS = [
    f"view_{name}" for name in ("person", "project", "deal", "service", "servicetype", "serviceassignment")
]


def test_restricting_a_budget_shows_who_loses_access_and_is_saved_once_confirmed(
    client: Client, service: Service
) -> None:
    page = edit(client, service.deal, person_restricted_tracking="on")
    assert consequences(page) == (
        ["1 person loses access to 1 service."],
        [
            "Lose access: Bo Z: QA · Budget · Portal",
            "Services that are no longer open to everybody: QA · Budget · Portal",
        ],
    )
    assert shown(page) == {"Will be changed": ["Budget · Portal"]}
    assert not Deal.objects.get().person_restricted_tracking

    response = press(client, page, "apply")
    assert (response.status_code, response["Location"]) == (302, url(Deal, "changelist"))
    [message] = messages_of(response)
    assert "was changed successfully" in message
    assert Deal.objects.get().person_restricted_tracking
    assert "View or undo" in client.get(response["Location"]).content.decode()


def test_change_without_effect_on_access_is_saved_at_once(
    client: Client, service: Service, people: list[Person]
) -> None:
    assert edit(client, service.deal, name="Renamed").status_code == 302
    assert edit(client, people[0], title="Boss").status_code == 302
    # The budget isn't restricted by person.
    assignment = ServiceAssignment.objects.get()
    assert delete(client, assignment).status_code == 302
    assert Deal.objects.get().name == "Renamed"


def test_change_that_the_rule_does_not_read_takes_no_further_queries(
    client: Client, service: Service, people: list[Person]
) -> None:
    """The preview adds a savepoint, which is two statements."""
    address = url(Person, "change", people[0].pk)
    data = form_data(client, address)

    def statements(**fields: Any) -> int:
        with CaptureQueriesContext(connection) as queries:
            assert client.post(address, {**data, **fields}).status_code == 302
        return sum("SAVEPOINT" not in query["sql"] for query in queries)

    unchanged = statements()
    # The change is recorded.
    assert statements(title="Boss") == unchanged + 1


@pytest.mark.parametrize(
    ("others", "sentence"),
    [(0, "1 person gains access to 1 service."), (2, "3 people gain access to 1 service.")],
)
def test_last_assignee_is_not_removed_unnoticed(
    client: Client, service: Service, others: int, sentence: str
) -> None:
    """On the page of the assignment, of the service and of the budget."""
    Deal.objects.update(person_restricted_tracking=True)
    for _ in range(others):
        ProjectAssignmentFactory(project=service.deal.project, organization=service.organization)
    assignment = ServiceAssignment.objects.get()
    pages = [
        client.get(url(ServiceAssignment, "delete", assignment.pk)),
        edit(client, service, **{"service_assignments-0-DELETE": "on"}),
        edit(client, service.deal, **{"services-0-assignees": []}),
    ]
    for page in pages:
        sentences, lines = consequences(page)
        assert sentences == [sentence]
        assert "Services that open to everybody on the project: QA · Budget · Portal" in lines
    assert ServiceAssignment.objects.exists()


def test_member_removed_on_the_page_of_the_project_loses_access(
    client: Client, service: Service, people: list[Person]
) -> None:
    page = edit(client, service.deal.project, **{"project_assignments-0-DELETE": "on"})
    assert consequences(page)[1] == ["Lose access: Ana Z: QA · Budget · Portal"]
    press(client, page, "apply")
    assert list(ProjectAssignment.objects.values_list("person", flat=True)) == [people[1].pk]


def test_switched_off_kind_is_named(client: Client, service: Service) -> None:
    address = url(Service, "change", service.pk)
    data = form_data(client, address)
    del data["time_tracking_enabled"]
    page = client.post(address, data)
    assert consequences(page) == (
        ["2 people can no longer track time on 1 service."],
        [
            "Can no longer track time: Ana Z: QA · Budget · Portal",
            "Can no longer track time: Bo Z: QA · Budget · Portal",
        ],
    )


def test_assignment_without_effect_is_saved_with_a_message(
    service: Service, organization: Organization
) -> None:
    client = staff(organization, *VIEWS, "add_serviceassignment")
    cy = PersonFactory(first_name="Cy", last_name="Z", email=None, organization=organization)
    response = client.post(url(ServiceAssignment, "add"), {"person": cy.pk, "service": service.pk})
    assert response.status_code == 302
    assert messages_of(response)[-1] == (
        "1 new assignment has no effect today. Cy Z → QA · Budget · Portal: Cy Z is not on the project"
        " Portal."
    )


def test_users_who_may_not_see_people_save_without_preview(
    organization: Organization, service: Service
) -> None:
    client = staff(organization, "view_deal", "change_deal", "view_project", "view_service")
    assert edit(client, service.deal, person_restricted_tracking="on").status_code == 302
    assert Deal.objects.get().person_restricted_tracking


def test_preview_has_same_query_count_for_any_number_of_people(
    client: Client, service: Service, organization: Organization
) -> None:
    address = url(Deal, "change", service.deal_id)
    data = {**form_data(client, address), "person_restricted_tracking": "on"}
    counts = []
    for number in (0, 3, 30):
        for person in PersonFactory.create_batch(number, organization=organization):
            ProjectAssignmentFactory(person=person, project=service.deal.project, organization=organization)
        with CaptureQueriesContext(connection) as queries:
            assert is_preview(client.post(address, data))
        counts.append(len(queries))
    assert counts[0] == counts[1] == counts[2]


@pytest.mark.parametrize("model", [Deal, Service, Project, ServiceTypeAssignment])
def test_form_of_other_organization_does_not_exist(client: Client, service: Service, model: Any) -> None:
    stranger = staff(OrganizationFactory())
    pk = model.objects.values_list("pk", flat=True).first() or 1
    for page in ("change", "delete"):
        assert stranger.get(url(model, page, pk)).status_code == 302
        assert stranger.post(url(model, page, pk), {"digest": "x", "step": "apply"}).status_code == 302


def test_time_zone_changes_the_current_date(client: Client, service: Service) -> None:
    """Which day it is somewhere depends on the clock; budgets without dates are open on every day."""
    organization = service.organization
    assert edit(client, organization, time_zone="Pacific/Kiritimati").status_code == 302
    changed = WrittenRows(Organization, "~", [organization], frozenset({"time_zone"}))
    assert affected_services([changed]) == {service.pk}


def test_restriction_without_assignees_is_shown_as_ignored(client: Client, service: Service) -> None:
    ServiceAssignment.objects.all().delete()
    page = edit(client, service.deal, person_restricted_tracking="on")
    title = "Services that stay open to everybody on the project, because they have no assignees"
    assert consequences(page) == (["Nobody gains or loses access today."], [f"{title}: QA · Budget · Portal"])


def test_restriction_of_a_closed_budget_is_saved_at_once(client: Client, service: Service) -> None:
    service.deal.close()
    assert edit(client, service.deal, person_restricted_tracking="on").status_code == 302


def test_message_names_only_some_assignments_without_effect(
    service: Service, organization: Organization
) -> None:
    changes = ["change_deal", "change_service", "add_serviceassignment", "delete_serviceassignment"]
    client = staff(organization, *VIEWS, *changes)
    people = PersonFactory.create_batch(4, organization=organization)
    ids = [Person.objects.get(first_name="Ana").pk, *(person.pk for person in people)]
    response = edit(client, service.deal, **{"services-0-assignees": ids})
    assert response.status_code == 302
    message = messages_of(response)[-1]
    assert message.startswith("4 new assignments have no effect today. ")
    assert (message.count(" is not on the project Portal."), message[-1]) == (3, "…")
