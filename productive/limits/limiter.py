"""Check requests against their limits, if the store is available."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from functools import cache
from math import ceil
from threading import Lock
from time import monotonic, time
from typing import NamedTuple

from django.db import DEFAULT_DB_ALIAS, connections

from productive.limits.rates import Rate
from productive.limits.stores import Store, store_for
from productive.limits.windows import Limit

logger = logging.getLogger(__name__)

# How long to wait after a failure of the store. After that, one request of each process tries it.
RETRY_SECONDS = 5
# How often each process deletes the windows that have ended.
PURGE_SECONDS = 600


class Exceeded(NamedTuple):
    """The exceeded rate, and the seconds to wait."""

    rate: Rate
    wait: float


class TooManySignInsError(Exception):
    """A sign-in that is rejected before its password is checked.

    It can be repeated in `wait` seconds.
    """

    def __init__(self, wait: float) -> None:
        self.wait = max(1, ceil(wait))
        super().__init__(f"Try again in {self.wait} seconds")


class Limiter:
    """Count requests in a store, behind a circuit breaker.

    After the store has failed, the circuit is open: requests are not counted, so that a slow or broken store
    doesn't delay all of them.
    """

    def __init__(self, store: Store) -> None:
        self.store = store
        self.is_open = False
        self.open_until = 0.0
        self.purge_at = monotonic() + PURGE_SECONDS
        self.lock = Lock()

    def count(self, limits: Sequence[Limit]) -> Exceeded | None:
        """Count a request, and return the first limit that it exceeds, or None."""
        if self.is_open and not self.may_retry():
            return None
        now = time()
        try:
            if self.purge_is_due():
                self.store.purge(now)
            windows = self.store.count(limits, now)
        except self.store.errors as error:
            self.open_circuit(error)
            return None
        self.is_open = False
        for limit, window in zip(limits, windows, strict=False):
            if window.exceeds(limit):
                return Exceeded(limit.rate, window.ends_at - now)
        return None

    def uncount(self, limit: Limit) -> None:
        """Remove a request that was counted against the limit."""
        if self.is_open:
            return
        try:
            self.store.uncount(limit, time())
        except self.store.errors as error:
            self.open_circuit(error)

    def open_circuit(self, error: Exception) -> None:
        """Open the circuit, and log only the first failure."""
        with self.lock:
            is_first, self.is_open = not self.is_open, True
            self.open_until = monotonic() + RETRY_SECONDS
        if is_first:
            logger.warning("Rate limits are not enforced until their store is available again: %s", error)

    def may_retry(self) -> bool:
        """Return True for one thread, RETRY_SECONDS after each failure."""
        with self.lock:
            if monotonic() < self.open_until:
                return False
            self.open_until = monotonic() + RETRY_SECONDS
            return True

    def purge_is_due(self) -> bool:
        """Return True for one thread every PURGE_SECONDS."""
        if monotonic() < self.purge_at:
            return False
        with self.lock:
            if monotonic() < self.purge_at:
                return False
            self.purge_at = monotonic() + PURGE_SECONDS
            return True


@cache
def get_limiter() -> Limiter:
    """Return the limiter of this process."""
    return Limiter(store_for(connections[DEFAULT_DB_ALIAS].settings_dict))
