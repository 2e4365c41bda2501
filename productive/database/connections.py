"""PostgreSQL connections: a check that costs no query, and prepared statements that survive migrations."""

from __future__ import annotations

import time
from select import POLLIN, poll
from typing import Any, Self

import psycopg
from psycopg.errors import FeatureNotSupported

# How long a connection that was cut silently, as by a firewall, may go unnoticed before it is used.
TRUSTED_SECONDS = 30


class PooledConnection(psycopg.Connection[Any]):
    """A connection that the pool checks without a query, most of the time.

    A server that stops, restarts or ends a session says so on the socket. So the check sends a query only if
    something has arrived on the socket or the last query was long ago.
    """

    _pool: Any = None
    checked_at = float("-inf")

    def execute(self, query: Any, *args: Any, **kwargs: Any) -> psycopg.Cursor[Any]:
        """Run the pool's check, which is an empty query; other queries use cursors of their own.

        If one connection is dead, the server went away, and the others are dead, too. The pool would try them
        one after another, with growing pauses, and give up after the third; so all of them are dropped.
        """
        if query == "":
            now = time.monotonic()
            if now - self.checked_at < TRUSTED_SECONDS and is_silent(self.fileno()):
                return self.cursor()
            self.checked_at = now
        try:
            return super().execute(query, *args, **kwargs)
        except psycopg.OperationalError:
            if self.broken and self._pool is not None:
                self._pool.drain()
            raise


class Cursor(psycopg.Cursor[Any]):
    """A cursor whose prepared statements survive a migration by another process.

    PostgreSQL rejects a prepared statement once one of its columns has another type. Outside a transaction,
    the statement is then run again without its plan. Within one that is impossible, so none is prepared.
    """

    def execute(self, query: Any, params: Any = None, **kwargs: Any) -> Self:
        if not self.connection.autocommit:
            return super().execute(query, params, **{**kwargs, "prepare": False})
        try:
            return super().execute(query, params, **kwargs)
        except FeatureNotSupported:
            # psycopg then forgets which statements it has prepared.
            super().execute("DEALLOCATE ALL")
            return super().execute(query, params, **kwargs)


def is_silent(socket: int) -> bool:
    """Return whether nothing has arrived on the socket, not even its end."""
    poller = poll()
    poller.register(socket, POLLIN)
    return not poller.poll(0)
