"""Run Django's `migrate`, but one process at a time.

Several machines can run it when they start.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.conf import settings
from django.core.management.commands import migrate
from django.db import connections

# The key of an advisory lock that only this command takes.
KEY = 7_063_842_915
POLL_SECONDS = 0.2


class Command(migrate.Command):
    def handle(self, *args: Any, **options: Any) -> None:
        with self.lock(options["database"]):
            super().handle(*args, **options)

    @contextmanager
    def lock(self, alias: str) -> Iterator[None]:
        """Wait until no other process migrates.

        Only on PostgreSQL. Behind PgBouncer, the lock would stay on a pooled connection. On SQLite, the
        second process may fail, but changes nothing.
        """
        connection = connections[alias]
        if connection.vendor != "postgresql" or settings.PGBOUNCER:
            yield
            return
        with connection.cursor() as cursor:
            is_waiting = False
            # Not pg_advisory_lock(), which LOCK_TIMEOUT_MS limits.
            while not self.call(cursor, "pg_try_advisory_lock"):
                if not is_waiting:
                    self.stdout.write("Waiting for another process that runs migrate.")
                is_waiting = True
                time.sleep(POLL_SECONDS)
            try:
                yield
            finally:
                self.call(cursor, "pg_advisory_unlock")

    def call(self, cursor: Any, function: str) -> bool:
        cursor.execute(f"SELECT {function}(%s)", [KEY])
        return bool(cursor.fetchone()[0])
