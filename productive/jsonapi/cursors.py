"""Read and write cursors, and select the rows after a cursor.

A cursor has the values of the last row of a page, in the columns of the order. So the rows before it aren't
read again, and it stays valid if the row is deleted. The database compares the values by its own collation.
"""

from __future__ import annotations

from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson
from django.db import models
from django.db.models import Q, Value

from productive.database.lookups import NO_ROWS
from productive.database.owned_rows import compared
from productive.jsonapi.errors import ParameterError
from productive.jsonapi.parsers import MAX_ID, parse_day

# A longer cursor wouldn't fit into a request line (see `limit_request_line`).
MAX_CURSOR = 8_000
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)


class CursorError(ParameterError):
    """400: not a cursor of a list in this order."""

    def __init__(self, cursor: str) -> None:
        super().__init__("keyset_invalid_cursor", cursor, "page[after]")


@dataclass(frozen=True, slots=True)
class Term:
    """A column of an order. Nulls are the largest values in this API."""

    column: str
    field: models.Field[Any, Any]
    descending: bool
    nullable: bool

    @classmethod
    def of(cls, model: type[models.Model], column: str, *, descending: bool = False) -> Term:
        field: Any = model._meta.get_field(column)
        return cls(column, field, descending, field.null)

    def __str__(self) -> str:
        return f"-{self.column}" if self.descending else self.column

    def is_null(self, null: bool = True) -> Q:
        return Q((f"{self.column}__isnull", null))

    def equals(self, value: Any) -> Q:
        return self.is_null() if value is None else Q((self.column, value))

    def follows(self, value: Any) -> Q:
        if value is None:
            return self.is_null(False) if self.descending else NO_ROWS
        if self.descending:
            return Q((f"{self.column}__lt", value))
        later = Q((f"{self.column}__gt", value))
        return later | self.is_null() if self.nullable else later


def terms_of(queryset: models.QuerySet[Any, Any]) -> list[Term]:
    """Return the order of the queryset, or else the model's ordering."""
    terms = []
    for key in queryset.query.order_by or queryset.model._meta.ordering or ():
        column, descending = (
            (key.removeprefix("-"), key.startswith("-"))
            if isinstance(key, str)
            else (key.expression.name, key.descending)  # type: ignore[union-attr]
        )
        field: Any = column_field(queryset, column)
        terms.append(Term(column, field, descending, is_nullable(queryset, column)))
    return terms


def column_field(queryset: models.QuerySet[Any, Any], column: str) -> Any:
    """Return the model's field, or that of an annotation, by which the queryset is sorted."""
    annotation = queryset.query.annotations.get(column)
    field: Any = queryset.model._meta.get_field(column) if annotation is None else annotation.output_field
    # A generated column has the type of its expression.
    return field.output_field if field.generated else field


def is_nullable(queryset: models.QuerySet[Any, Any], column: str) -> bool:
    """Return whether the column can be null; an annotation can."""
    return column in queryset.query.annotations or queryset.model._meta.get_field(column).null


# --- Reading and writing --------------------------------------------------------------------------


def cursor_at(terms: Sequence[Term], values: Sequence[Any]) -> str:
    """Return the cursor of a row with these values."""
    written = [(v - EPOCH) // MICROSECOND if isinstance(v, datetime) else v for v in values]
    return urlsafe_b64encode(orjson.dumps([order_of(terms), *written])).rstrip(b"=").decode()


def values_at(terms: Sequence[Term], cursor: str) -> list[Any]:
    """Return the values of a cursor, or raise CursorError."""
    if len(cursor) > MAX_CURSOR:
        raise CursorError(cursor)
    try:
        match orjson.loads(urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4))):
            case [order, *written] if order == order_of(terms):
                values = [parse_value(term, value) for term, value in zip(terms, written, strict=True)]
            case _:
                raise CursorError(cursor)
    except (ValueError, OverflowError):
        raise CursorError(cursor) from None
    # Base64 and JSON allow many spellings of the same values; `cursor_at` writes only one.
    if cursor_at(terms, values) != cursor:
        raise CursorError(cursor)
    return values


def order_of(terms: Sequence[Term]) -> str:
    return ",".join(map(str, terms))


def parse_value(term: Term, value: Any) -> Any:
    """Return the value of a column, or raise ValueError or OverflowError."""
    if value is None and term.nullable:
        return None
    match term.field:
        case models.DateTimeField():  # Also a DateField.
            if type(value) is int:
                return EPOCH + value * MICROSECOND
        case models.DateField() if (day := parse_day(value)) is not None:
            return day
        case models.IntegerField() if type(value) is int and abs(value) <= MAX_ID:
            return value
        case models.CharField() | models.TextField() if isinstance(value, str) and "\0" not in value:
            return value
    raise ValueError


# --- Selecting ------------------------------------------------------------------------------------


def ranges_after(terms: Sequence[Term], values: Sequence[Any]) -> list[Q]:
    """Return conditions for the rows after the values, one for each range.

    If the first column is nullable, there may be two ranges: nulls and other values. They need two queries,
    in this order, because no database uses an index for both in one query.
    """
    first, *others = terms
    if values[0] is None:
        nulls = first.is_null() & rows_after(others, values[1:])
        return [nulls, first.is_null(False)] if first.descending else [nulls]
    beyond = rows_after([replace(first, nullable=False), *others], values)
    return [beyond, first.is_null()] if first.nullable and not first.descending else [beyond]


def rows_after(terms: Sequence[Term], values: Sequence[Any]) -> Q:
    """Return a condition for the rows after the values."""
    # A comparison of tuples can use an index.
    length = comparable_length(terms, values)
    if length == len(terms):
        return comparison(terms, "<" if terms[0].descending else ">", values)
    exactly = one_by_one(terms, values)
    if not length:
        return exactly
    return comparison(terms[:length], "<=" if terms[0].descending else ">=", values) & exactly


def comparable_length(terms: Sequence[Term], values: Sequence[Any]) -> int:
    """Return how many of the first columns can be compared as tuples.

    They have the same direction, and no null comes after their values.
    """
    for length, (term, value) in enumerate(zip(terms, values, strict=True)):
        no_null = value is not None and (term.descending or not term.nullable)
        if not no_null or term.descending is not terms[0].descending:
            return length
    return len(terms)


def comparison(terms: Sequence[Term], operator: str, values: Sequence[Any]) -> Q:
    """Compare the columns of the terms with the values, as tuples."""
    constants = [Value(value, term.field) for term, value in zip(terms, values, strict=False)]
    return compared([term.column for term in terms], operator, constants)


def one_by_one(terms: Sequence[Term], values: Sequence[Any]) -> Q:
    """Return a > 1 or (a = 1 and b > 2), in any direction and with nulls."""
    (term, *others), (value, *rest) = terms, values
    later = term.follows(value)
    return later | (term.equals(value) & one_by_one(others, rest)) if others else later
