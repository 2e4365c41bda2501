"""Test that backups and restores that can't succeed change nothing."""

from __future__ import annotations

import resource
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from django.core.management.base import CommandError
from django.db import connection
from django.utils import timezone

from productive.accounts.models import ApiToken
from productive.management import backups
from tests.backups.conftest import nothing_changes, run

pytestmark = pytest.mark.each_database

postgresql = pytest.mark.skipif("connection.vendor != 'postgresql'", reason="its programs")
sqlite = pytest.mark.skipif("connection.vendor != 'sqlite'", reason="its files")


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
