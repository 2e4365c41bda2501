"""Connections of the pool: a dead one is never lent, and a plan is made once."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from django.db import connection
from psycopg_pool import ConnectionPool

from productive.database import connections
from productive.database.connections import PooledConnection
from productive.database.query_cache import fetched
from tests.support.api import Api
from tests.support.servers import database_url_of_tests

pytestmark = [pytest.mark.postgresql, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def pool() -> Iterator[ConnectionPool[PooledConnection]]:
    """A pool of one connection, as Django sets it up."""
    params = connection.get_connection_params()
    with ConnectionPool(
        kwargs={**params, "autocommit": True, "cursor_factory": psycopg.Cursor},
        connection_class=PooledConnection,
        min_size=0,
        max_size=1,
        timeout=5,
        check=ConnectionPool.check_connection,
    ) as pool:
        yield pool


def process_of(lent: PooledConnection) -> int:
    return lent.info.backend_pid


def end(process: int) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_terminate_backend(%s, 5000)", [process])
        assert cursor.fetchone() == (True,)


def test_connection_that_the_server_has_ended_is_not_lent(pool: Any) -> None:
    with pool.connection() as lent:
        first = process_of(lent)
    with pool.connection() as lent:
        assert process_of(lent) == first
    end(first)
    with pool.connection() as lent:
        assert process_of(lent) != first
        assert lent.execute("SELECT 1").fetchone() == (1,)


def test_server_is_asked_once_in_a_while(pool: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []
    execute = psycopg.Connection.execute

    def counted(self: Any, *args: Any, **kwargs: Any) -> Any:
        asked.append(args)
        return execute(self, *args, **kwargs)

    monkeypatch.setattr(psycopg.Connection, "execute", counted)
    for _ in range(3):
        with pool.connection():
            pass
    assert len(asked) <= 1
    monkeypatch.setattr(connections, "TRUSTED_SECONDS", 0)
    with pool.connection():
        pass
    assert len(asked) >= 1
    assert set(asked) == {("",)}


def planned() -> list[str]:
    with connection.cursor() as cursor:
        cursor.execute("SELECT statement FROM pg_prepared_statements")
        return [statement for (statement,) in cursor.fetchall()]


def test_requests_have_their_statements_planned_once(api: Api) -> None:
    connection.close()
    connection.close_pool()
    assert api.get("people").status == 200
    statements = planned()
    assert any('FROM "accounts_apitoken"' in statement for statement in statements)
    for _ in range(3):
        assert api.get("people").status == 200
    assert planned() == statements


def test_plan_that_a_migration_has_ended_is_not_missed() -> None:
    with connection.cursor() as cursor:
        cursor.execute("CREATE TABLE planned (name varchar(5))")
        cursor.execute("INSERT INTO planned VALUES ('a')")
    try:
        for kind in ("varchar(6)", "text", "varchar(7)"):
            assert fetched(connection, "SELECT name FROM planned WHERE name = %s", ["a"]) == [("a",)]
            # By another process: to one's own migrations psycopg pays attention.
            with psycopg.connect(database_url_of_tests()) as migrating:
                migrating.execute(f"ALTER TABLE planned ALTER name TYPE {kind}")
            assert fetched(connection, "SELECT name FROM planned WHERE name = %s", ["a"]) == [("a",)]
    finally:
        with connection.cursor() as cursor:
            cursor.execute("DROP TABLE planned")
