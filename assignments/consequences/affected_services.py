"""Find the services whose access written rows may affect."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from django.db.models import Q, QuerySet

from assignments.models import ProjectAssignment, ServiceAssignment, ServiceTypeAssignment
from catalog.models import Deal, Project, Service
from productive.accounts.models import Organization, Person
from productive.database.written_rows import WrittenRows

# Access isn't compared for more services.
MAX_SERVICES = 5_000

# The columns that the tracking rule reads. Other changes of these models, and other models, don't matter.
TRACKING_COLUMNS: dict[type[Any], frozenset[str]] = {
    # The time zone, because the rule is applied to the current date.
    Organization: frozenset({"time_zone"}),
    Person: frozenset({"archived_at"}),
    Project: frozenset({"archived_at"}),
    Deal: frozenset(
        {
            "project_id",
            "date",
            "end_date",
            "closed_at",
            "person_restricted_tracking",
            "service_type_restricted_tracking",
        }
    ),
    Service: frozenset({"deal_id", "service_type_id", "time_tracking_enabled", "expense_tracking_enabled"}),
    ServiceAssignment: frozenset({"person_id", "service_id"}),
    ProjectAssignment: frozenset({"person_id", "project_id"}),
    ServiceTypeAssignment: frozenset({"person_id", "service_type_id"}),
}
# The models whose new and deleted rows matter. A new person, for example, has no assignments yet, and a
# deletion of a person deletes the assignments too.
LINKING_MODELS = (Service, ServiceAssignment, ProjectAssignment, ServiceTypeAssignment)


class TooManyServicesError(Exception):
    """The change affects more than MAX_SERVICES services."""


def matters(written: WrittenRows) -> bool:
    """Return whether the tracking rule reads what was written."""
    columns = TRACKING_COLUMNS.get(written.model)
    if columns is None:
        return False
    if written.history_type != "~":
        return written.model in LINKING_MODELS
    return written.columns is None or not columns.isdisjoint(written.columns)


def affected_services(written: Iterable[WrittenRows]) -> set[int]:
    """Return the ids of services whose access the rows may affect.

    Raise TooManyServicesError if there are more than MAX_SERVICES.
    """
    found: set[int] = set()
    for each in filter(matters, written):
        for services in services_of(each):
            found.update(services.order_by().values_list("pk", flat=True)[: MAX_SERVICES + 1])
            if len(found) > MAX_SERVICES:
                raise TooManyServicesError
    return found


def services_of(written: WrittenRows) -> Iterator[QuerySet[Service]]:
    """Yield querysets of the affected services.

    The condition is for the values before, which are in the database, and after, which are in the rows.
    """
    services, ids = Service.objects.all(), {row.id for row in written.rows}
    # Nobody may track on services of closed budgets.
    on_open_budgets = services.filter(deal__closed_at=None)
    on_budgets_by_type = on_open_budgets.filter(deal__service_type_restricted_tracking=True)
    model = written.model
    if model is Organization:
        yield on_open_budgets.filter(organization__in=ids)
    elif model is Person:
        memberships = ProjectAssignment.objects.filter(person__in=ids)
        yield on_open_budgets.filter(deal__project__in=memberships.values("project"))
        assignments = ServiceAssignment.objects.filter(person__in=ids)
        yield on_open_budgets.filter(pk__in=assignments.values("service"))
        types = ServiceTypeAssignment.objects.filter(person__in=ids)
        yield on_budgets_by_type.filter(service_type__in=types.values("service_type"))
    elif model is Project:
        yield on_open_budgets.filter(deal__project__in=ids)
    elif model is Deal:
        yield services.filter(deal__in=ids)
    elif model is Service:
        yield services.filter(pk__in=ids)
    elif model is ServiceAssignment:
        yield on_open_budgets.filter(related("pk", "service", written))
    elif model is ProjectAssignment:
        yield on_open_budgets.filter(related("deal__project", "project", written))
    else:
        yield on_budgets_by_type.filter(related("service_type", "service_type", written))


def related(lookup: str, name: str, written: WrittenRows) -> Q:
    """Return the condition that an assignment joins, or joined, the service.

    `lookup` is the path from a service to the assignment's other record, `name` the relation to it.
    """
    condition = Q((f"{lookup}__in", {getattr(row, f"{name}_id") for row in written.rows}))
    if written.history_type == "~":
        before = written.model.objects.filter(pk__in=[row.id for row in written.rows])
        condition |= Q((f"{lookup}__in", before.values(name)))
    return condition
