"""How often something may happen: `100/10s` is a hundred times in ten seconds."""

from __future__ import annotations

import re
from typing import NamedTuple

from django.core.exceptions import ImproperlyConfigured

SECONDS = {"s": 1, "min": 60, "h": 3600}
RATE = re.compile(r"([1-9][0-9]{0,8})/([1-9][0-9]{0,4})?(s|min|h)", re.ASCII)
OFF = ("", "off")


class Rate(NamedTuple):
    """At most `limit` times in `period` seconds."""

    limit: int
    period: int


def rate(setting: str, text: str) -> Rate | None:
    """What the text of a setting says; None where it is off. Raise ImproperlyConfigured for nonsense."""
    text = text.strip().lower()
    if text in OFF:
        return None
    match = RATE.fullmatch(text)
    if match is None:
        raise ImproperlyConfigured(
            f"{setting} must be a number of requests and a time in s, min or h, such as 100/10s, or off"
        )
    number, times, unit = match.groups()
    return Rate(int(number), int(times or 1) * SECONDS[unit])
