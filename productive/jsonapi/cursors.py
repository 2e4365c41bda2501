"""Cursors: the place where a page ended, and the rows after it.

A cursor holds the last row's values in the columns of the order. So nothing before that place is read again,
and the row itself need not be there any more. Only the database compares: its collation says how text is
ordered.
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

from productive.database.owned_rows import compared
from productive.jsonapi.errors import UNKNOWN_CURSOR, ParameterError
from productive.jsonapi.parsers import MAX_ID

# The longest line of a request is little longer, so no link could carry more.
MAX_CURSOR = 8_000
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)


class CursorError(ParameterError):
    """400: a cursor that no link of a list in this order holds."""

    def __init__(self, cursor: str) -> None:
        super().__init__("invalid_page", cursor, "page[after]", detail=UNKNOWN_CURSOR)


@dataclass(frozen=True, slots=True)
class Term:
    """One column of an order. Nulls count as largest, as everywhere in this API."""

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
            return self.is_null(False) if self.descending else Q(pk__in=())
        if self.descending:
            return Q((f"{self.column}__lt", value))
        later = Q((f"{self.column}__gt", value))
        return later | self.is_null() if self.nullable else later


def terms_of(queryset: models.QuerySet[Any, Any]) -> list[Term]:
    """A queryset's order: expressions where the request says it, names where the model does."""
    terms = []
    for key in queryset.query.order_by or queryset.model._meta.ordering or ():
        column, descending = (
            (key.removeprefix("-"), key.startswith("-"))
            if isinstance(key, str)
            else (key.expression.name, key.descending)  # type: ignore[union-attr]
        )
        terms.append(Term.of(queryset.model, column, descending=descending))
    return terms


# --- on the wire ----------------------------------------------------------------------------------


def cursor_at(terms: Sequence[Term], values: Sequence[Any]) -> str:
    """The cursor of the row that has these values."""
    written = [(v - EPOCH) // MICROSECOND if isinstance(v, datetime) else v for v in values]
    return urlsafe_b64encode(orjson.dumps([spelled(terms), *written])).rstrip(b"=").decode()


def values_at(terms: Sequence[Term], cursor: str) -> list[Any]:
    """The values that a cursor holds. Raise CursorError for what `cursor_at` never writes in this order."""
    if len(cursor) > MAX_CURSOR:
        raise CursorError(cursor)
    try:
        match orjson.loads(urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4))):
            case [order, *written] if order == spelled(terms):
                values = [read(term, value) for term, value in zip(terms, written, strict=True)]
            case _:
                raise CursorError(cursor)
    except (ValueError, OverflowError):
        raise CursorError(cursor) from None
    # Base64 and JSON can be spelled in many ways; only one of them was ever given to a client.
    if cursor_at(terms, values) != cursor:
        raise CursorError(cursor)
    return values


def spelled(terms: Sequence[Term]) -> str:
    return ",".join(map(str, terms))


def read(term: Term, value: Any) -> Any:
    """Raise ValueError or OverflowError for what a column of this kind never holds."""
    if value is None and term.nullable:
        return None
    match term.field:
        case models.DateTimeField() if type(value) is int:
            return EPOCH + value * MICROSECOND
        case models.IntegerField() if type(value) is int and abs(value) <= MAX_ID:
            return value
        case models.CharField() | models.TextField() if isinstance(value, str) and "\0" not in value:
            return value
    raise ValueError


# --- in the database ------------------------------------------------------------------------------


def ranges_after(terms: Sequence[Term], values: Sequence[Any]) -> list[Q]:
    """What comes after the values: one range of an index, or two where its first column's nulls are apart.

    Two, the nearer first, are to be asked for one after the other: no database reads both in order at once.
    """
    first, *others = terms
    if values[0] is None:
        nulls = first.is_null() & after(others, values[1:])
        return [nulls, first.is_null(False)] if first.descending else [nulls]
    beyond = after([replace(first, nullable=False), *others], values)
    return [beyond, first.is_null()] if first.nullable and not first.descending else [beyond]


def after(terms: Sequence[Term], values: Sequence[Any]) -> Q:
    """What comes after the values: as one comparison where the order allows, else begun with one."""
    length = comparable(terms, values)
    if length == len(terms):
        return placed(terms, "<" if terms[0].descending else ">", values)
    exactly = one_by_one(terms, values)
    if not length:
        return exactly
    return placed(terms[:length], "<=" if terms[0].descending else ">=", values) & exactly


def comparable(terms: Sequence[Term], values: Sequence[Any]) -> int:
    """How many of the first columns can be compared together: those of one direction, with no null among
    what comes after."""
    for length, (term, value) in enumerate(zip(terms, values, strict=True)):
        no_null = value is not None and (term.descending or not term.nullable)
        if not no_null or term.descending is not terms[0].descending:
            return length
    return len(terms)


def placed(terms: Sequence[Term], operator: str, values: Sequence[Any]) -> Q:
    """The columns of these terms with as many of the values."""
    constants = [Value(value, term.field) for term, value in zip(terms, values, strict=False)]
    return compared([term.column for term in terms], operator, constants)


def one_by_one(terms: Sequence[Term], values: Sequence[Any]) -> Q:
    """a > 1 or (a = 1 and b > 2), for any directions and with nulls."""
    (term, *others), (value, *rest) = terms, values
    later = term.follows(value)
    return later | (term.equals(value) & one_by_one(others, rest)) if others else later
