"""Rows into tables as fast as the database takes them: COPY on PostgreSQL, one prepared INSERT on SQLite.

A row is a tuple of what the columns hold: integers, booleans, None, and text. Text also stands for days
(`2026-11-23`), for moments in UTC (`2026-11-23 09:30:00`) and for JSON: both databases take it as it is.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from itertools import islice
from typing import Any

from django.db import connection, models

from productive.accounts.models import Organization, OrganizationOwned
from productive.database.row_counts import row_count_of

# Rows that SQLite is given at once, and kilobytes of pages that it keeps in memory meanwhile; usually 2000.
ROWS_AT_ONCE, SQLITE_CACHE = 10_000, 64 * 1024

# Of each index, for SQLite's statistics: without a limit it would read all of them.
ROWS_LOOKED_AT = 1000

Row = tuple[Any, ...]


@contextmanager
def room_for_many() -> Iterator[None]:
    """Within a transaction, give it the memory that many rows need.

    On PostgreSQL also check with each statement what usually waits for the commit: until then it would
    remember every row that waits.
    """
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
            cursor.execute("SET LOCAL work_mem = '128MB'")
            cursor.execute("SET LOCAL maintenance_work_mem = '256MB'")
            yield
            cursor.execute("SET LOCAL maintenance_work_mem TO DEFAULT")
            cursor.execute("SET LOCAL work_mem TO DEFAULT")
            return
        cursor.execute("PRAGMA cache_size")
        usual = cursor.fetchone()[0]
        cursor.execute(f"PRAGMA cache_size = -{SQLITE_CACHE}")
        try:
            yield
        finally:
            cursor.execute(f"PRAGMA cache_size = {usual}")


class Loading:
    """Loads what one organization owns, and counts it."""

    def __init__(self, organization: Organization) -> None:
        self.owner = organization.pk
        self.counts: Counter[type[models.Model]] = Counter()

    def load(self, kind: type[OrganizationOwned], names: Sequence[str], rows: Iterable[Row]) -> None:
        """Write rows of values of the fields `names`, in their order.

        One statement on PostgreSQL, so triggers of statements run once. Raises the database's own error for
        a row that breaks a constraint.
        """
        quote = connection.ops.quote_name
        fields: list[Any] = [kind._meta.get_field(name) for name in ("organization", *names)]
        columns = [quote(field.column) for field in fields]
        into, owner, total = f"{quote(kind._meta.db_table)} ({', '.join(columns)})", self.owner, 0
        # Names of tables and columns are the models' own.
        with connection.cursor() as cursor:
            if connection.vendor == "postgresql":
                with cursor.copy(f"COPY {into} FROM STDIN") as copy:
                    write_row = copy.write_row
                    for row in rows:
                        write_row((owner, *row))
                        total += 1
            else:
                insert = f"INSERT INTO {into} VALUES ({', '.join(['%s'] * len(columns))})"  # noqa: S608
                rest = iter(rows)
                while batch := [(owner, *row) for row in islice(rest, ROWS_AT_ONCE)]:
                    cursor.executemany(insert, batch)
                    total += len(batch)
        self.counts[kind] += total

    def load_parents(
        self, kind: type[OrganizationOwned], names: Sequence[str], rows: Sequence[Row]
    ) -> Sequence[int]:
        """Write rows that others will refer to, and say which ids they got, in the order of the rows."""
        ids = take_ids(kind, len(rows))
        self.load(kind, ("id", *names), ((pk, *row) for pk, row in zip(ids, rows, strict=True)))
        return ids


def take_ids(kind: type[models.Model], total: int) -> Sequence[int]:
    """Ids that nobody else gets, ascending."""
    table = kind._meta.db_table
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            cursor.execute(
                "SELECT nextval(pg_get_serial_sequence(%s, 'id')) FROM generate_series(1, %s)",
                [connection.ops.quote_name(table), total],
            )
            return [row[0] for row in cursor.fetchall()]
        # SQLite has one writer at a time, which is this transaction.
        cursor.execute("SELECT max(seq) FROM sqlite_sequence WHERE name = %s", [table])
        last = cursor.fetchone()[0] or 0
        cursor.execute("DELETE FROM sqlite_sequence WHERE name = %s", [table])
        cursor.execute("INSERT INTO sqlite_sequence (name, seq) VALUES (%s, %s)", [table, last + total])
        return range(last + 1, last + total + 1)


def refresh_statistics(kinds: Iterable[type[models.Model]]) -> None:
    """Let the database plan for the rows that there are now: SQLite never looks by itself, PostgreSQL later.

    Outside a transaction, PostgreSQL also notes which pages everybody sees: there an index answers alone.
    """
    counted = [model for kind in kinds for model in (kind, row_count_of(kind)) if model]
    names = dict.fromkeys(model._meta.db_table for model in counted)
    with connection.cursor() as cursor:
        # A backup of an older release that was just restored has fewer.
        present = connection.introspection.table_names(cursor)
        tables = [connection.ops.quote_name(name) for name in names if name in present]
        if connection.vendor == "postgresql":
            command = "ANALYZE" if connection.in_atomic_block else "VACUUM (ANALYZE)"
            cursor.execute(f"{command} {', '.join(tables)}")
            return
        cursor.execute(f"PRAGMA analysis_limit = {ROWS_LOOKED_AT}")
        for table in tables:
            cursor.execute(f"ANALYZE {table}")
