"""List filters of the catalog's admin."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest

from assignments.attention import ended_deals, in_use, types_in_use
from assignments.state_badges import SERVICE_STATES
from assignments.tracking_today import (
    NOT_IN_USE,
    TRACKABLE,
    TRACKABLE_BY_NOBODY,
    ServiceState,
    in_service_states,
)
from catalog.models import Deal, Service
from productive.admin.filters import ChoiceListFilter, MomentListFilter, RecordListFilter, by_record
from productive.admin.forms import is_id

NOBODY, CLOSED = "nobody", "closed"
# The most ids in a condition.
MAX_IDS = 5_000


class ClosedFilter(MomentListFilter):
    moment = Deal.moment
    parameter_name = moment.done


class BudgetCompanyFilter(RecordListFilter):
    """Filter budgets by their company: their own or, without one, that of their project."""

    title, parameters, relation = "company", ("company",), Deal.company.field

    def queryset(self, request: HttpRequest, queryset: Any) -> Any:
        pk = str(self.used_parameters.get("company", ""))
        if not pk:
            return queryset
        return queryset.of_companies([int(pk)]) if is_id(pk) else queryset.none()


class ResponsibleFilter(by_record(Service.person)):  # type: ignore[misc]
    """Filter services by their responsible person; `person` is the parameter of their assignees."""

    parameters = ("responsible",)


class EndedFilter(ChoiceListFilter):
    title, parameter_name = "ended", "ended"
    list_titles = {"yes": "Budgets that have ended but are still open"}

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("yes", "Ended but still open")]

    def conditions(self, rows: Any) -> dict[str, Any]:
        return {"yes": ended_deals(rows)}


class OpenToFilter(ChoiceListFilter):
    """Filter services by who can track today: by state, or by group of states."""

    title, parameter_name = "open to", "access"
    list_titles = {
        ServiceState.OPEN_NOBODY_ASSIGNED: "Services open to their whole project, because nobody is assigned",
        NOBODY: "Services that nobody can track on today",
        **{
            state: f"Services that nobody can track on today: {SERVICE_STATES[state]}"
            for state in TRACKABLE_BY_NOBODY
        },
    }

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [
            *((state, SERVICE_STATES[state]) for state in SERVICE_STATES if state in TRACKABLE),
            (NOBODY, "Nobody"),
            *(
                (state, f"Nobody: {SERVICE_STATES[state]}")
                for state in SERVICE_STATES
                if state in TRACKABLE_BY_NOBODY
            ),
            (CLOSED, "Nobody: closed or archived"),
        ]

    def queryset(self, request: HttpRequest, queryset: Any) -> Any:
        value = self.value()
        if not value:
            return queryset
        groups = {NOBODY: TRACKABLE_BY_NOBODY, CLOSED: NOT_IN_USE}
        rows = in_service_states(queryset, groups.get(value, frozenset({value}) & {*ServiceState}))
        # The states of all services are worked out once, and not again to count the rows and to read a page.
        ids = list(rows.order_by().values_list("pk", flat=True)[: MAX_IDS + 1])
        return queryset.filter(pk__in=ids) if len(ids) <= MAX_IDS else rows


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
