"""Databases beside that of the tests, for what may happen to a whole database."""

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
from django.db import connection
from psycopg import sql

from productive.management.backups import PostgreSQLArchive

Contents = dict[str, list[tuple[Any, ...]]]


@contextmanager
def new_database(folder: Path, name: str, template: str | None = None) -> Iterator[str]:
    """The name, for `within`, of a database that is empty or a copy of another one, at which nobody works."""
    if connection.vendor == "sqlite":
        path = folder / f"{name}.sqlite3"
        if template is not None:
            path.write_bytes(Path(template).read_bytes())
        yield str(path)
        return
    # The tests' own database may not have been made: nobody who asks for one of these asks for that.
    name = "_".join((connection.settings_dict["NAME"], name, os.environ.get("PYTEST_XDIST_WORKER", "alone")))
    made = sql.SQL("CREATE DATABASE {} TEMPLATE {}").format(
        sql.Identifier(name), sql.Identifier(template or "template0")
    )
    # No test pulls the plug, so none needs to wait for the disk.
    hurried = sql.SQL("ALTER DATABASE {} SET synchronous_commit = off").format(sql.Identifier(name))
    dropped = sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name))
    parameters = {**connection.get_connection_params(), "dbname": "postgres"}
    with closing(psycopg.connect(**parameters, autocommit=True)) as server:
        server.execute(dropped)
        server.execute(made)
        server.execute(hurried)
        try:
            yield name
        finally:
            server.execute(dropped)


@contextmanager
def within(name: str) -> Iterator[None]:
    """Within it, the application's database is that one."""
    usual = connection.settings_dict["NAME"]
    lead_to(name)
    try:
        yield
    finally:
        lead_to(usual)


def lead_to(name: str) -> None:
    connection.close()
    if connection.vendor == "postgresql":
        connection.close_pool()
    connection.settings_dict["NAME"] = name
    ContentType.objects.clear_cache()


def contents() -> Contents:
    """Every row of every table, as the database tells it; but SQLite's own, of what it plans by."""
    rows: Contents = {}
    with connection.cursor() as cursor:
        for table in connection.introspection.table_names(cursor):
            if table.startswith("sqlite_stat"):
                continue
            cursor.execute(f"SELECT * FROM {connection.ops.quote_name(table)}")  # noqa: S608
            rows[table] = sorted(cursor.fetchall(), key=repr)
    return rows


def need_programs() -> None:
    """PostgreSQL's own must be there for backups. Where nobody relies on these tests, they may do without."""
    if connection.vendor == "postgresql":
        try:
            for name in ("pg_dump", "pg_restore", "psql"):
                PostgreSQLArchive().program(name)
        except CommandError as error:
            if os.environ.get("CI"):
                raise
            pytest.skip(str(error))
