"""SQLite, held by somebody else: reads go on, writes are refused in the end, and nothing is left behind."""

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
def held(token: ApiToken) -> Iterator[None]:
    """Within it, somebody else writes."""
    with closing(sqlite3.connect(connection.settings_dict["NAME"], isolation_level=None)) as writer:
        writer.execute("BEGIN EXCLUSIVE")
        yield


def busy_timeout() -> int:
    with connection.cursor() as cursor:
        cursor.execute("PRAGMA busy_timeout")
        milliseconds: int = cursor.fetchone()[0]
        return milliseconds


def test_read_does_not_wait_to_note_that_its_token_was_used(token: ApiToken, held: None) -> None:
    usual, begun = busy_timeout(), monotonic()
    assert Api(token.name).get("organizations").status == 200
    assert monotonic() - begun < usual / 2000
    token.refresh_from_db()
    assert (token.last_used_at, busy_timeout()) == (None, usual)


def test_write_that_waited_in_vain_says_when_to_try_again(token: ApiToken, held: None) -> None:
    with connection.cursor() as cursor:
        cursor.execute("PRAGMA busy_timeout = 100")
    body = {"data": {"type": "service_types", "attributes": {"name": "New"}}}
    try:
        answer = Api(token.name).post("service_types", json=body)
    finally:
        # Its timeout goes with it.
        connection.close()
    assert (answer.status, answer.error["code"]) == (503, "service_unavailable")
    assert answer.headers["Retry-After"] == "2"
