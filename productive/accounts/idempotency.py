"""What tokens asked for under a key, and were answered: the same request is carried out once."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any, Self

from django.db import connections, models, router, transaction

from productive.database.query_cache import insert_statement

# How long a key means the same request; afterwards it may be used for another one.
KEPT_FOR = timedelta(hours=24)
# Whoever has the same key waits here until the other's transaction has ended. Where a row is there and still
# means something, none is written.
UNLESS_TAKEN = """
ON CONFLICT (token_id, key) DO UPDATE SET fingerprint = excluded.fingerprint, created_at = excluded.created_at
WHERE accounts_idempotencykey.created_at <= %s
"""


class IdempotencyKeyQuerySet(models.QuerySet["IdempotencyKey"]):
    def expired(self, now: datetime) -> Self:
        """Those that mean nothing any more at the moment `now`."""
        return self.filter(created_at__lte=now - KEPT_FOR)

    def claim(self, token_id: int, key: str, fingerprint: str, now: datetime) -> IdempotencyKey | None:
        """Take the key for the rest of the transaction, or return what it was taken for before.

        The unique constraint decides between two at once: the second waits for the first one's transaction,
        and finds its row, or none where that came to nothing.
        """
        connection: Any = connections[router.db_for_write(self.model)]
        row = self.model(token_id=token_id, key=key, fingerprint=fingerprint, created_at=now)
        insert, fields = insert_statement(self.model)
        values = [field.get_db_prep_save(getattr(row, field.attname), connection) for field in fields]
        expired = connection.ops.adapt_datetimefield_value(now - KEPT_FOR)
        with connection.cursor() as cursor:
            cursor.execute(insert + UNLESS_TAKEN, [*values, expired])
            if cursor.rowcount:
                return None
        return self.get(token_id=token_id, key=key)

    def prune(self, now: datetime, at_once: int) -> int:
        """Delete some of those that have expired, `at_once` at most. Returns how many. Waits for nobody."""
        with transaction.atomic():
            found = self.expired(now).select_for_update(skip_locked=True).order_by("created_at")
            ids = [row.pk for row in found.only("pk")[:at_once]]
            self.filter(pk__in=ids).delete()
        return len(ids)


class IdempotencyKey(models.Model):
    """A request that a token has sent under a key of its choice, and the answer to it.

    Written in the transaction of what was asked for, so that there is an answer where that was done, and
    nowhere else. It outlives a token that is deleted, until it expires.
    """

    token = models.ForeignKey(
        "accounts.ApiToken",
        models.DO_NOTHING,
        related_name="+",
        db_constraint=False,
        db_index=False,  # the unique pair below begins with it
    )
    key = models.CharField(max_length=255)
    fingerprint = models.CharField(max_length=64)
    created_at = models.DateTimeField(db_index=True)
    location = models.TextField(default="")
    body = models.BinaryField(default=b"")

    objects = IdempotencyKeyQuerySet.as_manager()

    class Meta:
        # No page of the admin shows it, and nobody is given a right to it.
        default_permissions = ()
        constraints = [
            models.UniqueConstraint(fields=["token", "key"], name="%(app_label)s_%(class)s_unique_token_key")
        ]

    def __str__(self) -> str:
        return self.key
