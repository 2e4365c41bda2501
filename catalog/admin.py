"""The admin of what is offered and sold."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin
from django.core.exceptions import ValidationError
from django.forms.models import BaseInlineFormSet
from django.http import HttpRequest

from catalog.models import Deal, DealQuerySet, Service, ServiceType
from productive.accounts.admin import ArchivableAdmin, OrganizationOwnedAdmin
from productive.accounts.models import OrganizationOwned
from productive.admin.options import OwnChoices
from productive.admin.theme import TabularInline


class LineForm(forms.ModelForm):
    """A record on a line of another record's form; it belongs to the other's organization."""

    parent: OrganizationOwned

    def clean(self) -> dict[str, Any] | None:
        self.instance.organization_id = self.parent.organization_id
        return super().clean()

    def validate_unique(self) -> None:
        super().validate_unique()
        # Django leaves the parent out of the constraints, and so all those that name it.
        if not self.errors:
            try:
                self.instance.validate_constraints()
            except ValidationError as error:
                self.add_error(None, error)

    def add_error(self, field: str | None, error: Any) -> None:
        # The model may blame the parent, which has no place on the line: then say it above the line.
        if isinstance(error, ValidationError) and hasattr(error, "error_dict"):
            error = ValidationError([said for errors in error.error_dict.values() for said in errors])
        super().add_error(field, error)


class LineFormSet(BaseInlineFormSet):
    def add_fields(self, form: Any, index: int | None) -> None:
        super().add_fields(form, index)
        form.parent = self.instance


class AssigneeInline(OwnChoices, TabularInline):
    """The people who hold the type: added and taken away here, never edited."""

    model = ServiceType.assignees.through
    form = LineForm
    formset = LineFormSet
    extra = 0
    fields = ["person"]
    autocomplete_fields = ["person"]
    verbose_name = "assignee"

    def get_queryset(self, request: HttpRequest) -> Any:
        return super().get_queryset(request).select_related("person", "service_type")

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


@admin.register(ServiceType)
class ServiceTypeAdmin(ArchivableAdmin):
    menu, icon, in_palette = "Catalogue", "category", True
    list_display = ["name", "created_at", "archived_at"]
    search_fields = ["name"]
    ordering = ["name", "id"]
    fields = ["name", "description"]
    inlines = [AssigneeInline]

    def get_inlines(self, request: HttpRequest, obj: Any) -> Any:
        """No lines for a type that more people hold than one form can send: their own list remains."""
        if obj is not None and obj.assignees.count() > 200:
            return []
        return super().get_inlines(request, obj)


class ProjectAdmin(ArchivableAdmin):
    menu, icon, in_palette = "Catalogue", "folder_open", True
    list_display = ["name", "project_number", "archived_at"]
    search_fields = ["name", "project_number"]
    ordering = ["name", "id"]
    fields = ["name", "project_number"]


class ClosedFilter(admin.SimpleListFilter):
    title = parameter_name = "closed"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("no", "No"), ("yes", "Yes")]

    def queryset(self, request: HttpRequest, queryset: Any) -> Any:
        wanted = {"no": queryset.open, "yes": queryset.closed}.get(self.value() or "", queryset.all)
        return wanted()


class DealAdmin(OrganizationOwnedAdmin):
    menu, icon, in_palette = "Catalogue", "account_balance_wallet", True
    list_display = [
        "name",
        "project",
        "date",
        "end_date",
        "person_restricted_tracking",
        "service_type_restricted_tracking",
        "closed_at",
    ]
    list_filter = [ClosedFilter, "person_restricted_tracking", "service_type_restricted_tracking", "end_date"]
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
    actions = ["close", "open"]

    @admin.action(permissions=["change"], description="Close selected %(verbose_name_plural)s")
    def close(self, request: HttpRequest, queryset: DealQuerySet) -> None:
        self.change_each(request, queryset.open(), Deal.close, "closed")

    @admin.action(permissions=["change"], description="Open selected %(verbose_name_plural)s again")
    def open(self, request: HttpRequest, queryset: DealQuerySet) -> None:
        self.change_each(request, queryset.closed(), Deal.open, "opened")


class ServiceAdmin(OrganizationOwnedAdmin):
    menu, icon, in_palette = "Catalogue", "design_services", True
    list_display = ["name", "deal", "service_type", "time_tracking_enabled", "expense_tracking_enabled"]
    list_filter = ["time_tracking_enabled", "expense_tracking_enabled"]
    search_fields = ["name", "deal__name", "service_type__name"]
    autocomplete_fields = ["organization", "deal", "service_type"]
    ordering = ["name", "id"]
    fields = ["deal", "service_type", "name", "time_tracking_enabled", "expense_tracking_enabled"]

    def get_queryset(self, request: HttpRequest) -> Any:
        """With what its label and the list show: once anything is selected, a list selects no more."""
        return super().get_queryset(request).select_related("deal", "service_type", "organization")

    @staticmethod
    def label(service: Service) -> str:
        """Many budgets have a service of the same name."""
        return f"{service} · {service.deal}"
