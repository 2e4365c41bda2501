"""Records that need attention, for the overview and the list filters."""

from __future__ import annotations

from collections import defaultdict
from datetime import date

from django.db import models
from django.db.models import Exists, OuterRef, Q
from django.db.models.lookups import IsNull

from assignments.access import Access, in_state
from assignments.models import ProjectAssignment
from assignments.tracking import trackable_membership
from catalog.models import Service, ServiceType
from productive.accounts.models import Organization, Person


def in_use(services: models.QuerySet[Service]) -> models.QuerySet[Service]:
    """Filter the services of open budgets of active projects."""
    return services.filter(deal__closed_at=None, deal__project__archived_at=None)


def services_open_to_all(services: models.QuerySet[Service]) -> models.QuerySet[Service]:
    """Filter the services in use that are open for lack of assignees."""
    return in_state(in_use(services), {Access.OPEN_NOBODY_ASSIGNED})


def services_restricted_to_nobody(services: models.QuerySet[Service]) -> models.QuerySet[Service]:
    """Filter the services in use whose restrictions leave no active person."""
    return in_state(in_use(services), {Access.RESTRICTED_TO_NOBODY})


def types_in_use(types: models.QuerySet[ServiceType]) -> models.QuerySet[ServiceType]:
    """Filter the service types of services in use."""
    return types.filter(Exists(in_use(Service.objects.filter(service_type=OuterRef("pk")))))


def archived_types_in_use(types: models.QuerySet[ServiceType]) -> models.QuerySet[ServiceType]:
    """Filter the archived service types of services in use."""
    return types_in_use(types.exclude(archived_at=None))


def people_who_cannot_track(people: models.QuerySet[Person]) -> models.QuerySet[Person]:
    """Filter the active people on active projects who can't track today.

    They can track neither time nor expenses. Today depends on the organization's time zone, so this takes a
    query for the organizations.
    """
    projects = ProjectAssignment.objects.filter(person=OuterRef("pk"), project__archived_at=None)
    cannot_track = Q(pk__in=())
    for today, organizations in organizations_by_date(people).items():
        cannot_track |= Q(IsNull(trackable_membership(today), True), organization__in=organizations)
    return people.filter(cannot_track, Exists(projects), archived_at=None)


def organizations_by_date(people: models.QuerySet[Person]) -> dict[date, list[int]]:
    """Return the ids of the people's organizations by their current date.

    There are at most three dates at a time.
    """
    found: dict[date, list[int]] = defaultdict(list)
    for organization in Organization.objects.filter(pk__in=people.order_by().values("organization")):
        found[organization.today()].append(organization.pk)
    return found
