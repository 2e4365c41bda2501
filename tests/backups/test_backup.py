"""What was backed up is what is restored, whatever happened meanwhile; what can't be restored changes nothing."""

from __future__ import annotations

import resource
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from io import StringIO
from pathlib import Path
from threading import Event, Thread
from typing import Any

import pytest
from django.contrib.sessions.backends.db import SessionStore
from django.core.management import call_command
from django.core.management.base import CommandError
from django.db import connection
from django.utils import timezone

from assignments.models import ProjectAssignment
from catalog.models import Project, ServiceType
from productive.accounts.models import ApiToken, Organization, Person
from productive.management import backups
from tests.api import Api
from tests.databases import Contents, contents, new_database, within
from tests.factories import (
    ApiTokenFactory,
    PersonFactory,
    ProjectAssignmentFactory,
    ProjectFactory,
    ServiceTypeFactory,
    UserFactory,
)

OF_THAT_TIME = ("django_session", "accounts_last_write")
postgresql = pytest.mark.skipif("connection.vendor != 'postgresql'", reason="its programs")
sqlite = pytest.mark.skipif("connection.vendor != 'sqlite'", reason="its files")


@pytest.fixture
def token(database: str) -> ApiToken:
    """Of an agency with a bit of everything."""
    call_command("seed", people=20, projects=6, verbosity=0, stdout=StringIO())
    token: ApiToken = ApiTokenFactory(organization=Organization.objects.get())
    ServiceTypeFactory(organization=token.organization, name="Ünïcødé 语 🦊", description=None).archive()
    ProjectAssignmentFactory(
        organization=token.organization, preferences={"a": [1, None, "\t\\N\n"]}, tasks_layout_id=2**62
    )
    UserFactory().groups.add(1)
    return token


@pytest.fixture
def file(tmp_path: Path) -> Path:
    folder = tmp_path / "backups"
    folder.mkdir()
    return folder / "monday.backup"


def run(name: str, *arguments: Any, **options: Any) -> str:
    output = StringIO()
    call_command(name, *map(str, arguments), stdout=output, **options)
    return output.getvalue()


def kept() -> Contents:
    return {table: rows for table, rows in contents().items() if table not in OF_THAT_TIME}


@contextmanager
def nothing_changes(file: Path) -> Iterator[None]:
    """Neither in the database nor in the folder."""
    before, files = kept(), {path: path.read_bytes() for path in file.parent.iterdir()}
    yield
    assert kept() == before
    assert {path: path.read_bytes() for path in file.parent.iterdir()} == files


def test_restore_brings_back_every_row(token: ApiToken, file: Path) -> None:
    before = kept()
    assert run("backup", file) == f"{file}: {file.stat().st_size:,} bytes, verified\n"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert [*file.parent.iterdir()] == [file]

    Person.objects.update(first_name="Gone", archived_at=timezone.now())
    ProjectAssignment.objects.all().delete()
    other = ApiTokenFactory().organization
    ProjectFactory.create_batch(3, organization=other)
    session = SessionStore()
    session.create()
    assert kept() != before

    said = run("restore", file, yes=True)
    assert kept() == before
    assert f"{ProjectAssignment.objects.count():>9,} project assignments\n" in said
    assert said.endswith("Every row keeps the rules.\n")
    assert not session.exists(session.session_key)


def test_system_goes_on_from_what_was_restored(token: ApiToken, file: Path) -> None:
    last = ProjectAssignment.objects.latest("pk")
    run("backup", file)
    last.delete()
    run("restore", file, yes=True)
    api, total = Api(token.name), ProjectAssignment.objects.count()
    answer = api.get("project_assignments?page[size]=200")
    assert answer.json["meta"]["total_count"] == len(answer.ids) == total
    # A pair that nobody has.
    project, person = ProjectFactory(organization=token.organization), last.person_id
    made = api.post(
        "project_assignments",
        {
            "data": {
                "type": "project_assignments",
                "attributes": {"person_id": person, "project_id": project.pk},
            }
        },
    )
    assert made.status == 201
    assert int(made.data["id"]) > last.pk
    assert api.get("project_assignments").json["meta"]["total_count"] == total + 1
    assert run("verify") == "Every row keeps the rules.\n"


def test_backup_moves_to_a_database_that_is_empty(token: ApiToken, file: Path, tmp_path: Path) -> None:
    """As on another machine; nobody is asked, as there is nothing to lose."""
    before = kept()
    run("backup", file)
    with new_database(tmp_path, "elsewhere") as name, within(name):
        run("restore", file)
        assert kept() == before


@contextmanager
def at_work(tasks: list[Callable[[], None]]) -> Iterator[None]:
    """Within it, each of these is done again and again by a thread of its own."""
    done, failures = Event(), []

    def work(task: Callable[[], None]) -> None:
        try:
            while not done.is_set():
                task()
        except Exception as error:
            failures.append(error)
        finally:
            connection.close()

    threads = [Thread(target=work, args=[task]) for task in tasks]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        done.set()
        for thread in threads:
            thread.join(60)
    assert failures == []


def test_backup_has_whatever_was_acknowledged_before(token: ApiToken, file: Path) -> None:
    """Writers change rows and their numbers and histories together; the backup has all of it or nothing."""
    acknowledged: list[int] = []
    ready = Event()
    people = [person.pk for person in PersonFactory.create_batch(300, organization=token.organization)]

    def assign() -> None:
        project = ProjectFactory(organization=token.organization)
        attributes = {"person_id": people[len(acknowledged) % 300], "project_id": project.pk}
        answer = Api(token.name).post(
            "project_assignments", {"data": {"type": "project_assignments", "attributes": attributes}}
        )
        assert answer.status == 201, answer
        acknowledged.append(int(answer.data["id"]))
        if len(acknowledged) > 20:
            ready.set()

    with at_work([assign, assign]):
        assert ready.wait(60)
        before = [*acknowledged]
        run("backup", file)
    assert len(acknowledged) > len(before)
    run("restore", file, yes=True)
    there = {*ProjectAssignment.objects.values_list("pk", flat=True)}
    assert there >= {*before}
    assert {*ProjectAssignment.history.values_list("id", flat=True)} >= {*before}
    assert {*acknowledged} - there, "the restore took nothing back"


@sqlite
def test_readers_go_on_reading_during_a_restore(token: ApiToken, file: Path) -> None:
    run("backup", file)
    answers: list[int] = []

    def read() -> None:
        answers.append(Api(token.name).get("people?page[size]=200&include=service_types").status)

    with at_work([read, read]):
        for _ in range(5):
            Person.objects.update(title="changed")
            run("restore", file, yes=True)
            assert not Person.objects.filter(title="changed").exists()
    assert {*answers} == {200}


def test_older_backup_is_restored_and_migrated(token: ApiToken, file: Path) -> None:
    """What the newer release has made is not in its way."""
    call_command("migrate", "assignments", "0002", verbosity=0)
    run("backup", file)
    call_command("migrate", verbosity=0)
    total = ProjectAssignment.objects.count()
    assert "of an older release: run `migrate`, and then `verify`" in run("restore", file, yes=True)
    call_command("migrate", verbosity=0)
    assert run("verify") == "Every row keeps the rules.\n"
    assert ProjectAssignment.objects.count() == total


def test_newer_backup_is_refused(token: ApiToken, file: Path) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO django_migrations (app, name, applied) VALUES ('catalog', '9999_later', %s)",
            [timezone.now()],
        )
        run("backup", file)
        cursor.execute("DELETE FROM django_migrations WHERE name = '9999_later'")
    with nothing_changes(file), pytest.raises(CommandError, match=r"newer release.*: catalog\.9999_later"):
        run("restore", file, yes=True)


@pytest.mark.parametrize("answer", ["yes", "y", None])
def test_restore_asks_where_there_is_something_to_lose(
    token: ApiToken, file: Path, answer: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    def says(prompt: str) -> str:
        if answer is None:
            raise EOFError
        return answer

    monkeypatch.setattr("builtins.input", says)
    run("backup", file)
    before = kept()
    ServiceType.objects.update(name="changed")
    if answer == "yes":
        assert "among it 2 organizations, 2 users" in run("restore", file)
        assert kept() == before
    else:
        with nothing_changes(file), pytest.raises(CommandError, match="Nothing was changed"):
            run("restore", file)


@pytest.mark.parametrize("share", [0.3, 0.97])
def test_truncated_backup_is_refused(token: ApiToken, file: Path, share: float) -> None:
    run("backup", file)
    file.write_bytes(file.read_bytes()[: int(file.stat().st_size * share)])
    with nothing_changes(file), pytest.raises(CommandError):
        run("restore", file, yes=True)


@pytest.mark.parametrize("begins", [b"", b"PGDMP\1", b"SQLite format 3\0", b"-- a script"])
def test_file_of_another_kind_is_refused(database: str, file: Path, begins: bytes) -> None:
    file.write_bytes(begins)
    own = begins.startswith(backups.kind_of_backup().begins)
    advice = {b"PGDMP\1": "such a database in DATABASE_URL", b"SQLite format 3\0": "copy_from"}
    with (
        nothing_changes(file),
        pytest.raises(CommandError, match="" if own else advice.get(begins, "no backup")),
    ):
        run("restore", file, yes=True)


def test_file_that_is_not_there_is_no_backup(database: str, file: Path) -> None:
    with nothing_changes(file), pytest.raises(CommandError, match="No such file"):
        run("restore", file, yes=True)


def test_file_that_exists_is_replaced_only_by_force(database: str, file: Path) -> None:
    file.write_text("precious")
    with nothing_changes(file), pytest.raises(CommandError, match="exists already"):
        run("backup", file)
    run("backup", file, force=True)
    assert file.read_bytes().startswith(backups.kind_of_backup().begins)


def test_folder_that_is_not_there_is_told(database: str, file: Path) -> None:
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


def test_database_without_tables_is_not_backed_up(database: str, file: Path, tmp_path: Path) -> None:
    """Most likely it is the wrong one."""
    with new_database(tmp_path, "empty") as name, within(name), nothing_changes(file):
        with pytest.raises(CommandError, match="nothing to back up"):
            run("backup", file)


@sqlite
def test_database_is_no_backup_of_itself(database: str) -> None:
    with pytest.raises(CommandError, match="is the database itself"):
        run("restore", database, yes=True)


def program(folder: Path, name: str, script: str) -> None:
    path = folder / name
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)


@postgresql
@pytest.mark.parametrize(
    ("script", "complaint"),
    [
        (None, "There is no pg_dump on this machine. Install postgresql-client-"),
        ("echo 'pg_dump (PostgreSQL) 9.6.24'", "is older than the server"),
    ],
)
def test_program_that_is_missing_or_old_is_told(
    database: str,
    file: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    script: str | None,
    complaint: str,
) -> None:
    programs = tmp_path / "programs"
    programs.mkdir()
    if script is not None:
        program(programs, "pg_dump", script)
    monkeypatch.setattr(backups, "VERSIONS", programs)
    monkeypatch.setenv("PATH", str(programs))
    with nothing_changes(file), pytest.raises(CommandError, match=complaint):
        run("backup", file)


@postgresql
def test_password_is_on_no_command_line(
    database: str, file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    version = connection.pg_version // 10_000
    programs = tmp_path / f"{version}" / "bin"
    programs.mkdir(parents=True)
    program(
        programs, "pg_dump", f'echo "(PostgreSQL) {version}"; echo "$@ $PGPASSWORD" > {tmp_path}/seen; exit 1'
    )
    monkeypatch.setattr(backups, "VERSIONS", tmp_path)
    monkeypatch.setitem(connection.settings_dict, "PASSWORD", "open sesame")
    with nothing_changes(file), pytest.raises(CommandError, match="pg_dump failed: it was ended"):
        run("backup", file)
    seen = (tmp_path / "seen").read_text()
    assert seen.endswith(" open sesame\n")
    assert seen.count("sesame") == 1


@postgresql
def test_restore_that_fails_half_way_changes_nothing(token: ApiToken, file: Path) -> None:
    """What isn't the application's own is left alone; here it is in the way."""
    with connection.cursor() as cursor:
        cursor.execute("CREATE SCHEMA zoo; CREATE TABLE zoo.animals (name text)")
    run("backup", file)
    with nothing_changes(file), pytest.raises(CommandError, match='psql failed: .*"zoo" already exists'):
        run("restore", file, yes=True)


def test_project_of_the_backup_can_be_read_by_the_api(token: ApiToken, file: Path) -> None:
    run("backup", file)
    Project.objects.update(name="changed")
    run("restore", file, yes=True)
    names = [row["attributes"]["name"] for row in Api(token.name).get("projects").data]
    assert names
    assert "changed" not in names
