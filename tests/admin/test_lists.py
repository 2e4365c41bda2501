"""Test the columns, links, orders and query counts of lists."""

from __future__ import annotations

import re
from datetime import date
from typing import Any

import pytest
from django.db import connection
from django.db.models import Model
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from django.utils.formats import date_format

from assignments.models import ServiceAssignment
from assignments.tracking_today import ServiceState as State
from catalog.admin_inlines import SERVICES_SHOWN
from catalog.models import Deal, Project, Service, ServiceType
from productive.accounts.models import ApiToken, Organization, Person
from productive.admin.columns import CountColumn
from tests.support.admin import create_row, every_owned_model, listed, staff, superuser, url
from tests.support.factories import (
    ApiTokenFactory,
    DealFactory,
    OrganizationFactory,
    PersonFactory,
    ProjectAssignmentFactory,
    ProjectFactory,
    ServiceAssignmentFactory,
    ServiceFactory,
    ServiceTypeAssignmentFactory,
    ServiceTypeFactory,
)
from tests.support.states import create_service_of_each_state

pytestmark = [pytest.mark.django_db, pytest.mark.no_cover, pytest.mark.any_database]


def shown(client: Client, model: type[Model], query: str = "") -> list[dict[str, str]]:
    """Return the rows of a list as text, by the headings of their columns."""
    page = client.get(url(model, "changelist") + query).content.decode()
    rows = re.findall(r'<(?:td|th)[^>]*class="field-(\w+)[^>]*>(.*?)</(?:td|th)>', page, re.DOTALL)
    found: list[dict[str, str]] = []
    for name, markup in rows:
        if not found or name in found[-1]:
            found.append({})
        found[-1][name] = " ".join(re.sub("<[^>]*>", " ", markup).split())
    return found


def counts(client: Client, model: type[Model], query: str = "") -> dict[str, dict[str, tuple[int, set[Any]]]]:
    """Return by row and column the number and the rows of the list that it links to."""
    changelist = client.get(url(model, "changelist") + query).context["cl"]
    columns = [column for column in changelist.list_display if isinstance(column, CountColumn)]
    answer: dict[str, dict[str, tuple[int, set[Any]]]] = {}
    for row in changelist.result_list:
        for column in columns:
            query = re.search(r'href="[^"?]*(\?[^"]*)"', str(column(row)))[1].replace("&amp;", "&")  # type: ignore[index]
            number = row.counts[column.__name__]
            answer.setdefault(str(row), {})[column.__name__] = number, listed(client, column.model, query)
    return answer


def test_each_count_equals_linked_list(organization: Organization, client: Client) -> None:
    ana = PersonFactory(organization=organization, first_name="Ana", last_name="Horvat")
    website = ProjectFactory(organization=organization, name="Website")
    deal = DealFactory(organization=organization, project=website, name="2026")
    closed = DealFactory(organization=organization, project=website, name="2025")
    closed.close()
    design = ServiceTypeFactory(organization=organization, name="Design")
    current, past = (
        ServiceFactory(organization=organization, deal=of, service_type=design) for of in (deal, closed)
    )
    for _ in range(2):
        ServiceAssignmentFactory(organization=organization, service=current)
    assigned = ServiceAssignmentFactory(organization=organization, service=current, person=ana)
    member = ProjectAssignmentFactory(organization=organization, project=website, person=ana)
    holds = ServiceTypeAssignmentFactory(organization=organization, service_type=design, person=ana)
    all_three = set(ServiceAssignment.objects.values_list("pk", flat=True))

    assert counts(client, Person)["Ana Horvat"] == {
        "projects": (1, {member.pk}),
        "services": (1, {assigned.pk}),
        "service_types": (1, {holds.pk}),
    }
    assert counts(client, Project) == {
        "Website": {"members": (1, {member.pk}), "open_budgets": (1, {deal.pk})}
    }
    assert counts(client, Deal, "?closed=all") == {
        "2025": {"services": (1, {past.pk}), "assignments": (0, set())},
        "2026": {"services": (1, {current.pk}), "assignments": (3, all_three)},
    }
    assert counts(client, Service)[str(current)] == {"assignees": (3, all_three)}
    assert counts(client, ServiceType) == {
        "Design": {"services_in_use": (1, {current.pk}), "people": (1, {holds.pk})}
    }


def test_counts_without_view_permission_are_hidden(organization: Organization) -> None:
    PersonFactory(organization=organization)
    viewer = staff(organization, "view_person", "view_projectassignment")
    [row, *_] = shown(viewer, Person)
    assert set(row) == {"name", "email", "title", "status", "projects"}


def test_related_records_are_links_with_view_permission(organization: Organization, client: Client) -> None:
    assignment = ServiceAssignmentFactory(organization=organization)
    service = assignment.service
    page = client.get(url(ServiceAssignment, "changelist")).content.decode()
    for record, label in (
        (assignment.person, f"{assignment.person} · {assignment.person.email}"),
        (service, f"{service} · {service.deal} · {service.deal.project}"),
    ):
        assert f'href="{url(type(record), "change", record.pk)}">{label}</a>' in page
    assert f'href="{url(ServiceAssignment, "change", assignment.pk)}"' in page

    page = (
        staff(organization, "view_serviceassignment")
        .get(url(ServiceAssignment, "changelist"))
        .content.decode()
    )
    assert f"{service} · {service.deal} · {service.deal.project}" in page
    assert url(Service, "change", service.pk) not in page


def test_states_are_text(organization: Organization, client: Client) -> None:
    PersonFactory(organization=organization, first_name="Zoe").archive()
    DealFactory(organization=organization, name="B").close()
    DealFactory(organization=organization, name="A")
    assert [row["state"] for row in shown(client, Deal, "?closed=all")] == ["Open", "Closed"]
    assert {row["status"] for row in shown(client, Person, "?archived=all")} == {"Active", "Archived"}

    now = timezone.now()
    token = ApiTokenFactory(organization=organization)
    ApiTokenFactory(organization=organization, expires_at=now)
    ApiTokenFactory(organization=organization).revoke()
    off = ApiTokenFactory(organization=organization)
    off.user.is_active = False
    off.user.save()
    assert [row["state"] for row in shown(client, ApiToken)] == [
        "User inactive",
        "Revoked",
        "Expired",
        "Live",
    ]
    assert listed(client, ApiToken, "?state=live") == {token.pk}


def test_column_filter_and_pages_show_who_can_track(organization: Organization, client: Client) -> None:
    services = create_service_of_each_state(organization)
    ended, later = (services[state].deal for state in (State.BUDGET_ENDED, State.BUDGET_NOT_STARTED))
    Service.objects.filter(pk=services[State.RESTRICTED].pk).update(expense_tracking_enabled=False)
    Service.objects.filter(pk=services[State.OPEN].pk).update(time_tracking_enabled=False)
    texts = {
        State.OPEN: "Everybody on the project expenses only",
        State.OPEN_NOBODY_ASSIGNED: "Everybody on the project nobody is assigned",
        State.RESTRICTED: "1 person time only",
        State.PROJECT_ARCHIVED: "Nobody the project is archived",
        State.BUDGET_CLOSED: "Nobody the budget is closed",
        State.BUDGET_NOT_STARTED: f"Nobody the budget starts on {date_format(later.date)}",
        State.BUDGET_ENDED: f"Nobody the budget ended on {date_format(ended.end_date)}",
        State.TRACKING_DISABLED: "Nobody time and expense tracking are off",
        State.NO_MEMBERS: "Nobody nobody active is on the project",
        State.ASSIGNEES_ARCHIVED: "Nobody all assignees are archived",
        State.ASSIGNEES_NOT_MEMBERS: "Nobody no active assignee is on the project",
        State.TYPE_NOT_HELD: "Nobody nobody left holds the service type",
    }
    columns = {row["name"]: row["access"] for row in shown(client, Service)}
    assert columns == {services[state].name: text for state, text in texts.items()}
    for state in (State.OPEN_NOBODY_ASSIGNED, State.BUDGET_ENDED):
        service = services[state]
        for record in (service, service.deal, service.deal.project):
            page = client.get(url(type(record), "change", record.pk)).content.decode()
            assert texts[state] in " ".join(re.sub("<[^>]*>", " ", page).split())

    found = {state: listed(client, Service, f"?access={state}") for state in [*State, "no such state"]}
    closed = {State.PROJECT_ARCHIVED, State.BUDGET_CLOSED}
    assert found == {**{state: {service.pk} for state, service in services.items()}, "no such state": set()}
    assert listed(client, Service, "?access=closed") == {services[state].pk for state in closed}
    assert listed(client, Service, "?access=nobody") == {
        service.pk for state, service in services.items() if "Nobody" in texts[state] and state not in closed
    }
    assert listed(client, Service, "?in_use=no") == {services[state].pk for state in closed}


def test_budgets_are_filtered_by_end(organization: Organization, client: Client) -> None:
    services = create_service_of_each_state(organization)
    ended = services[State.BUDGET_ENDED].deal
    archived = services[State.PROJECT_ARCHIVED].deal
    Deal.objects.filter(pk=archived.pk).update(end_date=ended.end_date)
    assert listed(client, Deal, "?ended=yes") == {ended.pk}
    assert listed(superuser(), Deal, "?ended=yes") == {ended.pk}


def test_project_page_lists_some_services_of_a_budget(organization: Organization, client: Client) -> None:
    deal = DealFactory(organization=organization)
    ServiceFactory.create_batch(SERVICES_SHOWN + 1, organization=organization, deal=deal)
    address = url(Project, "change", deal.project_id)
    page = client.get(address).content.decode()
    assert page.count("nobody active is on the project") == SERVICES_SHOWN
    assert f'href="{url(Service, "changelist")}?deal={deal.pk}">and 1 more</a>' in page
    viewer = staff(organization, "view_project", "view_deal")
    page = viewer.get(address).content.decode()
    assert deal.name in page
    assert "nobody active is on the project" not in page


@pytest.mark.parametrize("model", [Deal, Project])
def test_states_on_a_page_take_the_same_queries_for_any_number(
    model: type[Model], organization: Organization, client: Client
) -> None:
    deal = DealFactory(organization=organization, end_date=date(2020, 1, 1))
    counts = []
    address = url(model, "change", deal.pk if model is Deal else deal.project_id)
    client.get(address)
    for number in (1, 2):
        ServiceFactory.create_batch(number, organization=organization, deal=deal)
        with CaptureQueriesContext(connection) as captured:
            client.get(address)
        counts.append(len(captured))
    assert counts[0] == counts[1]


def test_lists_are_sorted_by_counts(organization: Organization, client: Client) -> None:
    services = ServiceFactory.create_batch(3, organization=organization)
    for service, number in zip(services, (1, 2, 0), strict=True):
        ServiceAssignmentFactory.create_batch(number, organization=organization, service=service)
    changelist = client.get(url(Service, "changelist")).context["cl"]
    number = [str(getattr(one, "__name__", one)) for one in changelist.list_display].index("assignees")
    for order, expected in ((f"{number}", [0, 1, 2]), (f"-{number}", [2, 1, 0])):
        rows = client.get(url(Service, "changelist") + f"?o={order}").context["cl"].result_list
        assert [row.counts["assignees"] for row in rows] == expected


def test_budgets_are_sorted_by_their_restrictions(organization: Organization, client: Client) -> None:
    for by_person, by_type in ((True, True), (False, True), (True, False), (False, False)):
        DealFactory(
            organization=organization,
            person_restricted_tracking=by_person,
            service_type_restricted_tracking=by_type,
        )
    columns = [str(column) for column in client.get(url(Deal, "changelist")).context["cl"].list_display]
    rows = shown(client, Deal, f"?o={columns.index('restricted_by')}")
    assert [row["restricted_by"] for row in rows] == ["-", "person", "type", "person and type"]


def fill(model: type[Model], organization: Organization) -> None:
    """Create a row of the model with a value in each column."""
    row = create_row(model, organization)
    of_row = {"organization": organization}
    for pairs, name, related in (
        (ServiceAssignmentFactory, "person", Person),
        (ProjectAssignmentFactory, "person", Person),
        (ServiceTypeAssignmentFactory, "person", Person),
        (ProjectAssignmentFactory, "project", Project),
        (DealFactory, "project", Project),
        (ServiceFactory, "deal", Deal),
        (ServiceAssignmentFactory, "service", Service),
        (ServiceFactory, "service_type", ServiceType),
        (ServiceTypeAssignmentFactory, "service_type", ServiceType),
    ):
        if related is model:
            pairs(**of_row, **{name: row})


@every_owned_model
@pytest.mark.parametrize("actor", [superuser, staff])
def test_list_has_same_query_count_for_1_and_3_rows(model: type[Model], actor: Any) -> None:
    organization = OrganizationFactory()
    client = actor(*[organization] * (actor is staff))
    fill(model, organization)

    def cost() -> int:
        with CaptureQueriesContext(connection) as queries:
            assert client.get(url(model, "changelist")).status_code == 200
        return len(queries)

    cost()
    at_one = cost()
    for _ in range(2):
        fill(model, organization)
    assert cost() == at_one


def test_list_of_people_has_fixed_queries(organization: Organization, client: Client) -> None:
    """Session, user, permissions of user and groups, organizations, total, page, counts."""
    fill(Person, organization)
    client.get(url(Person, "changelist"))
    with CaptureQueriesContext(connection) as queries:
        client.get(url(Person, "changelist"))
    assert len(queries) == 8
    [counting] = [query["sql"] for query in queries if 'COUNT(*) AS "__count"' in query["sql"]]
    assert "assignment" not in counting
