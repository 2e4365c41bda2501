"""Test who may see and undo changes."""

from __future__ import annotations

from uuid import uuid4

import pytest
from django.test import Client
from django.urls import reverse

from catalog.models import ServiceType
from productive.accounts.models import Organization, User
from productive.admin.forms import label_of
from productive.database.history import change_set
from tests.support.admin import staff, superuser, url
from tests.support.factories import PersonFactory, ServiceTypeFactory
from tests.support.history import changes, latest_set, undo

pytestmark = pytest.mark.django_db


def test_changes_of_other_organization_are_not_found(client: Client) -> None:
    with change_set() as foreign:
        kind = ServiceTypeFactory(name="Theirs")
        kind.archive()
    record = ServiceType.history.filter(id=kind.pk).earliest("history_id")
    assert "Theirs" not in str(changes(client))
    addresses = [
        (reverse("admin:change_set", args=[foreign]), reverse("admin:change_set", args=[uuid4()])),
        (reverse("admin:undo", args=[foreign]), reverse("admin:undo", args=[uuid4()])),
        (
            reverse("admin:restore", args=["catalog.servicetype", record.history_id]),
            reverse("admin:restore", args=["catalog.servicetype", 987_654_321]),
        ),
    ]
    for theirs, missing in addresses:
        for ask in (client.get, client.post):
            assert (ask(theirs).status_code, ask(missing).status_code) == (404, 404)
    kind.refresh_from_db()
    assert kind.archived_at is not None


def test_deleted_record_of_other_organization_is_not_found(client: Client) -> None:
    kind = ServiceTypeFactory()
    pk = kind.pk
    kind.delete()
    for number in (pk, 987_654_321):
        assert client.get(url(ServiceType, "history", number))["Location"] == reverse("admin:index")


@pytest.mark.any_database
def test_list_requires_view_permission(organization: Organization) -> None:
    ServiceTypeFactory(organization=organization, name="Seen")
    PersonFactory(organization=organization, first_name="Hidden")
    viewer = staff(organization, "view_servicetype")
    assert [created for _, created in changes(viewer)] == [[("Seen", "added")]]
    assert staff(organization, "no such right").get(reverse("admin:changes")).status_code == 403


@pytest.mark.any_database
def test_undo_requires_permissions(organization: Organization) -> None:
    kind = ServiceTypeFactory(organization=organization, name="Design")
    viewer = staff(organization, "view_servicetype")
    shown = undo(viewer, latest_set(ServiceType, kind.pk))
    reason = "you don't have permission to delete this, or any service types"
    assert shown == {"Can't be done": [("Design", reason)]}
    assert ServiceType.objects.filter(pk=kind.pk).exists()


@pytest.mark.any_database
@pytest.mark.parametrize(
    "path", ["x", "x/undo", "00000000-0000-0000-0000-00000000000g", "catalog.servicetype/x/restore"]
)
def test_invalid_url_is_not_found(path: str) -> None:
    assert superuser().get(reverse("admin:changes") + path + "/").status_code in (302, 404)


@pytest.mark.parametrize("pk", [0, 2**63, 10**30])
def test_impossible_record_is_not_found(pk: int) -> None:
    assert superuser().get(f"/admin/changes/catalog.servicetype/{pk}/restore/").status_code == 404


def test_undo_can_not_grant_login_or_permissions(organization: Organization, client: Client) -> None:
    person, user = PersonFactory(organization=organization), User.objects.create(username="left")
    person.user = user
    person.save()
    with change_set() as pk:
        person.user = None
        person.save()
    shown = undo(client, str(pk))
    assert shown == {"Can't be done": [(label_of(person), "only a superuser may change: user")]}
    assert undo(superuser(), str(pk)) == {"Will be changed": [(label_of(person),)]}
