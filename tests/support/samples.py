"""Set the amount of generated input: a fixed sample in `make test`, far more in `make fuzz`.

On PostgreSQL, where `make test` repeats tests, half as many values are sampled.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import TypeVar

from django.db import connection
from hypothesis import HealthCheck, settings

T = TypeVar("T")

# Set by `make fuzz`.
FUZZ = bool(os.environ.get("FUZZ"))
# So many times fewer values are sampled than on SQLite.
SMALLER = 2 if connection.vendor == "postgresql" else 1


def sampled(values: Iterable[T], at: int = 0, *, share: int = 4) -> list[T]:
    """Return every fourth value (or another share), from the one at `at`; in `make fuzz`, all of them.

    With a different `at` for each model, `make test` uses each value for some models.
    """
    values, share = list(values), share * SMALLER
    return values if FUZZ else values[at % share :: share]


def fuzz_settings(examples: int) -> settings:
    """Return settings: the same examples each time, or thirty times as many new ones in `make fuzz`."""
    return settings(
        max_examples=examples * 30 if FUZZ else examples,
        deadline=None,
        derandomize=not FUZZ,
        print_blob=FUZZ,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
