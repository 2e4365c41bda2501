"""Querysets that record whether they select all rows of organizations.

The number of these rows is stored (`row_counts`), and an index has them in the order of their ids. A queryset
with any other filter has no `owned_rows`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple, Self, TypeVar

from django.db import connections, models
from django.db.models import F, Func, Q, Value
from django.db.models.expressions import OrderBy

from productive.database.recorded import M_co, RecordedQuerySet

QS = TypeVar("QS", bound=models.QuerySet[Any, Any])


class OwnedRows(NamedTuple):
    """All rows of these organizations; None means all organizations."""

    organizations: list[int] | None
    ordering: tuple[Any, ...]

    @property
    def direction(self) -> int:
        """Return 1 if ordered by ascending id, -1 if descending, else 0."""
        first = self.ordering[0] if self.ordering else None
        if isinstance(first, OrderBy):
            first = ("-" if first.descending else "") + getattr(first.expression, "name", "")
        return {"id": 1, "pk": 1, "-id": -1, "-pk": -1}.get(str(first), 0)


class OwnedRowsQuerySet(RecordedQuerySet[M_co]):
    """Keep `owned_rows` through the methods below, and drop it in all others.

    A new queryset selects every row. Since clones have no `owned_rows`, a method that is missing here only
    costs speed. Code that changes `query` in place is not supported.
    """

    owned_rows: OwnedRows | None = None

    def __init__(self, model: Any = None, query: Any = None, using: Any = None, hints: Any = None) -> None:
        super().__init__(model, query, using, hints)
        if query is None and model is not None:
            self.owned_rows = OwnedRows(None, tuple(model._meta.ordering))

    def filter_organizations(self, ids: list[int], **lookup: Any) -> Self:
        """Filter by a lookup that selects all rows of these organizations."""
        rows = self.filter(**lookup)
        if self.owned_rows and self.owned_rows.organizations is None:
            rows.owned_rows = self.owned_rows._replace(organizations=ids)
        return rows

    def all(self) -> Self:
        return self._carry(super().all())

    def filter(self, *args: Any, **kwargs: Any) -> Self:
        rows = super().filter(*args, **kwargs)
        # The change lists of the admin always filter, at least by an empty Q().
        return rows if any(args) or kwargs else self._carry(rows)

    def select_related(self, *fields: Any) -> Self:
        return self._carry(super().select_related(*fields))

    def order_by(self, *field_names: Any) -> Self:
        rows = self._carry(super().order_by(*field_names))
        if rows.owned_rows:
            rows.owned_rows = rows.owned_rows._replace(ordering=field_names)
        return rows

    def _carry(self, rows: Self) -> Self:
        rows.owned_rows = self.owned_rows
        return rows


def owned_rows(queryset: models.QuerySet[Any, Any]) -> OwnedRows | None:
    """Return the organizations whose rows are all selected, if known."""
    return getattr(queryset, "owned_rows", None)


def scan_by_id(queryset: QS, direction: int, after: int | None = None) -> QS:
    """Return the rows after the id `after`, in the order of their ids.

    `direction` is 1 or -1, as in `OwnedRows`.

    PostgreSQL may assume that the rows of one organization are spread over the whole table, and search them
    in the rows of all organizations. It uses the index (organization, id) if the order begins with the
    organization; but it drops a column that equals one value from the order, so the condition is a range.
    """
    rows = owned_rows(queryset)
    organizations = rows.organizations if rows else None
    if organizations is None or len(organizations) != 1 or connections[queryset.db].vendor != "postgresql":
        if after is None:
            return queryset
        return queryset.filter((f"pk__{'gt' if direction > 0 else 'lt'}", after))
    (organization,) = organizations
    model: Any = queryset.model
    columns = ("organization_id", "id")
    found = model._default_manager.using(queryset.db).filter(
        organization__gte=organization, organization__lte=organization
    )
    found = found.order_by(*(column if direction > 0 else f"-{column}" for column in columns))
    if after is not None:
        # Django sends an untyped integer as one of 32 bits.
        values = [Value(value, models.BigIntegerField()) for value in (organization, after)]
        found = found.filter(compared(columns, ">" if direction > 0 else "<", values))
    return found


def compared(columns: Sequence[str], operator: str, values: Sequence[Value | F]) -> Q:
    """Return a condition such as (a, b) > (1, 2), which can use an index."""
    return Q(
        Func(
            Func(*map(F, columns), template="(%(expressions)s)"),
            Func(*values, template="(%(expressions)s)"),
            template="%(expressions)s",
            arg_joiner=f" {operator} ",
            output_field=models.BooleanField(),
        )
    )
