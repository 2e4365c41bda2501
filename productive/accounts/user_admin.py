"""The admin of users and of their groups."""

from __future__ import annotations

from typing import Any

from django.contrib.admin.utils import flatten_fieldsets
from django.contrib.auth import admin as auth_admin
from django.contrib.auth.models import Permission
from django.core.exceptions import ValidationError
from django.db import models
from django.db.models import Exists, OuterRef, Q
from django.http import HttpRequest

from productive.accounts.models import Organization, Person, User
from productive.accounts.owned_admin import (
    OrganizationOwnedAdmin,
    organizations_of,
    request_user,
    superuser_only,
)
from productive.admin.forms import Autocomplete, RecordField
from productive.admin.options import BaseAdmin
from productive.admin.theme import AdminPasswordChangeForm, UserChangeForm, UserCreationForm
from productive.database.history import record


def describe_permissions(user: User) -> dict[str, str]:
    """Return the user's groups and own permissions as texts."""
    groups = user.groups.order_by("name").values_list("name", flat=True)
    permissions = [permission.name for permission in user.user_permissions.order_by("name")]
    return {"groups": ", ".join(groups), "permissions": ", ".join(permissions)}


def record_reason(user: User, reason: str) -> None:
    """Record a change of the user that isn't in a column."""
    user._change_reason = reason  # type: ignore[attr-defined]
    record(User, [user], "~")


def permissions_of(user: User) -> models.QuerySet[Permission]:
    """Return the permissions of the user and groups, also if inactive."""
    return Permission.objects.filter(Q(user=user) | Q(group__user=user))


class PersonWithoutLogin(RecordField):
    """Choose a person without a login, and lock the row.

    Without the lock, two requests could each add a login.
    """

    def to_python(self, value: Any) -> Any:
        person = super().to_python(value)
        if person is None or self.queryset.select_for_update(of=("self",)).filter(pk=person.pk):  # type: ignore[union-attr]
            return person
        raise ValidationError(self.error_messages["invalid_choice"], code="invalid_choice")


class UserAdmin(OrganizationOwnedAdmin, auth_admin.UserAdmin):
    """Let staff manage the users of their organizations.

    Staff don't see superusers or permissions. They can't change a user who belongs to another organization,
    too, or has a permission that they lack: by setting the password, they would gain both. Service accounts
    are read-only, because they never sign in.
    """

    can_undo = False
    menu, icon, menu_order = "People", "manage_accounts", 1
    owner_fields = fixed_fields = autocomplete_fields = []
    list_display = ["username", "email", "first_name", "last_name", "is_staff", "is_active"]
    list_filter = ["is_active", "is_staff"]
    readonly_fields = ["last_login", "date_joined"]
    form, add_form = UserChangeForm, UserCreationForm
    change_password_form = AdminPasswordChangeForm
    add_fieldsets = [(None, {"fields": ["person", "username", "usable_password", "password1", "password2"]})]
    fieldsets = [
        (None, {"fields": ["username", "password"]}),
        ("Personal info", {"fields": ["first_name", "last_name", "email"]}),
        ("Access", {"fields": ["is_active", "is_staff"]}),
    ]

    def owned_by_any(self, rows: Any, organizations: list[Organization]) -> Any:
        people = Person.objects.owned_by_any(organizations).filter(user=OuterRef("pk"))
        return rows.filter(Q(service_account_of__in=organizations) | Exists(people), is_superuser=False)

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        allowed, editor = super().has_change_permission(request, obj), request_user(request)
        if obj is not None and obj.service_account_of_id is not None:
            return False
        if not allowed or obj is None or editor.is_superuser:
            return allowed
        own_ids = [organization.pk for organization in organizations_of(request)]
        other_organizations = Organization.objects.exclude(pk__in=own_ids).filter(
            Exists(obj.people.filter(organization=OuterRef("pk")))
        )
        other_permissions = permissions_of(obj).exclude(pk__in=permissions_of(editor).values("pk"))
        return not (obj.is_superuser or other_organizations.exists() or other_permissions.exists())

    def get_form(self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any) -> Any:
        if obj is not None:
            return super().get_form(request, obj, change=change, **kwargs)
        kwargs["fields"] = [name for name in flatten_fieldsets(self.add_fieldsets) if name != "person"]
        form = super().get_form(request, obj, change=change, **kwargs)
        form.base_fields["person"] = PersonWithoutLogin(
            self.people_without_login(request),
            # The widget needs a relation to Person; any will do.
            widget=Autocomplete(Person._meta.related_objects[0].field, self.admin_site),
            required=not request_user(request).is_superuser,
            help_text="An active person without a login. The user can work with this person's organization.",
        )
        return form

    def people_without_login(self, request: HttpRequest) -> models.QuerySet[Person]:
        found: Any = self.admin_site.get_model_admin(Person).get_queryset(request)
        return found.active().filter(user=None)

    def save_model(self, request: HttpRequest, obj: User, form: Any, change: bool) -> None:
        super().save_model(request, obj, form, change)
        person = form.cleaned_data.get("person")
        if person is not None:
            person.user = obj
            person.save(update_fields=["user"])

    def save_related(self, request: HttpRequest, form: Any, formsets: Any, change: bool) -> None:
        """Record changes of permissions as text.

        The history of users has no columns for them.
        """
        before = describe_permissions(form.instance)
        super().save_related(request, form, formsets, change)
        after = describe_permissions(form.instance)
        changes = [
            f"{name}: {before[name] or 'none'} → {after[name] or 'none'}"
            for name in before
            if before[name] != after[name]
        ]
        if changes:
            record_reason(form.instance, "; ".join(changes))

    def log_change(self, request: HttpRequest, obj: User, message: Any) -> Any:
        if message == [{"changed": {"fields": ["password"]}}]:
            record_reason(obj, "password set")
        return super().log_change(request, obj, message)

    def get_list_filter(self, request: HttpRequest) -> Any:
        filters = ["is_superuser", "groups"] if request_user(request).is_superuser else []
        return [*super().get_list_filter(request), *filters]

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        fieldsets = super().get_fieldsets(request, obj)
        if obj is not None and request_user(request).is_superuser:
            fields = ["is_superuser", "groups", "user_permissions"]
            fieldsets.insert(-1, ("Permissions", {"fields": fields}))
        return fieldsets

    # Deleting a user also deletes the user's admin log in all organizations. Staff deactivate users instead.
    has_delete_permission = superuser_only


class GroupAdmin(BaseAdmin, auth_admin.GroupAdmin):
    """Let superusers manage groups, which are shared by all organizations."""

    menu, icon, menu_order = "Administration", "shield_person", 1
    has_view_permission = has_add_permission = superuser_only
    has_change_permission = has_delete_permission = superuser_only
