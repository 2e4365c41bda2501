"""The admin of who may work on what."""

from __future__ import annotations

from typing import Any

from django.contrib import admin

import catalog.admin
import productive.accounts.admin
from assignments import admin_inlines as lines
from assignments import bulk, lists
from assignments.access_check import may_check
from assignments.dashboard import overview
from assignments.models import Filter, ProjectAssignment, ServiceAssignment, ServiceTypeAssignment
from assignments.spreadsheets import (
    ProjectAssignmentTable,
    ServiceAssignmentTable,
    ServiceTypeAssignmentTable,
)
from catalog.models import Deal, Project, Service, ServiceType
from productive.accounts.models import Person
from productive.accounts.owned_admin import OrganizationOwnedAdmin
from productive.admin.columns import RecordColumn
from productive.admin.filters import by_days, by_record
from productive.admin.forms import label_of
from productive.admin.spreadsheets.admin import ExchangeAdmin
from productive.admin.theme import display

admin.site.add_page("Assignments", "Access check", "fact_check", "access_check", may_check)  # type: ignore[attr-defined]
admin.site.overview = overview  # type: ignore[attr-defined]


# The pages of these show their assignments, so they are completed and registered here.
@admin.register(ServiceType)
class ServiceTypeAdmin(catalog.admin.ServiceTypeAdmin):
    actions = bulk.ON_SERVICE_TYPES
    list_display = [*catalog.admin.ServiceTypeAdmin.list_display, *lists.SERVICE_TYPE_COLUMNS]
    list_filter = [*lists.SERVICE_TYPE_FILTERS, *catalog.admin.ServiceTypeAdmin.list_filter]
    inlines = [lines.AssigneesOfServiceType]


@admin.register(Project)
class ProjectAdmin(catalog.admin.ProjectAdmin):
    actions = bulk.ON_PROJECTS
    list_display = [*catalog.admin.ProjectAdmin.list_display, *lists.PROJECT_COLUMNS]
    list_filter = [*lists.PROJECT_FILTERS, *catalog.admin.ProjectAdmin.list_filter]
    inlines = [lines.BudgetsOfProject, lines.MembersOfProject]


@admin.register(Deal)
class DealAdmin(catalog.admin.DealAdmin):
    actions = bulk.ON_DEALS
    list_display = [*catalog.admin.DealAdmin.list_display, *lists.DEAL_COLUMNS]
    inlines = [lines.ServicesOfBudget]


@admin.register(Service)
class ServiceAdmin(catalog.admin.ServiceAdmin):
    actions = bulk.ON_SERVICES
    list_display = [*catalog.admin.ServiceAdmin.list_display, *lists.SERVICE_COLUMNS]
    list_filter = [*lists.SERVICE_FILTERS, *catalog.admin.ServiceAdmin.list_filter]
    inlines = [lines.AssigneesOfService]

    def complete(self, rows: list[Service]) -> None:
        lists.give_access(rows)

    @display(description="Open to", label=lists.ACCESS_COLOURS)
    def access(self, service: Service) -> str:
        return service.access  # type: ignore[attr-defined]


@admin.register(Person)
class PersonAdmin(productive.accounts.admin.PersonAdmin):
    actions = bulk.ON_PEOPLE
    list_display = [*productive.accounts.admin.PersonAdmin.list_display, *lists.PERSON_COLUMNS]
    list_filter = [*lists.PERSON_FILTERS, *productive.accounts.admin.PersonAdmin.list_filter]
    inlines = [lines.ProjectsOfPerson, lines.ServicesOfPerson, lines.ServiceTypesOfPerson]


@admin.register(ServiceAssignment)
class ServiceAssignmentAdmin(ExchangeAdmin, lists.PairAdmin):
    table_class = ServiceAssignmentTable
    actions = [bulk.REMOVE_SERVICE_ASSIGNMENTS]
    menu, icon = "Assignments", "assignment_ind"
    sides = ["person", "service"]
    list_display = [
        RecordColumn(ServiceAssignment.person, "first_name"),
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
    list_select_related = ["person", "service__deal"]
    autocomplete_fields = ["organization", "person", "service"]
    fields = ["person", "service"]

    @staticmethod
    def label(assignment: ServiceAssignment) -> str:
        """With the budget: many have a service of the same name."""
        service: Any = assignment.service
        return f"{assignment.person} on {label_of(service) if isinstance(service, Service) else service}"


@admin.register(ProjectAssignment)
class ProjectAssignmentAdmin(ExchangeAdmin, lists.PairAdmin):
    table_class = ProjectAssignmentTable
    actions = [bulk.REMOVE_PROJECT_ASSIGNMENTS]
    menu, icon = "Assignments", "group_add"
    sides = ["person", "project"]
    list_display = [
        RecordColumn(ProjectAssignment.person, "first_name"),
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


@admin.register(ServiceTypeAssignment)
class ServiceTypeAssignmentAdmin(ExchangeAdmin, lists.PairAdmin):
    table_class = ServiceTypeAssignmentTable
    actions = [bulk.REMOVE_SERVICE_TYPE_ASSIGNMENTS]
    menu, icon, place = "Assignments", "workspace_premium", 1
    sides = ["person", "service_type"]
    list_display = [
        RecordColumn(ServiceTypeAssignment.person, "first_name"),
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


@admin.register(Filter)
class FilterAdmin(OrganizationOwnedAdmin):
    menu, menu_title, icon, place = "Administration", "Saved filters", "filter_alt", 2
    list_display = ["name", "created_at"]
    search_fields = ["name"]
    ordering = ["name", "id"]
    fields = ["name", "params"]
