"""Store the counts of requests, in an SQLite file or in PostgreSQL.

A store counts a request against its limits in order, up to the first that it exceeds: a request that is
rejected by the limit of its token does not count against its organization. Counts are exact across threads
and processes: no two requests get the same number.
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

from productive.database.private_files import PrivateConnection
from productive.limits.windows import Limit, Window, count_request


class Store(ABC):
    # The exceptions that `count` and `purge` raise if the store is not available.
    errors: tuple[type[Exception], ...] = ()

    @abstractmethod
    def count(self, limits: Sequence[Limit], now: float) -> list[Window]:
        """Count a request up to the first limit it exceeds; return the windows."""

    @abstractmethod
    def uncount(self, limit: Limit, now: float) -> None:
        """Remove a request from the current window of the limit."""

    @abstractmethod
    def purge(self, now: float) -> None:
        """Delete the windows that have ended."""


def store_for(database: dict[str, Any]) -> Store:
    """Return the store that belongs to a database, given its settings."""
    if database["ENGINE"] == "django.db.backends.postgresql":
        return PostgreSQLStore()
    path = Path(database["NAME"])
    return FileStore(path.with_name(f"{path.stem}-limits.sqlite3"))


# After the end of the window, there is nothing to remove.
UNCOUNT = "UPDATE {} SET number = number - 1 WHERE key = {} AND ends_at > {} AND number > 0"
CREATE_TABLE = """
CREATE TABLE IF NOT EXISTS windows (key TEXT PRIMARY KEY, number INTEGER NOT NULL, ends_at REAL NOT NULL)
WITHOUT ROWID
"""
CORRUPT = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)


class FileStore(Store):
    """Count in a separate SQLite file, for the processes of one machine.

    In the application's database, each request would wait for the disk and for other writers. This file is
    only synchronized at checkpoints, about once in some hundred requests.
    """

    errors = (sqlite3.Error, OSError)
    # Seconds to wait for another thread or process, which needs a few microseconds.
    TIMEOUT = 0.5

    def __init__(self, path: Path) -> None:
        self.path = path
        # All threads share one connection. With one for each, SQLite would sleep and poll, which is slower
        # than this lock.
        self.lock = Lock()
        self.connection: sqlite3.Connection | None = None

    def count(self, limits: Sequence[Limit], now: float) -> list[Window]:
        keys = [limit.key for limit in limits]
        placeholders = ", ".join("?" * len(keys))
        with self.transaction() as connection:
            rows = connection.execute(f"SELECT * FROM windows WHERE key IN ({placeholders})", keys)  # noqa: S608
            counted = count_request(limits, now, {key: Window(*window) for key, *window in rows})
            connection.executemany(
                "REPLACE INTO windows VALUES (?, ?, ?)",
                [(limit.key, *window) for limit, window in zip(limits, counted, strict=False)],
            )
        return counted

    def uncount(self, limit: Limit, now: float) -> None:
        with self.transaction() as connection:
            connection.execute(UNCOUNT.format("windows", "?", "?"), [limit.key, now])

    def purge(self, now: float) -> None:
        with self.transaction() as connection:
            connection.execute("DELETE FROM windows WHERE ends_at <= ?", [now])

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        if not self.lock.acquire(timeout=self.TIMEOUT):
            raise TimeoutError("another thread has locked the file of the rate limits")
        try:
            connection = self.connection or self.connect()
            connection.execute("BEGIN IMMEDIATE")
            yield connection
            connection.execute("COMMIT")
        except BaseException as error:
            self.close()
            if getattr(error, "sqlite_errorcode", None) in CORRUPT:
                self.delete()
            raise
        finally:
            self.lock.release()

    def connect(self) -> sqlite3.Connection:
        self.connection = sqlite3.connect(
            self.path,
            timeout=self.TIMEOUT,
            isolation_level=None,
            check_same_thread=False,
            factory=PrivateConnection,
        )
        # A power failure may lose the latest counts, but can't corrupt the file.
        self.connection.execute("PRAGMA synchronous=NORMAL")
        deadline = monotonic() + self.TIMEOUT
        while True:
            try:
                self.connection.execute("PRAGMA journal_mode=WAL")
                self.connection.execute(CREATE_TABLE)
            except sqlite3.OperationalError:
                # SQLite ignores the timeout if two processes switch a new file to WAL at the same time.
                if monotonic() > deadline:
                    raise
                sleep(0.01)
            else:
                return self.connection

    def close(self) -> None:
        """Close the file and roll back; the next request opens it again."""
        connection, self.connection = self.connection, None
        if connection is not None:
            connection.close()

    def delete(self) -> None:
        """Delete a corrupt file; counting starts again from zero."""
        for suffix in ("", "-wal", "-shm"):
            Path(f"{self.path}{suffix}").unlink(missing_ok=True)


class PostgreSQLStore(Store):
    """Count in an unlogged table, for any number of machines.

    Each request is one statement in a transaction of its own on the primary. The table is neither in the
    write-ahead log nor on a replica, so the commit does not wait for the disk.
    """

    errors = (Error,)

    def count(self, limits: Sequence[Limit], now: float) -> list[Window]:
        parameters: dict[str, Any] = {"now": now}
        for index, limit in enumerate(limits):
            maximum, period = limit.rate
            parameters |= {
                f"key{index}": limit.key,
                f"maximum{index}": maximum,
                # The number at which a new window starts. No window has the number 0.
                f"lockout{index}": maximum if limit.lockout else 0,
                f"end{index}": now + period,
                f"latest{index}": now + 2 * period,
            }
        with connections[DEFAULT_DB_ALIAS].cursor() as cursor:
            cursor.execute(count_statement(len(limits)), parameters)
            return [Window(*row) for row in cursor.fetchall()]

    def uncount(self, limit: Limit, now: float) -> None:
        with connections[DEFAULT_DB_ALIAS].cursor() as cursor:
            cursor.execute(UNCOUNT.format("accounts_rate_window", "%s", "%s"), [limit.key, now])

    def purge(self, now: float) -> None:
        with connections[DEFAULT_DB_ALIAS].cursor() as cursor:
            # Skip the rows that requests are updating, so that this never waits and never deadlocks.
            cursor.execute(
                "DELETE FROM accounts_rate_window WHERE key IN"
                " (SELECT key FROM accounts_rate_window WHERE ends_at <= %s FOR UPDATE SKIP LOCKED)",
                [now],
            )


# `windows.next_window` in SQL. `previous` selects the limit before this one, so that the row is only written
# if that limit is not exceeded.
UPSERT = """
w{index} AS (
    INSERT INTO accounts_rate_window AS stored (key, number, ends_at)
    SELECT %(key{index})s, 1, %(end{index})s {previous}
    ON CONFLICT (key) DO UPDATE SET
        number = CASE WHEN {has_ended} THEN 1 ELSE stored.number + 1 END,
        ends_at = CASE
            WHEN {has_ended} OR stored.number = %(lockout{index})s THEN excluded.ends_at
            ELSE stored.ends_at
        END
    RETURNING number, ends_at
)"""
HAS_ENDED = "(stored.ends_at <= %(now)s OR stored.ends_at > %(latest{index})s)"
PREVIOUS = "FROM w{index} WHERE w{index}.number <= %(maximum{index})s"


@cache
def count_statement(limits: int) -> str:
    """Return the statement that counts a request against a number of limits."""
    upserts = (
        UPSERT.format(
            index=index,
            has_ended=HAS_ENDED.format(index=index),
            previous=PREVIOUS.format(index=index - 1) if index else "",
        )
        for index in range(limits)
    )
    # Only numbers are formatted into the SQL.
    windows = (f"SELECT {index} AS index, number, ends_at FROM w{index}" for index in range(limits))  # noqa: S608
    select = f"SELECT number, ends_at FROM ({' UNION ALL '.join(windows)}) AS windows ORDER BY index"  # noqa: S608
    return f"WITH {', '.join(upserts)} {select}"
