"""Filters by dates and times, which can be compared."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, time, timedelta
from typing import Any

import django_filters
from django import forms
from django.core.exceptions import ValidationError
from django.db.models import Q
from django.db.models.constants import LOOKUP_SEP

from productive.database.validators import FIRST_DAY, LAST_DAY
from productive.jsonapi.filter_operations import NUMBER_OPERATIONS, OperationFilter
from productive.jsonapi.parsers import parse_day

LOOKUPS = {"eq": "exact", **NUMBER_OPERATIONS}


def parse_time(text: str) -> datetime | None:
    """Return a time as in an attribute, or None. Without an offset, it has no time zone."""
    if parse_day(text[:10]) is None:
        return None
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        return None


class DayField(forms.Field):
    """Accept YYYY-MM-DD."""

    parsers: tuple[Callable[[str], Any], ...] = (parse_day,)

    def to_python(self, value: Any) -> Any:
        found = next(filter(None, (parse(value) for parse in self.parsers)), None)
        if (
            found is None
            or not FIRST_DAY <= (found.date() if isinstance(found, datetime) else found) <= LAST_DAY
        ):
            raise ValidationError("is invalid", code="invalid")
        return found


class TimeField(DayField):
    """Accept YYYY-MM-DD, or a time as in an attribute."""

    parsers = (parse_day, parse_time)


class DateFilter(OperationFilter, django_filters.Filter):
    """Filter by a date."""

    field_class = DayField
    operations = LOOKUPS
    takes_one_value = True
    value_schema = {"type": "string", "format": "date"}


class TimeFilter(DateFilter):
    """Filter by a time, or by a day in the organization's time zone."""

    field_class = TimeField

    def condition(self, operation: str, values: list[Any]) -> Q:
        (value,) = values
        zone = self.parent.request.auth.organization.zone
        if isinstance(value, datetime):
            value = value if value.tzinfo else value.replace(tzinfo=zone)
            return Q(**{f"{self.field_name}{LOOKUP_SEP}{LOOKUPS[operation]}": value})
        start, end = (datetime.combine(day, time(), zone) for day in (value, value + timedelta(days=1)))
        from_start, from_end = (Q(**{f"{self.field_name}__gte": moment}) for moment in (start, end))
        before_start, before_end = (Q(**{f"{self.field_name}__lt": moment}) for moment in (start, end))
        by_operation = {"gt": from_end, "gt_eq": from_start, "lt": before_start, "lt_eq": before_end}
        return by_operation.get(operation, from_start & before_end)


class TimeBoundFilter(TimeFilter):
    """Filter by the first or the last time, or day in the organization's time zone."""

    operations = {"eq": "exact"}
    can_be_negated = False

    def __init__(self, field_name: str, bound: str) -> None:
        super().__init__(field_name)
        self.bound = bound

    def condition(self, operation: str, values: list[Any]) -> Q:
        return super().condition(self.bound, values)


class OpenRangeFilter(DateFilter):
    """Filter by a date that is not set, or that is compared by `lookup`."""

    operations = {"eq": "exact"}
    can_be_negated = False

    def __init__(self, field_name: str, lookup: str) -> None:
        super().__init__(field_name)
        self.open_lookup = lookup

    def condition(self, operation: str, values: list[Any]) -> Q:
        (value,) = values
        return Q((self.field_name, None)) | Q((f"{self.field_name}{LOOKUP_SEP}{self.open_lookup}", value))
