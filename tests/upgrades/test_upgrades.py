"""Upgrade a database of release 0.1 to the newest schema and check that nothing is lost."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import Group
from django.core.management import call_command
from django.core.management.color import no_style
from django.db import connection, transaction
from django.db.migrations.executor import MigrationExecutor

from assignments.models import ProjectAssignment, ServiceAssignment
from catalog.models import ServiceType
from productive.accounts.models import Organization, Person, User
from productive.database.history import history_of
from productive.database.row_counts import count_rows
from productive.management.invariants import violations
from tests.support.api import Api
from tests.support.databases import new_database, using_database
from tests.support.resources import RESOURCES, model_of

pytestmark = pytest.mark.no_cover

ROWS = Path(__file__).with_name("first.sql")
# Our migrations of release 0.1, and all of Django's.
FIRST = [
    ("accounts", "0002_tables_without_models"),
    ("catalog", "0002_assignees"),
    ("assignments", "0001_initial"),
]
DJANGOS = ("admin", "auth", "contenttypes", "sessions")
PEPPER, SECRET, REVOKED = "the pepper of the first release", "prd_of-the-first-release", "prd_revoked"

# Table, column: value, for each row.
Rows = dict[str, list[dict[str, Any]]]


def rows() -> Rows:
    found: Rows = {}
    with connection.cursor() as cursor:
        for table in connection.introspection.table_names(cursor):
            cursor.execute(f"SELECT * FROM {connection.ops.quote_name(table)}")  # noqa: S608
            columns = [column[0] for column in cursor.description]
            found[table] = [dict(zip(columns, row, strict=True)) for row in cursor.fetchall()]
    return found


def load_first() -> None:
    executor = MigrationExecutor(connection)
    leaves = [node for node in executor.loader.graph.leaf_nodes() if node[0] in DJANGOS]
    state = executor.migrate([*FIRST, *leaves])
    statements = [each for each in ROWS.read_text().split(";\n") if each.strip()]
    models = state.apps.get_models(include_auto_created=True)
    with transaction.atomic(), connection.cursor() as cursor:
        # Set the sequences as if the rows had been inserted one by one.
        for statement in (*statements, *connection.ops.sequence_reset_sql(no_style(), models)):
            cursor.execute(statement)


@pytest.fixture(scope="module")
def upgrade(django_db_blocker: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Rows, Rows]]:
    """The rows before and right after the upgrade. Tests use the database with the newest schema."""
    with (
        django_db_blocker.unblock(),
        new_database(tmp_path_factory.mktemp("upgrades"), "upgraded") as name,
        using_database(name),
    ):
        load_first()
        before = rows()
        call_command("migrate", verbosity=0)
        yield before, rows()


@pytest.fixture
def before(upgrade: tuple[Rows, Rows]) -> Rows:
    return upgrade[0]


@pytest.fixture
def api(before: Rows, settings: Any) -> Api:
    settings.TOKEN_PEPPER = PEPPER
    return Api(SECRET)


def test_upgrade_changes_no_row(upgrade: tuple[Rows, Rows]) -> None:
    """Every row of every table, in every column."""
    before, after = upgrade
    full = {table for table, found in before.items() if found}
    assert full >= {model._meta.db_table for model in (Organization, User, Person, ServiceType)}
    for table in full:
        columns = {*before[table][0]}
        found = [{column: row[column] for column in columns & {*row}} for row in after[table]]
        lost = [row for row in before[table] if row not in found]
        assert lost == [], table


def test_users_keep_their_organizations(before: Rows) -> None:
    ana = User.objects.get(username="ana")
    assert [person.organization_id for person in ana.people.active()] == [1]
    assert User.objects.get(username="api-1").service_account_of_id == 1
    assert not User.objects.get(username="otišao").is_active


def test_history_is_kept(before: Rows) -> None:
    entries = history_of(ServiceType).objects.filter(id=21).order_by("history_date")
    assert [entry.name for entry in entries] == ["Design", "Dizajn"]


def test_rows_satisfy_later_constraints(before: Rows) -> None:
    assert [*violations()] == []
    for model in (ProjectAssignment, ServiceAssignment):
        assert count_rows(model.objects.all()) == len(before[model._meta.db_table]) > 0


def test_custom_groups_keep_their_permissions(before: Rows) -> None:
    rights = Group.objects.get(name="Planeri").permissions.values_list("codename", flat=True)
    assert {*rights} == {"add_servicetype", "view_servicetype"}
    ana = User.objects.get(username="ana")
    assert ana.has_perm("catalog.view_servicetype")
    assert not ana.has_perm("catalog.delete_servicetype")


@pytest.mark.parametrize("resource", RESOURCES)
def test_api_returns_every_row_to_old_token(before: Rows, api: Api, resource: str) -> None:
    model = model_of(resource)
    owner = "id" if model is Organization else "organization_id"
    # Later tables have no rows.
    ids = {row["id"] for row in before.get(model._meta.db_table, ()) if row[owner] == 1}
    answer = api.get(resource)
    assert answer.status == 200
    assert {*answer.ids} == ids


def test_old_tokens_keep_their_access(api: Api) -> None:
    row = api.get("project_assignments/71?include=favorite_filter,budgets_favorite_filter")
    assert row.data["attributes"]["created_at"] == "2025-10-03T06:06:45.292+02:00"
    assert row.data["attributes"]["preferences"] == {"a": {"b": []}}
    assert row.data["attributes"]["tasks_layout_id"] == 2**63 - 1
    # The saved filter of another organization is still invisible.
    assert row.data["relationships"]["budgets_favorite_filter"] == {"data": None}
    assert [each["attributes"]["name"] for each in row.json["included"]] == ["Moje"]
    assert api.get("project_assignments/9001").status == 404
    assert Api(REVOKED).get("service_types").status == 401
    assert Api("prd_of-somebody-else").get("service_types").status == 401


def test_new_records_get_higher_ids(before: Rows, api: Api) -> None:
    attributes = {"person_id": 11, "project_id": 32}
    created = api.post(
        "project_assignments", {"data": {"type": "project_assignments", "attributes": attributes}}
    )
    assert created.status == 201
    assert int(created.data["id"]) > 9001
    assert api.delete(f"project_assignments/{created.data['id']}").status == 204
    assert [*violations()] == []
