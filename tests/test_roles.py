"""Test that a role with the privileges in docs/growing.md is enough for the web processes."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from django.db import ProgrammingError, connection, transaction

from productive.accounts.models import Organization
from productive.database import replicas
from tests.support.api import Api
from tests.support.factories import PersonFactory, ProjectFactory
from tests.support.servers import ROOT

pytestmark = [pytest.mark.django_db, pytest.mark.postgresql]

GROWING = ROOT / "docs/growing.md"


@contextmanager
def as_web() -> Iterator[None]:
    """Use a role that is created in the test's transaction, and removed with it."""
    role = f"web_{os.getpid()}"
    _, _, section = GROWING.read_text().partition("## A database role")
    privileges = section.partition("```sql\n")[2].partition("```")[0].replace("TO web;", f"TO {role};")
    with connection.cursor() as cursor:
        cursor.execute(f"CREATE ROLE {role}; {privileges.replace('FROM web;', f'FROM {role};')}")
        cursor.execute(f"SET LOCAL ROLE {role}")
        yield
        cursor.execute("RESET ROLE")


def test_role_without_tables_can_read_and_write(api: Api, organization: Organization) -> None:
    person = PersonFactory(organization=organization)
    project = ProjectFactory(organization=organization)
    attributes = {"person_id": person.pk, "project_id": project.pk}
    with as_web():
        created = api.post(
            "project_assignments", {"data": {"type": "project_assignments", "attributes": attributes}}
        )
        assert created.status == 201, created
        listed = api.get("project_assignments")
        assert (listed.ids, listed.json["meta"]["total_count"]) == ([int(created.data["id"])], 1)
        assert api.delete(f"project_assignments/{created.data['id']}").status == 204
        assert api.get("project_assignments").json["meta"]["total_count"] == 0
        with connection.cursor() as cursor:
            for _ in range(2):
                cursor.execute(replicas.SAVE_POSITIONS, [[organization.pk]])
            cursor.execute("SELECT count(position) FROM accounts_last_write")
            assert cursor.fetchone() == (1,)


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE assignments_projectassignmentrowcount SET number = 0",
        "DROP TABLE accounts_person",
        "TRUNCATE accounts_person",
        "ALTER TABLE accounts_person DISABLE TRIGGER USER",
    ],
)
def test_role_can_not_change_schema(statement: str) -> None:
    with as_web(), pytest.raises(ProgrammingError), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(statement)
