"""The access to a service: which members of its project it is open to.

A service without assignees is open even if its budget is restricted by person. That is easily mistaken for
the opposite, so the API and the admin show the access to each service.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection
from enum import StrEnum
from functools import cache, reduce
from operator import or_
from typing import Any

from django.db import models
from django.db.models import Case, Count, Exists, F, OuterRef, Q, Value, When

from assignments.models import ServiceAssignment, ServiceTypeAssignment
from catalog.models import Service
from productive.database.lookups import NO_ROWS
from productive.database.query_cache import MAX_COMPILED_IDS, CompiledQuery, padded

BY_PERSON, BY_TYPE = 1, 2


class Access(StrEnum):
    """Which members of its project a service is open to."""

    OPEN = "open"
    # The budget is restricted by person. That is ignored because the service has no assignees.
    OPEN_NOBODY_ASSIGNED = "open_nobody_assigned"
    RESTRICTED = "restricted"
    # The restrictions leave no active person.
    RESTRICTED_TO_NOBODY = "restricted_to_nobody"


def access_of(services: Collection[int]) -> dict[int, dict[str, Any]]:
    """Return `access` and `assignee_count` of each service, by id.

    `assignee_count` is the number of active assignees. It takes one query.
    """
    if not services:
        return {}
    values: dict[str, dict[int, tuple[int, int]]] = defaultdict(dict)
    for name, pk, first, second in compiled_access_rows(list(services)):
        values[name][pk] = first, second
    result = {}
    for pk, (restrictions, service_type) in values["service"].items():
        assigned, active = values["assigned"].get(pk, (0, 0))
        access = determine_access(
            by_person=bool(restrictions & BY_PERSON),
            by_type=bool(restrictions & BY_TYPE),
            assigned=assigned,
            active=active,
            holders=values["holders"].get(service_type, (0, 0))[0],
            assigned_holders=values["assigned_holders"].get(pk, (0, 0))[0],
        )
        result[pk] = {"access": access, "assignee_count": active}
    return result


def compiled_access_rows(services: list[int]) -> Any:
    """Return `access_rows()`, which take the ORM 3 ms to compile."""
    if len(services) > MAX_COMPILED_IDS:
        return access_rows(services)
    ids = padded(services)
    return access_query(len(ids)).rows(*ids)


@cache
def access_query(count: int) -> CompiledQuery:
    """Return the query of `access_rows()` for as many services."""
    return CompiledQuery(Service, lambda *services: access_rows(services), *range(count))


def determine_access(
    *, by_person: bool, by_type: bool, assigned: int, active: int, holders: int, assigned_holders: int
) -> Access:
    """Return the access to a service. The counts are those of `access_rows()`."""
    if not by_person and not by_type:
        return Access.OPEN
    if by_type:
        left = assigned_holders if by_person and assigned else holders
    elif not assigned:
        return Access.OPEN_NOBODY_ASSIGNED
    else:
        left = active
    return Access.RESTRICTED if left else Access.RESTRICTED_TO_NOBODY


def access_rows(services: Collection[int]) -> Any:
    """Return what determines access as rows of a name, an id and two integers.

    - service: the service's id, its budget's restrictions as flags, the id of its type
    - assigned: the service's id, the number of its assignees, the number of its active assignees
    - assigned_holders: the service's id, the number of its active assignees who hold its type, 0
    - holders: the service type's id, the number of active people who hold it, 0

    The last two are only for budgets that are restricted by type.
    """
    selected = Service.objects.filter(pk__in=services).order_by()
    by_type = selected.filter(deal__service_type_restricted_tracking=True)
    restrictions = flag(BY_PERSON, "deal__person_restricted_tracking") + flag(
        BY_TYPE, "deal__service_type_restricted_tracking"
    )
    active = Q(person__archived_at=None)
    assigned = ServiceAssignment.objects.filter(service__in=services)
    assigned_holders = ServiceAssignment.objects.filter(
        active,
        service__in=by_type.values("pk"),
        person__service_type_assignments__service_type=F("service__service_type"),
    )
    holders = ServiceTypeAssignment.objects.filter(active, service_type__in=by_type.values("service_type"))
    return selected.values_list(Value("service"), F("pk"), restrictions, F("service_type_id")).union(
        count_by("service_id", "assigned", assigned, Count("pk", filter=active)),
        count_by("service_id", "assigned_holders", assigned_holders, Value(0)),
        count_by("service_type_id", "holders", holders, Value(0)),
        all=True,
    )


def flag(value: int, field: str) -> Case:
    return Case(When(Q(**{field: True}), then=Value(value)), default=Value(0))


def count_by(field: str, name: str, rows: models.QuerySet[Any], second: Any) -> Any:
    """Return one row of `access_rows()` for each value of the field."""
    groups = rows.order_by().values(field).annotate(first=Count("pk"), second=second)
    return groups.values_list(Value(name), field, "first", "second")


def in_state(services: models.QuerySet[Service], states: Collection[Access]) -> models.QuerySet[Service]:
    """Filter the services with one of these states, like `access_of()`."""
    by_person = Q(deal__person_restricted_tracking=True)
    by_type = Q(deal__service_type_restricted_tracking=True)
    assignments = ServiceAssignment.objects.filter(service=OuterRef("pk"))
    active = assignments.filter(person__archived_at=None)
    assigned = Exists(assignments)
    holders = ServiceTypeAssignment.objects.filter(
        service_type=OuterRef("service_type"), person__archived_at=None
    )
    assigned_holders = active.filter(person__service_type_assignments__service_type=OuterRef("service_type"))
    # As separate subqueries, each is a join. In one condition, the database would read all assignments once
    # for each part.
    to_nobody = any_of(
        services.filter(by_person, ~by_type, assigned, ~Exists(active)),
        services.filter(by_person, by_type, assigned, ~Exists(assigned_holders)),
        services.filter(by_person, by_type, ~assigned, ~Exists(holders)),
        services.filter(~by_person, by_type, ~Exists(holders)),
    )
    without_assignees = services.filter(by_person, ~by_type, ~assigned)
    if set(states) == {Access.OPEN_NOBODY_ASSIGNED}:
        return without_assignees
    conditions = {
        Access.OPEN: ~by_person & ~by_type,
        Access.OPEN_NOBODY_ASSIGNED: any_of(without_assignees),
        Access.RESTRICTED: (by_type | any_of(services.filter(by_person, assigned))) & ~to_nobody,
        Access.RESTRICTED_TO_NOBODY: to_nobody,
    }
    return services.filter(reduce(or_, (conditions[state] for state in states), NO_ROWS))


def any_of(*querysets: models.QuerySet[Service]) -> Q:
    """Return the condition that a service is in any of the querysets."""
    return reduce(or_, (Q(pk__in=services.order_by().values("pk")) for services in querysets))


def restricted_services(lookup: str, pk: int) -> list[int]:
    """Return the ids of the services of assignments, on budgets restricted by person.

    `lookup` is "pk" for one assignment, or "person" for those of a person.
    """
    return [service for (service,) in restricted_services_query(lookup).rows(pk)]


@cache
def restricted_services_query(lookup: str) -> CompiledQuery:
    def build(pk: int) -> Any:
        assignments = ServiceAssignment.objects.filter((lookup, pk))
        restricted = assignments.filter(service__deal__person_restricted_tracking=True)
        return restricted.order_by().values_list("service_id")

    return CompiledQuery(ServiceAssignment, build, 1)


def services_without_assignees(services: Collection[int]) -> list[int]:
    """Return the ids of those services that have no assignees, in order."""
    if not services:
        return []
    found = Service.objects.filter(pk__in=services, service_assignments=None)
    return list(found.order_by("pk").values_list(F("pk"), flat=True))
