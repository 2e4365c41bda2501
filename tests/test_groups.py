"""Test the groups Operations and Read only, which `migrate` creates and administrators can change."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import Group, Permission
from django.core.management import call_command

from tests.support.admin import FACTORIES, create_row, signed_in, url
from tests.support.factories import OrganizationFactory, UserFactory
from tests.support.resources import WRITABLE, model_of

pytestmark = [pytest.mark.django_db, pytest.mark.no_cover]

# The models that integrations can write in the API.
EDITED = {model_of(resource)._meta.label_lower for resource in WRITABLE}


def permissions_of(name: str) -> set[str]:
    permissions = Group.objects.get(name=name).permissions
    return {
        f"{permission.codename.split('_')[0]} {'.'.join(permission.content_type.natural_key())}"
        for permission in permissions.select_related("content_type")
    }


def migrate() -> None:
    call_command("migrate", verbosity=0)


def view_permissions() -> set[str]:
    return {f"view {label}" for label in {*EDITED, "accounts.organization", "accounts.user"}}


def edit_permissions() -> set[str]:
    changes = {f"{action} {label}" for action in ("add", "change", "delete") for label in EDITED}
    return view_permissions() | changes | {"view accounts.apitoken"}


def test_migrate_creates_groups_with_permissions() -> None:
    assert {group.name: permissions_of(group.name) for group in Group.objects.all()} == {
        "Operations": edit_permissions(),
        "Read only": view_permissions(),
    }


def test_migrate_keeps_changes_of_administrators() -> None:
    operations = Group.objects.get(name="Operations")
    operations.permissions.remove(Permission.objects.get(codename="delete_person"))
    operations.permissions.add(Permission.objects.get(codename="add_apitoken"))
    changed = permissions_of("Operations")
    migrate()
    assert permissions_of("Operations") == changed
    Group.objects.get(name="Read only").delete()
    migrate()
    assert (permissions_of("Operations"), permissions_of("Read only")) == (changed, view_permissions())


def test_migrate_adds_permissions_of_new_models() -> None:
    Group.objects.get(name="Operations").permissions.clear()
    Permission.objects.filter(codename__endswith="_filter").delete()
    migrate()
    assert permissions_of("Operations") == {
        f"{action} assignments.filter" for action in ("view", "add", "change", "delete")
    }
    assert permissions_of("Read only") == view_permissions()


@pytest.mark.any_database
@pytest.mark.parametrize("name", ["Operations", "Read only"])
def test_members_have_access_by_permissions_of_the_group(name: str) -> None:
    organization = OrganizationFactory()
    user = UserFactory(organization=organization, is_staff=True)
    user.groups.add(Group.objects.get(name=name))
    client, may = signed_in(user), permissions_of(name)
    for model in FACTORIES:
        row, label = create_row(model, organization), model._meta.label_lower
        answers = {
            "view": client.get(url(model, "changelist")).status_code,
            "add": client.get(url(model, "add")).status_code,
            "change": client.post(url(model, "change", row.pk), {"_continue": "1"}).status_code,
            "delete": client.get(url(model, "delete", row.pk)).status_code,
        }
        opened = {f"{action} {label}" for action, status in answers.items() if status != 403}
        assert opened == {right for right in may if right.endswith(f" {label}")}
