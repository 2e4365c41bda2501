"""What operations staff should look at: each question a queryset, for the overview and the lists alike."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from datetime import date
from typing import Any

from django.db import models
from django.db.models import Exists, OuterRef, Q
from django.db.models.lookups import IsNull

from assignments.access import Access, in_state
from assignments.models import ProjectAssignment
from assignments.tracking import trackable_membership
from catalog.models import Service, ServiceType
from productive.accounts.models import Organization, Person


def in_use(services: models.QuerySet[Service]) -> models.QuerySet[Service]:
    """Those on which work may go on: of an open budget of an active project."""
    return services.filter(deal__closed_at=None, deal__project__archived_at=None)


def services_open_to_all(services: models.QuerySet[Service]) -> models.QuerySet[Service]:
    """Those in use that were meant for few, and are open to the whole project because nobody is assigned."""
    return in_state(in_use(services), {Access.OPEN_NOBODY_ASSIGNED})


def services_open_to_nobody(services: models.QuerySet[Service]) -> models.QuerySet[Service]:
    """Those in use whose restrictions leave nobody active."""
    return in_state(in_use(services), {Access.RESTRICTED_TO_NOBODY})


def types_in_use(types: models.QuerySet[ServiceType]) -> models.QuerySet[ServiceType]:
    return types.filter(Exists(in_use(Service.objects.filter(service_type=OuterRef("pk")))))


def archived_types_in_use(types: models.QuerySet[ServiceType]) -> models.QuerySet[ServiceType]:
    """Those put away while work of the type still goes on."""
    return types_in_use(types.exclude(archived_at=None))


def people_trackable_nowhere(people: models.QuerySet[Person]) -> models.QuerySet[Person]:
    """Active people who are on an active project, and may neither track time nor log expenses anywhere today.

    Today is a day of each organization's own, so this asks once for the organizations of the people.
    """
    projects = ProjectAssignment.objects.filter(person=OuterRef("pk"), project__archived_at=None)
    nowhere = Q(pk__in=())
    for today, organizations in todays(people):
        nowhere |= Q(IsNull(trackable_membership(today), True), organization__in=organizations)
    return people.filter(nowhere, Exists(projects), archived_at=None)


def todays(people: models.QuerySet[Person]) -> Iterator[tuple[date, list[Any]]]:
    """Each day that it is now for one of the people's organizations, with the ids of these: three at most."""
    days: dict[date, list[Any]] = defaultdict(list)
    theirs = people.order_by().values("organization")
    for organization in Organization.objects.filter(pk__in=theirs):
        days[organization.today()].append(organization.pk)
    yield from days.items()
