"""Test the bulk actions that repair services and people from the lists of the overview."""

from __future__ import annotations

import pytest
from django.test import Client

from assignments.tracking_today import ServiceState as State
from assignments.tracking_today import states_of_services
from catalog.models import Deal, Service
from productive.accounts.models import Organization, Person
from tests.support.admin import listed, staff, url
from tests.support.bulk import apply, consequences, preview, shown, start
from tests.support.factories import OrganizationFactory, PersonFactory, ServiceAssignmentFactory
from tests.support.states import create_service_of_each_state

pytestmark = [pytest.mark.django_db, pytest.mark.any_database]


@pytest.fixture
def organization() -> Organization:
    return OrganizationFactory()


@pytest.fixture
def services(organization: Organization) -> dict[State, Service]:
    return create_service_of_each_state(organization)


@pytest.fixture
def client(organization: Organization) -> Client:
    return staff(organization)


def state_of(service: Service) -> State:
    return states_of_services([service.pk])[service.pk].state


def member_of(service: Service) -> Person:
    members = service.deal.project.project_assignments.filter(person__archived_at=None)
    return members.earliest("id").person  # type: ignore[no-any-return]


@pytest.mark.parametrize(
    ("state", "action", "message", "after"),
    [
        (State.BUDGET_ENDED, "close_budgets", "1 budget closed.", State.BUDGET_CLOSED),
        (State.TRACKING_DISABLED, "switch_on_time", "1 service switched on.", State.OPEN),
        (State.TRACKING_DISABLED, "switch_on_expenses", "1 service switched on.", State.OPEN),
        (
            State.ASSIGNEES_NOT_MEMBERS,
            "add_assignees_to_projects",
            "Added 1 person to 1 project: 1 new project assignment.",
            State.RESTRICTED,
        ),
    ],
)
def test_services_are_repaired(
    state: State, action: str, message: str, after: State, services: dict[State, Service], client: Client
) -> None:
    service = services[state]
    assert listed(client, Service, f"?access={state}") == {service.pk}
    assert apply(client, preview(client, action, [service])) == [message]
    assert state_of(service) == after
    assert listed(client, Service, f"?access={state}") == set()


@pytest.mark.parametrize(
    ("state", "action", "message", "after"),
    [
        (
            State.NO_MEMBERS,
            "add_people_to_projects",
            "Added 1 person to 1 project: 1 new project assignment.",
            State.OPEN,
        ),
        (
            State.TYPE_NOT_HELD,
            "give_types_to_people",
            "Gave 1 person 1 service type: 1 new service type assignment.",
            State.RESTRICTED,
        ),
        (
            State.ASSIGNEES_ARCHIVED,
            "assign_people",
            "Assigned 1 person to 1 service: 1 new service assignment.",
            State.RESTRICTED,
        ),
    ],
)
def test_services_are_repaired_with_people(
    state: State, action: str, message: str, after: State, services: dict[State, Service], client: Client
) -> None:
    service = services[state]
    person = member_of(services[State.OPEN])
    page = preview(client, action, [service], [person])
    assert consequences(page)[0] == ["1 person gains access to 1 service."]
    assert apply(client, page) == [message]
    assert state_of(service) == after


def test_services_of_one_budget_close_it_once(services: dict[State, Service], client: Client) -> None:
    ended, closed = services[State.BUDGET_ENDED], services[State.BUDGET_CLOSED]
    other = Service.objects.create(
        organization=ended.organization, deal=ended.deal, service_type=ended.service_type, name="Other"
    )
    page = preview(client, "close_budgets", [ended, other, closed])
    assert shown(page) == {
        "Will be closed": [f"{ended.deal} · {ended.deal.project}"],
        "Are already closed, skipped": [f"{closed.deal} · {closed.deal.project}"],
    }


def test_people_on_no_project_are_added_to_projects(
    organization: Organization, services: dict[State, Service], client: Client
) -> None:
    outsider = PersonFactory(organization=organization)
    assert outsider.pk in listed(client, Person, "?trackable=no_project")
    project = services[State.OPEN].deal.project
    assert apply(client, preview(client, "add_to_projects", [outsider], [project])) == [
        "Added 1 person to 1 project: 1 new project assignment."
    ]
    assert outsider.pk not in listed(client, Person, "?trackable=nowhere")


@pytest.mark.parametrize(
    ("action", "permission"),
    [
        ("close_budgets", "change_deal"),
        ("switch_on_time", "change_service"),
        ("add_people_to_projects", "add_projectassignment"),
        ("add_assignees_to_projects", "add_projectassignment"),
        ("give_types_to_people", "add_servicetypeassignment"),
    ],
)
def test_repairs_need_permission(
    action: str, permission: str, organization: Organization, services: dict[State, Service]
) -> None:
    views = ["view_service", "view_deal", "view_project", "view_person", "view_servicetype"]
    views.append("view_serviceassignment")
    for names, allowed in ((views, False), ([*views, permission], True)):
        page = staff(organization, *names).get(url(Service, "changelist"))
        choices = dict(page.context["action_form"].fields["action"].choices) if allowed else {}
        assert (action in choices) is allowed
        if not allowed:
            response = start(staff(organization, *names), action, [services[State.BUDGET_ENDED]])
            assert response.status_code in (200, 302)
            assert Deal.objects.exclude(closed_at=None).count() == 1


def test_assignees_of_other_organizations_are_not_added(
    organization: Organization, services: dict[State, Service], client: Client
) -> None:
    foreign = ServiceAssignmentFactory(service__deal__person_restricted_tracking=True)
    page = start(client, "add_assignees_to_projects", [foreign.service], model=Service)
    assert shown(page) == {}
    assert not foreign.person.project_assignments.exists()
