"""Asks the store, and does without it where it can't be had: nobody is refused because nothing counts."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from functools import cache
from threading import Lock
from time import monotonic, time
from typing import NamedTuple

from django.db import DEFAULT_DB_ALIAS, connections

from productive.limits.rates import Rate
from productive.limits.stores import Store, store_for
from productive.limits.windows import Limit

logger = logging.getLogger(__name__)

# How long a store that has failed is left alone; one request of each process then tries it again.
REST_SECONDS = 5
# How often each process has what has ended removed.
FORGET_SECONDS = 600


class Exceeded(NamedTuple):
    """The rate that is exceeded, when it ends (seconds since 1970), and in how many seconds."""

    rate: Rate
    ends_at: float
    wait: float


class Limiter:
    def __init__(self, store: Store) -> None:
        self.store = store
        self.fails = False
        self.rests_until = 0.0
        self.forgets_at = monotonic() + FORGET_SECONDS
        self.lock = Lock()

    def exceeded(self, limits: Sequence[Limit]) -> Exceeded | None:
        """Count a request towards its limits, and return the first that it exceeds."""
        if self.fails and not self.may_try():
            return None
        now = time()
        try:
            if self.is_time_to_forget():
                self.store.forget(now)
            windows = self.store.count(limits, now)
        except self.store.errors as error:
            self.rest(error)
            return None
        self.fails = False
        for limit, window in zip(limits, windows, strict=False):
            if window.exceeds(limit):
                return Exceeded(limit.rate, window.ends_at, window.ends_at - now)
        return None

    def may_try(self) -> bool:
        """For one thread of those that ask, once the store has rested."""
        with self.lock:
            if monotonic() < self.rests_until:
                return False
            self.rests_until = monotonic() + REST_SECONDS
            return True

    def rest(self, error: Exception) -> None:
        """Leave the store alone for a while. The log says so once, however long it lasts."""
        with self.lock:
            is_new, self.fails = not self.fails, True
            self.rests_until = monotonic() + REST_SECONDS
        if is_new:
            logger.warning("Requests are served without being counted, until this is over: %s", error)

    def is_time_to_forget(self) -> bool:
        if monotonic() < self.forgets_at:
            return False
        with self.lock:
            if monotonic() < self.forgets_at:
                return False
            self.forgets_at = monotonic() + FORGET_SECONDS
            return True


@cache
def the_limiter() -> Limiter:
    """Return the limiter of this process."""
    return Limiter(store_for(connections[DEFAULT_DB_ALIAS].settings_dict))
