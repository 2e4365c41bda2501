"""Where requests are counted: in a file beside SQLite, or in a table of PostgreSQL.

Each store takes the limits of a request in their order and counts one more for each, up to the first that is
exceeded: what a token asks for in vain is not taken from its organization. However many processes ask it at
once, no two are told the same number. The rule is that of `windows.py`, in each store's own words.
"""

from __future__ import annotations

import sqlite3
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from threading import Lock
from time import monotonic, sleep
from typing import Any

from django.db import DEFAULT_DB_ALIAS, Error, connections

from productive.database.query_cache import fetched
from productive.limits.windows import Limit, Window, count_each

MADE = """
CREATE TABLE IF NOT EXISTS windows (key TEXT PRIMARY KEY, number INTEGER NOT NULL, ends_at REAL NOT NULL)
WITHOUT ROWID
"""


class Store(ABC):
    # What its operations raise where it can't be had.
    errors: tuple[type[Exception], ...] = ()

    @abstractmethod
    def count(self, limits: Sequence[Limit], now: float) -> list[Window]:
        """Count one more for each limit up to the first that is exceeded, and return their windows."""

    @abstractmethod
    def forget(self, now: float) -> None:
        """Remove what has ended by now."""


DAMAGED = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)


class FileStore(Store):
    """For the processes of one machine: an SQLite file of its own, as a write to the database is one that
    waits for the disk. This one waits only when the log is taken over into the file, once in some hundred
    requests."""

    errors = (sqlite3.Error, OSError)
    # Seconds that a process or a thread waits for another; they hold it for a few microseconds.
    TIMEOUT = 0.5

    def __init__(self, path: Path) -> None:
        self.path = path
        # One connection for all threads: they would wait for each other anyway, but in SQLite's own way,
        # which is to sleep and to try again.
        self.lock = Lock()
        self.connection: sqlite3.Connection | None = None

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        if not self.lock.acquire(timeout=self.TIMEOUT):
            raise TimeoutError("another thread waits for the file of the limits")
        try:
            connection = self.connection or self.connect()
            connection.execute("BEGIN IMMEDIATE")
            yield connection
            connection.execute("COMMIT")
        except BaseException as error:
            self.disconnect()
            if getattr(error, "sqlite_errorcode", None) in DAMAGED:
                self.remove()
            raise
        finally:
            self.lock.release()

    def remove(self) -> None:
        """Take away a file that can't be read any more: nothing in it is worth more than to count again."""
        for suffix in ("", "-wal", "-shm"):
            Path(f"{self.path}{suffix}").unlink(missing_ok=True)

    def connect(self) -> sqlite3.Connection:
        self.connection = sqlite3.connect(
            self.path, timeout=self.TIMEOUT, isolation_level=None, check_same_thread=False
        )
        # A power cut takes some counts along, but never leaves a file that can't be read.
        self.connection.execute("PRAGMA synchronous=NORMAL")
        deadline = monotonic() + self.TIMEOUT
        while True:
            try:
                self.connection.execute("PRAGMA journal_mode=WAL")
                self.connection.execute(MADE)
            except sqlite3.OperationalError:
                # Two who make the file at once: here, SQLite doesn't wait for the other.
                if monotonic() > deadline:
                    raise
                sleep(0.01)
            else:
                return self.connection

    def disconnect(self) -> None:
        """Close the file, which rolls back what isn't committed; the next request opens it again."""
        connection, self.connection = self.connection, None
        if connection is not None:
            connection.close()

    def count(self, limits: Sequence[Limit], now: float) -> list[Window]:
        keys = [limit.key for limit in limits]
        places = ", ".join("?" * len(keys))
        with self.transaction() as connection:
            rows = connection.execute(f"SELECT * FROM windows WHERE key IN ({places})", keys)  # noqa: S608
            counted = count_each(limits, now, {key: Window(*window) for key, *window in rows})
            connection.executemany(
                "REPLACE INTO windows VALUES (?, ?, ?)",
                [(limit.key, *window) for limit, window in zip(limits, counted, strict=False)],
            )
        return counted

    def forget(self, now: float) -> None:
        with self.transaction() as connection:
            connection.execute("DELETE FROM windows WHERE ends_at <= ?", [now])


class PostgreSQLStore(Store):
    """For any number of machines: one statement, in a transaction of its own on the primary.

    The table is unlogged: nothing of it goes to the disk's log or to a replica, so no commit waits.
    """

    errors = (Error,)

    def count(self, limits: Sequence[Limit], now: float) -> list[Window]:
        parameters: dict[str, Any] = {"now": now}
        for place, limit in enumerate(limits):
            full, period = limit.rate
            parameters |= {
                f"key{place}": limit.key,
                f"full{place}": full,
                # No number is 0: a window that isn't held never begins anew before it ends.
                f"held{place}": full if limit.holds else 0,
                f"end{place}": now + period,
                f"latest{place}": now + 2 * period,
            }
        rows = fetched(connections[DEFAULT_DB_ALIAS], postgresql_statement(len(limits)), parameters)
        return [Window(*row) for row in rows]

    def forget(self, now: float) -> None:
        with connections[DEFAULT_DB_ALIAS].cursor() as cursor:
            # Without what somebody is counting just now, so that it waits for nobody and nobody deadlocks.
            cursor.execute(
                "DELETE FROM accounts_rate_window WHERE key IN"
                " (SELECT key FROM accounts_rate_window WHERE ends_at <= %s FOR UPDATE SKIP LOCKED)",
                [now],
            )


COUNT_ONE = """
w{place} AS (
    INSERT INTO accounts_rate_window AS kept (key, number, ends_at)
    SELECT %(key{place})s, 1, %(end{place})s {unless}
    ON CONFLICT (key) DO UPDATE SET
        number = CASE WHEN {over} THEN 1 ELSE kept.number + 1 END,
        ends_at = CASE
            WHEN {over} OR kept.number = %(held{place})s THEN excluded.ends_at
            ELSE kept.ends_at
        END
    RETURNING number, ends_at
)"""
OVER = "(kept.ends_at <= %(now)s OR kept.ends_at > %(latest{place})s)"
UNLESS = "FROM w{before} WHERE w{before}.number <= %(full{before})s"


@cache
def postgresql_statement(limits: int) -> str:
    """Nothing but numbers goes into the text."""
    counted = (
        COUNT_ONE.format(
            place=place,
            over=OVER.format(place=place),
            unless=UNLESS.format(before=place - 1) if place else "",
        )
        for place in range(limits)
    )
    windows = (f"SELECT {place} AS place, number, ends_at FROM w{place}" for place in range(limits))  # noqa: S608
    told = f"SELECT number, ends_at FROM ({' UNION ALL '.join(windows)}) AS windows ORDER BY place"  # noqa: S608
    return f"WITH {', '.join(counted)} {told}"


def store_for(database: dict[str, Any]) -> Store:
    """Return the store that belongs to a database, given its settings."""
    if database["ENGINE"] == "django.db.backends.postgresql":
        return PostgreSQLStore()
    path = Path(database["NAME"])
    return FileStore(path.with_name(f"{path.stem}-limits.sqlite3"))
