"""Pooled connections to PostgreSQL that detect a dead server without a query."""

from __future__ import annotations

import time
from select import POLLIN, poll
from typing import Any

import psycopg

# A connection that was cut silently, as by a firewall, goes unnoticed for up to this long.
TRUSTED_SECONDS = 30


class PooledConnection(psycopg.Connection[Any]):
    """A connection whose health check queries the server only if needed.

    A server that stops, restarts or ends a session sends a message. If nothing has arrived on the socket,
    the connection is alive; otherwise, and after TRUSTED_SECONDS, the check queries the server.
    """

    _pool: Any = None
    checked_at = float("-inf")

    def execute(self, query: Any, *args: Any, **kwargs: Any) -> psycopg.Cursor[Any]:
        """Run the pool's health check, an empty query. All other queries use cursors.

        If this connection is dead, the server was restarted: drop all of them. The pool itself would check
        them one by one with growing pauses, and give up after the third.
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

    def planned(self) -> psycopg.Cursor[Any]:
        """Return a cursor that binds on the server, which then caches the plan of the statement.

        Django's cursors put the values into the SQL, so the server parses and plans each statement, which
        takes longer than a lookup by primary key.
        """
        return psycopg.Cursor(self)


def is_silent(socket: int) -> bool:
    """Return whether nothing has arrived on the socket, not even its end."""
    poller = poll()
    poller.register(socket, POLLIN)
    return not poller.poll(0)
