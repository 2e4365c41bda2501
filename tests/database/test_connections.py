"""Test health checks of the pool, and prepared statements."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from django.db import NotSupportedError, connection, transaction
from psycopg_pool import ConnectionPool

from productive.database import connections
from productive.database.connections import PooledConnection
from tests.support.api import Api
from tests.support.servers import database_url_of_tests

pytestmark = [pytest.mark.postgresql, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def pool() -> Iterator[ConnectionPool[PooledConnection]]:
    """Return a pool of one connection, with Django's options."""
    params = connection.get_connection_params()
    with ConnectionPool(
        kwargs={**params, "autocommit": True, "cursor_factory": connections.Cursor},
        connection_class=PooledConnection,
        min_size=0,
        max_size=1,
        timeout=5,
        check=ConnectionPool.check_connection,
    ) as pool:
        yield pool


def pid_of(borrowed: PooledConnection) -> int:
    return borrowed.info.backend_pid


def terminate(pid: int) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_terminate_backend(%s, 5000)", [pid])
        assert cursor.fetchone() == (True,)


def test_terminated_connection_is_not_returned(pool: Any) -> None:
    with pool.connection() as borrowed:
        first = pid_of(borrowed)
    with pool.connection() as borrowed:
        assert pid_of(borrowed) == first
    terminate(first)
    with pool.connection() as borrowed:
        assert pid_of(borrowed) != first
        assert borrowed.execute("SELECT 1").fetchone() == (1,)


def test_pool_rarely_checks_a_connection_with_a_query(pool: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    sent = []
    execute = psycopg.Connection.execute

    def counted(self: Any, *args: Any, **kwargs: Any) -> Any:
        sent.append(args)
        return execute(self, *args, **kwargs)

    monkeypatch.setattr(psycopg.Connection, "execute", counted)
    for _ in range(3):
        with pool.connection():
            pass
    assert len(sent) <= 1
    monkeypatch.setattr(connections, "TRUSTED_SECONDS", 0)
    with pool.connection():
        pass
    assert len(sent) >= 1
    assert set(sent) == {("",)}


def prepared_statements() -> list[str]:
    with connection.cursor() as cursor:
        cursor.execute("SELECT statement FROM pg_prepared_statements")
        return [statement for (statement,) in cursor.fetchall()]


def test_frequent_statements_are_prepared_once(api: Api) -> None:
    connection.close()
    connection.close_pool()
    threshold = connection.settings_dict["OPTIONS"]["prepare_threshold"]
    for _ in range(threshold + 1):
        assert api.get("people").status == 200
    statements = prepared_statements()
    assert any('FROM "accounts_apitoken"' in statement for statement in statements)
    for _ in range(threshold):
        assert api.get("people").status == 200
    assert {*prepared_statements()} - {*statements} <= {"SELECT statement FROM pg_prepared_statements"}


def test_prepared_statement_survives_a_migration() -> None:
    with connection.cursor() as cursor:
        cursor.execute("CREATE TABLE prepared_statements (name varchar(5))")
        cursor.execute("INSERT INTO prepared_statements VALUES ('a')")

    def read() -> list[Any]:
        with connection.cursor() as cursor:
            cursor.execute("SELECT name FROM prepared_statements WHERE name = %s", ["a"])
            return cursor.fetchall()

    try:
        for kind in ("varchar(6)", "text", "varchar(7)"):
            for _ in range(6):
                assert read() == [("a",)]
            assert any("FROM prepared_statements WHERE" in statement for statement in prepared_statements())
            # Use another connection: psycopg notices migrations on the same one.
            with psycopg.connect(database_url_of_tests()) as migrating:
                migrating.execute(f"ALTER TABLE prepared_statements ALTER name TYPE {kind}")
            with transaction.atomic():
                assert read() == [("a",)]
            assert read() == [("a",)]
    finally:
        with connection.cursor() as cursor:
            cursor.execute("DROP TABLE prepared_statements")


def test_unsupported_statement_is_an_error() -> None:
    with connection.cursor() as cursor, pytest.raises(NotSupportedError):
        cursor.execute("SELECT count(*) FROM accounts_person FOR UPDATE")
