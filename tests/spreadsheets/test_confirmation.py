"""Test what happens between the preview and the confirmation."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import Permission
from django.test import Client

from catalog.models import Project, ServiceType
from productive.accounts.models import Organization, Person, User
from productive.admin.spreadsheets import uploads
from productive.admin.spreadsheets.imports import Import
from tests.support.admin import hidden_fields, signed_in, staff, url
from tests.support.factories import PersonFactory, ServiceTypeFactory, UserFactory
from tests.support.spreadsheets import confirm, csv_file, preview, rows_of, waiting

pytestmark = pytest.mark.django_db


GONE = ["The file has already been imported or has expired. Choose the file again."]


def test_file_can_be_confirmed_once(client: Client, folder: Path) -> None:
    fields = waiting(client)
    assert [path.stat().st_mode & 0o777 for path in folder.iterdir()] == [0o600]
    assert confirm(client, ServiceType, fields) == ["Imported: 1 created."]
    assert list(folder.iterdir()) == []
    assert confirm(client, ServiceType, fields) == GONE
    assert ServiceType.objects.count() == 1


def test_file_of_another_user_can_not_be_confirmed(client: Client, organization: Organization) -> None:
    fields = waiting(client)
    assert confirm(staff(organization), ServiceType, fields) == GONE
    assert confirm(client, Project, fields) == GONE
    assert confirm(client, ServiceType, fields) == ["Imported: 1 created."]


@pytest.mark.any_database
@pytest.mark.parametrize("token", ["", "../../etc/passwd", "a:b:c", "\0", "é" * 5000])
def test_forged_path_is_rejected(client: Client, token: str) -> None:
    assert confirm(client, ServiceType, {"token": token, "digest": "0" * 64}) == GONE


def test_modified_file_is_not_imported(client: Client, folder: Path) -> None:
    fields = waiting(client)
    for path in folder.iterdir():
        path.write_bytes(b"Name\r\nOther\r\n")
    assert confirm(client, ServiceType, fields) == GONE
    assert ServiceType.objects.count() == 0


def test_files_expire(client: Client, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fields = waiting(client)
    for path in folder.iterdir():
        os.utime(path, (0, 0))
    waiting(client)
    assert len(list(folder.iterdir())) == 1
    assert confirm(client, ServiceType, fields) == GONE
    late = waiting(client)
    monkeypatch.setattr(uploads, "MAX_AGE", -1)
    assert confirm(client, ServiceType, late) == GONE


def test_outdated_preview_is_shown_again(client: Client, organization: Organization) -> None:
    file = csv_file(["Name"], ["Made"], ["Other"])
    fields = hidden_fields(preview(client, ServiceType, file))
    ServiceTypeFactory(organization=organization, name="Made")
    response = client.post(url(ServiceType, "process_import"), fields)
    assert "The records have changed since the preview, so nothing was done." in response.content.decode()
    assert [row[:2] for row in rows_of(response)] == [(2, "unchanged"), (3, "created")]
    assert ServiceType.objects.count() == 1
    assert confirm(client, ServiceType, hidden_fields(response)) == ["Imported: 1 created, 1 unchanged."]


def test_lost_race_imports_nothing(
    client: Client, organization: Organization, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another request uses the address between validation and write."""
    file = csv_file(["First name", "Last name", "Email"], ["Ana", "Ban", "ana@x.org"])
    fields = hidden_fields(preview(client, Person, file))
    write = Import.write

    def overtaken(operation: Any, *args: Any) -> None:
        PersonFactory(organization=organization, email="Ana@x.org")
        write(operation, *args)

    monkeypatch.setattr(Import, "write", overtaken)
    assert confirm(client, Person, fields) == [
        "Nothing was imported. Another user is changing the same records. Choose the file again."
    ]
    assert Person.objects.filter(email__iexact="ana@x.org").count() == 0


def test_only_latest_files_of_user_are_kept(client: Client, organization: Organization, folder: Path) -> None:
    other_client = staff(organization)
    kept = waiting(other_client, "Theirs")
    forms = [waiting(client, f"Made {number}") for number in range(uploads.MAX_PENDING + 1)]
    assert len(list(folder.iterdir())) == uploads.MAX_PENDING + 1
    assert confirm(client, ServiceType, forms[0]) == GONE
    assert confirm(client, ServiceType, forms[1]) == ["Imported: 1 created."]
    assert confirm(other_client, ServiceType, kept) == ["Imported: 1 created."]


def test_concurrent_confirmations_succeed_once(
    client: Client, organization: Organization, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Projects can have equal names, so only the deletion of the file prevents a second import."""
    fields = hidden_fields(preview(client, Project, csv_file(["Name"], ["Made"])))
    read = Path.read_bytes

    def overtaken(path: Path) -> bytes:
        data = read(path)
        path.unlink()
        return data

    monkeypatch.setattr(Path, "read_bytes", overtaken)
    assert confirm(client, Project, fields) == GONE
    assert Project.objects.count() == 0


@pytest.mark.parametrize("loss", ["permissions", "organization", "session"])
def test_confirmation_checks_permissions_again(organization: Organization, loss: str) -> None:
    user = UserFactory(organization=organization, is_staff=True)
    user.user_permissions.set(Permission.objects.all())
    client = signed_in(user)
    fields = waiting(client)
    if loss == "permissions":
        user.user_permissions.clear()
    else:
        user.people.update(archived_at=datetime(2026, 1, 5, tzinfo=UTC))
    if loss == "organization":
        client = signed_in(User.objects.get(pk=user.pk))
    response = client.post(url(ServiceType, "process_import"), fields)
    assert response.status_code == (302 if loss == "session" else 403)
    assert ServiceType.objects.count() == 0
