"""The admin of assignments and saved filters."""

from __future__ import annotations

from typing import Any, ClassVar

from django.contrib import admin
from django.db.models import Q
from django.http import HttpRequest

from assignments import bulk
from assignments.access_check import can_check_access
from assignments.admin_consequences import AccessWatch
from assignments.board.boards import BUDGET, PROJECT, PROJECTS, SERVICE_TYPES
from assignments.clean_up import clean_up_views
from assignments.dashboard import overview
from assignments.models import Filter, ProjectAssignment, ServiceAssignment, ServiceTypeAssignment
from assignments.spreadsheets import (
    ProjectAssignmentTable,
    ServiceAssignmentTable,
    ServiceTypeAssignmentTable,
)
from catalog.models import Deal, Service
from productive.accounts.owned_admin import OrganizationOwnedAdmin
from productive.admin.columns import RecordColumn
from productive.admin.filters import by_days, by_record
from productive.admin.forms import label_of
from productive.admin.site import RecordPage
from productive.admin.spreadsheets.admin import SpreadsheetAdmin
from productive.database.text import search_words

admin.site.add_page("Assignments", "Access check", "fact_check", "access_check", can_check_access)  # type: ignore[attr-defined]
for board, icon in ((PROJECTS, "grid_on"), (SERVICE_TYPES, "grid_view")):
    admin.site.add_page("Assignments", board.title, icon, board.url_name, board.may_view)  # type: ignore[attr-defined]
for board in (BUDGET, PROJECT):
    admin.site.record_pages.append(  # type: ignore[attr-defined]
        RecordPage("board", board.title, "grid_on", board.owner, board.url, board.may_view)
    )
admin.site.add_page("Catalog", "Clean-up", "cleaning_services", "clean_up", clean_up_views)  # type: ignore[attr-defined]
admin.site.overview = overview  # type: ignore[attr-defined]
admin.site.watch = AccessWatch()  # type: ignore[attr-defined]


class PairAdmin(OrganizationOwnedAdmin):
    """The admin of records that join a person and another record."""

    # The two foreign keys.
    sides: ClassVar[list[str]]
    # The other columns link to the joined records.
    list_display_links = ["created_at"]
    ordering = ["-id"]

    def get_search_fields(self, request: HttpRequest) -> list[str]:
        return [*self.sides]

    def get_search_results(self, request: HttpRequest, queryset: Any, search_term: str) -> tuple[Any, bool]:
        """Search each word in the joined records, which are fewer than pairs."""
        if "\x00" in search_term or len(search_term) > 255:
            return queryset.none(), False
        for word in search_words(search_term) if search_term.strip() else ():
            found, quoted = Q(), f'"{word}"' if " " in word else word
            for name in self.sides:
                side = self.admin_site.get_model_admin(self.model._meta.get_field(name).related_model)
                rows, _ = side.get_search_results(request, side.get_queryset(request), quoted)
                found |= Q(**{f"{name}__in": rows.order_by().values("pk")})
            queryset = queryset.filter(found)
        return queryset, False


@admin.register(ServiceAssignment)
class ServiceAssignmentAdmin(SpreadsheetAdmin, PairAdmin):
    table_class = ServiceAssignmentTable
    actions = [bulk.REMOVE_SERVICE_ASSIGNMENTS]
    menu, icon = "Assignments", "assignment_ind"
    sides = ["person", "service"]
    list_display = [
        RecordColumn(ServiceAssignment.person),
        RecordColumn(ServiceAssignment.service),
        "created_at",
    ]
    list_filter = [
        by_record(ServiceAssignment.person),
        by_record(Deal.project, "service__deal__project"),
        by_record(Service.deal, "service__deal"),
        by_record(ServiceAssignment.service),
        by_record(Service.service_type, "service__service_type"),
        by_days("created_at", "day added"),
    ]
    list_select_related = ["person", "service__deal__project"]
    autocomplete_fields = ["organization", "person", "service"]
    fields = ["person", "service"]

    @staticmethod
    def label(assignment: ServiceAssignment) -> str:
        return f"{label_of(assignment.person)} on {label_of(assignment.service)}"


@admin.register(ProjectAssignment)
class ProjectAssignmentAdmin(SpreadsheetAdmin, PairAdmin):
    table_class = ProjectAssignmentTable
    actions = [bulk.REMOVE_PROJECT_ASSIGNMENTS]
    menu, icon = "Assignments", "group_add"
    sides = ["person", "project"]
    list_display = [
        RecordColumn(ProjectAssignment.person),
        RecordColumn(ProjectAssignment.project),
        "watched",
        "created_at",
    ]
    list_filter = [
        by_record(ProjectAssignment.person),
        by_record(ProjectAssignment.project),
        "watched",
        by_days("created_at", "day added"),
    ]
    list_select_related = ["person", "project"]
    autocomplete_fields = ["organization", "person", "project"]
    fieldsets = [
        (None, {"fields": ["person", "project", "watched"]}),
        (
            "Views",
            {
                "classes": ["collapse"],
                "fields": [
                    "default_filter_id",
                    "tasks_layout_id",
                    "budgets_filter_id",
                    "deals_filter_id",
                    "invoices_filter_id",
                    "docs_filter_id",
                    "preferences",
                ],
            },
        ),
    ]

    @staticmethod
    def label(assignment: ProjectAssignment) -> str:
        return f"{label_of(assignment.person)} on {label_of(assignment.project)}"


@admin.register(ServiceTypeAssignment)
class ServiceTypeAssignmentAdmin(SpreadsheetAdmin, PairAdmin):
    table_class = ServiceTypeAssignmentTable
    actions = [bulk.REMOVE_SERVICE_TYPE_ASSIGNMENTS]
    menu, icon, menu_order = "Assignments", "workspace_premium", 1
    sides = ["person", "service_type"]
    list_display = [
        RecordColumn(ServiceTypeAssignment.person),
        RecordColumn(ServiceTypeAssignment.service_type),
        "created_at",
    ]
    list_filter = [
        by_record(ServiceTypeAssignment.person),
        by_record(ServiceTypeAssignment.service_type),
        by_days("created_at", "day added"),
    ]
    list_select_related = ["person", "service_type"]
    autocomplete_fields = ["organization", "person", "service_type"]
    fields = ["person", "service_type"]

    @staticmethod
    def label(assignment: ServiceTypeAssignment) -> str:
        return f"{label_of(assignment.person)}: {label_of(assignment.service_type)}"


@admin.register(Filter)
class FilterAdmin(OrganizationOwnedAdmin):
    menu, menu_title, icon, menu_order = "Administration", "Saved filters", "filter_alt", 2
    list_display = ["name", "created_at"]
    search_fields = ["name"]
    ordering = ["name_key", "id"]
    fields = ["name", "params"]
