"""Serializer fields, which are stricter than those of DRF, and have this API's messages."""

from __future__ import annotations

import re
from datetime import date
from functools import cache
from math import isfinite
from typing import Any

from django.core.exceptions import ValidationError as ModelValidationError
from django.utils.functional import Promise
from rest_framework import fields
from rest_framework.exceptions import ValidationError

from productive.database.fields import MAX_TAGS
from productive.database.text import clean_line
from productive.jsonapi.errors import FIELD_MESSAGES, INVALID
from productive.jsonapi.parsers import parse_day, parse_id

# A number as a string. `int()` also accepts " 1", "1_0" and digits of other scripts.
INTEGER, NUMBER = r"-?[0-9]{1,18}(\.0*)?", r"-?[0-9]{1,15}(\.[0-9]{1,15})?"


class CharField(fields.CharField):
    """Accept strings only: DRF's field also accepts numbers."""

    def to_internal_value(self, data: Any) -> str:
        if not isinstance(data, str):
            self.fail("invalid")
        return super().to_internal_value(data)


class CleanedCharField(CharField):
    """Remove invisible characters; a text of nothing else is blank."""

    def run_validation(self, data: Any = fields.empty) -> Any:
        return super().run_validation(clean_line(data) if isinstance(data, str) else data)


class UniqueEmailField(CleanedCharField, fields.EmailField):
    """Store a blank address as null, because addresses are unique."""

    def run_validation(self, data: Any = fields.empty) -> Any:
        is_blank = isinstance(data, str) and not clean_line(data)
        return super().run_validation(None if is_blank and self.allow_null else data)


class DateField(fields.DateField):
    """Accept YYYY-MM-DD only."""

    def to_internal_value(self, data: Any) -> date:
        day = parse_day(data)
        if day is None:
            raise ValidationError(INVALID)
        return day


class BooleanField(fields.BooleanField):
    """Accept true and false only, not the values of HTML forms."""

    def to_internal_value(self, data: Any) -> bool:
        if not isinstance(data, bool):
            self.fail("invalid")
        return data


class IdField(fields.IntegerField):
    """Accept the id of another record as a number or as a string."""

    def to_internal_value(self, data: Any) -> int:
        number = parse_id(str(data) if type(data) is int else data)
        if number is None:
            self.fail("invalid")
        return number


class IntegerField(fields.IntegerField):
    """Accept integers, also as strings: clients send "100000.0"."""

    def to_internal_value(self, data: Any) -> int:
        if isinstance(data, bool) or (isinstance(data, str) and not re.fullmatch(INTEGER, data)):
            self.fail("invalid")
        return super().to_internal_value(data)


class FloatField(fields.FloatField):
    """Accept finite numbers, also as strings."""

    def to_internal_value(self, data: Any) -> float:
        if isinstance(data, bool) or (isinstance(data, str) and not re.fullmatch(NUMBER, data)):
            self.fail("invalid")
        number = super().to_internal_value(data)
        if not isfinite(number):
            self.fail("invalid")
        return number


class TagListField(fields.ListField):
    """Accept a list of tags, or a string with commas between them."""

    child = CharField()

    def __init__(self, *, encoder: Any = None, decoder: Any = None, **kwargs: Any) -> None:
        # DRF passes the encoder and the decoder of each JSONField.
        super().__init__(max_length=MAX_TAGS, **kwargs)

    def to_internal_value(self, data: Any) -> list[str]:
        if isinstance(data, str):
            data = [tag for part in data.split(",") if (tag := part.strip())]
        return super().to_internal_value(data)


class FieldValidator:
    """Run a validator of a model field, but replace Django's own messages."""

    def __init__(self, validator: Any) -> None:
        self.validator = validator
        self.requires_context = getattr(validator, "requires_context", False)

    def __call__(self, *args: Any) -> None:
        try:
            self.validator(*args)
        except ModelValidationError as error:
            # Only Django's own messages are translatable.
            if any(isinstance(each.message, Promise) for each in getattr(error, "error_list", ())):
                raise ValidationError(INVALID) from None
            raise


@cache
def error_messages(field_class: type[fields.Field]) -> dict[str, str]:
    """Return this API's messages for all error codes of a field class."""
    codes = [code for each in field_class.__mro__ for code in getattr(each, "default_error_messages", ())]
    return {**dict.fromkeys(codes, INVALID), **FIELD_MESSAGES}
