"""Create, read and roll back databases."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import psycopg
import pytest
from django.contrib.contenttypes.models import ContentType
from django.core.management.base import CommandError
from django.db import connection, transaction
from psycopg import sql

from productive.management.backups import PostgreSQLArchive

Contents = dict[str, list[tuple[Any, ...]]]


@contextmanager
def new_database(folder: Path, name: str, template: str | None = None) -> Iterator[str]:
    """Yield the name of a new database, empty or a copy of `template`, which must have no connections."""
    if connection.vendor == "sqlite":
        path = folder / f"{name}.sqlite3"
        if template is not None:
            path.write_bytes(Path(template).read_bytes())
        yield str(path)
        return
    # The database of the tests may not exist, so connect to `postgres` below.
    name = "_".join((connection.settings_dict["NAME"], name, os.environ.get("PYTEST_XDIST_WORKER", "alone")))
    create = sql.SQL("CREATE DATABASE {} TEMPLATE {}").format(
        sql.Identifier(name), sql.Identifier(template or "template0")
    )
    # No test cuts the power, so none needs to wait for the disk.
    disable_sync = sql.SQL("ALTER DATABASE {} SET synchronous_commit = off").format(sql.Identifier(name))
    drop = sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name))
    parameters = {**connection.get_connection_params(), "dbname": "postgres"}
    with closing(psycopg.connect(**parameters, autocommit=True)) as server:
        server.execute(drop)
        server.execute(create)
        server.execute(disable_sync)
        try:
            yield name
        finally:
            server.execute(drop)


@contextmanager
def rolled_back() -> Iterator[None]:
    """Undo everything that the block writes."""
    with transaction.atomic():
        yield
        transaction.set_rollback(True)


@contextmanager
def using_database(name: str) -> Iterator[None]:
    """Use that database as the application's."""
    original = connection.settings_dict["NAME"]
    use_database(name)
    try:
        yield
    finally:
        use_database(original)


def use_database(name: str) -> None:
    connection.close()
    if connection.vendor == "postgresql":
        connection.close_pool()
    connection.settings_dict["NAME"] = name
    ContentType.objects.clear_cache()


def contents() -> Contents:
    """Return every row of every table, except SQLite's statistics."""
    rows: Contents = {}
    with connection.cursor() as cursor:
        for table in connection.introspection.table_names(cursor):
            if table.startswith("sqlite_stat"):
                continue
            cursor.execute(f"SELECT * FROM {connection.ops.quote_name(table)}")  # noqa: S608
            rows[table] = sorted(cursor.fetchall(), key=repr)
    return rows


def require_programs() -> None:
    """Skip the test if PostgreSQL's programs for backups are missing; fail in CI."""
    if connection.vendor == "postgresql":
        try:
            for name in ("pg_dump", "pg_restore", "psql"):
                PostgreSQLArchive().program(name)
        except CommandError as error:
            if os.environ.get("CI"):
                raise
            pytest.skip(str(error))
