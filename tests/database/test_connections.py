"""The pool lends no dead connection, and prepared statements survive a migration."""

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
    """A pool of one connection, as Django sets it up."""
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


def process_of(lent: PooledConnection) -> int:
    return lent.info.backend_pid


def end(process: int) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_terminate_backend(%s, 5000)", [process])
        assert cursor.fetchone() == (True,)


def test_connection_that_the_server_ended_is_not_lent(pool: Any) -> None:
    with pool.connection() as lent:
        first = process_of(lent)
    with pool.connection() as lent:
        assert process_of(lent) == first
    end(first)
    with pool.connection() as lent:
        assert process_of(lent) != first
        assert lent.execute("SELECT 1").fetchone() == (1,)


def test_pool_rarely_sends_a_query_to_check_a_connection(pool: Any, monkeypatch: pytest.MonkeyPatch) -> None:
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


def prepared() -> list[str]:
    with connection.cursor() as cursor:
        cursor.execute("SELECT statement FROM pg_prepared_statements")
        return [statement for (statement,) in cursor.fetchall()]


def test_frequent_statements_are_prepared_once(api: Api) -> None:
    connection.close()
    connection.close_pool()
    threshold = connection.settings_dict["OPTIONS"]["prepare_threshold"]
    for _ in range(threshold + 1):
        assert api.get("people").status == 200
    statements = prepared()
    assert any('FROM "accounts_apitoken"' in statement for statement in statements)
    for _ in range(threshold):
        assert api.get("people").status == 200
    assert {*prepared()} - {*statements} <= {"SELECT statement FROM pg_prepared_statements"}


def test_prepared_statement_survives_a_migration() -> None:
    with connection.cursor() as cursor:
        cursor.execute("CREATE TABLE prepared (name varchar(5))")
        cursor.execute("INSERT INTO prepared VALUES ('a')")

    def read() -> list[Any]:
        with connection.cursor() as cursor:
            cursor.execute("SELECT name FROM prepared WHERE name = %s", ["a"])
            return cursor.fetchall()

    try:
        for kind in ("varchar(6)", "text", "varchar(7)"):
            for _ in range(6):
                assert read() == [("a",)]
            assert any("FROM prepared WHERE" in statement for statement in prepared())
            # In another process: psycopg notices the migrations of its own connection.
            with psycopg.connect(database_url_of_tests()) as migrating:
                migrating.execute(f"ALTER TABLE prepared ALTER name TYPE {kind}")
            with transaction.atomic():
                assert read() == [("a",)]
            assert read() == [("a",)]
    finally:
        with connection.cursor() as cursor:
            cursor.execute("DROP TABLE prepared")


def test_unsupported_statement_is_an_error() -> None:
    with connection.cursor() as cursor, pytest.raises(NotSupportedError):
        cursor.execute("SELECT count(*) FROM accounts_person FOR UPDATE")
