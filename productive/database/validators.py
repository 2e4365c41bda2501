"""Validators of model fields."""

from __future__ import annotations

from datetime import date
from typing import Any

from django.core.exceptions import ValidationError

MAX_JSON_DEPTH = 64
# Times at other days overflow in some time zones.
FIRST_DAY, LAST_DAY = date(1, 1, 3), date(9999, 12, 28)


def validate_portable_json(value: Any) -> None:
    """Raise ValidationError for JSON that can't be stored or serialized.

    PostgreSQL rejects NUL and NaN, and returns 1e20 as an integer. orjson only supports 64-bit integers and
    valid Unicode, and limits the depth.
    """
    level = [value]
    for _ in range(MAX_JSON_DEPTH):
        children: list[Any] = []
        for item in level:
            if isinstance(item, dict):
                children += [*item.keys(), *item.values()]
            elif isinstance(item, list):
                children += item
            elif not is_portable(item):
                raise ValidationError("attribute is invalid", code="invalid")
        if not children:
            return
        level = children
    raise ValidationError("attribute is invalid", code="invalid")


def is_portable(item: Any) -> bool:
    if isinstance(item, str):
        return "\0" not in item and not any("\ud800" <= character <= "\udfff" for character in item)
    if isinstance(item, int | float) and not isinstance(item, bool):
        return -(2**63) <= item < 2**64
    return True
