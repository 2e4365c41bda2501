"""PostgreSQL connections: cheap health checks, prepared statements."""

from __future__ import annotations

import time
from select import POLLIN, poll
from typing import Any, Self

import psycopg
from psycopg.errors import FeatureNotSupported

# A connection that is cut silently, as by a firewall, is noticed at the latest after this time.
TRUSTED_SECONDS = 30


class PooledConnection(psycopg.Connection[Any]):
    """A connection that the pool checks without a query, most of the time.

    A server that stops, restarts or ends a session closes the socket. So the check sends a query only if
    something has arrived on the socket, or if the last query was more than TRUSTED_SECONDS ago.
    """

    _pool: Any = None
    checked_at = float("-inf")

    def execute(self, query: Any, *args: Any, **kwargs: Any) -> psycopg.Cursor[Any]:
        """Run the empty query with which the pool checks a connection.

        If one connection is dead, the server has stopped, and the others are dead, too. The pool would try
        them one by one, with growing pauses, and fail after the third; so drop all of them.
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
    """A cursor whose prepared statements survive a migration.

    PostgreSQL rejects a prepared statement when the type of one of its columns has changed. Outside of a
    transaction, prepare it again then. In a transaction this is impossible, so don't prepare any.
    """

    def execute(self, query: Any, params: Any = None, **kwargs: Any) -> Self:
        if not self.connection.autocommit:
            return super().execute(query, params, **{**kwargs, "prepare": False})
        try:
            return super().execute(query, params, **kwargs)
        except FeatureNotSupported:
            # psycopg clears its own cache of prepared statements, too.
            super().execute("DEALLOCATE ALL")
            return super().execute(query, params, **kwargs)


def is_silent(socket: int) -> bool:
    """Return whether nothing has arrived on the socket, not even its close."""
    poller = poll()
    poller.register(socket, POLLIN)
    return not poller.poll(0)
