"""Filters beside the lists of the catalogue."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest

from assignments.access import Access, access_of, in_state
from assignments.attention import in_use, services_open_to_all, services_open_to_nobody, types_in_use
from catalog.models import Deal, Service
from productive.admin.filters import ChoiceListFilter, MomentListFilter

CLOSED = "closed"
# To whom a service is open: label and color of the theme.
ACCESS: dict[str, tuple[str, str]] = {
    Access.OPEN: ("Everybody on the project", "success"),
    Access.OPEN_NOBODY_ASSIGNED: ("Everybody, as nobody is assigned", "warning"),
    Access.RESTRICTED: ("Restricted", "info"),
    Access.RESTRICTED_TO_NOBODY: ("Nobody", "danger"),
    CLOSED: ("Closed", "default"),
}
ACCESS_COLOURS = dict(ACCESS.values())


def give_access(services: list[Service]) -> None:
    """Set `access`, a label, on each service, with one query."""
    states = access_of([service.pk for service in services])
    for service in services:
        going_on = service.deal.closed_at is None and service.deal.project.archived_at is None
        state = states[service.pk]["access"] if going_on and service.pk in states else CLOSED
        service.access = ACCESS[state][0]  # type: ignore[attr-defined]


class ClosedFilter(MomentListFilter):
    moment = Deal.moment
    title = parameter_name = moment.done


class AccessFilter(ChoiceListFilter):
    """Filter by the label in the list.

    A service that isn't in use is closed, whoever is assigned.
    """

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


class ServiceInUseFilter(ChoiceListFilter):
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
