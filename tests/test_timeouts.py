"""Test a locked SQLite database: reads succeed, and writes fail with 503 after the timeout."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from time import monotonic

import pytest
from django.db import connection

from productive.accounts.models import ApiToken
from tests.support.api import Api

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.skipif(connection.vendor != "sqlite", reason="PostgreSQL locks rows"),
]


@pytest.fixture
def locked(token: ApiToken) -> Iterator[None]:
    """Lock the database by another connection."""
    with closing(sqlite3.connect(connection.settings_dict["NAME"], isolation_level=None)) as writer:
        writer.execute("BEGIN EXCLUSIVE")
        yield


def busy_timeout() -> int:
    with connection.cursor() as cursor:
        cursor.execute("PRAGMA busy_timeout")
        milliseconds: int = cursor.fetchone()[0]
        return milliseconds


def test_read_does_not_wait_to_save_when_its_token_was_used(token: ApiToken, locked: None) -> None:
    default, start = busy_timeout(), monotonic()
    assert Api(token.name).get("organizations").status == 200
    assert monotonic() - start < default / 2000
    token.refresh_from_db()
    assert (token.last_used_at, busy_timeout()) == (None, default)


def test_write_that_times_out_has_retry_after(token: ApiToken, locked: None) -> None:
    with connection.cursor() as cursor:
        cursor.execute("PRAGMA busy_timeout = 100")
    body = {"data": {"type": "service_types", "attributes": {"name": "New"}}}
    try:
        answer = Api(token.name).post("service_types", json=body)
    finally:
        # The next connection has the default timeout again.
        connection.close()
    assert (answer.status, answer.error["code"]) == (503, "service_unavailable")
    assert answer.headers["Retry-After"] == "2"
