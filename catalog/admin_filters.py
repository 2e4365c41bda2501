"""List filters of the catalog's admin."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest

from assignments.access import Access, access_of, in_state
from assignments.attention import in_use, services_open_to_all, services_restricted_to_nobody, types_in_use
from catalog.models import Deal, Service
from productive.admin.filters import ChoiceListFilter, MomentListFilter

CLOSED = "closed"
# State → label and color of the theme.
ACCESS: dict[str, tuple[str, str]] = {
    Access.OPEN: ("Everyone on the project", "success"),
    Access.OPEN_NOBODY_ASSIGNED: ("Everyone, without assignees", "warning"),
    Access.RESTRICTED: ("Restricted", "info"),
    Access.RESTRICTED_TO_NOBODY: ("No one", "danger"),
    CLOSED: ("Closed", "default"),
}
ACCESS_COLORS = dict(ACCESS.values())


def set_access(services: list[Service]) -> None:
    """Set `access`, a label, on each service, with one query."""
    states = access_of([service.pk for service in services])
    for service in services:
        is_in_use = service.deal.closed_at is None and service.deal.project.archived_at is None
        state = states[service.pk]["access"] if is_in_use and service.pk in states else CLOSED
        service.access = ACCESS[state][0]  # type: ignore[attr-defined]


class ClosedFilter(MomentListFilter):
    moment = Deal.moment
    title = parameter_name = moment.done


class AccessListFilter(ChoiceListFilter):
    """Filter by the label in the list. A service that isn't in use is closed."""

    title, parameter_name = "open to", "access"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [(str(state), label) for state, (label, _) in ACCESS.items()]

    def conditions(self, rows: Any) -> dict[str, Any]:
        used = in_use(rows)
        return {
            Access.OPEN: in_state(used, {Access.OPEN}),
            Access.OPEN_NOBODY_ASSIGNED: services_open_to_all(rows),
            Access.RESTRICTED: in_state(used, {Access.RESTRICTED}),
            Access.RESTRICTED_TO_NOBODY: services_restricted_to_nobody(rows),
            CLOSED: rows.exclude(pk__in=used.order_by().values("pk")),
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
