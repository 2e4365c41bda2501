"""Check that `copy_from` rejects what it can't copy. tests/clusters checks a whole copy."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import Group
from django.core.management import CommandError, call_command
from django.db import connection, connections
from django.db.migrations.recorder import MigrationRecorder

from tests.support.factories import OrganizationFactory, UserFactory
from tests.support.servers import database_url_of_tests

pytestmark = pytest.mark.postgresql


@pytest.fixture(autouse=True)
def any_database(db: None, django_db_blocker: Any) -> Iterator[None]:
    """Allow connections to databases that aren't in the settings."""
    with django_db_blocker.unblock():
        yield


def copy_error(url: str) -> str:
    before = [*Group.objects.values_list("id", "name")]
    with pytest.raises(CommandError) as caught:
        call_command("copy_from", url)
    assert [*Group.objects.values_list("id", "name")] == before
    assert [*connections] == ["default"]
    return str(caught.value)


def file_of_this_version(folder: Path, part: slice = slice(None)) -> str:
    """Return the URL of an SQLite file that records the migrations of this database, or some of them."""
    path = folder / "there.sqlite3"
    applied = [*MigrationRecorder(connection).applied_migrations()]
    with closing(sqlite3.connect(path)) as there, there:
        there.execute(
            "CREATE TABLE django_migrations (id integer PRIMARY KEY, app text, name text, applied datetime)"
        )
        there.executemany(
            "INSERT INTO django_migrations (app, name, applied) VALUES (?, ?, '2026-11-23 09:30:00')",
            applied[part],
        )
    return f"sqlite:///{path}"


@pytest.mark.parametrize(
    "url",
    ["", "nonsense", "mysql://root@127.0.0.1/productive", "/srv/productive.sqlite3", "postgis://127.0.0.1/a"],
)
def test_database_of_another_kind_is_rejected(url: str) -> None:
    assert copy_error(url) == "URL must begin with sqlite:// or postgres://"


def test_invalid_port_is_rejected() -> None:
    assert copy_error("postgres://127.0.0.1:many/a").startswith("URL is invalid: ")


@pytest.mark.parametrize("url", ["sqlite:///{}/mistyped.sqlite3", "sqlite:///{}", "sqlite://"])
def test_missing_file_is_not_created(url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert copy_error(url.format(tmp_path)).startswith(f"There is no file {tmp_path}")
    assert [*tmp_path.iterdir()] == []


def test_file_that_is_no_database_is_rejected(tmp_path: Path) -> None:
    path = tmp_path / "letter.txt"
    path.write_text("Dear reader, this is no database at all. " * 200)
    assert copy_error(f"sqlite:///{path}") == "The database at URL can't be read: file is not a database"


def test_unreachable_server_is_rejected() -> None:
    assert copy_error("postgres://postgres@127.0.0.1:9/a").startswith("The database at URL can't be read: ")


@pytest.mark.parametrize("applied", [slice(1, None), slice(0)])
def test_database_of_another_version_is_rejected(tmp_path: Path, applied: slice) -> None:
    """One database lacks a migration, the other has none."""
    url = file_of_this_version(tmp_path, applied)
    assert copy_error(url) == "The databases have different migrations: run `migrate` on both."


def test_migration_that_neither_has_is_rejected(tmp_path: Path) -> None:
    migrations = MigrationRecorder(connection)
    last = max(name for app, name in migrations.applied_migrations() if app == "assignments")
    migrations.record_unapplied("assignments", last)
    assert "run `migrate` on both" in copy_error(file_of_this_version(tmp_path))


def test_copy_to_itself_is_rejected() -> None:
    """Under both names of its machine."""
    url = database_url_of_tests()
    for address in (url, url.replace("127.0.0.1", "localhost")):
        assert copy_error(address) == "The database at URL is this database: there is nothing to copy."


@pytest.mark.parametrize("fill", [OrganizationFactory, UserFactory])
def test_target_with_rows_is_rejected(fill: Any, tmp_path: Path) -> None:
    fill()
    assert copy_error(file_of_this_version(tmp_path)) == "This database isn't empty: nothing was copied."


def test_target_with_history_is_rejected(tmp_path: Path) -> None:
    OrganizationFactory().delete()
    assert copy_error(file_of_this_version(tmp_path)) == "This database isn't empty: nothing was copied."
