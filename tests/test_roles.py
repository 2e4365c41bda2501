"""The web processes can do with a role that owns nothing, given the rights that docs/growing.md names."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from django.db import ProgrammingError, connection, transaction

from productive.accounts.models import Organization
from productive.database import replicas
from tests.support.api import Api
from tests.support.factories import PersonFactory, ProjectFactory

pytestmark = [pytest.mark.django_db, pytest.mark.postgresql]

GROWING = Path(__file__).parent.parent / "docs/growing.md"


@contextmanager
def as_web() -> Iterator[None]:
    """The role and its rights go with the test's transaction."""
    role = f"web_{os.getpid()}"
    _, _, section = GROWING.read_text().partition("## A database role")
    rights = section.partition("```sql\n")[2].partition("```")[0].replace("TO web;", f"TO {role};")
    with connection.cursor() as cursor:
        cursor.execute(f"CREATE ROLE {role}; {rights.replace('FROM web;', f'FROM {role};')}")
        cursor.execute(f"SET LOCAL ROLE {role}")
        yield
        cursor.execute("RESET ROLE")


def test_role_that_owns_nothing_is_enough(api: Api, organization: Organization) -> None:
    person = PersonFactory(organization=organization)
    project = ProjectFactory(organization=organization)
    attributes = {"person_id": person.pk, "project_id": project.pk}
    with as_web():
        made = api.post(
            "project_assignments", {"data": {"type": "project_assignments", "attributes": attributes}}
        )
        assert made.status == 201, made
        listed = api.get("project_assignments")
        assert (listed.ids, listed.json["meta"]["total_count"]) == ([int(made.data["id"])], 1)
        assert api.delete(f"project_assignments/{made.data['id']}").status == 204
        assert api.get("project_assignments").json["meta"]["total_count"] == 0
        with connection.cursor() as cursor:
            for _ in range(2):
                cursor.execute(replicas.NOTE, [[organization.pk]])
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
def test_role_can_change_no_table(statement: str) -> None:
    with as_web(), pytest.raises(ProgrammingError), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(statement)
