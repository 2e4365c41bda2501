"""Test that a restore restores what was backed up."""

from __future__ import annotations

import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Event

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
from tests.backups.conftest import nothing_changes, repeating, rows, run
from tests.support.api import Api
from tests.support.databases import contents, new_database, using_database
from tests.support.factories import ApiTokenFactory, PersonFactory, ProjectFactory

pytestmark = pytest.mark.each_database

sqlite = pytest.mark.skipif("connection.vendor != 'sqlite'", reason="its files")


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


def test_existing_file_is_replaced_only_by_force(token: ApiToken, file: Path) -> None:
    file.write_text("precious")
    with nothing_changes(file), pytest.raises(CommandError, match="already exists"):
        run("backup", file)
    run("backup", file, force=True)
    assert file.read_bytes().startswith(backups.kind_of_backup().signature)
