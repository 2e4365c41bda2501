"""The groups Operations and Read only: there from the start, and the administrator's from then on."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import Group, Permission
from django.core.management import call_command

from tests.support.admin import OWNED, make, signed_in, url
from tests.support.factories import OrganizationFactory, UserFactory
from tests.support.resources import WRITABLE, model_of

pytestmark = pytest.mark.django_db

# Staff work in the admin with what the API lets an integration write.
WORKED_WITH = {model_of(resource)._meta.label_lower for resource in WRITABLE}


def rights(name: str) -> set[str]:
    permissions = Group.objects.get(name=name).permissions
    return {
        f"{permission.codename.split('_')[0]} {'.'.join(permission.content_type.natural_key())}"
        for permission in permissions.select_related("content_type")
    }


def migrate() -> None:
    call_command("migrate", verbosity=0)


def looks() -> set[str]:
    return {f"view {label}" for label in {*WORKED_WITH, "accounts.organization", "accounts.user"}}


def works() -> set[str]:
    changes = {f"{action} {label}" for action in ("add", "change", "delete") for label in WORKED_WITH}
    return looks() | changes | {"view accounts.apitoken"}


def test_groups_exist_after_migrate_with_their_rights() -> None:
    assert {group.name: rights(group.name) for group in Group.objects.all()} == {
        "Operations": works(),
        "Read only": looks(),
    }


def test_what_was_taken_or_given_stays_so() -> None:
    operations = Group.objects.get(name="Operations")
    operations.permissions.remove(Permission.objects.get(codename="delete_person"))
    operations.permissions.add(Permission.objects.get(codename="add_apitoken"))
    changed = rights("Operations")
    migrate()
    assert rights("Operations") == changed
    Group.objects.get(name="Read only").delete()
    migrate()
    assert (rights("Operations"), rights("Read only")) == (changed, looks())


def test_rights_on_a_new_model_are_given_when_they_appear() -> None:
    Group.objects.get(name="Operations").permissions.clear()
    Permission.objects.filter(codename__endswith="_filter").delete()
    migrate()
    assert rights("Operations") == {
        f"{action} assignments.filter" for action in ("view", "add", "change", "delete")
    }
    assert rights("Read only") == looks()


@pytest.mark.parametrize("name", ["Operations", "Read only"])
def test_member_opens_what_the_group_may_and_no_more(name: str) -> None:
    organization = OrganizationFactory()
    user = UserFactory(organization=organization, is_staff=True)
    user.groups.add(Group.objects.get(name=name))
    client, may = signed_in(user), rights(name)
    for model in OWNED:
        row, label = make(model, organization), model._meta.label_lower
        answers = {
            "view": client.get(url(model, "changelist")).status_code,
            "add": client.get(url(model, "add")).status_code,
            "change": client.post(url(model, "change", row.pk), {"_continue": "1"}).status_code,
            "delete": client.get(url(model, "delete", row.pk)).status_code,
        }
        opened = {f"{action} {label}" for action, status in answers.items() if status != 403}
        assert opened == {right for right in may if right.endswith(f" {label}")}
