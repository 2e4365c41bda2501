"""Set how long a statement waits for a lock."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from django.db import connection

SHORT_TIMEOUT_MS = 50


@contextmanager
def short_lock_timeout() -> Iterator[None]:
    """On SQLite, wait at most 50 ms for a lock, for optional writes.

    SQLite locks the whole database, and waits for SQLITE_TIMEOUT by default. PostgreSQL locks rows, so
    LOCK_TIMEOUT_MS applies there as usual.
    """
    if connection.vendor != "sqlite":
        yield
        return
    connection.ensure_connection()
    (default,) = connection.connection.execute("PRAGMA busy_timeout").fetchone()
    connection.connection.execute(f"PRAGMA busy_timeout = {SHORT_TIMEOUT_MS}")
    try:
        yield
    finally:
        connection.connection.execute(f"PRAGMA busy_timeout = {default}")
