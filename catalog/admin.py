"""The admin of what is offered and sold."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest

from catalog.models import Deal, Service
from catalog.spreadsheets import ProjectTable, ServiceTypeTable
from productive.accounts.owned_admin import ArchivableAdmin, OrganizationOwnedAdmin
from productive.admin.bulk.rows import Stamp
from productive.admin.columns import RecordColumn
from productive.admin.filters import ChoiceFilter, by_days, by_record
from productive.admin.spreadsheets.admin import ExchangeAdmin
from productive.admin.theme import display


class ServiceTypeAdmin(ExchangeAdmin, ArchivableAdmin):
    table_class = ServiceTypeTable
    menu, icon, in_palette = "Catalogue", "category", True
    list_display = ["name", "status"]
    search_fields = ["name"]
    ordering = ["name", "id"]
    fields = ["name", "description"]


class ProjectAdmin(ExchangeAdmin, ArchivableAdmin):
    table_class = ProjectTable
    menu, icon, in_palette = "Catalogue", "folder_open", True
    hints = ["project_number"]
    list_display = ["name", "project_number", "status"]
    search_fields = ["name", "project_number"]
    ordering = ["name", "id"]
    fields = ["name", "project_number"]


class ClosedFilter(ChoiceFilter):
    title = parameter_name = "closed"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("no", "No"), ("yes", "Yes")]

    def conditions(self, rows: Any) -> dict[str, Any]:
        return {"no": rows.open(), "yes": rows.closed()}


CLOSE = Stamp(name="close", title="Close", column="closed_at", done="closed", already="closed")
OPEN = Stamp(name="open", title="Open again", column="closed_at", clears=True, done="opened", already="open")


class DealAdmin(OrganizationOwnedAdmin):
    menu, icon, in_palette = "Catalogue", "account_balance_wallet", True
    hints, ended = ["project"], ("closed_at", "closed")
    list_display = [
        "name",
        RecordColumn(Deal.project),
        "date",
        "end_date",
        "person_restricted_tracking",
        "service_type_restricted_tracking",
        "state",
    ]
    list_filter = [
        ClosedFilter,
        by_record(Deal.project),
        "person_restricted_tracking",
        "service_type_restricted_tracking",
        by_days("date", "start date"),
        by_days("end_date", "end date"),
        by_days("closed_at", "day closed"),
        by_days("created_at", "day added"),
    ]
    list_select_related = ["project"]
    search_fields = ["name", "project__name", "project__project_number"]
    autocomplete_fields = ["organization", "project"]
    ordering = ["name", "id"]
    fields = [
        "project",
        "name",
        "date",
        "end_date",
        "person_restricted_tracking",
        "service_type_restricted_tracking",
    ]
    readonly_fields = ["created_at", "closed_at"]
    actions = [CLOSE, OPEN]

    @display(description="State", ordering="closed_at", label={"Open": "success", "Closed": "warning"})
    def state(self, deal: Deal) -> str:
        return "Open" if deal.closed_at is None else "Closed"


class ServiceAdmin(OrganizationOwnedAdmin):
    menu, icon, in_palette = "Catalogue", "design_services", True
    ended = ("deal__closed_at", "budget closed")
    list_display = [
        "name",
        RecordColumn(Service.deal),
        RecordColumn(Service.service_type),
        "time_tracking_enabled",
        "expense_tracking_enabled",
    ]
    list_filter = [
        by_record(Deal.project, "deal__project"),
        by_record(Service.deal),
        by_record(Service.service_type),
        "time_tracking_enabled",
        "expense_tracking_enabled",
        by_days("created_at", "day added"),
    ]
    search_fields = [
        "name",
        "deal__name",
        "deal__project__name",
        "deal__project__project_number",
        "service_type__name",
    ]
    autocomplete_fields = ["organization", "deal", "service_type"]
    ordering = ["name", "id"]
    fields = ["deal", "service_type", "name", "time_tracking_enabled", "expense_tracking_enabled"]

    def get_queryset(self, request: HttpRequest) -> Any:
        """With what its label and the list show: once anything is selected, a list selects no more."""
        rows = super().get_queryset(request)
        return rows.select_related("deal__project", "service_type", "organization")

    @staticmethod
    def label(service: Service) -> str:
        """Many budgets have a service of the same name."""
        return f"{service} · {service.deal}"
