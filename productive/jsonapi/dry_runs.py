"""Support `dry_run=true`: a write that returns what it would do, without effect.

The write is made and rolled back, so its validation is the same. It isn't recorded in the history, and what
runs after a commit doesn't run.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from django.db import transaction

from productive.database.written_rows import WrittenRows, collect_written_rows
from productive.jsonapi.transactions import in_transaction

# Fewer than otherwise: they are read before the rollback, and on SQLite other writes wait for it.
DRY_RUN_MAX_INCLUDED = 1_000


class DryRun:
    """A write that is rolled back, and its document.

    `write` returns the id of the record, or None if it is deleted; `read` returns the document.
    """

    def __init__(self, write: Callable[[], int | None], read: Callable[[int], dict[str, Any]]) -> None:
        self.write, self.read = write, read
        self.document: dict[str, Any] = {}

    def attempt(self, observe: Callable[[Sequence[WrittenRows]], None]) -> Sequence[WrittenRows]:
        """Write, call `observe` with the written rows, and roll back; return the rows.

        It can be called several times.
        """

        def write_and_observe() -> Sequence[WrittenRows]:
            with collect_written_rows(is_trial=True) as written:
                pk = self.write()
            self.document = {} if pk is None else self.read(pk)
            observe(written)
            transaction.set_rollback(True)
            return written

        return in_transaction(write_and_observe)
