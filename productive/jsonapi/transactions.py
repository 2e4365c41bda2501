"""Run a change in a transaction, again if it lost a race."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from django.db import IntegrityError, OperationalError, transaction
from django.db.models import RestrictedError

T = TypeVar("T")

# A race can be lost more than once.
TRIES = 3
DEADLOCK_OR_SERIALIZATION = {"40P01", "40001"}


def in_transaction(change: Callable[[], T]) -> T:
    """Run a change in a transaction; retry it if it lost a race.

    In the second run, validation finds the row of the other request, and raises the error of the rule.
    """
    for retries in reversed(range(TRIES)):
        try:
            with transaction.atomic():
                return change()
        except (IntegrityError, OperationalError) as error:
            if not retries or not is_lost_race(error):
                raise
    raise AssertionError("unreachable")


def is_lost_race(error: Exception) -> bool:
    if isinstance(error, RestrictedError):  # Raised by Django before any query.
        return False
    sqlstate = getattr(error.__cause__, "sqlstate", None)
    return isinstance(error, IntegrityError) or sqlstate in DEADLOCK_OR_SERIALIZATION
