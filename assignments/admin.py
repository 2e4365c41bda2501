"""The admin of who may work on what."""

from __future__ import annotations

from django.contrib import admin

import catalog.admin
import productive.accounts.admin
from assignments.access_check import may_check
from assignments.models import Filter, ProjectAssignment, ServiceAssignment, ServiceTypeAssignment
from catalog.models import Deal, Project, Service
from productive.accounts.admin import OrganizationOwnedAdmin
from productive.accounts.models import Person

admin.site.add_page("Assignments", "Access check", "fact_check", "access_check", may_check)  # type: ignore[attr-defined]

PERSON = ["person__first_name", "person__last_name", "person__email"]


# The pages of these show their assignments, so they are completed and registered here.
@admin.register(Project)
class ProjectAdmin(catalog.admin.ProjectAdmin):
    pass


@admin.register(Deal)
class DealAdmin(catalog.admin.DealAdmin):
    pass


@admin.register(Service)
class ServiceAdmin(catalog.admin.ServiceAdmin):
    pass


@admin.register(Person)
class PersonAdmin(productive.accounts.admin.PersonAdmin):
    pass


@admin.register(ServiceAssignment)
class ServiceAssignmentAdmin(OrganizationOwnedAdmin):
    menu, icon = "Assignments", "assignment_ind"
    list_display = ["person", "service", "created_at"]
    list_filter = ["created_at"]
    list_select_related = ["person", "service"]
    search_fields = [*PERSON, "service__name"]
    autocomplete_fields = ["organization", "person", "service"]
    ordering = ["-id"]
    fields = ["person", "service"]


@admin.register(ProjectAssignment)
class ProjectAssignmentAdmin(OrganizationOwnedAdmin):
    menu, icon = "Assignments", "group_add"
    list_display = ["person", "project", "watched", "created_at"]
    list_filter = ["watched", "created_at"]
    list_select_related = ["person", "project"]
    search_fields = [*PERSON, "project__name", "project__project_number"]
    autocomplete_fields = ["organization", "person", "project"]
    ordering = ["-id"]
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
class ServiceTypeAssignmentAdmin(OrganizationOwnedAdmin):
    menu, icon = "Assignments", "workspace_premium"
    list_display = ["person", "service_type", "created_at"]
    list_filter = ["created_at"]
    list_select_related = ["person", "service_type"]
    search_fields = [*PERSON, "service_type__name"]
    autocomplete_fields = ["organization", "person", "service_type"]
    ordering = ["-id"]
    fields = ["person", "service_type"]


@admin.register(Filter)
class FilterAdmin(OrganizationOwnedAdmin):
    menu, icon = "Administration", "filter_alt"
    list_display = ["name", "created_at"]
    search_fields = ["name"]
    ordering = ["name", "id"]
    fields = ["name", "params"]
