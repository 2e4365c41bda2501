"""Timings as ratios: contenders run in turn, so that a busy machine slows all of them alike."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable, Collection, Mapping
from statistics import median
from typing import Any, TypeVar

T = TypeVar("T")

# Noise only ever adds; a promise is broken when it is broken every time.
TRIES = 5
# How often the quick ones run while a slow one runs once.
TURNS = 5


def timed(call: Callable[[], T]) -> tuple[float, T]:
    """Milliseconds that it took, and what it returned."""
    start = time.perf_counter()
    result = call()
    return (time.perf_counter() - start) * 1000, result


def medians(contenders: Mapping[str, Callable[[], Any]], rounds: int) -> dict[str, float]:
    """Milliseconds that each took, after one run that isn't counted."""
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
    """For each contender the medians of the milliseconds that it tells, by what it tells them for.

    They run in turn for so many seconds and at least the `fewest` rounds, every other round backwards; in a
    round the slow ones run once, the others five times. One round before isn't counted.
    """
    quick = [name for name in contenders if name not in slow]
    order = [*quick * TURNS, *(name for name in contenders if name in slow)]
    timings: dict[str, dict[str, list[float]]] = {name: defaultdict(list) for name in contenders}
    deadline, rounds = 0.0, -1
    while rounds < fewest or time.perf_counter() < deadline:
        for name in order:
            told = contenders[name]()
            if rounds >= 0:
                for work, milliseconds in told.items():
                    timings[name][work].append(milliseconds)
        if rounds < 0:
            deadline = time.perf_counter() + seconds
        rounds += 1
        order.reverse()
    return {
        name: {work: median(times) for work, times in of_work.items()} for name, of_work in timings.items()
    }
