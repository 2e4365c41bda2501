"""Lookups that compare texts as people do: without case and accents."""

from __future__ import annotations

from collections.abc import Collection
from functools import reduce
from operator import and_, or_
from typing import Any

from django.db.models import CharField, EmailField, Lookup, Q, TextField
from django.db.models.expressions import Col, Expression

from productive.database.functions import AsciiUpper, Fold, FoldedKey
from productive.database.text import fold

# Conditions for no row and for every row. Not Q(), which selects every row also when it is negated.
NO_ROWS = Q(pk__in=())
ALL_ROWS = ~NO_ROWS

EmailField.register_lookup(AsciiUpper, "ascii_upper")


def folded(expression: Any) -> Expression:
    """Return the folded text of an expression: of a name, from its stored sort key."""
    if isinstance(expression, Col):
        field = sort_key_field(expression.target)
        if field is not None:
            return FoldedKey(Col(expression.alias, field, field.output_field))
    return Fold(expression)


def sort_key_field(field: Any) -> Any:
    """Return the field with the sort key of a name, or None."""
    if hasattr(field, "sources"):
        return field
    fields = field.model._meta.concrete_fields
    return next((each for each in fields if getattr(each, "sources", ()) == (field.name,)), None)


@CharField.register_lookup
@TextField.register_lookup
class FoldedContains(Lookup):
    """`name__folded="simic"` finds Šimić: rows that contain the text, as `text.fold` compares."""

    lookup_name = "folded"
    pattern, position = "%{}%", "> 0"

    def get_prep_lookup(self) -> str:
        return fold(str(self.rhs))

    def as_sql(self, compiler: Any, connection: Any) -> Any:
        """Compare with instr(), because SQLite limits the length of a pattern."""
        sql, params = compiler.compile(folded(self.lhs))
        return f"instr({sql}, %s) {self.position}", [*params, self.rhs]

    def as_postgresql(self, compiler: Any, connection: Any) -> Any:
        sql, params = compiler.compile(folded(self.lhs))
        return f"{sql} LIKE %s", [*params, self.pattern.format(connection.ops.prep_for_like_query(self.rhs))]


@CharField.register_lookup
@TextField.register_lookup
class FoldedStart(FoldedContains):
    """The text starts with the value."""

    lookup_name = "folded_startswith"
    pattern, position = "{}%", "= 1"


def searched_columns(model: Any, names: Collection[str]) -> list[str]:
    """Return the columns to search for these fields: for several parts of a name, its one sort key.

    The models of the history have no sort keys.
    """
    fields = model._meta.concrete_fields
    keys = {source: each.name for each in fields for source in getattr(each, "sources", ())}
    return list(dict.fromkeys(keys.get(name, name) for name in names))


def has_words(names: Collection[str], words: Collection[str]) -> Q:
    """Return the condition for rows that have each word in one of these columns."""
    return reduce(and_, (reduce(or_, (Q((f"{name}__folded", word)) for name in names)) for word in words))
