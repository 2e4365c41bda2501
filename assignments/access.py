"""Whom a service is open to: "nobody is assigned" must never be mistaken for "nobody may"."""

from __future__ import annotations

from collections.abc import Collection
from enum import StrEnum

from django.db import models
from django.db.models import Case, Count, Exists, F, IntegerField, OuterRef, Q, Subquery, Value, When
from django.db.models.functions import Coalesce

from assignments.models import ServiceAssignment, ServiceTypeAssignment
from catalog.models import Service


class Access(StrEnum):
    """To whom among its project's members a service is open, as the restrictions of its budget have it."""

    OPEN = "open"
    # The budget is restricted by person, which is ignored as long as nobody is assigned.
    OPEN_NOBODY_ASSIGNED = "open_nobody_assigned"
    RESTRICTED = "restricted"
    # Whoever the restrictions leave is archived, or there is none.
    RESTRICTED_TO_NOBODY = "restricted_to_nobody"


def with_access(services: models.QuerySet[Service]) -> models.QuerySet[Service]:
    """Each with its `access`, and with `assignee_count`: how many active people are assigned to it."""
    by_person, by_type = (
        Q(deal__person_restricted_tracking=True),
        Q(deal__service_type_restricted_tracking=True),
    )
    assignments = ServiceAssignment.objects.filter(service=OuterRef("pk"))
    active = assignments.filter(person__archived_at=None)
    holders = ServiceTypeAssignment.objects.filter(
        service_type=OuterRef("service_type"), person__archived_at=None
    )
    assigned_holders = active.filter(person__service_type_assignments__service_type=OuterRef("service_type"))
    assigned = Exists(assignments)
    return services.annotate(
        assignee_count=number_of(active, by="service"),
        access=Case(
            When(~by_person & ~by_type, then=Value(Access.OPEN)),
            When(by_person & ~by_type & ~assigned, then=Value(Access.OPEN_NOBODY_ASSIGNED)),
            When(by_person & ~by_type & Exists(active), then=Value(Access.RESTRICTED)),
            When(by_person & by_type & assigned & Exists(assigned_holders), then=Value(Access.RESTRICTED)),
            When(by_type & (~by_person | ~assigned) & Exists(holders), then=Value(Access.RESTRICTED)),
            default=Value(Access.RESTRICTED_TO_NOBODY),
            output_field=models.CharField(),
        ),
    )


def number_of(rows: models.QuerySet[ServiceAssignment], *, by: str) -> Coalesce:
    counted = rows.order_by().values(by).annotate(number=Count("pk")).values("number")
    return Coalesce(Subquery(counted, output_field=IntegerField()), 0)


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
