"""The admin of service types, companies, projects, budgets and services."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Any

from django.contrib import admin
from django.db.models import Case, When
from django.http import HttpRequest

from assignments import bulk
from assignments.admin_inlines import AssigneesOfService, AssigneesOfServiceType, MembersOfProject
from assignments.attention import in_use
from assignments.board.boards import BUDGET, PROJECT
from assignments.models import ProjectAssignment, ServiceAssignment, ServiceTypeAssignment
from assignments.state_badges import state_badge
from assignments.tracking_today import states_of_services
from catalog.admin_filters import (
    BudgetCompanyFilter,
    ClosedFilter,
    EndedFilter,
    OpenToFilter,
    ResponsibleFilter,
    ServiceInUseFilter,
    TypeInUseFilter,
)
from catalog.admin_inlines import BudgetsOfProject, ProjectsOfCompany, ServicesOfBudget
from catalog.look_alikes import LookAlike, types_like
from catalog.models import Company, Deal, Project, Service, ServiceType
from catalog.spreadsheets import CompanyTable, ProjectTable, ServiceTypeTable
from productive.accounts.models import Organization, Person
from productive.accounts.owned_admin import ArchivableAdmin, MergeableAdmin, OrganizationOwnedAdmin
from productive.admin.columns import CountColumn, PageColumn, RecordColumn
from productive.admin.filters import by_days, by_record
from productive.admin.preview import Question
from productive.admin.spreadsheets.admin import SpreadsheetAdmin
from productive.admin.theme import display
from productive.admin.urls import admin_url
from productive.database.written_rows import WrittenRows

# Sorts unrestricted budgets first, then those restricted by person, by type, and by both.
RESTRICTION_ORDER = Case(When(person_restricted_tracking=True, then=1), default=0) + Case(
    When(service_type_restricted_tracking=True, then=2), default=0
)


# Similar service types that the page of a new one names.
MAX_ASKED = 5


def question_about(service_type: LookAlike, may_restore: bool) -> Question:
    url, name = admin_url(ServiceType, "change", service_type.pk), service_type.name
    if service_type.archived_at is None:
        return Question(f"“{name}” exists already. Use it instead?", url)
    action = ("restore", admin_url(ServiceType, "changelist"), service_type.pk) if may_restore else None
    return Question(f"“{name}” exists already, archived. Restore it instead?", url, action)


@admin.register(ServiceType)
class ServiceTypeAdmin(SpreadsheetAdmin, MergeableAdmin):
    table_class = ServiceTypeTable
    clean_up_view = "types"
    menu, icon, in_palette = "Catalog", "category", True
    palette_order = 4
    list_display = [
        "name",
        "status",
        CountColumn("services in use", Service.service_type, in_use, {"in_use": "yes"}),
        CountColumn("people", ServiceTypeAssignment.service_type),
    ]
    list_filter = [
        TypeInUseFilter,
        by_record(ServiceTypeAssignment.person, "service_type_assignments__person"),
        *ArchivableAdmin.list_filter,
    ]
    search_fields = ["name"]
    ordering = ["name_key", "id"]
    fields = ["name", "description"]
    actions = bulk.ON_SERVICE_TYPES
    inlines = [AssigneesOfServiceType]

    def questions(self, request: HttpRequest, written: Sequence[WrittenRows]) -> list[Question]:
        """Ask whether a new name means the same as that of another service type."""
        named = [
            row
            for each in written
            if each.model is ServiceType and (each.columns is None or "name" in each.columns)
            for row in each.rows
        ]
        may_restore = self.has_change_permission(request)
        questions = []
        for row in named:
            found = types_like(Organization(pk=row.organization_id), row.name, exclude=row.id)
            questions += [question_about(other, may_restore) for other in found[:MAX_ASKED]]
        return questions


@admin.register(Company)
class CompanyAdmin(SpreadsheetAdmin, ArchivableAdmin):
    table_class = CompanyTable
    menu, icon, in_palette = "Catalog", "apartment", True
    palette_order = 5
    label_fields = ["company_code"]
    list_display = [
        "name",
        "company_code",
        "status",
        CountColumn(
            "active projects", Project.company, lambda projects: projects.active(), {"archived": "no"}
        ),
        CountColumn("people", Person.company),
    ]
    search_fields = ["name", "company_code", "billing_name", "domain"]
    ordering = ["name_key", "id"]
    fields = ["name", "company_code", "billing_name", "vat", "domain"]
    inlines = [ProjectsOfCompany]


@admin.register(Project)
class ProjectAdmin(SpreadsheetAdmin, ArchivableAdmin):
    table_class = ProjectTable
    menu, icon, in_palette = "Catalog", "folder_open", True
    palette_order = 3
    label_fields = ["project_number"]
    list_display = [
        "name",
        "project_number",
        RecordColumn(Project.company),
        "status",
        CountColumn("members", ProjectAssignment.project),
        CountColumn("open budgets", Deal.project, lambda deals: deals.open(), {"closed": "no"}),
        PageColumn("Board", PROJECT.url, PROJECT.may_view),
    ]
    list_filter = [
        by_record(Project.company),
        by_record(ProjectAssignment.person, "project_assignments__person"),
        by_record(Project.project_manager),
        *ArchivableAdmin.list_filter,
    ]
    list_select_related = ["company"]
    search_fields = ["name", "project_number", "company__name"]
    autocomplete_fields = ["organization", "company", "project_manager"]
    ordering = ["name_key", "id"]
    fields = ["name", "project_number", "company", "project_manager"]
    actions = bulk.ON_PROJECTS
    inlines = [BudgetsOfProject, MembersOfProject]


@admin.register(Deal)
class DealAdmin(OrganizationOwnedAdmin):
    menu, icon, in_palette = "Catalog", "account_balance_wallet", True
    palette_order = 2
    label_fields, inactive = ["project"], (Deal.moment.field, Deal.moment.done)
    list_display = [
        "name",
        RecordColumn(Deal.project),
        "start",
        "end",
        "restricted_by",
        "state",
        CountColumn("services", Service.deal),
        CountColumn("assignments", Service.deal, through=ServiceAssignment.service),
        PageColumn("Board", BUDGET.url, BUDGET.may_view),
    ]
    list_filter = [
        ClosedFilter,
        EndedFilter,
        by_record(Deal.project),
        BudgetCompanyFilter,
        by_record(Deal.responsible),
        "person_restricted_tracking",
        "service_type_restricted_tracking",
        by_days("date", "start date"),
        by_days("end_date", "end date"),
        by_days("closed_at", "day closed"),
        by_days("created_at", "day added"),
    ]
    search_fields = ["name", "project__name", "project__project_number"]
    autocomplete_fields = ["organization", "project", "company", "responsible"]
    ordering = ["name_key", "id"]
    fields = [
        "project",
        "name",
        "company",
        "responsible",
        "date",
        "end_date",
        "person_restricted_tracking",
        "service_type_restricted_tracking",
    ]
    readonly_fields = ["created_at", "closed_at"]
    actions = bulk.ON_DEALS
    inlines = [ServicesOfBudget]

    def get_queryset(self, request: HttpRequest) -> Any:
        """Select the related records that the list and the labels show."""
        return super().get_queryset(request).select_related("project", "organization")

    # Shorter titles than those of the fields.
    @admin.display(description="Start", ordering="date")
    def start(self, deal: Deal) -> date | None:
        return deal.date

    @admin.display(description="End", ordering="end_date")
    def end(self, deal: Deal) -> date | None:
        return deal.end_date

    @admin.display(description="Restricted by", ordering=RESTRICTION_ORDER)
    def restricted_by(self, deal: Deal) -> str | None:
        by = [("person", deal.person_restricted_tracking), ("type", deal.service_type_restricted_tracking)]
        return " and ".join(name for name, is_restricted in by if is_restricted) or None

    @display(description="State", ordering="closed_at", label={"Open": "success", "Closed": "warning"})
    def state(self, deal: Deal) -> str:
        return deal.moment.word(deal).capitalize()


@admin.register(Service)
class ServiceAdmin(OrganizationOwnedAdmin):
    menu, icon, in_palette = "Catalog", "design_services", True
    palette_order = 1
    label_fields, inactive = ["deal"], ("deal__closed_at", "budget closed")
    list_display = [
        "name",
        # It names a kind of tracking that is off, which saves two wide columns.
        "access",
        RecordColumn(Service.deal),
        RecordColumn(Service.service_type),
        CountColumn("assignees", ServiceAssignment.service),
    ]
    list_filter = [
        OpenToFilter,
        ServiceInUseFilter,
        by_record(ServiceAssignment.person, "service_assignments__person"),
        by_record(Deal.project, "deal__project"),
        by_record(Service.deal),
        by_record(Service.service_type),
        ResponsibleFilter,
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
    autocomplete_fields = ["organization", "deal", "service_type", "person"]
    ordering = ["name_key", "id"]
    fields = ["deal", "service_type", "name", "person", "time_tracking_enabled", "expense_tracking_enabled"]
    actions = bulk.ON_SERVICES
    inlines = [AssigneesOfService]

    def get_queryset(self, request: HttpRequest) -> Any:
        """Select the related records that the list and the labels show.

        `list_select_related` has no effect on a queryset with `select_related()`.
        """
        rows = super().get_queryset(request)
        return rows.select_related("deal__project", "service_type", "organization")

    def prepare_rows(self, rows: list[Service]) -> None:
        states = states_of_services([service.pk for service in rows])
        for service in rows:
            service.open_to = states.get(service.pk)  # type: ignore[attr-defined]

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        return [*super().get_readonly_fields(request, obj), *(["access"] if obj is not None else [])]

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        """Show who can track below the tracking switches."""
        fieldsets = super().get_fieldsets(request, obj)
        if obj is not None:
            own, record = fieldsets[-2][1], fieldsets[-1][1]
            own["fields"] = [*own["fields"], "access"]
            record["fields"] = [name for name in record["fields"] if name != "access"]
        return fieldsets

    @admin.display(description="Open to")
    def access(self, service: Service) -> str:
        if hasattr(service, "open_to"):
            return state_badge(service, service.open_to)
        return state_badge(service, states_of_services([service.pk]).get(service.pk))
