"""What `manage.py check` says of the limits."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django.conf import settings
from django.core import checks

from productive.limits.stores import IN_PROCESS


def counts_are_shared(**kwargs: Any) -> Iterable[checks.CheckMessage]:
    if settings.CACHE_URL != IN_PROCESS:
        return []
    return [
        checks.Warning(
            f"CACHE_URL={IN_PROCESS} counts requests in each process on its own: with several, the limits "
            "are as many times as high.",
            hint="Leave CACHE_URL empty to count beside the database, or set it to the address of a Redis.",
            id="productive.W001",
        )
    ]
