"""Pooled connections to PostgreSQL: how the pool learns that one is dead, and what one remembers."""

from __future__ import annotations

import time
from select import POLLIN, poll
from typing import Any

import psycopg

# For so long, a connection that was silently cut, as by a firewall, may go unnoticed before it is used.
TRUSTED_SECONDS = 30


class PooledConnection(psycopg.Connection[Any]):
    """One that knows without asking whether it is dead, and that then all others are.

    A server that stops, restarts or ends a session says so on the socket. Where nothing has arrived, nothing
    has happened; where something has, or it is long ago that the server was asked, the server is asked.
    """

    _pool: Any = None
    asked_at = float("-inf")

    def execute(self, query: Any, *args: Any, **kwargs: Any) -> psycopg.Cursor[Any]:
        """What the pool looks at a connection with, by an empty query; others have cursors of their own.

        Where one is dead, the server went away, and may be back. The pool itself would try its connections
        one after another, with pauses that grow, and give up after the third.
        """
        if query == "":
            now = time.monotonic()
            if now - self.asked_at < TRUSTED_SECONDS and is_silent(self.fileno()):
                return self.cursor()
            self.asked_at = now
        try:
            return super().execute(query, *args, **kwargs)
        except psycopg.OperationalError:
            if self.broken and self._pool is not None:
                self._pool.drain()
            raise

    def planned(self) -> psycopg.Cursor[Any]:
        """A cursor that the server makes the plan of a statement for once. Django's send the values within
        the text, so that every statement is read and planned anew, which takes longer than to find a row."""
        return psycopg.Cursor(self)


def is_silent(socket: int) -> bool:
    """Nothing has arrived, not even an end."""
    poller = poll()
    poller.register(socket, POLLIN)
    return not poller.poll(0)
