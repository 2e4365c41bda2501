"""Read a day as people write it, without guessing which of two days is meant.

Django's date fields try a list of formats and take the first that fits: 03/04/2026 is read without a warning.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from datetime import date
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.utils import formats

MONTH_NAMES = [
    "january", "february", "march", "april", "may", "june",
    "july", "august", "september", "october", "november", "december",
]  # fmt: skip
FIGURES = re.compile(r"([0-9]{1,4}) ?([./\- ]) ?([0-9]{1,2}) ?\2 ?([0-9]{1,4})\.?", re.ASCII)
DAY_AND_WORD = re.compile(r"([0-9]{1,2})(?:st|nd|rd|th)?[ .\-/]*([a-z]+)[ .,\-/]*([0-9]{4}|[0-9]{2})")
WORD_AND_DAY = re.compile(r"([a-z]+)[ .]*([0-9]{1,2})(?:st|nd|rd|th)?[ ,.]+([0-9]{4})")

# How the organization writes a day in figures; "" is year first.
_order: ContextVar[str] = ContextVar("day_order", default="")


@contextmanager
def override_day_order(order: str) -> Iterator[None]:
    """Read days in this order: "dmy", "mdy", or "" to reject what can be read in two ways."""
    token = _order.set(order)
    try:
        yield
    finally:
        _order.reset(token)


def readings(text: str) -> dict[str, date]:
    """Return the days that a text can mean, by the order of its figures. Several orders can give one day.

    A year of two digits is from 1969 to 2068, as in POSIX.
    """
    text = " ".join(unicodedata.normalize("NFKC", text).casefold().split())
    if found := DAY_AND_WORD.fullmatch(text):
        return valid_days({"dmy": (found[3], month_of(found[2]), found[1])})
    if found := WORD_AND_DAY.fullmatch(text):
        return valid_days({"mdy": (found[3], month_of(found[1]), found[2])})
    if not (found := FIGURES.fullmatch(text)):
        return {}
    first, middle, last = found[1], found[3], found[4]
    by_order = {"dmy": (last, middle, first), "mdy": (last, first, middle), "ymd": (first, middle, last)}
    return valid_days({order: parts for order, parts in by_order.items() if len(parts[0]) in (2, 4)})


def valid_days(parts: dict[str, tuple[str, str, str]]) -> dict[str, date]:
    found = {}
    for order, (year, month, day) in parts.items():
        number = int(year)
        if len(year) == 2:
            number += 2000 if number < 69 else 1900
        if max(len(month), len(day)) <= 2:
            with suppress(ValueError):  # no such day
                found[order] = date(number, int(month), int(day))
    return found


def month_of(word: str) -> str:
    """Return the number of the month with this English name or abbreviation, or 0."""
    matching = [number for number, name in enumerate(MONTH_NAMES, start=1) if name.startswith(word)]
    return str(matching[0]) if len(word) >= 3 and matching else "0"


def parse_local_day(text: str, order: str | None = None) -> date:
    """Return the day, or raise ValidationError if the text is no day or can mean several.

    `order` is "dmy" or "mdy", by default that of the request's organization. It decides between readings.
    """
    found = readings(text)
    chosen = found.get(_order.get() if order is None else order)
    days = [chosen] if chosen else sorted({*found.values()})
    if not days:
        raise ValidationError(LocalDayField.default_error_messages["invalid"], code="invalid")
    if len(days) > 1:
        meant = " or ".join(formats.date_format(day) for day in days)
        choices = " or ".join(day.isoformat() for day in days)
        raise ValidationError(f"“{text}” can mean {meant}. Enter {choices}.", code="ambiguous")
    return days[0]


class LocalDayField(forms.DateField):
    """A field for a day, as the organization writes it."""

    default_error_messages = {"invalid": "Enter a valid date. Examples: 2026-12-31, 31 Dec 2026."}

    def to_python(self, value: Any) -> date | None:
        if isinstance(value, str) and value.strip():
            return parse_local_day(value.strip())
        return super().to_python(value)


class DayTimeField(forms.SplitDateTimeField):
    """Two fields for a day and a time."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.fields = (LocalDayField(required=False, disabled=self.disabled), self.fields[1])
        self.fields[0].error_messages.setdefault("incomplete", self.error_messages["incomplete"])
