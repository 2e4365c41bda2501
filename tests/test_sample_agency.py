"""Test that the sample agency is realistic and has every outcome of the tracking rule."""

from __future__ import annotations

from itertools import product

import pytest
from django.db.models import F, Q
from django.utils import timezone

from assignments.models import Filter, ProjectAssignment, ServiceAssignment, ServiceTypeAssignment
from assignments.tracking import ALLOWANCES, REFUSALS, Kind, decide_all, trackable_by, with_budget
from catalog.models import Company, Deal, Project, Service, ServiceType
from productive.accounts.models import Organization, Person
from productive.management.commands.seed import MODELS
from tests.support.commands import seed

pytestmark = pytest.mark.django_db

SMALLEST = {"people": 20, "projects": 6}


def services() -> list[Service]:
    """Return all services with the related rows that the tracking rule reads."""
    return list(
        Service.objects.select_related("organization", "deal__organization", "service_type").prefetch_related(
            "deal__project__project_assignments",
            "service_assignments",
            "service_type__service_type_assignments",
        )
    )


@pytest.mark.any_database
def test_every_row_passes_full_clean() -> None:
    seed()
    Organization.objects.get().full_clean()
    rows = [
        *Person.objects.select_related("organization"),
        *ServiceType.objects.select_related("organization"),
        *ServiceTypeAssignment.objects.select_related("organization", "person", "service_type"),
        *Filter.objects.select_related("organization"),
        *Company.objects.select_related("organization"),
        *Project.objects.select_related("organization", "company", "project_manager"),
        *ProjectAssignment.objects.select_related("organization", "person", "project"),
        *Deal.objects.select_related("organization", "project", "responsible", "creator"),
        *Service.objects.select_related("organization", "deal", "service_type"),
        *ServiceAssignment.objects.select_related("organization", "person", "service"),
    ]
    for row in rows:
        row.full_clean()
    assert len(rows) == sum(model.objects.count() for model in MODELS)


@pytest.mark.any_database
@pytest.mark.parametrize("options", [{}, SMALLEST, SMALLEST | {"random_seed": 2}])
def test_every_reason_is_the_only_one_of_some_pair(options: dict[str, int]) -> None:
    seed(**options)
    today = Organization.objects.get().today()
    pairs = list(product(Person.objects.all(), with_budget(Service.objects.all())))
    for kind, other in (("time", "expense"), ("expense", "time")):
        alone = {
            decision.reasons[0].code
            for decision in decide_all(pairs, today, Kind(kind))
            if len(decision.reasons) == 1
        }
        assert alone == {*REFUSALS, *ALLOWANCES} - {f"{other}_tracking_disabled"}


def test_some_members_of_projects_may_track_nowhere() -> None:
    seed()
    today = Organization.objects.get().today()
    members = Person.objects.active().filter(project_assignments__isnull=False).distinct()
    tracked = [
        trackable_by(Service.objects.all(), person.pk, today, Kind.TIME).exists() for person in members
    ]
    assert set(tracked) == {True, False}
    assert Person.objects.active().filter(project_assignments=None).exists()


def test_budgets_have_every_state() -> None:
    seed()
    today = Organization.objects.get().today()
    states = {
        "open": Q(closed_at=None),
        "closed": Q(closed_at__isnull=False),
        "closed before its end": Q(closed_at__isnull=False, end_date__gt=today),
        "not yet started": Q(date__gt=today),
        "ended by date": Q(closed_at=None, end_date__lt=today),
        "without dates": Q(date=None, end_date=None),
        "only a start": Q(date__isnull=False, end_date=None),
        "only an end": Q(date=None, end_date__isnull=False),
    }
    restrictions = {
        (person, service_type): Q(
            person_restricted_tracking=person, service_type_restricted_tracking=service_type
        )
        for person in (False, True)
        for service_type in (False, True)
    }
    current = Deal.objects.open().exclude(date__gt=today).exclude(end_date__lt=today)
    assert [state for state, query in states.items() if not Deal.objects.filter(query).exists()] == []
    assert [both for both, query in restrictions.items() if not current.filter(query).exists()] == []


@pytest.mark.parametrize("options", [{}, SMALLEST])
def test_services_show_every_special_case(options: dict[str, int]) -> None:
    seed(**options)
    restricted = Service.objects.filter(deal__closed_at=None, deal__person_restricted_tracking=True)
    active = ServiceAssignment.objects.filter(person__archived_at=None)
    cases = {
        "no time": Service.objects.filter(time_tracking_enabled=False, expense_tracking_enabled=True),
        "no expenses": Service.objects.filter(time_tracking_enabled=True, expense_tracking_enabled=False),
        "neither": Service.objects.filter(time_tracking_enabled=False, expense_tracking_enabled=False),
        "nobody assigned": restricted.filter(service_assignments=None),
        "only archived people assigned": restricted.filter(service_assignments__isnull=False).exclude(
            service_assignments__in=active
        ),
        "archived type on an open budget": Service.objects.filter(
            deal__closed_at=None, service_type__archived_at__isnull=False
        ),
        "archived project": Service.objects.filter(
            deal__closed_at=None, deal__project__archived_at__isnull=False
        ),
    }
    assert [name for name, queryset in cases.items() if not queryset.exists()] == []
    assert ServiceType.objects.exclude(archived_at=None).count() == 3


def test_default_filters_are_saved_filters() -> None:
    seed()
    chosen = ProjectAssignment.objects.exclude(default_filter_id=None)
    assert chosen.filter(favorite_filter__name__isnull=False).count() == chosen.count() > 25


def test_times_are_plausible() -> None:
    seed()
    today = timezone.now().replace(hour=0, minute=0, second=0, microsecond=0)
    assert [model for model in MODELS if model.objects.filter(created_at__gte=today).exists()] == []
    wrong = {
        "archived before created": [
            *Person.objects.filter(archived_at__lte=F("created_at")),
            *Project.objects.filter(archived_at__lte=F("created_at")),
            *ServiceType.objects.filter(archived_at__lte=F("created_at")),
            *Deal.objects.filter(closed_at__lte=F("created_at")),
        ],
        "older than what it belongs to": [
            *Deal.objects.filter(created_at__lte=F("project__created_at")),
            *Service.objects.filter(created_at__lte=F("deal__created_at")),
            *Service.objects.filter(created_at__lte=F("service_type__created_at")),
            *ProjectAssignment.objects.filter(created_at__lte=F("project__created_at")),
            *ProjectAssignment.objects.filter(created_at__lte=F("person__created_at")),
            *ServiceAssignment.objects.filter(created_at__lte=F("service__created_at")),
            *ServiceAssignment.objects.filter(created_at__lte=F("person__created_at")),
            *ServiceTypeAssignment.objects.filter(created_at__lte=F("person__created_at")),
        ],
        "after a person left or a record was archived": [
            *ProjectAssignment.objects.filter(created_at__gte=F("person__archived_at")),
            *ServiceAssignment.objects.filter(created_at__gte=F("person__archived_at")),
            *ServiceAssignment.objects.filter(created_at__gte=F("service__deal__closed_at")),
            *ServiceTypeAssignment.objects.filter(created_at__gte=F("service_type__archived_at")),
            *Service.objects.filter(created_at__gte=F("service_type__archived_at")),
            *Service.objects.filter(created_at__gte=F("deal__project__archived_at")),
        ],
    }
    assert [(complaint, rows) for complaint, rows in wrong.items() if rows] == []


@pytest.mark.any_database
def test_largest_agency_has_unique_emails_and_project_names() -> None:
    seed(people=1000, projects=480)
    assert (Person.objects.count(), Project.objects.count()) == (1000, 480)
    assert Project.objects.values("name").distinct().count() == 480
    addresses = list(Person.objects.exclude(email=None).values_list("email", flat=True))
    assert len({address.casefold() for address in addresses}) == len(addresses) > 950
    private = [address for address in addresses if not address.endswith("@agency.example")]
    assert [address.partition("@")[2] for address in private] == ["mail.example"] * 2
