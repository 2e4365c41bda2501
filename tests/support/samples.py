"""How much tests of generated input try: a fixed sample in `make test`, far more in `make fuzz`."""

from __future__ import annotations

import os

from hypothesis import HealthCheck, settings

# Set by `make fuzz`.
FUZZ = bool(os.environ.get("FUZZ"))


def tried(examples: int) -> settings:
    """Return settings: the same examples each time, or ten times as many new ones in `make fuzz`."""
    return settings(
        max_examples=examples * 10 if FUZZ else examples,
        deadline=None,
        derandomize=not FUZZ,
        print_blob=FUZZ,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
