"""What is counted, and the rule by which: a window begins with the first request and lasts for one period."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from productive.limits.rates import Rate


class Limit(NamedTuple):
    """A rate and whose it is. `holds`: whoever exceeds it waits for a whole period from then on."""

    key: str
    rate: Rate
    holds: bool = False


class Window(NamedTuple):
    """How often it has happened by now, and the moment (seconds since 1970) when counting begins anew."""

    number: int
    ends_at: float

    def exceeds(self, limit: Limit) -> bool:
        return self.number > limit.rate.limit


def once_more(kept: Window | None, limit: Limit, now: float) -> Window:
    """The window of the limit's key after one more request; `kept` is the one before, if there was any."""
    full, period = limit.rate
    # One that ends too late is from before the clock was set back. Machines may differ by a period.
    if kept is None or not now < kept.ends_at <= now + 2 * period:
        return Window(1, now + period)
    if limit.holds and kept.number == full:
        return Window(full + 1, now + period)
    return Window(kept.number + 1, kept.ends_at)


def count_each(limits: Sequence[Limit], now: float, windows: dict[str, Window]) -> list[Window]:
    """Count one more for each limit up to the first that is exceeded; `windows` are those kept, by key."""
    counted: list[Window] = []
    for limit in limits:
        windows[limit.key] = window = once_more(windows.get(limit.key), limit, now)
        counted.append(window)
        if window.exceeds(limit):
            break
    return counted
