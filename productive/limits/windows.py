"""Define how requests are counted: in fixed windows of one period.

A window begins with its first request. `count_request` is the rule; PostgreSQLStore repeats it in SQL.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from productive.limits.rates import Rate


class Limit(NamedTuple):
    """A rate, and the key whose requests it limits.

    With `lockout`, the request that exceeds the limit starts a new window, so the client is rejected for a
    whole period from then on.
    """

    key: str
    rate: Rate
    lockout: bool = False


class Window(NamedTuple):
    """The number of requests, and the Unix timestamp at which it ends."""

    number: int
    ends_at: float

    def exceeds(self, limit: Limit) -> bool:
        return self.number > limit.rate.limit


def next_window(window: Window | None, limit: Limit, now: float) -> Window:
    """Return the window after one more request.

    `window` is the current one, if there is one.
    """
    maximum, period = limit.rate
    # If a window ends later than that, the clock was set back. The clocks of two machines may differ by up
    # to a period.
    if window is None or not now < window.ends_at <= now + 2 * period:
        return Window(1, now + period)
    if limit.lockout and window.number == maximum:
        return Window(maximum + 1, now + period)
    return Window(window.number + 1, window.ends_at)


def count_request(limits: Sequence[Limit], now: float, windows: dict[str, Window]) -> list[Window]:
    """Count a request up to the first limit it exceeds; return the windows.

    `windows` has the current windows by key, and is updated.
    """
    counted: list[Window] = []
    for limit in limits:
        windows[limit.key] = window = next_window(windows.get(limit.key), limit, now)
        counted.append(window)
        if window.exceeds(limit):
            break
    return counted
