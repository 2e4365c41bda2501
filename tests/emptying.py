"""How a test that commits is undone on PostgreSQL: rows are deleted, and those that migrations made put back.

On SQLite, emptying the tables takes next to nothing.
"""

from __future__ import annotations

from typing import Any

from django.contrib.contenttypes.models import ContentType
from django.core.management.commands import flush
from django.db import connections
from django.db.backends.base.base import BaseDatabaseWrapper

# A schema that nobody looks for tables in.
KEPT = "as_migrated"


class Emptying:
    """Lets `flush` put the database of this connection back into the state that it has now.

    Django would truncate all tables, which gives each of them and each of their indexes a new file, and then
    ask every app to make its content types, permissions and groups anew, in a hundred queries. Deleting the
    few rows of a test and copying those back takes a small part of that, and their ids stay what they were.
    """

    def __init__(self, connection: BaseDatabaseWrapper) -> None:
        self.connection = connection
        self.truncate, self.emit = connection.ops.sql_flush, flush.emit_post_migrate_signal
        self.quote = connection.ops.quote_name
        self.put_back = self.keep()
        self.is_put_back = False
        connection.ops.sql_flush = self.sql_flush  # type: ignore[method-assign]
        flush.emit_post_migrate_signal = self.emit_post_migrate_signal  # type: ignore[attr-defined]

    def keep(self) -> list[str]:
        """Copy every table that has rows. Returns the statements that put these rows back."""
        put_back = []
        tables = self.connection.introspection.django_table_names(only_existing=True, include_views=False)
        with self.connection.cursor() as cursor:
            cursor.execute(f"DROP SCHEMA IF EXISTS {KEPT} CASCADE; CREATE SCHEMA {KEPT}")
            for table in map(self.quote, tables):
                cursor.execute(f"SELECT * FROM {table} LIMIT 1")  # noqa: S608
                if cursor.fetchone():
                    columns = ", ".join(self.quote(column.name) for column in cursor.description)
                    kept = f"{KEPT}.{table}"
                    cursor.execute(f"CREATE TABLE {kept} AS TABLE {table}")
                    put_back.append(f"INSERT INTO {table} ({columns}) SELECT {columns} FROM {kept}")  # noqa: S608
        return put_back

    def sql_flush(
        self, style: Any, tables: list[str], *, reset_sequences: bool = False, allow_cascade: bool = False
    ) -> list[str]:
        self.is_put_back = not reset_sequences and not allow_cascade
        if not self.is_put_back:
            return self.truncate(style, tables, reset_sequences=reset_sequences, allow_cascade=allow_cascade)
        names = [self.quote(table) for table in tables]
        statements = [
            # As TRUNCATE would: what a server still does for the test before isn't left to the next one.
            f"LOCK TABLE {', '.join(names)} IN ACCESS EXCLUSIVE MODE",
            # The order doesn't matter then.
            "SET CONSTRAINTS ALL DEFERRED",
            *(f"DELETE FROM {name}" for name in names),  # noqa: S608
            *self.put_back,
        ]
        return ["; ".join(statements)]

    def emit_post_migrate_signal(self, verbosity: int, interactive: bool, db: str, **kwargs: Any) -> None:
        if connections[db] is self.connection and self.is_put_back:
            # Those that the test's own migrations made are gone.
            ContentType.objects.clear_cache()
        else:
            self.emit(verbosity, interactive, db, **kwargs)
