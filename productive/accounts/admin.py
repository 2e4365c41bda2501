"""The admin of people and access, and of whatever an organization owns."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar, cast

from django.contrib import admin, messages
from django.contrib.admin.models import CHANGE, LogEntry
from django.contrib.admin.utils import flatten_fieldsets, model_ngettext
from django.contrib.auth import admin as auth_admin
from django.contrib.auth.models import Group
from django.db import models, transaction
from django.http import HttpRequest

from productive.accounts.models import ApiToken, Archivable, Organization, User
from productive.admin.options import SturdyAdmin
from productive.admin.theme import AdminPasswordChangeForm, UserChangeForm, UserCreationForm


def signed_in(request: HttpRequest) -> User:
    """The user of an admin request: the admin answers nobody else."""
    return cast(User, request.user)


def for_superusers(_: Any, request: HttpRequest, obj: Any = None) -> bool:
    """A permission that staff can't be given."""
    return signed_in(request).is_superuser


class OrganizationOwnedAdmin(SturdyAdmin):
    """The admin of what belongs to an organization. Staff find only their own; superusers find all.

    The organization is a field of every form, so that the model's rules are asked with it, but it can be
    chosen only by a superuser who adds a record. Staff don't see it: theirs is filled in.
    """

    owner = ["organization"]
    # Part of the form, so that the model may blame them, but never changed once the record exists.
    fixed_fields = ["organization"]
    list_select_related: ClassVar[list[str]] = []
    readonly_fields = ["created_at"]
    autocomplete_fields = ["organization"]

    def owned_by(self, rows: Any, organization: Organization) -> Any:
        return rows.owned_by(organization)

    def get_queryset(self, request: HttpRequest) -> Any:
        rows, user = super().get_queryset(request), signed_in(request)
        if user.is_superuser:
            return rows
        return self.owned_by(rows, user.organization) if user.organization else rows.none()

    def has_add_permission(self, request: HttpRequest) -> bool:
        user = signed_in(request)
        has_seat = user.is_superuser or user.organization_id is not None
        return has_seat and super().has_add_permission(request)

    def get_list_display(self, request: HttpRequest) -> Any:
        return [*super().get_list_display(request), *self.shown_owner(request)]

    def get_list_filter(self, request: HttpRequest) -> Any:
        return [*super().get_list_filter(request), *self.shown_owner(request)]

    def get_list_select_related(self, request: HttpRequest) -> Any:
        return [*self.list_select_related, *self.shown_owner(request)]

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        fieldsets: list[Any] = list(super().get_fieldsets(request, obj))
        if owner := self.shown_owner(request):
            fieldsets.insert(0, (None, {"fields": owner}))
        if obj is not None:
            fieldsets.append(("Record", {"fields": self.get_readonly_fields(request, obj)}))
        return fieldsets

    def get_form(self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any) -> Any:
        fields = kwargs.get("fields") or flatten_fieldsets(self.get_fieldsets(request, obj))
        kwargs["fields"] = list(dict.fromkeys([*fields, *self.owner]))
        form = super().get_form(request, obj, change=change, **kwargs)
        fixed = {*self.fixed_fields} if change else set()
        if not signed_in(request).is_superuser:
            fixed |= {*self.owner}
        for name in fixed & form.base_fields.keys():
            field = form.base_fields[name]
            # A disabled field takes its initial value, whatever is posted.
            field.disabled = True
            field.widget = field.widget.widget
            if name == "organization":
                field.initial = signed_in(request).organization_id
        return form

    def shown_owner(self, request: HttpRequest) -> list[str]:
        return self.owner if signed_in(request).is_superuser else []

    def change_each(
        self, request: HttpRequest, rows: models.QuerySet[Any], verb: Callable[[Any], None], done: str
    ) -> None:
        """Do it to every row or to none, note it in the history of each, and say how many there were."""
        with transaction.atomic():
            changed = list(rows.select_for_update(of=("self",)).order_by("pk"))
            for row in changed:
                verb(row)
            LogEntry.objects.log_actions(signed_in(request).pk, changed, CHANGE, f"{done.capitalize()}.")
        count = len(changed)
        self.message_user(request, f"{count} {model_ngettext(self.opts, count)} {done}.", messages.SUCCESS)


class ArchivedFilter(admin.SimpleListFilter):
    title = parameter_name = "archived"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("no", "No"), ("yes", "Yes")]

    def queryset(self, request: HttpRequest, queryset: Any) -> Any:
        wanted = {"no": queryset.active, "yes": queryset.archived}.get(self.value() or "", queryset.all)
        return wanted()


class ArchivableAdmin(OrganizationOwnedAdmin):
    readonly_fields = ["created_at", "archived_at"]
    list_filter = [ArchivedFilter]
    actions = ["archive", "restore"]

    @admin.action(permissions=["change"], description="Archive selected %(verbose_name_plural)s")
    def archive(self, request: HttpRequest, queryset: Any) -> None:
        self.change_each(request, queryset.active(), Archivable.archive, "archived")

    @admin.action(permissions=["change"], description="Restore selected %(verbose_name_plural)s")
    def restore(self, request: HttpRequest, queryset: Any) -> None:
        self.change_each(request, queryset.archived(), Archivable.restore, "restored")


@admin.register(Organization)
class OrganizationAdmin(OrganizationOwnedAdmin):
    menu, icon = "Administration", "domain"
    owner = fixed_fields = autocomplete_fields = []
    list_display = ["name", "time_zone", "created_at"]
    search_fields = ["name"]
    ordering = ["name", "id"]
    fields = ["name", "time_zone"]

    has_add_permission = has_delete_permission = for_superusers


class PersonAdmin(ArchivableAdmin):
    menu, icon, in_palette = "People", "person", True
    list_display = ["__str__", "email", "title", "archived_at"]
    search_fields = ["first_name", "last_name", "email"]
    ordering = ["first_name", "last_name", "id"]
    fields = ["first_name", "last_name", "email", "title"]


@admin.register(User)
class UserAdmin(OrganizationOwnedAdmin, auth_admin.UserAdmin):
    """Staff manage the users of their organization; superusers and what makes one are out of their sight."""

    menu, icon = "People", "manage_accounts"
    fixed_fields = []
    list_display = ["username", "email", "first_name", "last_name", "is_staff", "is_active"]
    list_filter = ["is_active", "is_staff"]
    readonly_fields = ["last_login", "date_joined"]
    form, add_form = UserChangeForm, UserCreationForm
    change_password_form = AdminPasswordChangeForm
    add_fieldsets = auth_admin.UserAdmin.add_fieldsets
    fieldsets = [
        (None, {"fields": ["username", "password"]}),
        ("Personal info", {"fields": ["first_name", "last_name", "email"]}),
        ("Access", {"fields": ["is_active", "is_staff"]}),
    ]

    def owned_by(self, rows: Any, organization: Organization) -> Any:
        return rows.filter(organization=organization, is_superuser=False)

    def get_list_filter(self, request: HttpRequest) -> Any:
        shared = ["is_superuser", "groups"] if signed_in(request).is_superuser else []
        return [*super().get_list_filter(request), *shared]

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        fieldsets = super().get_fieldsets(request, obj)
        if obj is not None and signed_in(request).is_superuser:
            rights = ["is_superuser", "groups", "user_permissions"]
            fieldsets.insert(-1, ("Permissions", {"fields": rights}))
        return fieldsets

    # It deletes the log of what the user did, wherever that was. Staff switch the user off instead.
    has_delete_permission = for_superusers


admin.site.unregister(Group)


@admin.register(Group)
class GroupAdmin(SturdyAdmin, auth_admin.GroupAdmin):
    """Groups are shared by all organizations and give rights: they are the superusers' business."""

    menu, icon = "Administration", "shield_person"
    has_view_permission = has_add_permission = for_superusers
    has_change_permission = has_delete_permission = for_superusers


@admin.register(ApiToken)
class ApiTokenAdmin(OrganizationOwnedAdmin):
    menu, icon = "Administration", "key"
    fixed_fields = ["organization", "user"]
    list_display = ["name", "prefix", "user", "read_only", "expires_at", "revoked_at", "last_used_at"]
    list_filter = ["read_only", "expires_at", "revoked_at"]
    list_select_related = ["user"]
    search_fields = ["name", "prefix", "user__username"]
    autocomplete_fields = ["organization", "user"]
    ordering = ["-id"]
    fields = ["name", "user", "read_only", "expires_at"]
    readonly_fields = ["prefix", "created_at", "revoked_at", "last_used_at"]
    actions = ["revoke"]

    def save_model(self, request: HttpRequest, obj: ApiToken, form: Any, change: bool) -> None:
        if not change:
            secret = obj.make_secret()
            told = f"The secret of “{obj.name}” is {secret}. Copy it now: it is never shown again."
            self.message_user(request, told, messages.SUCCESS)
        super().save_model(request, obj, form, change)

    @admin.action(permissions=["change"], description="Revoke selected %(verbose_name_plural)s")
    def revoke(self, request: HttpRequest, queryset: models.QuerySet[ApiToken]) -> None:
        self.change_each(request, queryset.filter(revoked_at=None), ApiToken.revoke, "revoked")
