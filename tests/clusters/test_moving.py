"""From SQLite to PostgreSQL: everything is there afterwards, and goes on from there."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.clusters.conftest import Cluster
from tests.clusters.servers import EMPTY, House

# A right of a user's own, a group that has lost one, an id that the history alone knows, an answer in bytes.
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
TELL = """
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


def shell(house: House, script: str) -> str:
    return house.manage("shell", "--verbosity", "0", "--command", script)


@pytest.fixture
def houses(cluster: Cluster, tmp_path: Path) -> Iterator[tuple[House, House]]:
    """The application on SQLite, with a small agency, and on an empty database of the primary's."""
    small = House(tmp_path, {"DATABASE_URL": f"sqlite:///{tmp_path}/small.sqlite3"})
    small.manage("migrate", "--verbosity", "0")
    shell(small, FILL)
    cluster.primary.execute(f"CREATE DATABASE moved TEMPLATE {EMPTY}")
    try:
        yield small, House(tmp_path, {"DATABASE_URL": cluster.primary.url_of("moved")})
    finally:
        cluster.primary.execute("DROP DATABASE moved WITH (FORCE)")


def test_everything_is_moved_and_no_id_is_used_again(houses: tuple[House, House]) -> None:
    small, large = houses
    large.manage("copy_from", small.environment["DATABASE_URL"])
    before, after = (json.loads(shell(house, TELL)) for house in houses)
    assert after == before
    assert {row["model"] for row in before[0]} >= {
        "auth.group",
        "accounts.user",
        "accounts.idempotencykey",
        "assignments.serviceassignment",
    }
    with pytest.raises(AssertionError, match="This database isn't empty"):
        large.manage("copy_from", small.environment["DATABASE_URL"])
    with pytest.raises(AssertionError, match="DATABASE_URL must name a PostgreSQL server"):
        small.manage("copy_from", large.environment["DATABASE_URL"])
