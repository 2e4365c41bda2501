"""Delete expired idempotency keys."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand
from django.utils import timezone

from productive.accounts.idempotency import IdempotencyKey

# On SQLite, other writers proceed between the transactions.
KEYS_PER_TRANSACTION = 1000


class Command(BaseCommand):
    help = "Delete expired idempotency keys. Run it daily."

    def handle(self, **options: Any) -> None:
        now, count = timezone.now(), 0
        while pruned := IdempotencyKey.objects.prune(now, KEYS_PER_TRANSACTION):
            count += pruned
        self.stdout.write(f"{count} idempotency keys deleted")
