"""Whom a service is open to: "nobody is assigned" must never be mistaken for "nobody may"."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection
from enum import StrEnum
from functools import reduce
from operator import or_
from typing import Any

from django.db import models
from django.db.models import Case, Count, Exists, F, OuterRef, Q, Value, When

from assignments.models import ServiceAssignment, ServiceTypeAssignment
from catalog.models import Service

BY_PERSON, BY_TYPE = 1, 2


class Access(StrEnum):
    """To whom among its project's members a service is open, as the restrictions of its budget have it."""

    OPEN = "open"
    # The budget is restricted by person, which is ignored as long as nobody is assigned.
    OPEN_NOBODY_ASSIGNED = "open_nobody_assigned"
    RESTRICTED = "restricted"
    # Whoever the restrictions leave is archived, or there is none.
    RESTRICTED_TO_NOBODY = "restricted_to_nobody"


def access_of(services: Collection[int]) -> dict[int, dict[str, Any]]:
    """By service id: its `access`, and `assignee_count`, how many active people are assigned. One query."""
    if not services:
        return {}
    facts: dict[str, dict[int, tuple[int, int]]] = defaultdict(dict)
    for name, pk, first, second in facts_of(services):
        facts[name][pk] = first, second
    states = {}
    for pk, (restrictions, service_type) in facts["service"].items():
        assigned, active = facts["assigned"].get(pk, (0, 0))
        access = judge(
            by_person=bool(restrictions & BY_PERSON),
            by_type=bool(restrictions & BY_TYPE),
            assigned=assigned,
            active=active,
            holders=facts["holders"].get(service_type, (0, 0))[0],
            assigned_holders=facts["assigned_holders"].get(pk, (0, 0))[0],
        )
        states[pk] = {"access": access, "assignee_count": active}
    return states


def judge(
    *, by_person: bool, by_type: bool, assigned: int, active: int, holders: int, assigned_holders: int
) -> Access:
    if not by_person and not by_type:
        return Access.OPEN
    if by_type:
        left = assigned_holders if by_person and assigned else holders
    elif not assigned:
        return Access.OPEN_NOBODY_ASSIGNED
    else:
        left = active
    return Access.RESTRICTED if left else Access.RESTRICTED_TO_NOBODY


def facts_of(services: Collection[int]) -> Any:
    """What `judge` asks, as rows of a name, an id and two numbers:

    - service, its id, its budget's restrictions, the id of its type
    - assigned, a service's id, how many are assigned to it, how many of these are active
    - assigned_holders, a service's id, how many of the active ones hold its type
    - holders, a type's id, how many active people hold it
    The last two only where a budget restricts by type.
    """
    these = Service.objects.filter(pk__in=services).order_by()
    by_type = these.filter(deal__service_type_restricted_tracking=True)
    restrictions = weight(BY_PERSON, "deal__person_restricted_tracking") + weight(
        BY_TYPE, "deal__service_type_restricted_tracking"
    )
    active = Q(person__archived_at=None)
    assigned = ServiceAssignment.objects.filter(service__in=services)
    holding = ServiceAssignment.objects.filter(
        active,
        service__in=by_type.values("pk"),
        person__service_type_assignments__service_type=F("service__service_type"),
    )
    holders = ServiceTypeAssignment.objects.filter(active, service_type__in=by_type.values("service_type"))
    return these.values_list(Value("service"), F("pk"), restrictions, F("service_type_id")).union(
        counted("assigned", assigned, "service_id", Count("pk", filter=active)),
        counted("assigned_holders", holding, "service_id", Value(0)),
        counted("holders", holders, "service_type_id", Value(0)),
        all=True,
    )


def weight(number: int, condition: str) -> Case:
    return Case(When(Q(**{condition: True}), then=Value(number)), default=Value(0))


def counted(name: str, rows: models.QuerySet[Any], by: str, second: Any) -> Any:
    grouped = rows.order_by().values(by).annotate(first=Count("pk"), second=second)
    return grouped.values_list(Value(name), by, "first", "second")


def in_state(services: models.QuerySet[Service], states: Collection[Access]) -> models.QuerySet[Service]:
    """The same as a condition, for lists of any length."""
    by_person, by_type = (
        Q(deal__person_restricted_tracking=True),
        Q(deal__service_type_restricted_tracking=True),
    )
    assignments = ServiceAssignment.objects.filter(service=OuterRef("pk"))
    active = assignments.filter(person__archived_at=None)
    assigned = Exists(assignments)
    holders = ServiceTypeAssignment.objects.filter(
        service_type=OuterRef("service_type"), person__archived_at=None
    )
    holding = active.filter(person__service_type_assignments__service_type=OuterRef("service_type"))
    # Apart, each is a join; in one condition, the database would read every assignment for each of its parts.
    nobody = any_of(
        services.filter(by_person, ~by_type, assigned, ~Exists(active)),
        services.filter(by_person, by_type, assigned, ~Exists(holding)),
        services.filter(by_person, by_type, ~assigned, ~Exists(holders)),
        services.filter(~by_person, by_type, ~Exists(holders)),
    )
    nobody_assigned = services.filter(by_person, ~by_type, ~assigned)
    if set(states) == {Access.OPEN_NOBODY_ASSIGNED}:
        return nobody_assigned
    conditions = {
        Access.OPEN: ~by_person & ~by_type,
        Access.OPEN_NOBODY_ASSIGNED: any_of(nobody_assigned),
        Access.RESTRICTED: (by_type | any_of(services.filter(by_person, assigned))) & ~nobody,
        Access.RESTRICTED_TO_NOBODY: nobody,
    }
    return services.filter(reduce(or_, (conditions[state] for state in states), Q(pk__in=())))


def any_of(*lists: models.QuerySet[Service]) -> Q:
    """That a service is in one of these."""
    return reduce(or_, (Q(pk__in=each.order_by().values("pk")) for each in lists))


def guarded_by(assignments: models.QuerySet[ServiceAssignment]) -> list[int]:
    """The services, on budgets restricted by person, that these assignments keep from being open to all."""
    restricted = assignments.filter(service__deal__person_restricted_tracking=True).order_by()
    return list(restricted.values_list("service", flat=True).distinct())


def opened(services: Collection[int]) -> list[int]:
    """Those of the services to which nobody is assigned any more."""
    if not services:
        return []
    empty = Service.objects.filter(pk__in=services, service_assignments=None)
    return list(empty.values_list(F("pk"), flat=True))
