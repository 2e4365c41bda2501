"""The admin of who may work on what."""

from __future__ import annotations

from django.contrib import admin

from assignments.models import Filter, ProjectAssignment, ServiceAssignment, ServiceTypeAssignment
from productive.accounts.admin import OrganizationOwnedAdmin

PERSON = ["person__first_name", "person__last_name", "person__email"]


@admin.register(ServiceAssignment)
class ServiceAssignmentAdmin(OrganizationOwnedAdmin):
    list_display = ["person", "service", "created_at"]
    list_filter = ["created_at"]
    list_select_related = ["person", "service"]
    search_fields = [*PERSON, "service__name"]
    autocomplete_fields = ["organization", "person", "service"]
    ordering = ["-id"]
    fields = ["person", "service"]


@admin.register(ProjectAssignment)
class ProjectAssignmentAdmin(OrganizationOwnedAdmin):
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
    list_display = ["person", "service_type", "created_at"]
    list_filter = ["created_at"]
    list_select_related = ["person", "service_type"]
    search_fields = [*PERSON, "service_type__name"]
    autocomplete_fields = ["organization", "person", "service_type"]
    ordering = ["-id"]
    fields = ["person", "service_type"]


@admin.register(Filter)
class FilterAdmin(OrganizationOwnedAdmin):
    list_display = ["name", "created_at"]
    search_fields = ["name"]
    ordering = ["name", "id"]
    fields = ["name", "params"]
