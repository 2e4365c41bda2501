"""Provide a database with rows of every kind; tests keep it usable."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from io import StringIO
from pathlib import Path
from threading import Event, Thread
from typing import Any

import pytest
from django.core.management import call_command
from django.db import connection

from productive.accounts.models import ApiToken, Organization
from productive.management import backups
from tests.support.databases import Contents, contents, new_database, require_programs, using_database
from tests.support.factories import ApiTokenFactory, ProjectAssignmentFactory, ServiceTypeFactory, UserFactory


@pytest.fixture(scope="package")
def token(django_db_blocker: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ApiToken]:
    """Return a token of the sample agency; there is a second organization."""
    with (
        django_db_blocker.unblock(),
        new_database(tmp_path_factory.mktemp("backups"), "scratch") as name,
        using_database(name),
    ):
        require_programs()
        call_command("migrate", verbosity=0)
        call_command("seed", people=20, projects=6, verbosity=0, stdout=StringIO())
        token: ApiToken = ApiTokenFactory(organization=Organization.objects.get())
        ServiceTypeFactory(organization=token.organization, name="Ünïcødé 语 🦊", description=None).archive()
        ProjectAssignmentFactory(
            organization=token.organization, preferences={"a": [1, None, "\t\\N\n"]}, tasks_layout_id=2**62
        )
        UserFactory().groups.add(1)
        yield token


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


def run(name: str, *arguments: Any, **options: Any) -> str:
    """Return the output of a command."""
    output = StringIO()
    call_command(name, *map(str, arguments), stdout=output, **options)
    return output.getvalue()


@contextmanager
def repeating(tasks: list[Callable[[], None]]) -> Iterator[None]:
    """Call each task repeatedly, in its own thread."""
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
