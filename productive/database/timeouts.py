"""Context managers that set how long a statement waits for a lock."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from django.db import connection

SHORT_TIMEOUT_MS = 50


@contextmanager
def short_lock_timeout() -> Iterator[None]:
    """Wait only briefly for a lock on SQLite, for optional writes.

    SQLite locks the whole database, and waits for SQLITE_TIMEOUT by default. PostgreSQL locks single rows, so
    LOCK_TIMEOUT_MS still applies.
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
