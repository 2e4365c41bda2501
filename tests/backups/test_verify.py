"""Test that `verify` finds violations, and corrects wrong row counts."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from io import StringIO
from threading import Event
from types import SimpleNamespace
from typing import Any

import pytest
from django.apps import apps
from django.core.management import call_command
from django.core.management.base import CommandError
from django.db import connection

from assignments.models import ServiceAssignment
from productive.accounts.models import ApiToken
from productive.database.row_counts import CreateRowCountTriggers, count_rows
from tests.backups.conftest import repeating, run
from tests.support.factories import PersonFactory, ServiceAssignmentFactory

pytestmark = pytest.mark.each_database

FINE = "All rows satisfy the constraints.\n"
COUNTS = "assignments_serviceassignmentrowcount"


@pytest.fixture
def row(token: ApiToken) -> ServiceAssignment:
    row: ServiceAssignment = ServiceAssignmentFactory(organization=token.organization)
    return row


@contextmanager
def without_checks() -> Iterator[None]:
    """Disable foreign keys, and on PostgreSQL the triggers, as for a dump."""
    off, on = "PRAGMA foreign_keys = OFF", "PRAGMA foreign_keys = ON"
    if connection.vendor == "postgresql":
        off, on = "SET session_replication_role = replica", "RESET session_replication_role"
    execute(off)
    try:
        yield
    finally:
        execute(on)


def execute(sql: str, *params: int) -> None:
    with connection.cursor() as cursor:
        cursor.execute(sql, params)


def failures() -> list[str]:
    output = StringIO()
    with pytest.raises(CommandError, match=r"\d+ constraints are violated"):
        call_command("verify", stdout=output)
    return output.getvalue().splitlines()


def assert_repaired(row: ServiceAssignment, message: str) -> None:
    """Assert that `verify` finds and repairs this violation only."""
    assert failures() == [f"Wrong: {message}"]
    assert run("verify", repair_counts=True) == f"Repaired: {message}\n{FINE}"
    assert run("verify", repair_counts=True) == FINE
    rows = ServiceAssignment.objects.owned_by(row.organization)
    assert count_rows(rows) == rows.count()


def test_wrong_count_is_found_and_repaired(row: ServiceAssignment) -> None:
    rows = ServiceAssignment.objects.owned_by(row.organization)
    number, owner = rows.count(), row.organization_id
    ServiceAssignmentFactory()
    execute(f"UPDATE {COUNTS} SET number = number + 3 WHERE organization_id = %s", owner)  # noqa: S608
    assert count_rows(rows) == number + 3
    whose = f"service assignments of organization {owner}"
    assert_repaired(row, f"there are {number} {whose}, counted as {number + 3}")
    execute(f"UPDATE {COUNTS} SET block = block + 1 WHERE organization_id = %s", owner)  # noqa: S608
    assert_repaired(row, f"the {number} {whose} are counted at wrong ids")


def test_change_without_triggers_is_found_and_repaired(row: ServiceAssignment) -> None:
    rows = ServiceAssignment.objects.owned_by(row.organization)
    before = rows.count()
    if connection.vendor == "sqlite":
        # REPLACE doesn't run the trigger for the row that it deletes.
        table = "assignments_serviceassignment"
        execute(f"INSERT OR REPLACE INTO {table} SELECT * FROM {table} WHERE id = %s", row.pk)  # noqa: S608
        now, counted = before, before + 1
    else:
        person = PersonFactory(organization=row.organization)
        with without_checks():
            ServiceAssignment.objects.create(
                organization=row.organization, service=row.service, person=person
            )
        now, counted = before + 1, before
    assert_repaired(
        row,
        f"there are {now} service assignments of organization {row.organization_id}, counted as {counted}",
    )


def test_missing_trigger_is_found_and_recreated(row: ServiceAssignment) -> None:
    table = "" if connection.vendor == "sqlite" else "ON assignments_serviceassignment"
    execute(f"DROP TRIGGER {COUNTS}_inserted {table}")
    message = "the triggers that count service assignments are missing"
    assert_repaired(row, message)
    execute(f"DROP TRIGGER {COUNTS}_inserted {table}")
    duplicate = ServiceAssignmentFactory(organization=row.organization)
    assert failures()[0] == f"Wrong: {message}"
    assert len(run("verify", repair_counts=True).splitlines()) == 3
    duplicate.delete()
    assert run("verify") == FINE


def test_counts_are_repaired_while_others_write(row: ServiceAssignment) -> None:
    created: list[int] = []
    ready = Event()

    def assign() -> None:
        person = PersonFactory(organization=row.organization)
        created.append(
            ServiceAssignment.objects.create(
                organization=row.organization, service=row.service, person=person
            ).pk
        )
        if len(created) > 5:
            ready.set()

    with repeating([assign, assign]):
        assert ready.wait(60)
        for _ in range(3):
            execute(f"UPDATE {COUNTS} SET number = number + 1")  # noqa: S608
            assert "Repaired: " in run("verify", repair_counts=True)
    assert run("verify") == FINE


@pytest.mark.parametrize(
    ("exists", "message"),
    [(True, "have a person of another organization"), (False, "have a person that doesn't exist")],
)
def test_invalid_foreign_key_is_found(row: ServiceAssignment, exists: bool, message: str) -> None:
    pk = PersonFactory().pk if exists else 2**40
    link = "UPDATE assignments_serviceassignment SET person_id = %s WHERE id = %s"
    with without_checks():
        execute(link, pk, row.pk)
    assert failures() == [f"Wrong: 1 service assignments {message}"]
    execute(link, row.person_id, row.pk)
    assert run("verify") == FINE


def test_duplicate_is_found(row: ServiceAssignment, monkeypatch: pytest.MonkeyPatch) -> None:
    rules: list[Any] = ServiceAssignment._meta.constraints
    pair = next(rule for rule in rules if hasattr(rule, "blame"))
    count_again = CreateRowCountTriggers("ServiceAssignment", "ServiceAssignmentRowCount")
    state: Any = SimpleNamespace(apps=apps)
    with monkeypatch.context() as patch:
        # SQLite creates a new table with the constraints of the model.
        patch.setattr(ServiceAssignment._meta, "constraints", [rule for rule in rules if rule is not pair])
        with connection.schema_editor() as editor:
            editor.remove_constraint(ServiceAssignment, pair)
            count_again.database_forwards("assignments", editor, state, state)
        duplicate = ServiceAssignment.objects.create(
            organization=row.organization, service=row.service, person=row.person
        )
    assert failures() == [f"Wrong: 1 service assignments are duplicates, against {pair.name}"]
    duplicate.delete()
    with connection.schema_editor() as editor:
        editor.add_constraint(ServiceAssignment, pair)
        count_again.database_forwards("assignments", editor, state, state)
    assert run("verify") == FINE


TRIGGERS = {
    "sqlite": """
        CREATE TRIGGER planted AFTER INSERT ON django_session
        BEGIN UPDATE accounts_user SET is_superuser = 1; END
    """,
    "postgresql": """
        CREATE TRIGGER planted AFTER INSERT ON django_session
        FOR EACH ROW EXECUTE FUNCTION suppress_redundant_updates_trigger()
    """,
}


def test_unknown_table_view_and_trigger_are_found(row: ServiceAssignment) -> None:
    execute("CREATE TABLE planted_table (id integer)")
    execute("CREATE VIEW planted_view AS SELECT 1")
    execute(TRIGGERS[connection.vendor])
    assert sorted(failures()) == [
        "Wrong: the table planted_table is not part of this application",
        "Wrong: the trigger planted is not part of this application",
        "Wrong: the view planted_view is not part of this application",
    ]
    execute("DROP TRIGGER planted" + (" ON django_session" if connection.vendor == "postgresql" else ""))
    execute("DROP VIEW planted_view")
    execute("DROP TABLE planted_table")
    assert run("verify") == FINE
