"""Store idempotency keys with responses, so that repeats have no effect."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any, Self

from django.db import connections, models, router, transaction

from productive.database.query_cache import insert_statement

# After this time, a key can be used for another request.
LIFETIME = timedelta(hours=24)
# A concurrent request with the same key waits here for the transaction of the other. No row is written if
# there is one that has not expired.
ON_CONFLICT = """
ON CONFLICT (token_id, key) DO UPDATE SET fingerprint = excluded.fingerprint, created_at = excluded.created_at
WHERE accounts_idempotencykey.created_at <= %s
"""


class IdempotencyKeyQuerySet(models.QuerySet["IdempotencyKey"]):
    def expired(self, now: datetime) -> Self:
        """Select the keys that have expired."""
        return self.filter(created_at__lte=now - LIFETIME)

    def claim(self, token_id: int, key: str, fingerprint: str, now: datetime) -> IdempotencyKey | None:
        """Save a new key, or return the existing one.

        The unique constraint decides between concurrent requests: the second waits for the transaction of
        the first, and finds its row, unless that was rolled back.
        """
        connection: Any = connections[router.db_for_write(self.model)]
        row = self.model(token_id=token_id, key=key, fingerprint=fingerprint, created_at=now)
        insert, fields = insert_statement(self.model)
        values = [field.get_db_prep_save(getattr(row, field.attname), connection) for field in fields]
        expired = connection.ops.adapt_datetimefield_value(now - LIFETIME)
        with connection.cursor() as cursor:
            cursor.execute(insert + ON_CONFLICT, [*values, expired])
            if cursor.rowcount:
                return None
        return self.get(token_id=token_id, key=key)

    def prune(self, now: datetime, limit: int) -> int:
        """Delete at most `limit` expired keys, and return their number.

        Skip locked rows instead of waiting.
        """
        with transaction.atomic():
            expired = self.expired(now).select_for_update(skip_locked=True).order_by("created_at")
            ids = [row.pk for row in expired.only("pk")[:limit]]
            self.filter(pk__in=ids).delete()
        return len(ids)


class IdempotencyKey(models.Model):
    """A key that a client chose for a request, and the response.

    It is saved in the transaction of the request, so there is a response only if the request has taken
    effect. If the token is deleted, the key is kept until it expires.
    """

    token = models.ForeignKey(
        "accounts.ApiToken",
        models.DO_NOTHING,
        related_name="+",
        db_constraint=False,
        db_index=False,  # the unique constraint below starts with it
    )
    key = models.CharField(max_length=255)
    fingerprint = models.CharField(max_length=64)
    created_at = models.DateTimeField(db_index=True)
    location = models.TextField(default="")
    body = models.BinaryField(default=b"")

    objects = IdempotencyKeyQuerySet.as_manager()

    class Meta:
        # It is not in the admin, so it needs no permissions.
        default_permissions = ()
        constraints = [
            models.UniqueConstraint(fields=["token", "key"], name="%(app_label)s_%(class)s_unique_token_key")
        ]

    def __str__(self) -> str:
        return self.key
