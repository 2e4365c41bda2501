"""Test backups, and that a failed restore changes nothing."""

from __future__ import annotations

import resource
import sqlite3
import stat
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from threading import Event
from typing import Any

import pytest
from django.contrib.sessions.backends.db import SessionStore
from django.core.management import call_command
from django.core.management.base import CommandError
from django.db import connection
from django.utils import timezone

from assignments.models import ProjectAssignment
from catalog.models import ServiceType
from productive.accounts.models import ApiToken, Organization, Person
from productive.management import backups
from tests.backups.conftest import repeating, run
from tests.support.api import Api
from tests.support.databases import Contents, contents, new_database, using_database
from tests.support.factories import (
    ApiTokenFactory,
    PersonFactory,
    ProjectFactory,
)

pytestmark = pytest.mark.each_database

postgresql = pytest.mark.skipif("connection.vendor != 'postgresql'", reason="its programs")
sqlite = pytest.mark.skipif("connection.vendor != 'sqlite'", reason="its files")


@pytest.fixture
def file(tmp_path: Path) -> Path:
    folder = tmp_path / "backups"
    folder.mkdir()
    return folder / "monday.backup"


def rows() -> Contents:
    return {table: rows for table, rows in contents().items() if table not in backups.TRANSIENT_TABLES}


@contextmanager
def nothing_changes(file: Path) -> Iterator[None]:
    """Assert that neither the database nor the folder changes."""
    before, files = rows(), {path: path.read_bytes() for path in file.parent.iterdir()}
    yield
    assert rows() == before
    assert {path: path.read_bytes() for path in file.parent.iterdir()} == files


def test_restore_restores_every_row(token: ApiToken, file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("builtins.input", lambda prompt: "yes")
    if connection.vendor == "postgresql":
        # This table has no model, so a flush after other tests doesn't empty it.
        with connection.cursor() as cursor:
            cursor.execute("DELETE FROM accounts_last_write")
    before, last = rows(), ProjectAssignment.objects.latest("pk")
    assert run("backup", file) == f"{file}: {file.stat().st_size:,} bytes, verified\n"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert [*file.parent.iterdir()] == [file]

    Person.objects.update(first_name="Gone", archived_at=timezone.now())
    ProjectAssignment.objects.all().delete()
    other = ApiTokenFactory().organization
    ProjectFactory.create_batch(3, organization=other)
    session = SessionStore()
    session.create()
    assert rows() != before

    output = run("restore", file)
    assert rows() == before
    assert "including 3 organizations, 3 users" in output
    assert f"{ProjectAssignment.objects.count():>9,} project assignments\n" in output
    assert output.endswith("All rows satisfy the constraints.\n")
    assert not session.exists(session.session_key)
    if connection.vendor == "postgresql":
        recorded = {organization for organization, position in contents()["accounts_last_write"]}
        assert recorded == {*Organization.objects.values_list("pk", flat=True)}
    assert_works(token, last)


def assert_works(token: ApiToken, last: ProjectAssignment) -> None:
    """Assert that the token reads all rows and creates one with a new id."""
    api, total = Api(token.name), ProjectAssignment.objects.owned_by(token.organization).count()
    response = api.get("project_assignments?page[size]=200")
    assert response.json["meta"]["total_count"] == len(response.ids) == total
    attributes = {
        "person_id": PersonFactory(organization=token.organization).pk,
        "project_id": ProjectFactory(organization=token.organization).pk,
    }
    created = api.post(
        "project_assignments", {"data": {"type": "project_assignments", "attributes": attributes}}
    )
    assert created.status == 201
    assert int(created.data["id"]) > last.pk
    assert api.get("project_assignments").json["meta"]["total_count"] == total + 1
    assert run("verify") == "All rows satisfy the constraints.\n"


@contextmanager
def empty_database(folder: Path) -> Iterator[None]:
    """Use an empty database, as on another machine."""
    if connection.vendor == "sqlite":
        with new_database(folder, "elsewhere") as name, using_database(name):
            yield
        return
    with connection.cursor() as cursor:
        cursor.execute("DROP SCHEMA public CASCADE; CREATE SCHEMA public")
    yield


def test_backup_has_all_rows_that_were_acknowledged_before(
    token: ApiToken, file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A backup has each row with its history and count, or without both."""
    acknowledged: list[int] = []
    ready = Event()
    people = [person.pk for person in PersonFactory.create_batch(300, organization=token.organization)]

    def assign() -> None:
        project = ProjectFactory(organization=token.organization)
        attributes = {"person_id": people[len(acknowledged) % 300], "project_id": project.pk}
        response = Api(token.name).post(
            "project_assignments", {"data": {"type": "project_assignments", "attributes": attributes}}
        )
        assert response.status == 201, response
        acknowledged.append(int(response.data["id"]))
        if len(acknowledged) > 20:
            ready.set()

    monkeypatch.setattr("builtins.input", lambda prompt: "no")
    with repeating([assign, assign]):
        assert ready.wait(60)
        before = [*acknowledged]
        run("backup", file)
    assert len(acknowledged) > len(before)
    with empty_database(tmp_path):
        with pytest.raises(CommandError, match="nothing to back up"):
            run("backup", file.with_name("tuesday.backup"))
        with connection.cursor() as cursor:
            cursor.execute("CREATE TABLE animals (name text)")
            with pytest.raises(CommandError, match="Nothing was changed"):
                run("restore", file)
            cursor.execute("DROP TABLE animals")
        # Without confirmation, because the database is empty.
        run("restore", file)
        there = {*ProjectAssignment.objects.values_list("pk", flat=True)}
        recorded = {*ProjectAssignment.history.values_list("id", flat=True)}
    assert [*file.parent.iterdir()] == [file]
    assert {*before} <= there <= recorded
    assert {*acknowledged} - there, "the backup is older than the last rows"


@pytest.mark.no_cover
@sqlite
def test_readers_read_during_a_restore(token: ApiToken, file: Path) -> None:
    run("backup", file)
    responses: list[int] = []

    def read() -> None:
        responses.append(Api(token.name).get("people?page[size]=200&include=service_types").status)

    with repeating([read, read]):
        for _ in range(5):
            Person.objects.update(title="changed")
            run("restore", file, yes=True)
            assert not Person.objects.filter(title="changed").exists()
    assert {*responses} == {200}


@pytest.mark.no_cover
def test_older_backup_is_restored_and_migrated(token: ApiToken, file: Path) -> None:
    """A table of the newer release is dropped."""
    call_command("migrate", "catalog", "0001", verbosity=0)
    run("backup", file)
    call_command("migrate", verbosity=0)
    with connection.cursor() as cursor:
        cursor.execute("CREATE TABLE of_the_newer_release (id integer)")
    total = ProjectAssignment.objects.count()
    assert "of an older release: run `migrate`, and then `verify`" in run("restore", file, yes=True)
    assert "of_the_newer_release" not in connection.introspection.table_names()
    call_command("migrate", verbosity=0)
    assert run("verify") == "All rows satisfy the constraints.\n"
    assert ProjectAssignment.objects.count() == total


def test_newer_backup_is_rejected(token: ApiToken, file: Path) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO django_migrations (app, name, applied) VALUES ('catalog', '9999_later', %s)",
            [timezone.now()],
        )
        run("backup", file)
        cursor.execute("DELETE FROM django_migrations WHERE name = '9999_later'")
    with nothing_changes(file), pytest.raises(CommandError, match=r"newer release.*: catalog\.9999_later"):
        run("restore", file, yes=True)


@pytest.mark.parametrize("answer", ["y", None])
def test_restore_asks_for_confirmation(
    token: ApiToken, file: Path, answer: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    def reply(prompt: str) -> str:
        if answer is None:
            raise EOFError
        return answer

    monkeypatch.setattr("builtins.input", reply)
    run("backup", file)
    ServiceType.objects.update(description="changed")
    with nothing_changes(file), pytest.raises(CommandError, match="Nothing was changed"):
        run("restore", file)


@pytest.mark.parametrize("share", [0.3, 0.97])
def test_truncated_backup_is_rejected(token: ApiToken, file: Path, share: float) -> None:
    run("backup", file)
    file.write_bytes(file.read_bytes()[: int(file.stat().st_size * share)])
    with nothing_changes(file), pytest.raises(CommandError):
        run("restore", file, yes=True)


@pytest.mark.parametrize("content", [b"", b"PGDMP\1", b"SQLite format 3\0", b"-- a script"])
def test_file_of_another_kind_is_rejected(token: ApiToken, file: Path, content: bytes) -> None:
    file.write_bytes(content)
    advice = {b"PGDMP\1": "It is a PostgreSQL backup", b"SQLite format 3\0": "It is an SQLite database"}
    if content.startswith(backups.kind_of_backup().signature):
        advice[content] = "not a database|failed|another application"
    with nothing_changes(file), pytest.raises(CommandError, match=advice.get(content, "not a backup")):
        run("restore", file, yes=True)


def test_missing_file_is_rejected(token: ApiToken, file: Path) -> None:
    with nothing_changes(file), pytest.raises(CommandError, match="No such file"):
        run("restore", file, yes=True)


def test_existing_file_is_replaced_only_by_force(token: ApiToken, file: Path) -> None:
    file.write_text("precious")
    with nothing_changes(file), pytest.raises(CommandError, match="already exists"):
        run("backup", file)
    run("backup", file, force=True)
    assert file.read_bytes().startswith(backups.kind_of_backup().signature)


def test_missing_folder_is_rejected(token: ApiToken, file: Path) -> None:
    with nothing_changes(file), pytest.raises(CommandError, match="No such file or directory"):
        run("backup", file.parent / "nowhere" / "monday.backup")


def test_full_disk_leaves_nothing(token: ApiToken, file: Path) -> None:
    usual = resource.getrlimit(resource.RLIMIT_FSIZE)
    with nothing_changes(file), pytest.raises(CommandError):
        resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, usual[1]))
        try:
            run("backup", file)
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, usual)


@sqlite
def test_database_is_rejected_as_its_own_backup(token: ApiToken) -> None:
    with pytest.raises(CommandError, match="is the database itself"):
        run("restore", connection.settings_dict["NAME"], yes=True)


def program(folder: Path, name: str, script: str) -> None:
    path = folder / name
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)


@postgresql
@pytest.mark.parametrize(
    ("script", "message"),
    [
        (None, "There is no pg_dump on this machine. Install postgresql-client-"),
        ("echo 'pg_dump (PostgreSQL) 9.6.24'", "is not of the server's version"),
        ("echo 'pg_dump (PostgreSQL) 99.1'", "is not of the server's version"),
    ],
)
def test_missing_or_old_program_is_rejected(
    token: ApiToken,
    file: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    script: str | None,
    message: str,
) -> None:
    programs = tmp_path / "programs"
    programs.mkdir()
    if script is not None:
        program(programs, "pg_dump", script)
    monkeypatch.setattr(backups, "VERSIONS", programs)
    monkeypatch.setenv("PATH", str(programs))
    with nothing_changes(file), pytest.raises(CommandError, match=message):
        run("backup", file)


@postgresql
@pytest.mark.parametrize("command", ["backup", "restore"])
def test_pgbouncer_is_rejected(token: ApiToken, file: Path, command: str, settings: Any) -> None:
    settings.PGBOUNCER = True
    with nothing_changes(file), pytest.raises(CommandError, match="Unset PGBOUNCER"):
        run(command, file)


@postgresql
def test_password_is_on_no_command_line(
    token: ApiToken, file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    version = connection.pg_version // 10_000
    programs = tmp_path / f"{version}" / "bin"
    programs.mkdir(parents=True)
    program(
        programs, "pg_dump", f'echo "(PostgreSQL) {version}"; echo "$@ $PGPASSWORD" > {tmp_path}/seen; exit 1'
    )
    monkeypatch.setattr(backups, "VERSIONS", tmp_path)
    monkeypatch.setitem(connection.settings_dict, "PASSWORD", "open sesame")
    with nothing_changes(file), pytest.raises(CommandError, match="pg_dump failed: it was killed"):
        run("backup", file)
    seen = (tmp_path / "seen").read_text()
    assert seen.endswith(" open sesame\n")
    assert seen.count("sesame") == 1


@postgresql
def test_failed_restore_changes_nothing(token: ApiToken, file: Path) -> None:
    """It doesn't drop other schemas, one of which makes this restore fail."""
    with connection.cursor() as cursor:
        cursor.execute("CREATE SCHEMA zoo; CREATE TABLE zoo.animals (name text)")
        run("backup", file)
        with nothing_changes(file), pytest.raises(CommandError, match=r'psql failed: .*"zoo" already exists'):
            run("restore", file, yes=True)
        cursor.execute("DROP SCHEMA zoo CASCADE")


@postgresql
def test_archive_that_is_truncated_after_the_check_changes_nothing(token: ApiToken, file: Path) -> None:
    """For example, because the disk fails after the check."""
    run("backup", file)
    file.write_bytes(file.read_bytes()[: int(file.stat().st_size * 0.97)])
    with nothing_changes(file), pytest.raises(CommandError, match=r"pg_restore failed: .*end of file"):
        backups.PostgreSQLArchive().load(file)


@pytest.mark.skipif(connection.vendor != "sqlite", reason="PostgreSQL's archive is checked after the restore")
@pytest.mark.parametrize(
    ("sql", "name"),
    [
        (
            "CREATE TRIGGER planted AFTER INSERT ON django_session"
            " BEGIN UPDATE accounts_user SET is_superuser = 1; END",
            "trigger planted",
        ),
        ("CREATE VIEW planted AS SELECT 1", "view planted"),
        ("CREATE VIRTUAL TABLE planted USING fts5(text)", "virtual table planted"),
        (
            "DROP TRIGGER assignments_serviceassignmentrowcount_moved;"
            "CREATE TRIGGER assignments_serviceassignmentrowcount_moved AFTER INSERT ON django_session"
            " BEGIN UPDATE accounts_user SET is_superuser = 1; END",
            "trigger assignments_serviceassignmentrowcount_moved",
        ),
    ],
)
def test_backup_with_unknown_code_is_rejected(token: ApiToken, file: Path, sql: str, name: str) -> None:
    run("backup", file)
    with closing(sqlite3.connect(file)) as copy:
        copy.executescript(sql)
    with pytest.raises(
        CommandError, match=f"the {name} is not part of this application. Nothing was changed"
    ):
        run("restore", file, yes=True)
