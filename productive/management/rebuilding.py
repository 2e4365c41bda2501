"""Fill empty tables without their indexes and foreign keys, made at the end from all rows at once."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

from django.db import connection, models


class Piece(NamedTuple):
    """Something of a table that can be taken away and made again."""

    drop: str
    create: str


@contextmanager
def rebuilt(kinds: Sequence[type[models.Model]]) -> Iterator[None]:
    """Within a transaction, take the tables' indexes and keys away, and make them again as they were.

    Where a table has rows, or belongs to another user of the database, nothing is taken away: then others may
    be at work with it. On PostgreSQL they would wait for the end of the transaction. Raises IntegrityError at
    the end, where a row breaks what was taken away.
    """
    tables = [kind._meta.db_table for kind in kinds]
    pieces: list[Piece] = []
    if not any(kind._default_manager.exists() for kind in kinds):
        pieces = find_postgresql(tables) if connection.vendor == "postgresql" else find_sqlite(tables)
    run([piece.drop for piece in reversed(pieces)])
    yield
    if pieces and connection.vendor == "postgresql":
        # A table of which some row waits to be checked at the commit can't be altered.
        run(["SET CONSTRAINTS ALL IMMEDIATE"])
    run([piece.create for piece in pieces])


def run(statements: list[str]) -> None:
    with connection.cursor() as cursor:
        for statement in statements:
            cursor.execute(statement)


def find(query: str, params: list[Any]) -> list[Piece]:
    with connection.cursor() as cursor:
        cursor.execute(query, params)
        return [Piece(*row) for row in cursor.fetchall()]


def find_postgresql(tables: list[str]) -> list[Piece]:
    """Keys first, then plain indexes, then the foreign keys that need them, in the database's own words."""
    quoted = [connection.ops.quote_name(table) for table in tables]
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT bool_and(pg_has_role(relowner, 'USAGE')) FROM pg_class WHERE oid = ANY(%s::regclass[])",
            [quoted],
        )
        if not cursor.fetchone()[0]:
            return []
    # Comments go with what they are on. Where there is none, IS NULL changes nothing.
    constraints = """
        SELECT format('ALTER TABLE %%s DROP CONSTRAINT %%I', conrelid::regclass, conname),
               format('ALTER TABLE %%1$s ADD CONSTRAINT %%2$I %%3$s;'
                      'COMMENT ON CONSTRAINT %%2$I ON %%1$s IS %%4$L',
                      conrelid::regclass, conname, pg_get_constraintdef(oid),
                      obj_description(oid, 'pg_constraint'))
          FROM pg_constraint
    """
    own = f"{constraints} WHERE contype IN ('p', 'u', 'x') AND conrelid = ANY(%s::regclass[]) ORDER BY oid"
    indexes = """
        SELECT format('DROP INDEX %%s', indexrelid::regclass),
               format('%%s; COMMENT ON INDEX %%s IS %%L', pg_get_indexdef(indexrelid), indexrelid::regclass,
                      obj_description(indexrelid, 'pg_class'))
          FROM pg_index
         WHERE indrelid = ANY(%s::regclass[])
           AND NOT EXISTS (
               SELECT FROM pg_constraint WHERE conindid = indexrelid AND contype IN ('p', 'u', 'x'))
         ORDER BY indexrelid
    """
    # Those that lead to other tables stay: without them, nobody could read these meanwhile.
    foreign = f"{constraints} WHERE contype = 'f' AND confrelid = ANY(%s::regclass[]) ORDER BY oid"
    return [*find(own, [quoted]), *find(indexes, [quoted]), *find(foreign, [quoted])]


def find_sqlite(tables: list[str]) -> list[Piece]:
    """The plain indexes: constraints are part of a table there, and stay."""
    names = ", ".join(["%s"] * len(tables))
    query = f"""
        SELECT 'DROP INDEX "' || name || '"', sql
          FROM sqlite_master
         WHERE type = 'index' AND sql IS NOT NULL AND tbl_name IN ({names})
         ORDER BY name
    """  # noqa: S608
    return find(query, list(tables))
