"""An organization's rows in the order of their ids, read along the index that has them so."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any, NamedTuple, TypeVar

from django.db import connections, models
from django.db.models import F, Func, Q, Value
from django.db.models.expressions import OrderBy
from django.db.models.lookups import Exact, In
from django.db.models.sql.where import WhereNode

AnyQuerySet = TypeVar("AnyQuerySet", bound=models.QuerySet[Any, Any])


class Whole(NamedTuple):
    """That a list is all rows of these organizations, or of all where None, and no others."""

    organizations: list[int] | None


def whole(queryset: models.QuerySet[Any, Any]) -> Whole | None:
    """Whose rows the queryset has, in whatever order and columns; None where it has but some of anybody's."""
    query = queryset.query
    narrowed = (
        query.distinct or query.combinator or query.is_sliced or query.is_empty() or query.where.negated
    )
    if narrowed or query.group_by is not None or query.annotations or query.extra:
        return None
    if not query.where.children:
        return Whole(None)
    lookup, *others = query.where.children
    target = getattr(getattr(lookup, "lhs", None), "target", None)
    model: Any = queryset.model
    if others or target is None or target is not owner_of(model):
        return None
    if isinstance(lookup, Exact) and isinstance(lookup.rhs, int):
        return Whole([lookup.rhs])
    if isinstance(lookup, In) and isinstance(lookup.rhs, list):
        return Whole(lookup.rhs)
    return None


@cache
def owner_of(model: Any) -> models.Field[Any, Any] | None:
    return next((field for field in model._meta.concrete_fields if field.name == "organization"), None)


def direction(queryset: models.QuerySet[Any, Any]) -> int:
    """1 where the rows come by id, -1 where the newest comes first, 0 where they are in another order."""
    query = queryset.query
    first = next(iter(query.order_by or queryset.model._meta.ordering), None)
    if isinstance(first, OrderBy):
        first = ("-" if first.descending else "") + getattr(first.expression, "name", "")
    step = {"id": 1, "pk": 1, "-id": -1, "-pk": -1}.get(str(first), 0)
    return step if query.standard_ordering else -step


def along(queryset: AnyQuerySet, start: int | None = None) -> AnyQuerySet:
    """A queryset that comes by id, either way: the same rows in the same order, from the id `start` on.

    PostgreSQL may believe that an organization's rows are everywhere in the table, and walk through everybody
    else's to find the first of them. It may not where the order itself begins with the organization; and it
    sees that, as one organization has but one, unless the one is written as a range.
    """
    step, rows = direction(queryset), whole(queryset)
    organizations = rows.organizations if rows else None
    if organizations is None or len(organizations) != 1 or connections[queryset.db].vendor != "postgresql":
        return queryset if start is None else queryset.filter((f"pk__{'gte' if step > 0 else 'lte'}", start))
    (organization,) = organizations
    found = queryset.all()
    # Its only condition, and its order, are written anew.
    found.query.where = WhereNode()
    found.query.standard_ordering = True
    found = found.filter(organization__gte=organization, organization__lte=organization)
    columns = ("organization_id", "id")
    found = found.order_by(*(column if step > 0 else f"-{column}" for column in columns))
    if start is None:
        return found
    return found.filter(compared(columns, ">=" if step > 0 else "<=", (Value(organization), Value(start))))


def compared(columns: Sequence[str], operator: str, values: Sequence[Value]) -> Q:
    """(a, b) > (1, 2): where the columns are those of an index, that is one place in it."""
    return Q(
        Func(
            Func(*map(F, columns), template="(%(expressions)s)"),
            Func(*values, template="(%(expressions)s)"),
            template="%(expressions)s",
            arg_joiner=f" {operator} ",
            output_field=models.BooleanField(),
        )
    )
