"""Test the columns, links, filters, search and query counts of the admin's lists."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from django import forms
from django.contrib import admin
from django.contrib.admin.widgets import AutocompleteMixin
from django.db import connection
from django.db.models import Model
from django.forms.models import ModelChoiceField, ModelChoiceIterator
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from django.utils.formats import date_format

from assignments.admin_inlines import SERVICES_SHOWN
from assignments.models import ProjectAssignment, ServiceAssignment, ServiceTypeAssignment
from assignments.tracking_today import ServiceState as State
from catalog.models import Deal, Project, Service, ServiceType
from productive.accounts.models import ApiToken, Organization, Person
from productive.admin.columns import CountColumn
from productive.admin.filters import RecordListFilter
from tests.support.admin import (
    FACTORIES,
    create_row,
    every_owned_model,
    listed,
    staff,
    superuser,
    unrendered,
    url,
)
from tests.support.factories import (
    ApiTokenFactory,
    CompanyFactory,
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
from tests.support.samples import sampled
from tests.support.states import create_service_of_each_state

pytestmark = [pytest.mark.django_db, pytest.mark.no_cover, pytest.mark.any_database]


@pytest.fixture
def organization() -> Organization:
    return OrganizationFactory(time_zone="Europe/Zagreb")


@pytest.fixture
def client(organization: Organization) -> Client:
    return staff(organization)


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


# --- Counts ---------------------------------------------------------------------------------------


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


# --- Columns --------------------------------------------------------------------------------------


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


# --- Filters --------------------------------------------------------------------------------------

RECORD_FILTERS = [
    (model, item)
    for model, model_admin in admin.site._registry.items()
    for item in model_admin.list_filter
    if isinstance(item, type) and issubclass(item, RecordListFilter)
]
every_record_filter = pytest.mark.parametrize(
    ("model", "item"), RECORD_FILTERS, ids=lambda one: getattr(one, "__name__", one)
)


def filtered(client: Client, model: type[Model], query: str, name: str) -> tuple[set[Any], list[str]]:
    """Return the rows listed, and the choices in the form of the filter: the chosen record, if found."""
    changelist = unrendered(client, url(model, "changelist") + query).context_data["cl"]
    [form] = [
        form
        for spec in changelist.filter_specs
        for form in [next(iter(spec.choices(changelist))).get("form")]
        if form is not None and name in form.fields
    ]
    rows = {row.pk for row in changelist.result_list}
    return rows, re.findall(r'<option value="(\d+)"', str(form[name]))


@pytest.mark.any_database
@pytest.mark.no_cover
@every_record_filter
def test_record_filter_accepts_own_records_only(model: type[Model], item: type[RecordListFilter]) -> None:
    organization, other = OrganizationFactory(), OrganizationFactory()
    client, [name] = staff(organization), item.parameters
    related = item.relation.related_model
    create_row(model, organization)
    own, foreign = create_row(related, organization), create_row(related, other)
    assert filtered(client, model, f"?{name}={own.pk}", name) == (set(), [str(own.pk)])
    wrong_ids = (987_654_321, 2**63, 2**99, "x", "%00", "%ED%A0%80", "1_0", "-1")
    for wrong in (foreign.pk, *sampled(wrong_ids, RECORD_FILTERS.index((model, item)))):
        assert filtered(client, model, f"?{name}={wrong}", name) == (set(), [])
    assert listed(client, model, f"?{name}=") == listed(client, model)


@pytest.mark.parametrize(
    ("model", "wanted"),
    [
        (Person, {"project", "service", "service_type", "company", "manager"}),
        (Project, {"person", "company", "project_manager"}),
        (ServiceType, {"person"}),
        (Deal, {"project", "company", "responsible"}),
        (Service, {"person", "project", "deal", "service_type", "responsible"}),
        (ServiceAssignment, {"person", "service", "deal", "project", "service_type"}),
        (ProjectAssignment, {"person", "project"}),
        (ServiceTypeAssignment, {"person", "service_type"}),
    ],
)
def test_record_filters_find_rows(
    model: type[Model], wanted: set[str], organization: Organization, client: Client
) -> None:
    assigned = ServiceAssignmentFactory(organization=organization)
    person, service = assigned.person, assigned.service
    project, service_type = service.deal.project, service.service_type
    company = CompanyFactory(organization=organization)
    manager = PersonFactory(organization=organization)
    for row, links in (
        (person, {"company": company, "manager": manager}),
        (project, {"company": company, "project_manager": person}),
        (service.deal, {"responsible": person}),
        (service, {"person": person}),
    ):
        type(row)._default_manager.filter(pk=row.pk).update(**links)
    pair = {"organization": organization, "person": person}
    on_project = ProjectAssignmentFactory(**pair, project=project)
    of_type = ServiceTypeAssignmentFactory(**pair, service_type=service_type)
    create_row(model, organization)  # another one
    records = {
        "person": person,
        "project": project,
        "deal": service.deal,
        "service": service,
        "service_type": service_type,
        "company": company,
        "manager": manager,
        **dict.fromkeys(("project_manager", "responsible"), person),
    }
    ours = [person, project, service_type, service.deal, service, assigned, on_project, of_type]
    [own] = [row for row in ours if type(row) is model]
    found = {name: listed(client, model, f"?{name}={records[name].pk}") for name in wanted}
    assert found == {name: {own.pk} for name in wanted}
    assert {item.parameters[0] for kind, item in RECORD_FILTERS if kind is model} == wanted


def test_date_range_uses_time_zone_of_organization_and_includes_both_days(
    organization: Organization, client: Client
) -> None:
    """In Zagreb, 1 May begins at 22:00 UTC."""
    moments = {
        "last of April": datetime(2026, 4, 30, 21, 59, tzinfo=UTC),
        "first of May": datetime(2026, 4, 30, 22, 0, tzinfo=UTC),
        "still first": datetime(2026, 5, 1, 21, 59, 59, tzinfo=UTC),
        "second of May": datetime(2026, 5, 1, 22, 0, tzinfo=UTC),
    }
    for name, moment in moments.items():
        ProjectFactory(organization=organization, name=name, created_at=moment)
    elsewhere = OrganizationFactory(time_zone="Pacific/Kiritimati")  # 14 hours ahead
    ProjectFactory(organization=elsewhere, name="elsewhere", created_at=moments["last of April"])

    def found(client: Client, query: str) -> set[str]:
        rows = listed(client, Project, query)
        return set(Project.objects.filter(pk__in=rows).values_list("name", flat=True))

    the_day = "?created_at_from=2026-05-01&created_at_to=2026-05-01"
    assert found(client, the_day) == {"first of May", "still first"}
    assert found(client, "?created_at_from=2026-05-02") == {"second of May"}
    assert found(client, "?created_at_to=2026-04-30") == {"last of April"}
    assert found(client, "?created_at_from=2026-05-02&created_at_to=2026-05-01") == set()
    assert found(superuser(), the_day) == {"first of May", "still first", "elsewhere"}


def test_budget_dates_have_no_time_zone(organization: Organization, client: Client) -> None:
    inside = DealFactory(organization=organization, end_date=date(2026, 5, 1))
    DealFactory(organization=organization, end_date=date(2026, 5, 2))
    DealFactory(organization=organization)
    assert listed(client, Deal, "?end_date_from=2026-05-01&end_date_to=2026-05-01") == {inside.pk}


@pytest.mark.parametrize(
    "day", ["x", "2026-02-30", "%00", "%ED%A0%80", "99999-01-01", "9" * 5000, "2026-01-01T00:00"]
)
def test_invalid_day_finds_nothing_and_shows_error(
    day: str, organization: Organization, client: Client
) -> None:
    DealFactory(organization=organization)
    for name in ("created_at", "date"):
        for end in ("from", "to"):
            answer = client.get(url(Deal, "changelist") + f"?{name}_{end}={day}")
            assert list(answer.context["cl"].result_list) == []
            assert "Enter a valid date." in answer.content.decode()


def test_date_filter_accepts_first_and_last_possible_day(organization: Organization) -> None:
    deal = DealFactory(organization=organization, date=date(2026, 1, 1))
    for client in (staff(organization), superuser()):
        for name in ("created_at", "date"):
            ends = f"?{name}_from=0001-01-01&{name}_to=9999-12-31"
            assert listed(client, Deal, ends) == {deal.pk}


def test_tokens_about_to_expire(organization: Organization, client: Client) -> None:
    def token(days: float | None) -> ApiToken:
        expires_at = None if days is None else timezone.now() + timedelta(days=days)
        return ApiTokenFactory(organization=organization, expires_at=expires_at)

    soon, *_ = token(13.9), token(14.1), token(None), token(-1)
    token(1).revoke()
    off = token(1)
    off.user.is_active = False
    off.user.save()
    assert listed(client, ApiToken, "?state=expiring") == {soon.pk}


def test_filter_finds_archived_types_used_by_open_budgets(organization: Organization, client: Client) -> None:
    used, unused, of_closed, active = ServiceTypeFactory.create_batch(4, organization=organization)
    services = {
        one: ServiceFactory(organization=organization, service_type=one) for one in (used, of_closed, active)
    }
    services[of_closed].deal.close()
    for one in (used, unused, of_closed):
        one.archive()
    assert listed(client, ServiceType, "?archived=yes&in_use=yes") == {used.pk}
    assert listed(client, ServiceType, "?archived=all&in_use=no") == {unused.pk, of_closed.pk}


@pytest.mark.parametrize("model", [Deal, Person, Project, ServiceType])
def test_list_hides_rows_with_moment_until_switched(
    model: type[Any], organization: Organization, client: Client
) -> None:
    kept, hidden = (create_row(model, organization) for _ in range(2))
    hidden.moment.set(hidden)
    name = hidden.moment.done
    page = client.get(url(model, "changelist") + "?o=1")
    switch = page.context["cl"].switch
    assert [(text, is_current) for text, _, is_current in switch] == [
        (hidden.moment.unset.capitalize(), True),
        (name.capitalize(), False),
        ("All", False),
    ]
    assert [query for _, query, _ in switch] == ["?o=1", f"?{name}=yes&o=1", f"?{name}=all&o=1"]
    found = [listed(client, model, query) & {kept.pk, hidden.pk} for _, query, _ in switch]
    assert found == [{kept.pk}, {hidden.pk}, {kept.pk, hidden.pk}]
    assert 'aria-label="Status"' in page.content.decode()


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


# --- Cost -----------------------------------------------------------------------------------------


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


# --- Choices --------------------------------------------------------------------------------------


def drop_downs(fields: Any) -> set[str]:
    """Return the fields that would list all records of an owned model."""
    return {
        name
        for name, field in fields.items()
        if isinstance(field, ModelChoiceField)
        and field.queryset.model in {*FACTORIES, Organization}
        and not field.disabled
        and not isinstance(
            getattr(field.widget, "widget", field.widget), AutocompleteMixin | forms.HiddenInput
        )
    }


@pytest.mark.parametrize("actor", [superuser, staff])
@pytest.mark.parametrize("model", [*FACTORIES, Organization], ids=lambda model: model.__name__)
def test_no_field_lists_all_records(model: type[Model], actor: Any) -> None:
    organization = OrganizationFactory()
    row, client = create_row(model, organization), actor(*[organization] * (actor is staff))
    found = set()
    for address in (url(model, "add"), url(model, "change", row.pk)):
        answer = unrendered(client, address)
        if answer.status_code == 403:
            continue
        found |= drop_downs(answer.context_data["adminform"].form.fields)
        for inline in answer.context_data["inline_admin_formsets"]:
            found |= drop_downs(inline.formset.empty_form.fields)
    changelist = unrendered(client, url(model, "changelist")).context_data["cl"]
    for spec in changelist.filter_specs:
        for choice in spec.choices(changelist):
            fields = choice["form"].fields if "form" in choice else {}
            found |= drop_downs(fields)
            offered = [field for field in fields.values() if isinstance(getattr(field, "choices", 0), list)]
            assert all(len(field.choices) < 15 for field in offered)
    assert found == set()


def test_drop_downs_finds_fields_that_list_all_records() -> None:
    field = ModelChoiceField(Person.objects.all())
    assert isinstance(field.choices, ModelChoiceIterator)
    assert drop_downs({"person": field}) == {"person"}
