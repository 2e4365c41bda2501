"""Who can track today: the states of services and people.

A state is one expression that the database computes from the conditions of `tracking`. The columns, filters,
inlines and the overview of the admin all use it, so they agree. A condition that stops at the first member
is a scalar subquery, not EXISTS, for which PostgreSQL would read all assignments.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Sequence
from datetime import date
from enum import StrEnum
from functools import cache
from typing import Any, NamedTuple

from django.db.models import (
    Case,
    CharField,
    Count,
    DateField,
    IntegerField,
    OuterRef,
    Q,
    QuerySet,
    Subquery,
    Value,
    When,
)
from django.db.models.functions import Cast, Coalesce
from django.db.models.lookups import IsNull
from django.utils import timezone

from assignments.models import ProjectAssignment, ServiceAssignment, ServiceTypeAssignment
from assignments.tracking import budget_conditions, restriction_conditions, trackable_membership
from catalog.models import Service
from productive.accounts.models import Organization, Person
from productive.database.query_cache import CompiledQuery, padded


class ServiceState(StrEnum):
    """Who can track time or expenses on a service today, or why nobody can.

    If several reasons apply, the state is the first one.
    """

    OPEN = "open"
    # The budget is restricted by person. That is ignored because the service has no assignees.
    OPEN_NOBODY_ASSIGNED = "open_nobody_assigned"
    RESTRICTED = "restricted"
    # Nobody can track, because:
    PROJECT_ARCHIVED = "project_archived"
    BUDGET_CLOSED = "budget_closed"
    BUDGET_NOT_STARTED = "budget_not_started"
    BUDGET_ENDED = "budget_ended"
    TRACKING_DISABLED = "tracking_disabled"
    NO_MEMBERS = "no_members"
    ASSIGNEES_ARCHIVED = "assignees_archived"
    ASSIGNEES_NOT_MEMBERS = "assignees_not_members"
    TYPE_NOT_HELD = "type_not_held"


# More services than a page of the admin has.
MAX_COMPILED_STATES = 1024

TRACKABLE = frozenset({ServiceState.OPEN, ServiceState.OPEN_NOBODY_ASSIGNED, ServiceState.RESTRICTED})
# Somebody has closed the budget or archived the project, so nobody is expected to track.
NOT_IN_USE = frozenset({ServiceState.PROJECT_ARCHIVED, ServiceState.BUDGET_CLOSED})
TRACKABLE_BY_NOBODY = frozenset(ServiceState) - TRACKABLE - NOT_IN_USE


class PersonState(StrEnum):
    """Whether an active person can track anywhere today, or why not.

    If several reasons apply, the state is the first one.
    """

    CAN_TRACK = "somewhere"
    NO_PROJECT = "no_project"
    PROJECTS_ARCHIVED = "projects_archived"
    # No budget of the projects is open today with a service that takes time or expenses.
    NOTHING_OPEN = "nothing_open"
    NOT_ALLOWED = "not_allowed"


TRACKS_NOWHERE = frozenset(PersonState) - {PersonState.CAN_TRACK}


class OpenTo(NamedTuple):
    """To whom a service is open today: its state, and the number of people who can track on it."""

    state: ServiceState
    people: int


# --- services -------------------------------------------------------------------------------------


def in_service_states(services: QuerySet[Service], states: Collection[ServiceState]) -> QuerySet[Service]:
    """Filter the services with one of these states. It takes a query for the dates."""
    found: QuerySet[Service] = services.alias(state=by_date(services, service_state)).filter(state__in=states)
    return found


def count_service_states(services: QuerySet[Service]) -> dict[ServiceState, int]:
    """Return the number of services in each state, with one query and one for the dates."""
    return {ServiceState(state): number for state, number in count_states(services, service_state)}


def states_of_services(ids: Collection[int]) -> dict[int, OpenTo]:
    """Return the states of these services, by id.

    It takes one query for the dates, and one for each of them, which the ORM takes 15 ms to compile.
    """
    by_day: dict[date, list[int]] = defaultdict(list)
    zones = Service.objects.filter(pk__in=ids).order_by().values_list("pk", "organization__time_zone")
    for pk, zone in zones if ids else ():
        by_day[Organization(time_zone=zone).today()].append(pk)
    found: dict[int, OpenTo] = {}
    for today, services in by_day.items():
        found |= states_on(today, services)
    return found


def states_on(today: date, services: Sequence[int]) -> dict[int, OpenTo]:
    """Return the states of these services on a day, by id. It takes one query."""
    if not services:
        return {}
    if len(services) > MAX_COMPILED_STATES:
        rows = state_rows(today.isoformat(), *services)
    else:
        repeated = padded(services)
        rows = state_query(len(repeated)).rows(today.isoformat(), *repeated)
    return {pk: OpenTo(ServiceState(state), people) for pk, state, people in rows}


@cache
def state_query(count: int) -> CompiledQuery:
    """Return the query of `state_rows()` for as many services."""
    return CompiledQuery(Service, state_rows, "", *range(count))


def state_rows(today: str, *ids: int) -> Any:
    """Return the id, the state and the number of people of each service."""
    counts = memberships_that_track().order_by().values("project__deals__services").annotate(n=Count("pk"))
    services: Any = Service.objects.filter(pk__in=ids).order_by()
    rows = services.annotate(
        state=service_state(Cast(Value(today), DateField())),
        people=Case(
            When(state__in=TRACKABLE, then=Coalesce(Subquery(counts.values("n")), 0)),
            default=0,
            output_field=IntegerField(),
        ),
    )
    return rows.values_list("pk", "state", "people")


def service_state(today: Any) -> Case:
    """Return the state of the service on a day, a date or an expression of one.

    It begins with the cheapest conditions. Of assignees, members and holders of the type, the subqueries
    begin with the fewest.
    """
    unrestricted = restrictions(by_person=False, by_type=False)
    by_person = restrictions(by_person=True, by_type=False)
    by_type = restrictions(by_person=False, by_type=True)
    by_both = restrictions(by_person=True, by_type=True)
    on_project = {"person__project_assignments__project": OuterRef("deal__project")}
    with_type = {"person__service_type_assignments__service_type": OuterRef("service_type")}
    assigned = ServiceAssignment.objects.filter(service=OuterRef("pk"))
    active = assigned.filter(person__archived_at=None)
    members = ProjectAssignment.objects.filter(project=OuterRef("deal__project"), person__archived_at=None)
    holders = ServiceTypeAssignment.objects.filter(
        service_type=OuterRef("service_type"), person__archived_at=None
    )
    is_assigned, has_members = any_row(assigned), any_row(members)
    is_held = any_row(holders.filter(**on_project))
    return Case(
        *states(
            (~Q(deal__project__archived_at=None), ServiceState.PROJECT_ARCHIVED),
            (~Q(deal__closed_at=None), ServiceState.BUDGET_CLOSED),
            (Q(deal__date__gt=today), ServiceState.BUDGET_NOT_STARTED),
            (Q(deal__end_date__lt=today), ServiceState.BUDGET_ENDED),
            (
                Q(time_tracking_enabled=False, expense_tracking_enabled=False),
                ServiceState.TRACKING_DISABLED,
            ),
            (~has_members, ServiceState.NO_MEMBERS),
            (unrestricted, ServiceState.OPEN),
            (by_type & is_held, ServiceState.RESTRICTED),
            (by_type, ServiceState.TYPE_NOT_HELD),
            (by_person & any_row(active.filter(**on_project)), ServiceState.RESTRICTED),
            (by_both & any_row(active.filter(**on_project, **with_type)), ServiceState.RESTRICTED),
            (by_person & ~is_assigned, ServiceState.OPEN_NOBODY_ASSIGNED),
            (by_both & ~is_assigned & is_held, ServiceState.RESTRICTED),
            (by_both & ~is_assigned, ServiceState.TYPE_NOT_HELD),
            (~any_row(active), ServiceState.ASSIGNEES_ARCHIVED),
            (by_both & any_row(active.filter(**on_project)), ServiceState.TYPE_NOT_HELD),
        ),
        default=Value(ServiceState.ASSIGNEES_NOT_MEMBERS),
        output_field=CharField(),
    )


def restrictions(*, by_person: bool, by_type: bool) -> Q:
    return Q(deal__person_restricted_tracking=by_person, deal__service_type_restricted_tracking=by_type)


def memberships_that_track() -> QuerySet[ProjectAssignment]:
    """Return the active members whom the restrictions let track on the outer service."""
    assigned = ServiceAssignment.objects.filter(service=OuterRef(OuterRef("pk")))
    holders = ServiceTypeAssignment.objects.filter(
        service_type=OuterRef(OuterRef("service_type")), person=OuterRef("person")
    )
    return ProjectAssignment.objects.filter(
        *restriction_conditions(
            "project__deals__", assigned, assigned.filter(person=OuterRef("person")), holders
        ),
        project__deals__services=OuterRef("pk"),
        person__archived_at=None,
    )


# --- people ---------------------------------------------------------------------------------------


def in_person_states(people: QuerySet[Person], states: Collection[PersonState]) -> QuerySet[Person]:
    """Filter the active people with one of these states, and annotate them with `state`.

    It takes a query for the dates.
    """
    active: Any = people.filter(archived_at=None)
    found: QuerySet[Person] = active.annotate(state=by_date(active, person_state)).filter(state__in=states)
    return found


def count_person_states(people: QuerySet[Person]) -> dict[PersonState, int]:
    """Return the number of active people in each state, with one query and one for the dates."""
    active = people.filter(archived_at=None)
    return {PersonState(state): number for state, number in count_states(active, person_state)}


def person_state(today: date) -> Case:
    """Return the state of the active person as an expression."""
    memberships = ProjectAssignment.objects.filter(person=OuterRef("pk"))
    on_active = memberships.filter(project__archived_at=None)
    deal, service = "project__deals__", "project__deals__services"
    with_open_service = on_active.filter(
        *budget_conditions(today, deal),
        Q((f"{service}__time_tracking_enabled", True)) | Q((f"{service}__expense_tracking_enabled", True)),
    )
    return Case(
        *states(
            (Q(IsNull(trackable_membership(today), False)), PersonState.CAN_TRACK),
            (~any_row(memberships), PersonState.NO_PROJECT),
            (~any_row(on_active), PersonState.PROJECTS_ARCHIVED),
            (~any_row(with_open_service), PersonState.NOTHING_OPEN),
        ),
        default=Value(PersonState.NOT_ALLOWED),
        output_field=CharField(),
    )


# --- both -----------------------------------------------------------------------------------------


def states(*cases: tuple[Q, StrEnum]) -> list[When]:
    """Return the cases of an expression; the first that matches decides."""
    return [When(condition, then=Value(state)) for condition, state in cases]


def any_row(rows: QuerySet[Any]) -> Q:
    """Return the condition that a correlated subquery has a row."""
    return Q(IsNull(Subquery(rows.order_by().values("pk")[:1]), False))


def count_states(rows: Any, expression: Callable[[date], Case]) -> Any:
    groups = rows.order_by().annotate(state=by_date(rows, expression)).values("state")
    return groups.annotate(number=Count("pk")).values_list("state", "number")


def by_date(rows: QuerySet[Any], expression: Callable[[date], Case]) -> Case:
    """Return the expression for each row's current date.

    Today depends on the organization's time zone, so there are at most three dates at a time.
    """
    # Without rows, any date will do.
    (today, _), *others = [*organizations_by_date(rows).items()] or [(timezone.localdate(), [])]
    cases = [When(organization__in=ids, then=expression(date)) for date, ids in others]
    return Case(*cases, default=expression(today), output_field=CharField()) if cases else expression(today)


def organizations_by_date(rows: QuerySet[Any]) -> dict[date, list[int]]:
    """Return the ids of the rows' organizations by their current date."""
    found: dict[date, list[int]] = defaultdict(list)
    for organization in Organization.objects.filter(pk__in=rows.order_by().values("organization")):
        found[organization.today()].append(organization.pk)
    return found
