"""Django's `migrate`, one at a time: machines that are brought up together may each begin with it."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.conf import settings
from django.core.management.commands import migrate
from django.db import connections

# Of an advisory lock: a number that only this command knows.
KEY = 7_063_842_915
TRIED_EVERY_SECONDS = 0.2


class Command(migrate.Command):
    def handle(self, *args: Any, **options: Any) -> None:
        with self.alone(options["database"]):
            super().handle(*args, **options)

    @contextmanager
    def alone(self, alias: str) -> Iterator[None]:
        """On PostgreSQL, wait until no other process migrates; it has left nothing to do then.

        Behind PgBouncer a lock would stay with a connection that is the next one's. On SQLite whoever comes
        second may fail, and has changed nothing.
        """
        connection = connections[alias]
        if connection.vendor != "postgresql" or settings.PGBOUNCER:
            yield
            return
        with connection.cursor() as cursor:
            waits = False
            # Waiting for it would be ended by LOCK_TIMEOUT_MS.
            while not self.ask(cursor, "pg_try_advisory_lock"):
                if not waits:
                    self.stdout.write("Waiting for another process that migrates.")
                waits = True
                time.sleep(TRIED_EVERY_SECONDS)
            try:
                yield
            finally:
                self.ask(cursor, "pg_advisory_unlock")

    def ask(self, cursor: Any, function: str) -> bool:
        cursor.execute(f"SELECT {function}(%s)", [KEY])
        return bool(cursor.fetchone()[0])
