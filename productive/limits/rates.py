"""Parse rates: `100/10s` is 100 requests in 10 seconds."""

from __future__ import annotations

import re
from typing import NamedTuple

from django.core.exceptions import ImproperlyConfigured

UNIT_SECONDS = {"s": 1, "min": 60, "h": 3600}
RATE = re.compile(r"([1-9][0-9]{0,8})/([1-9][0-9]{0,4})?(s|min|h)", re.ASCII)
OFF = ("", "off")


class Rate(NamedTuple):
    """At most `limit` requests in `period` seconds."""

    limit: int
    period: int


def parse_rate(setting: str, text: str) -> Rate | None:
    """Return the rate of a setting, or None if it is off.

    Raise ImproperlyConfigured, with the name of the setting, if the text is not a rate.
    """
    text = text.strip().lower()
    if text in OFF:
        return None
    match = RATE.fullmatch(text)
    if match is None:
        raise ImproperlyConfigured(
            f"{setting} must be a number of requests and a time in s, min or h, such as 100/10s, or off"
        )
    limit, times, unit = match.groups()
    return Rate(int(limit), int(times or 1) * UNIT_SECONDS[unit])
