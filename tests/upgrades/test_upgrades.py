"""Whoever began with the first schema loses nothing by coming to the newest one."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.apps import apps
from django.contrib.auth.models import Group
from django.core.management import call_command
from django.core.management.color import no_style
from django.db import connection, transaction
from django.db.migrations.executor import MigrationExecutor

from assignments.models import ProjectAssignment, ServiceAssignment
from catalog.models import ServiceType
from productive.accounts.models import Organization, Person, User
from productive.database.row_counts import total
from productive.database.history import history_of, is_recorded
from productive.management.invariants import violations
from tests.support.api import Api
from tests.support.databases import new_database, within
from tests.support.resources import RESOURCES, model_of

pytestmark = pytest.mark.no_cover

ROWS = Path(__file__).with_name("first.sql")
# What there was at first: ours as they were, Django's own as they are.
FIRST = [("accounts", "0001_initial"), ("catalog", "0002_assignees"), ("assignments", "0001_initial")]
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
        # As if each row had been made one after the other.
        for statement in (*statements, *connection.ops.sequence_reset_sql(no_style(), models)):
            cursor.execute(statement)


@pytest.fixture(scope="module")
def upgrade(django_db_blocker: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Rows, Rows]]:
    """The rows before the upgrade and right after it. Tests go on with the database of the newest schema."""
    with (
        django_db_blocker.unblock(),
        new_database(tmp_path_factory.mktemp("upgrades"), "upgraded") as name,
        within(name),
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


def test_every_row_is_as_it_was(upgrade: tuple[Rows, Rows]) -> None:
    """Every row of every table, in every column that there still is."""
    before, after = upgrade
    gone = {table: {*found[0]} - {*after[table][0]} for table, found in before.items() if found}
    assert {table: columns for table, columns in gone.items() if columns} == {
        "accounts_user": {"organization_id"}
    }
    full = {table for table, found in before.items() if found}
    assert full >= {model._meta.db_table for model in (Organization, User, Person, ServiceType)}
    for table in full:
        columns = {*before[table][0]} - gone[table]
        there = [{column: row[column] for column in columns} for row in after[table]]
        lost = [row for row in before[table] if {column: row[column] for column in columns} not in there]
        assert lost == [], table


def test_users_work_where_they_did(before: Rows) -> None:
    """What the one column said is said by people now, and by what a user serves."""
    was = {row["username"]: row["organization_id"] for row in before["accounts_user"]}
    for user in User.objects.all():
        seats = {person.organization_id for person in user.people.active()} | {user.serves_id}
        assert seats - {None} == {was[user.username]} - {None}, user
    assert Person.objects.get(pk=11).user == User.objects.get(username="ana")
    assert not User.objects.get(username="otišao").is_active


def test_every_record_has_a_first_entry_in_the_history(before: Rows) -> None:
    recorded = [m for m in apps.get_models() if is_recorded(m) and m._meta.db_table in before]
    assert {*recorded} >= {Organization, User, Person, ServiceType, ProjectAssignment}
    for model in recorded:
        entries = history_of(model).objects.filter(history_type="+", via="before history")
        assert {*entries.values_list("id", flat=True)} >= {row["id"] for row in before[model._meta.db_table]}


def test_every_rule_that_came_later_holds(before: Rows) -> None:
    assert [*violations()] == []
    for model in (ProjectAssignment, ServiceAssignment):
        assert total(model.objects.all()) == len(before[model._meta.db_table]) > 0


def test_groups_of_ones_own_keep_their_rights(before: Rows) -> None:
    rights = Group.objects.get(name="Planeri").permissions.values_list("codename", flat=True)
    assert {*rights} == {"add_servicetype", "view_servicetype"}
    ana = User.objects.get(username="ana")
    assert ana.has_perm("catalog.view_servicetype")
    assert not ana.has_perm("catalog.delete_servicetype")


@pytest.mark.parametrize("resource", RESOURCES)
def test_the_api_serves_all_of_it_to_the_old_token(before: Rows, api: Api, resource: str) -> None:
    model = model_of(resource)
    owner = "id" if model is Organization else "organization_id"
    # A table that came later had no rows.
    ids = {row["id"] for row in before.get(model._meta.db_table, ()) if row[owner] == 1}
    answer = api.get(resource)
    assert answer.status == 200
    assert {*answer.ids} >= ids
    # Who signed in but was nobody's colleague is a person since.
    assert len({*answer.ids} - ids) == (1 if model is Person else 0)


def test_tokens_open_what_they_opened(api: Api) -> None:
    row = api.get("project_assignments/71?include=favorite_filter,budgets_favorite_filter")
    assert row.data["attributes"]["created_at"] == "2025-10-03T06:06:45.292+02:00"
    assert row.data["attributes"]["preferences"] == {"a": {"b": []}}
    assert row.data["attributes"]["tasks_layout_id"] == 2**63 - 1
    # What was another organization's view, still is.
    assert row.data["relationships"]["budgets_favorite_filter"] == {"data": None}
    assert [each["attributes"]["name"] for each in row.json["included"]] == ["Moje"]
    assert api.get("project_assignments/9001").status == 404
    assert Api(REVOKED).get("service_types").status == 401
    assert Api("prd_of-somebody-else").get("service_types").status == 401


def test_new_records_come_after_the_old_ones(before: Rows, api: Api) -> None:
    attributes = {"person_id": 11, "project_id": 32}
    made = api.post(
        "project_assignments", {"data": {"type": "project_assignments", "attributes": attributes}}
    )
    assert made.status == 201
    assert int(made.data["id"]) > 9001
    assert api.delete(f"project_assignments/{made.data['id']}").status == 204
    assert [*violations()] == []
