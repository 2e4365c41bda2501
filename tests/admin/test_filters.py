"""Test the filters of lists."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from django.contrib import admin
from django.db.models import Model
from django.test import Client
from django.utils import timezone

from assignments.models import ProjectAssignment, ServiceAssignment, ServiceTypeAssignment
from catalog.models import Deal, Project, Service, ServiceType
from productive.accounts.models import ApiToken, Organization, Person
from productive.admin.filters import RecordListFilter
from tests.support.admin import create_row, listed, staff, superuser, unrendered, url
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

pytestmark = [pytest.mark.django_db, pytest.mark.no_cover, pytest.mark.any_database]


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
