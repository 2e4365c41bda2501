"""Time contenders in turn, so that a busy machine slows all of them alike."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable, Collection, Mapping
from statistics import median
from typing import Any, TypeVar

T = TypeVar("T")

# Noise only adds time: a limit is exceeded only if it is exceeded every time.
TRIES = 5
# How often fast contenders run while a slow one runs once.
TURNS = 5


def timed(call: Callable[[], T]) -> tuple[float, T]:
    """Return the milliseconds of the call, and its result."""
    start = time.perf_counter()
    result = call()
    return (time.perf_counter() - start) * 1000, result


def medians(contenders: Mapping[str, Callable[[], Any]], rounds: int) -> dict[str, float]:
    """Return the median milliseconds of each, after one run that isn't counted."""
    timings: dict[str, list[float]] = {name: [] for name in contenders}
    for call in contenders.values():
        call()
    for _ in range(rounds):
        for name, call in contenders.items():
            timings[name].append(timed(call)[0])
    return {name: median(times) for name, times in timings.items()}


def alternated(
    contenders: Mapping[str, Callable[[], Mapping[str, float]]],
    *,
    seconds: float,
    fewest: int,
    slow: Collection[str] = (),
) -> dict[str, dict[str, float]]:
    """Return for each contender the median of the milliseconds that it returns, by work.

    They run in turn for `seconds` and at least `fewest` rounds, every other round backwards. In a round, slow
    ones run once and the others five times. The first round isn't counted.
    """
    quick = [name for name in contenders if name not in slow]
    order = [*quick * TURNS, *(name for name in contenders if name in slow)]
    timings: dict[str, dict[str, list[float]]] = {name: defaultdict(list) for name in contenders}
    deadline, rounds = 0.0, -1
    while rounds < fewest or time.perf_counter() < deadline:
        for name in order:
            measured = contenders[name]()
            if rounds >= 0:
                for work, milliseconds in measured.items():
                    timings[name][work].append(milliseconds)
        if rounds < 0:
            deadline = time.perf_counter() + seconds
        rounds += 1
        order.reverse()
    return {
        name: {work: median(times) for work, times in of_work.items()} for name, of_work in timings.items()
    }
