"""Base classes for the admin of records that an organization owns."""

from __future__ import annotations

from collections import defaultdict
from datetime import tzinfo
from functools import partial
from typing import Any, ClassVar, cast

from django.contrib.admin.utils import flatten_fieldsets
from django.db.models import Q
from django.http import HttpRequest
from django.urls import path, reverse

from productive.accounts.models import Organization, Person, User
from productive.accounts.owned import Archivable, merged_message
from productive.admin.bulk.rows import Stamp
from productive.admin.filters import MomentListFilter, by_days, by_record
from productive.admin.inlines import limit_inlines
from productive.admin.options import BaseAdmin
from productive.admin.preview import Group
from productive.admin.record_merges.views import merge_view
from productive.admin.theme import display
from productive.database.record_merges import RecordMerge
from productive.web.request_state import state_of


def request_user(request: HttpRequest) -> User:
    """Return the user of an admin request, which is never anonymous."""
    return cast(User, request.user)


def superuser_only(_: Any, request: HttpRequest, obj: Any = None) -> bool:
    """Allow superusers only, whatever permissions staff have."""
    return request_user(request).is_superuser


def organizations_of(request: HttpRequest) -> list[Organization]:
    """Return the user's organizations; query them once per request."""
    state = state_of(request)
    if state.organizations is None:
        state.organizations = list(Organization.objects.of(request_user(request)))
    return state.organizations


class OrganizationOwnedAdmin(BaseAdmin):
    """Limit staff to their organizations' records; superusers see all records.

    The organization is a field of every form, because the model's validation needs it. Superusers and staff
    of several organizations choose it when they add a record; for others it is hidden and filled in.
    """

    owner_fields = ["organization"]
    # Fields that can't be changed once the record exists. The form has them for the model's errors.
    fixed_fields = ["organization"]
    list_select_related: ClassVar[list[str]] = []
    readonly_fields = ["created_at"]
    autocomplete_fields = ["organization"]

    def owned_by_any(self, rows: Any, organizations: list[Organization]) -> Any:
        return rows.owned_by_any(organizations)

    def get_queryset(self, request: HttpRequest) -> Any:
        rows = super().get_queryset(request)
        if request_user(request).is_superuser:
            return rows
        return self.owned_by_any(rows, organizations_of(request))

    def get_history(self, request: HttpRequest) -> Any:
        records = super().get_history(request)
        if request_user(request).is_superuser:
            return records
        if self.owner_fields:
            return records.filter(organization__in=organizations_of(request))
        return records.filter(id__in=self.get_queryset(request).order_by().values("pk"))

    def has_add_permission(self, request: HttpRequest) -> bool:
        is_member = request_user(request).is_superuser or bool(organizations_of(request))
        return is_member and super().has_add_permission(request)

    def time_zones(self, request: HttpRequest) -> dict[tzinfo, Q]:
        """Return, by time zone, the condition for organizations in that zone."""
        is_superuser = request_user(request).is_superuser
        by_zone = defaultdict(list)
        for organization in Organization.objects.all() if is_superuser else organizations_of(request):
            by_zone[organization.zone].append(organization.pk)
        return {zone: Q(organization__in=ids) for zone, ids in by_zone.items()}

    def get_list_display(self, request: HttpRequest) -> Any:
        """Show the organization if there are several; a superuser may administer a single one."""
        columns = self.get_owner_fields(request)
        if columns and Organization.objects.count() == 1:
            columns = []
        return [*super().get_list_display(request), *columns]

    def get_hints(self, request: HttpRequest) -> list[str]:
        return [*super().get_hints(request), *self.get_owner_fields(request)]

    def get_list_filter(self, request: HttpRequest) -> Any:
        owner_filter = [by_record(Person.organization)] if self.get_owner_fields(request) else []
        return [*super().get_list_filter(request), *owner_filter]

    def get_list_select_related(self, request: HttpRequest) -> Any:
        return [*self.list_select_related, *self.get_owner_fields(request)]

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        fieldsets: list[Any] = list(super().get_fieldsets(request, obj))
        if owner_fields := self.get_owner_fields(request):
            fieldsets.insert(0, (None, {"fields": owner_fields}))
        if obj is not None:
            fieldsets.append(("Record", {"fields": self.get_readonly_fields(request, obj)}))
        return fieldsets

    def get_form(self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any) -> Any:
        fields = kwargs.get("fields") or flatten_fieldsets(self.get_fieldsets(request, obj))
        kwargs["fields"] = list(dict.fromkeys([*fields, *self.owner_fields]))
        form = super().get_form(request, obj, change=change, **kwargs)
        fixed = {*self.fixed_fields} if change else set()
        if not self.get_owner_fields(request):
            fixed |= {*self.owner_fields}
        for name in fixed & form.base_fields.keys():
            field = form.base_fields[name]
            # A disabled field ignores posted values.
            field.disabled = True
            field.widget = field.widget.widget
            if name == "organization" and not change:
                field.initial = organizations_of(request)[0].pk
        return form

    def get_inline_instances(self, request: HttpRequest, obj: Any = None) -> Any:
        inlines = super().get_inline_instances(request, obj)
        if obj is not None:
            limit_inlines(inlines, obj, request)
        return inlines

    def get_owner_fields(self, request: HttpRequest) -> list[str]:
        """Return the fields to show, which is none for staff of one organization."""
        has_several = request_user(request).is_superuser or len(organizations_of(request)) > 1
        return self.owner_fields if has_several else []

    def get_table_kwargs(self, request: HttpRequest) -> dict[str, Any]:
        """Return the arguments of the `Table` for import and export."""
        return {
            "organizations": organizations_of(request),
            "shows_owner": bool(self.get_owner_fields(request)),
        }


class ArchivedFilter(MomentListFilter):
    moment = Archivable.moment
    parameter_name = moment.done


class Restore(Stamp):
    """Restore archived records, except those that were merged into others."""

    def rejection(self, row: Any) -> str:
        merged_into = getattr(row, "merged_into_id", None)
        return "" if merged_into is None else f"{merged_message(merged_into)}: undo that in Changes"


ARCHIVE = Stamp(name="archive", title="Archive", moment=Archivable.moment)
RESTORE = Restore(name="restore", title="Restore", moment=Archivable.moment, clears=True)


class ArchivableAdmin(OrganizationOwnedAdmin):
    inactive = (Archivable.moment.field, Archivable.moment.done)
    readonly_fields = ["created_at", "archived_at"]
    list_filter = [ArchivedFilter, by_days("created_at", "day added"), by_days("archived_at", "day archived")]
    actions = [ARCHIVE, RESTORE]

    @display(description="Status", ordering="archived_at", label={"Active": "success", "Archived": "warning"})
    def status(self, record: Archivable) -> str:
        return record.moment.word(record).capitalize()


class MergeableAdmin(ArchivableAdmin):
    """The admin of records that can be merged. Their list needs the action `merge_records`."""

    # Where the page that merges returns to: a view of the Clean-up page.
    merge_back_label = "Back to Clean-up"
    clean_up_view = ""

    def merge_back_url(self) -> str:
        return f"{reverse('clean_up')}?show={self.clean_up_view}"

    def merge_warnings(self, request: HttpRequest, merge: RecordMerge) -> list[Group]:
        """Return what the preview says first."""
        return []

    def get_urls(self) -> list[Any]:
        view = self.admin_site.admin_view(partial(merge_view, self))
        name = f"{self.opts.app_label}_{self.opts.model_name}_merge"
        return [path("merge/", view, name=name), *super().get_urls()]

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        is_merged = obj is not None and obj.merged_into_id is not None
        return [*super().get_readonly_fields(request, obj), *(["merged_into"] if is_merged else [])]
