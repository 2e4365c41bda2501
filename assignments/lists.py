"""Columns and filters of the lists that only assignments can answer, of this room and of lower ones."""

from __future__ import annotations

from typing import Any, ClassVar

from django.db.models import Q
from django.http import HttpRequest
from django.utils.text import smart_split

from assignments.access import Access, access_of, in_state
from assignments.attention import (
    in_use,
    people_trackable_nowhere,
    services_open_to_all,
    services_open_to_nobody,
    types_in_use,
)
from assignments.models import ProjectAssignment, ServiceAssignment, ServiceTypeAssignment
from catalog.models import Deal, Service
from productive.accounts.owned_admin import OrganizationOwnedAdmin
from productive.admin.columns import CountColumn
from productive.admin.filters import ChoiceFilter, by_record

CLOSED = "closed"
# To whom a service is open, in words and the theme's colours.
ACCESS: dict[str, tuple[str, str]] = {
    Access.OPEN: ("Everybody on the project", "success"),
    Access.OPEN_NOBODY_ASSIGNED: ("Everybody, as nobody is assigned", "warning"),
    Access.RESTRICTED: ("Restricted", "info"),
    Access.RESTRICTED_TO_NOBODY: ("Nobody", "danger"),
    CLOSED: ("Closed", "default"),
}
ACCESS_COLOURS = dict(ACCESS.values())


def give_access(services: list[Service]) -> None:
    """Give each of the services `access`, in words: one query for all."""
    states = access_of([service.pk for service in services])
    for service in services:
        going_on = service.deal.closed_at is None and service.deal.project.archived_at is None
        state = states[service.pk]["access"] if going_on and service.pk in states else CLOSED
        service.access = ACCESS[state][0]  # type: ignore[attr-defined]


class AccessFilter(ChoiceFilter):
    """As the column says it: a service on which nothing goes on any more is closed, whoever is assigned."""

    title, parameter_name = "open to", "access"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [(str(state), words) for state, (words, _) in ACCESS.items()]

    def conditions(self, rows: Any) -> dict[str, Any]:
        going_on = in_use(rows)
        return {
            Access.OPEN: in_state(going_on, {Access.OPEN}),
            Access.OPEN_NOBODY_ASSIGNED: services_open_to_all(rows),
            Access.RESTRICTED: in_state(going_on, {Access.RESTRICTED}),
            Access.RESTRICTED_TO_NOBODY: services_open_to_nobody(rows),
            CLOSED: rows.exclude(pk__in=going_on.order_by().values("pk")),
        }


class ServiceInUseFilter(ChoiceFilter):
    title, parameter_name = "in use", "in_use"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("yes", "On an open budget"), ("no", "No")]

    def conditions(self, rows: Any) -> dict[str, Any]:
        used = self.used(rows)
        return {"yes": used, "no": rows.exclude(pk__in=used.order_by().values("pk"))}

    def used(self, rows: Any) -> Any:
        return in_use(rows)


class TypeInUseFilter(ServiceInUseFilter):
    def used(self, rows: Any) -> Any:
        return types_in_use(rows)


class TrackableFilter(ChoiceFilter):
    title, parameter_name = "can track", "trackable"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("nowhere", "On a project, but can track nowhere")]

    def conditions(self, rows: Any) -> dict[str, Any]:
        return {"nowhere": people_trackable_nowhere(rows)}


PERSON_COLUMNS: list[Any] = [
    CountColumn("projects", ProjectAssignment.person),
    CountColumn("services", ServiceAssignment.person),
    CountColumn("service types", ServiceTypeAssignment.person),
]
PERSON_FILTERS: list[Any] = [
    TrackableFilter,
    by_record(ProjectAssignment.project, "project_assignments__project"),
    by_record(ServiceAssignment.service, "service_assignments__service"),
    by_record(ServiceTypeAssignment.service_type, "service_type_assignments__service_type"),
]
PROJECT_COLUMNS: list[Any] = [
    CountColumn("members", ProjectAssignment.project),
    CountColumn("open budgets", Deal.project, lambda deals: deals.open(), {"closed": "no"}),
]
PROJECT_FILTERS: list[Any] = [by_record(ProjectAssignment.person, "project_assignments__person")]
DEAL_COLUMNS: list[Any] = [
    CountColumn("services", Service.deal),
    CountColumn("assignments", Service.deal, through=ServiceAssignment.service),
]
SERVICE_COLUMNS: list[Any] = ["access", CountColumn("assignees", ServiceAssignment.service)]
SERVICE_FILTERS: list[Any] = [
    AccessFilter,
    ServiceInUseFilter,
    by_record(ServiceAssignment.person, "service_assignments__person"),
]
SERVICE_TYPE_COLUMNS: list[Any] = [
    CountColumn("services in use", Service.service_type, in_use, {"in_use": "yes"}),
    CountColumn("people", ServiceTypeAssignment.service_type),
]
SERVICE_TYPE_FILTERS: list[Any] = [
    TypeInUseFilter,
    by_record(ServiceTypeAssignment.person, "service_type_assignments__person"),
]


class PairAdmin(OrganizationOwnedAdmin):
    """Pairs of a person and something else, found by whatever either of them is found by."""

    # Its foreign keys.
    sides: ClassVar[list[str]]
    # The columns open what the pair joins; its date opens the pair itself.
    list_display_links = ["created_at"]
    ordering = ["-id"]

    def get_search_fields(self, request: HttpRequest) -> list[str]:
        return [*self.sides]

    def get_search_results(self, request: HttpRequest, queryset: Any, search_term: str) -> tuple[Any, bool]:
        """Each word is looked for among the few records that the many pairs join, not in every pair."""
        words = list(smart_split(search_term))
        if "\x00" in search_term or len(search_term) > 255 or len(words) > 20:
            return queryset.none(), False
        for word in words:
            found = Q()
            for name in self.sides:
                side = self.admin_site.get_model_admin(self.model._meta.get_field(name).related_model)
                rows, _ = side.get_search_results(request, side.get_queryset(request), word)
                found |= Q(**{f"{name}__in": rows.order_by().values("pk")})
            queryset = queryset.filter(found)
        return queryset, False
