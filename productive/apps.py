"""Create the default groups, with their permissions, after `migrate`."""

from __future__ import annotations

from typing import Any

from django.apps import AppConfig
from django.apps import apps as installed
from django.contrib.auth.management import create_permissions
from django.db.backends.signals import connection_created
from django.db.models import Q
from django.db.models.signals import post_migrate

from productive.database import replicas
from productive.database.functions import create_sqlite_functions

APP_LABELS = ("accounts", "catalog", "assignments")

# Only administrators add API tokens, because a token gives access to the API.
ADMINISTERED = ("accounts.apitoken",)
VIEWED = ("accounts.organization", "accounts.user")

# Model label → actions.
Actions = dict[str, tuple[str, ...]]


def group_permissions() -> dict[str, Actions]:
    """Return the permissions of each group."""
    from productive.accounts.owned import OrganizationOwned

    owned = [
        model._meta.label_lower for model in installed.get_models() if issubclass(model, OrganizationOwned)
    ]
    editable = [label for label in owned if label not in ADMINISTERED]
    return {
        "Operations": {
            **dict.fromkeys(editable, ("view", "add", "change", "delete")),
            **dict.fromkeys((*VIEWED, *ADMINISTERED), ("view",)),
        },
        "Read only": dict.fromkeys((*editable, *VIEWED), ("view",)),
    }


class ProductiveConfig(AppConfig):
    name = "productive"

    def ready(self) -> None:
        # Not in a migration: Django creates the permissions after all migrations. It sends `post_migrate`
        # once for each app with models, so connect to one of them.
        sender = installed.get_app_config(APP_LABELS[0])
        post_migrate.connect(create_groups, sender=sender, dispatch_uid="productive.create_groups")
        connection_created.connect(create_sqlite_functions)
        replicas.connect()


def create_groups(verbosity: int, using: str, apps: Any = installed, **kwargs: Any) -> None:
    """Create missing groups, and add only new permissions to existing ones.

    A permission that an administrator removed from a group is not added again.
    """
    try:
        group_model, permission_model = apps.get_model("auth.Group"), apps.get_model("auth.Permission")
    except LookupError:
        return  # `migrate` reversed the migrations that create these models.
    permissions = permission_model.objects.using(using)
    existing = set(permissions.values_list("pk", flat=True))
    for label in APP_LABELS:
        # Django does this too, but only after this receiver, and for one app at a time.
        create_permissions(installed.get_app_config(label), verbosity=verbosity, using=using, apps=apps)
    for name, actions in group_permissions().items():
        group, created = group_model.objects.using(using).get_or_create(name=name)
        granted = permissions.filter(Q(*permission_filters(actions), _connector=Q.OR))
        group.permissions.add(*(granted if created else granted.exclude(pk__in=existing)))


def permission_filters(actions: Actions) -> list[Q]:
    return [
        Q(content_type__app_label=app, codename__in=[f"{action}_{model}" for action in names])
        for label, names in actions.items()
        for app, model in [label.split(".")]
    ]
