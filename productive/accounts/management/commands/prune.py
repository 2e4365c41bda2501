"""Take away what has served its time."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand
from django.utils import timezone

from productive.accounts.idempotency import IdempotencyKey

# In one transaction; between two of them, on SQLite, others may write.
AT_ONCE = 1000


class Command(BaseCommand):
    help = "Delete the idempotency keys that have expired. Run it daily."

    def handle(self, **options: Any) -> None:
        now, count = timezone.now(), 0
        while pruned := IdempotencyKey.objects.prune(now, AT_ONCE):
            count += pruned
        self.stdout.write(f"{count} idempotency keys deleted")
