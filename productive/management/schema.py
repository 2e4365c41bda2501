"""Find tables, views and triggers that no migration of this application creates.

They would survive a restore, and a trigger could change any row later.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Any

from django.db import connection

from productive.database.row_counts import CREATE, RowCount, statements

# Tables that migrations create without a model.
OTHER_TABLES = {"django_migrations", "accounts_last_write", "accounts_rate_window"}
SQLITE_SCHEMA = "SELECT type, name, coalesce(sql, '') FROM sqlite_master ORDER BY name"
POSTGRESQL_TRIGGERS = """
SELECT tgname, tgfoid::regproc::text FROM pg_trigger JOIN pg_class ON pg_class.oid = tgrelid
 WHERE NOT tgisinternal AND relnamespace = current_schema()::regnamespace ORDER BY tgname
"""


def unknown_objects() -> Iterator[str]:
    """Yield a line for each unknown object of the database."""
    known = {*connection.introspection.django_table_names(), *OTHER_TABLES}
    with connection.cursor() as cursor:
        for table in connection.introspection.get_table_list(cursor):
            if table.name.startswith("sqlite_"):
                continue  # only SQLite itself can create such tables
            if table.type != "v" and table.name not in known:
                yield f"the table {table.name} is not part of this application"
            elif table.type == "v" and connection.vendor == "postgresql":
                yield f"the view {table.name} is not part of this application"
        if connection.vendor == "sqlite":
            cursor.execute(SQLITE_SCHEMA)
            yield from unknown_code(cursor)
        else:
            # The function of each of our triggers has the name of the table with the counts.
            functions = {counts._meta.db_table for counts in RowCount.__subclasses__()}
            cursor.execute(POSTGRESQL_TRIGGERS)
            for name, function in cursor.fetchall():
                if function not in functions or name.rpartition("_")[0] != function:
                    yield f"the trigger {name} is not part of this application"


def unknown_code(schema: Iterable[tuple[str, str, str]]) -> Iterator[str]:
    """Yield a line for each unknown trigger, view or virtual table.

    `schema` has the rows of SQLITE_SCHEMA.
    """
    expected = {normalized(sql) for sql in sqlite_triggers()}
    for kind, name, sql in schema:
        if kind == "trigger" and normalized(sql) not in expected:
            yield f"the trigger {name} is not part of this application"
        elif kind == "view":
            yield f"the view {name} is not part of this application"
        elif kind == "table" and not re.match(r"\s*CREATE\s+TABLE\b", sql, re.IGNORECASE):
            yield f"the virtual table {name} is not part of this application"


def sqlite_triggers() -> list[str]:
    counts: list[Any] = RowCount.__subclasses__()
    created = [sql for each in counts for sql in statements(connection, CREATE["sqlite"], each.rows, each)]
    return [sql for sql in created if sql.lstrip().startswith("CREATE TRIGGER")]


def normalized(sql: str) -> str:
    """Return the statement without quotation marks and white space, which SQLite may change."""
    return re.sub(r'["\s]+', "", sql)
