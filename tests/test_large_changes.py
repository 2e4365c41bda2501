"""Test changes that must be confirmed by a number, and those that would lock out the user."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from productive.accounts.models import Organization, Person, User
from productive.admin.preview import MAX_UNTYPED
from tests.support.admin import form_data, is_preview, press, signed_in, staff, url
from tests.support.bulk import preview
from tests.support.factories import (
    OrganizationFactory,
    PersonFactory,
    ProjectAssignmentFactory,
    ProjectFactory,
)

pytestmark = [pytest.mark.django_db, pytest.mark.any_database, pytest.mark.no_cover]

FIELD = 'name="_number"'


@pytest.fixture
def organization() -> Organization:
    return OrganizationFactory()


@pytest.fixture
def client(organization: Organization) -> Client:
    return staff(organization)


def user_of(client: Client) -> User:
    return User.objects.get(pk=client.session["_auth_user_id"])


def check_number(client: Client, page: Any, number: int) -> None:
    """Apply a large preview, with a wrong number first."""
    assert page.context["preview"].removed == number
    assert FIELD in page.content.decode()
    for wrong in ("", "x", str(number + 1)):
        again = press(client, page, "apply", _number=wrong)
        assert (again.status_code, again.context["is_untyped"], again.context["is_stale"]) == (
            200,
            True,
            False,
        )
    assert press(client, again, "apply", _number=f" {number:,} ").status_code == 302


def test_number_of_related_records_confirms_a_deletion_and_its_undo(
    client: Client, organization: Organization
) -> None:
    project = ProjectFactory(organization=organization)
    ProjectAssignmentFactory.create_batch(MAX_UNTYPED, organization=organization, project=project)
    check_number(client, client.get(url(type(project), "delete", project.pk)), MAX_UNTYPED + 1)
    undo = reverse("admin:undo", args=[type(project).history.get(history_type="-").change_set])
    page = client.get(undo)
    # It creates records again; only to undo that is large.
    assert FIELD not in page.content.decode()
    assert press(client, page, "apply").status_code == 302
    undo = reverse(
        "admin:undo", args=[type(project).history.filter(history_type="+").latest("history_id").change_set]
    )
    check_number(client, client.get(undo), MAX_UNTYPED + 1)


def test_number_confirms_archiving_many(client: Client, organization: Organization) -> None:
    people = PersonFactory.create_batch(MAX_UNTYPED + 1, organization=organization)
    page = preview(client, "archive", people[1:])
    assert not page.context["preview"].is_destructive
    check_number(client, preview(client, "archive", people), MAX_UNTYPED + 1)
    assert FIELD not in preview(client, "restore", people).content.decode()


@pytest.mark.parametrize("action", ["archive", "delete_selected"])
def test_users_cannot_archive_or_delete_their_own_person(
    action: str, client: Client, organization: Organization
) -> None:
    own = user_of(client).people.get()
    page = preview(client, action, [own, PersonFactory(organization=organization)])
    assert page.context["preview"].blocked.startswith("You can't archive or delete yourself")
    page = press(client, page, "apply", digest=page.context["preview"].digest)
    assert page.context["preview"].blocked
    assert Person.objects.filter(pk=own.pk, archived_at=None).exists()
    # Another user can.
    page = preview(staff(organization), action, [own])
    assert press(client=page.client, page=page, step="apply").status_code == 302


def test_users_cannot_deactivate_or_delete_their_own_user() -> None:
    user = User.objects.create(username="root", is_staff=True, is_superuser=True)
    client = signed_in(user)
    address = url(User, "change", user.pk)
    data = form_data(client, address)
    del data["is_active"]
    page = client.post(address, data)
    assert is_preview(page)
    assert b"You can&#x27;t deactivate or delete your own user." in page.content
    assert b"Back to the form" in page.content
    page = press(client, client.get(url(User, "delete", user.pk)), "apply")
    assert page.context["preview"].blocked
    assert User.objects.filter(pk=user.pk, is_active=True).exists()
