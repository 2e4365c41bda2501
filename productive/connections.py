"""Pooled connections to PostgreSQL: how the pool learns that one is dead, and what one remembers."""

from __future__ import annotations

import time
from select import POLLIN, poll
from typing import Any

import psycopg

# For so long, a connection that was silently cut, as by a firewall, may go unnoticed before it is used.
TRUSTED_SECONDS = 30


class Connection(psycopg.Connection[Any]):
    """One whose empty query, which the pool sends before it lends one, is answered without the server.

    A server that stops, restarts or ends a session says so on the socket. Where nothing has arrived, nothing
    has happened; where something has, or it is long ago that the server was asked, the server is asked.
    """

    asked_at = float("-inf")

    def execute(self, query: Any, *args: Any, **kwargs: Any) -> psycopg.Cursor[Any]:
        if query == "":
            now = time.monotonic()
            if now - self.asked_at < TRUSTED_SECONDS and is_silent(self.fileno()):
                return self.cursor()
            self.asked_at = now
        return super().execute(query, *args, **kwargs)

    def planned(self) -> psycopg.Cursor[Any]:
        """A cursor that the server makes the plan of a statement for once. Django's send the values within
        the text, so that every statement is read and planned anew, which takes longer than to find a row."""
        return psycopg.Cursor(self)


def is_silent(socket: int) -> bool:
    """Nothing has arrived, not even an end."""
    poller = poll()
    poller.register(socket, POLLIN)
    return not poller.poll(0)
