"""Requests with an idempotency key, and the age of stored keys."""

from __future__ import annotations

from datetime import timedelta

from productive.accounts.idempotency import IdempotencyKey
from tests.support.api import Answer
from tests.support.resources import document_for

KEY = {"Idempotency-Key": "8e03978e-40d5-43dd-bc93-6894a57f9324"}
NEW_TYPE = document_for("service_types", name="Design")


def is_replay(again: Answer, first: Answer) -> bool:
    """Return whether the response equals the first one, but for the header.

    It has no warnings, because it changes nobody's access.
    """
    headers = {name: value for name, value in first.headers.items() if not name.startswith("Warning-")}
    return again == Answer(first.status, {**headers, "Idempotency-Replayed": "true"}, first.body)


def age_keys(by: timedelta) -> None:
    for row in IdempotencyKey.objects.all():
        IdempotencyKey.objects.filter(pk=row.pk).update(created_at=row.created_at - by)
