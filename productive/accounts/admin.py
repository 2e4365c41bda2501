"""The admin of organizations, people, users and tokens."""

from __future__ import annotations

from collections import Counter
from typing import Any

from django.contrib import admin, messages
from django.contrib.auth.models import Group
from django.http import HttpRequest
from django.utils import timezone
from django.utils.html import format_html_join
from django.utils.text import capfirst

from assignments import admin_inlines, bulk
from assignments.models import ProjectAssignment, ServiceAssignment, ServiceTypeAssignment
from assignments.state_badges import PERSON_STATES
from catalog.models import Deal, Project, Service
from productive.accounts.admin_filters import TokenStateFilter, TrackableFilter
from productive.accounts.models import ApiToken, Organization, Person, User
from productive.accounts.owned_admin import (
    ArchivableAdmin,
    MergeableAdmin,
    OrganizationOwnedAdmin,
    request_user,
    superuser_only,
)
from productive.accounts.sign_in import SignInForm
from productive.accounts.spreadsheets import PersonTable
from productive.accounts.user_admin import GroupAdmin, UserAdmin
from productive.admin import preview
from productive.admin.bulk.rows import Stamp
from productive.admin.columns import LINK, CountColumn, RecordColumn
from productive.admin.filters import by_days, by_record
from productive.admin.forms import label_of
from productive.admin.preview import Line, RecordOutcome
from productive.admin.spreadsheets.admin import SpreadsheetAdmin
from productive.admin.theme import display
from productive.admin.urls import unhidden_list_url
from productive.database.functions import SortKey
from productive.database.record_merges import RecordMerge

admin.site.login_form = SignInForm
admin.site.register(User, UserAdmin)
admin.site.unregister(Group)
admin.site.register(Group, GroupAdmin)


@admin.register(Organization)
class OrganizationAdmin(OrganizationOwnedAdmin):
    can_undo = False
    menu, icon = "Administration", "domain"
    owner_fields = fixed_fields = autocomplete_fields = []
    list_display = ["name", "time_zone", "created_at"]
    search_fields = ["name"]
    ordering = [SortKey("name"), "id"]
    fields = ["name", "time_zone", "day_order"]

    has_add_permission = has_delete_permission = superuser_only


@admin.register(Person)
class PersonAdmin(SpreadsheetAdmin, MergeableAdmin):
    table_class = PersonTable
    superuser_fields = ["user"]
    clean_up_view = "people"
    menu, icon, in_palette = "People", "person", True
    label_fields = ["email"]
    list_display = [
        "name",
        "email",
        "title",
        "status",
        CountColumn("projects", ProjectAssignment.person),
        CountColumn("services", ServiceAssignment.person),
        CountColumn("service types", ServiceTypeAssignment.person),
    ]
    list_filter = [
        TrackableFilter,
        by_record(ProjectAssignment.project, "project_assignments__project"),
        by_record(ServiceAssignment.service, "service_assignments__service"),
        by_record(ServiceTypeAssignment.service_type, "service_type_assignments__service_type"),
        by_record(Person.company),
        by_record(Person.manager),
        *ArchivableAdmin.list_filter,
    ]
    search_fields = ["first_name", "last_name", "email"]
    ordering = ["name_key", "id"]
    fields = ["first_name", "last_name", "email", "title", "manager", "company"]
    autocomplete_fields = ["organization", "user", "manager", "company"]
    actions = bulk.ON_PEOPLE
    inlines = [
        admin_inlines.ProjectsOfPerson,
        admin_inlines.ServicesOfPerson,
        admin_inlines.ServiceTypesOfPerson,
    ]

    @admin.display(description="Name", ordering="name_key")
    def name(self, person: Person) -> str:
        return str(person)

    def get_list_display(self, request: HttpRequest) -> Any:
        """Show why people can't track, in a list that is filtered by that."""
        columns = super().get_list_display(request)
        return [*columns, "why_nowhere"] if request.GET.get(TrackableFilter.parameter_name) else columns

    @admin.display(description="Can't track because")
    def why_nowhere(self, person: Any) -> str:
        return capfirst(PERSON_STATES[person.state])

    def merge_warnings(self, request: HttpRequest, merge: RecordMerge) -> list[preview.Group]:
        """Say whose sign-in ends, and that of their tokens, or moves to the survivor."""
        kept = merge.values.get("user_id", merge.survivor.user_id)
        users = {one.user_id: one for one in [merge.survivor, *merge.others] if one.user_id is not None}
        names = User.objects.in_bulk(users.keys())
        tokens = Counter(
            ApiToken.objects.filter(
                user__in=users, organization=merge.survivor.organization_id, revoked_at=None
            ).values_list("user", flat=True)
        )
        ended = [
            Line(f"{names[pk].username} ({label_of(person)})", [f"API tokens: {tokens[pk]}"])
            for pk, person in users.items()
            if pk != kept
        ]
        moved = [
            Line(f"{names[kept].username} will sign in as {label_of(merge.survivor)}")
            for pk in users
            if pk == kept != merge.survivor.user_id
        ]
        title = "Users who can no longer sign in, and whose API tokens stop working"
        return [
            preview.Group(title, RecordOutcome.LOST, ended),
            preview.Group("Users who move", RecordOutcome.AFFECTED, moved),
        ]

    # The user determines what a person can see, so it is read-only for staff.
    def get_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        user = ["user"] if request_user(request).is_superuser else []
        return [*super().get_fields(request, obj), *user]

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        user = [] if request_user(request).is_superuser else ["user"]
        responsible_for = ["responsible_for"] if obj is not None else []
        return [*user, *responsible_for, *super().get_readonly_fields(request, obj)]

    @admin.display(description="Responsible for", empty_value="Nothing")
    def responsible_for(self, person: Person) -> str | None:
        """Link to the lists of the records that name the person as responsible."""
        links = []
        for relation, parameter in (
            (Project.project_manager, "project_manager"),
            (Deal.responsible, "responsible"),
            (Service.person, "responsible"),
            (Person.manager, "manager"),
        ):
            model = relation.field.model
            if count := getattr(person, relation.field.remote_field.get_accessor_name()).count():
                noun = model._meta.verbose_name if count == 1 else model._meta.verbose_name_plural
                links.append((unhidden_list_url(model, **{parameter: person.pk}), f"{count} {noun}"))
        return format_html_join(", ", LINK, links) or None


REVOKE = Stamp(
    name="revoke",
    title="Revoke",
    moment=ApiToken.moment,
    note="Requests with these tokens will be rejected. A revoked token can't be restored.",
)


@admin.register(ApiToken)
class ApiTokenAdmin(OrganizationOwnedAdmin):
    can_undo = False
    menu, icon = "Administration", "key"
    fixed_fields = ["organization", "user"]
    list_display = [
        "name",
        "prefix",
        RecordColumn(ApiToken.user, "username"),
        "state",
        "read_only",
        "expires_at",
        "last_used_at",
    ]
    list_filter = [
        TokenStateFilter,
        "read_only",
        by_record(ApiToken.user),
        by_days("created_at", "day issued"),
        by_days("expires_at", "day of expiry"),
        by_days("last_used_at", "day last used"),
    ]
    list_select_related = ["user"]
    search_fields = ["name", "prefix", "user__username"]
    autocomplete_fields = ["organization", "user"]
    ordering = ["-id"]
    fields = ["name", "user", "read_only", "expires_at"]
    readonly_fields = ["prefix", "created_at", "revoked_at", "last_used_at"]
    actions = [REVOKE]

    @display(
        description="State",
        label={"Live": "success", "Expired": "warning", "Revoked": "danger", "User inactive": "warning"},
    )
    def state(self, token: ApiToken) -> str:
        if token.revoked_at is not None:
            return "Revoked"
        if token.expires_at is not None and token.expires_at <= timezone.now():
            return "Expired"
        return "Live" if token.user.is_active else "User inactive"

    def save_model(self, request: HttpRequest, obj: ApiToken, form: Any, change: bool) -> None:
        if not change:
            secret = obj.make_secret()
            message = f"The secret of “{obj.name}” is {secret}. Copy it now: it won't be shown again."
            self.message_user(request, message, messages.SUCCESS)
        super().save_model(request, obj, form, change)
