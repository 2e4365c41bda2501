"""Records that need attention, for the overview and the list filters."""

from __future__ import annotations

from django.db import models
from django.db.models import Exists, OuterRef, Q

from assignments.tracking_today import organizations_by_date
from catalog.models import Deal, Service, ServiceType
from productive.database.lookups import NO_ROWS


def in_use(services: models.QuerySet[Service]) -> models.QuerySet[Service]:
    """Filter the services of open budgets of active projects."""
    return services.filter(deal__closed_at=None, deal__project__archived_at=None)


def types_in_use(types: models.QuerySet[ServiceType]) -> models.QuerySet[ServiceType]:
    """Filter the service types of services in use."""
    return types.filter(Exists(in_use(Service.objects.filter(service_type=OuterRef("pk")))))


def unused_types(types: models.QuerySet[ServiceType]) -> models.QuerySet[ServiceType]:
    """Filter the active service types without services in use."""
    active = types.filter(archived_at=None)
    return active.exclude(pk__in=types_in_use(active).order_by().values("pk"))


def archived_types_in_use(types: models.QuerySet[ServiceType]) -> models.QuerySet[ServiceType]:
    """Filter the archived service types of services in use."""
    return types_in_use(types.exclude(archived_at=None))


def ended_deals(deals: models.QuerySet[Deal]) -> models.QuerySet[Deal]:
    """Filter the open budgets of active projects that have ended. It takes a query for the dates."""
    ended = NO_ROWS
    for today, organizations in organizations_by_date(deals).items():
        ended |= Q(end_date__lt=today, organization__in=organizations)
    return deals.filter(ended, closed_at=None, project__archived_at=None)
