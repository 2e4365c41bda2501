"""Test that `copy_from` copies everything from SQLite to PostgreSQL."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.clusters.conftest import Cluster
from tests.clusters.servers import EMPTY
from tests.support.servers import Installation

# A user with a permission, groups without one, an id that only the history has, a response in bytes.
FILL = """
from django.contrib.auth.models import Group, Permission
from django.core.management import call_command
from django.utils import timezone
from assignments.models import Filter
from productive.accounts.idempotency import IdempotencyKey
from productive.accounts.models import Organization, User
call_command("seed", people=20, projects=6, verbosity=0)
right = Permission.objects.get(codename="view_apitoken")
User.objects.create_user("staff").user_permissions.add(right)
Group.objects.get(name="Operations").permissions.remove(right)
Group.objects.get(name="Read only").delete()
Filter.objects.create(organization=Organization.objects.get(), name="gone").delete()
IdempotencyKey.objects.create(token_id=1, key="k", created_at=timezone.now(), body="é".encode())
"""
DUMP = """
import io, json
from django.core.management import call_command
from assignments.models import Filter
from productive.accounts.models import Organization
rows = io.StringIO()
what = ["auth.group", "accounts", "catalog", "assignments"]
call_command("dumpdata", *what, natural_foreign=True, stdout=rows)
new = Filter.objects.create(organization=Organization.objects.get(), name="new")
print(json.dumps([json.loads(rows.getvalue()), new.pk]))
"""


def shell(installation: Installation, script: str) -> str:
    return installation.manage("shell", "--verbosity", "0", "--command", script)


@pytest.fixture
def installations(cluster: Cluster, tmp_path: Path) -> Iterator[tuple[Installation, Installation]]:
    """The application on SQLite with a small agency, and on an empty database of the primary."""
    small = Installation(tmp_path, {"DATABASE_URL": f"sqlite:///{tmp_path}/small.sqlite3"})
    small.manage("migrate", "--verbosity", "0")
    shell(small, FILL)
    cluster.primary.execute(f"CREATE DATABASE moved TEMPLATE {EMPTY}")
    try:
        yield small, Installation(tmp_path, {"DATABASE_URL": cluster.primary.url_of("moved")})
    finally:
        cluster.primary.execute("DROP DATABASE moved WITH (FORCE)")


def test_copy_from_copies_everything_and_reuses_no_id(
    installations: tuple[Installation, Installation],
) -> None:
    small, large = installations
    large.manage("copy_from", small.environment["DATABASE_URL"])
    before, after = (json.loads(shell(installation, DUMP)) for installation in installations)
    assert after == before
    assert {row["model"] for row in before[0]} >= {
        "auth.group",
        "accounts.user",
        "accounts.idempotencykey",
        "assignments.serviceassignment",
    }
    with pytest.raises(AssertionError, match="This database isn't empty"):
        large.manage("copy_from", small.environment["DATABASE_URL"])
    with pytest.raises(AssertionError, match="DATABASE_URL must be a PostgreSQL database"):
        small.manage("copy_from", large.environment["DATABASE_URL"])
