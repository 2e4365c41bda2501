"""Delete expired idempotency keys."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand
from django.utils import timezone

from productive.accounts.idempotency import IdempotencyKey

# The number of rows in one transaction. On SQLite, other writers proceed between two of them.
BATCH_SIZE = 1000


class Command(BaseCommand):
    help = "Delete expired idempotency keys. Run it daily."

    def handle(self, **options: Any) -> None:
        now, count = timezone.now(), 0
        while pruned := IdempotencyKey.objects.prune(now, BATCH_SIZE):
            count += pruned
        self.stdout.write(f"{count} idempotency keys deleted")
