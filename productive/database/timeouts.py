"""How long a statement waits for whoever is writing."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from django.db import connection

HARDLY_MS = 50


@contextmanager
def hardly_waiting() -> Iterator[None]:
    """For what can be left undone: within it, a SQLite file that is being written is waited for 50 ms.

    Otherwise that is SQLITE_TIMEOUT. On PostgreSQL, which locks rows and not all of the database, it is
    LOCK_TIMEOUT_MS as ever.
    """
    if connection.vendor != "sqlite":
        yield
        return
    connection.ensure_connection()
    (usual,) = connection.connection.execute("PRAGMA busy_timeout").fetchone()
    connection.connection.execute(f"PRAGMA busy_timeout = {HARDLY_MS}")
    try:
        yield
    finally:
        connection.connection.execute(f"PRAGMA busy_timeout = {usual}")
