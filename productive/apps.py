"""The groups that exist from the start, and what they may do."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from django.apps import AppConfig
from django.apps import apps as installed
from django.contrib.auth.management import create_permissions
from django.db.models import Q
from django.db.models.signals import post_migrate

from productive.database import replicas

ROOMS = ("accounts", "catalog", "assignments")

# Operations see the tokens and add none: what opens the API is an administrator's matter.
ADMINISTERED = ("accounts.apitoken",)
VIEWED = ("accounts.organization", "accounts.user")

# model label: actions
Rights = dict[str, tuple[str, ...]]


def rights_of_groups() -> dict[str, Rights]:
    """Return the rights of each group: every model whose records belong to an organization is worked with."""
    from productive.accounts.models import OrganizationOwned

    owned = [
        model._meta.label_lower for model in installed.get_models() if issubclass(model, OrganizationOwned)
    ]
    worked_with = [label for label in owned if label not in ADMINISTERED]
    return {
        "Operations": {
            **dict.fromkeys(worked_with, ("view", "add", "change", "delete")),
            **dict.fromkeys((*VIEWED, *ADMINISTERED), ("view",)),
        },
        "Read only": dict.fromkeys((*worked_with, *VIEWED), ("view",)),
    }


class ProductiveConfig(AppConfig):
    name = "productive"

    def ready(self) -> None:
        # Rights are rows that exist only once everything is migrated: no migration could give them.
        # It is sent once for each app with models; the first of the rooms stands for all.
        first = installed.get_app_config(ROOMS[0])
        post_migrate.connect(give_rights, sender=first, dispatch_uid="productive.give_rights")
        replicas.connect()


def give_rights(verbosity: int, using: str, apps: Any = installed, **kwargs: Any) -> None:
    """Fill a group that is new, and add to one that exists only the rights that are new.

    Whatever an administrator took from a group stays taken.
    """
    try:
        group_model, permission_model = apps.get_model("auth.Group"), apps.get_model("auth.Permission")
    except LookupError:
        return  # taken back to before there were any
    permissions = permission_model.objects.using(using)
    known = set(permissions.values_list("pk", flat=True))
    for room in ROOMS:
        # Django does so too, one app at a time and later than this.
        create_permissions(installed.get_app_config(room), verbosity=verbosity, using=using, apps=apps)
    for name, rights in rights_of_groups().items():
        group, created = group_model.objects.using(using).get_or_create(name=name)
        meant = permissions.filter(Q(*conditions(rights), _connector=Q.OR))
        group.permissions.add(*(meant if created else meant.exclude(pk__in=known)))


def conditions(rights: Rights) -> Iterator[Q]:
    for label, actions in rights.items():
        app, model = label.split(".")
        codenames = [f"{action}_{model}" for action in actions]
        yield Q(content_type__app_label=app, codename__in=codenames)
