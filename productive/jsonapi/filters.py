"""Filters: `filter[name]=…`, `filter[name][operation]=…`, with lists in all three spellings; and sorting.

A room declares a filter in one line. Each takes the operations that make sense for its type; an unknown
filter, operation, value or sort is refused, never ignored.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import reduce
from inspect import getdoc
from operator import or_
from typing import Any, NamedTuple

import django_filters
from django import forms
from django.db import models
from django.db.models import F, Q
from django.db.models.expressions import OrderBy
from django.http import QueryDict
from rest_framework.filters import BaseFilterBackend
from rest_framework.request import Request

from productive.database.moments import Moment
from productive.jsonapi.errors import ParameterError
from productive.jsonapi.parameters import only_value
from productive.jsonapi.parsers import MAX_ID, parse_id

PARAMETER = re.compile(
    r"filter\[(?P<name>[^\[\]]*)\](?:\[(?P<operation>[^\[\]\d][^\[\]]*)\])?(?P<list>\[\d*\])?"
)
NEGATIONS = {"not_eq": "eq", "not_contain": "contains"}
TEXT_OPERATIONS = {"eq": "exact", "contains": "icontains"}
NUMBER_OPERATIONS = {"gt": "gt", "gt_eq": "gte", "lt": "lt", "lt_eq": "lte"}

# Each value of most filters is a condition of its own, and SQLite takes neither a thousand of them nor a very
# long pattern.
MAX_VALUES, MAX_TEXT = 100, 10_000

AnyQuerySet = models.QuerySet[Any, Any]


class Condition(NamedTuple):
    """One `filter[name][operation]`: any of the values will do. `parameter` is how the client wrote it."""

    operation: str
    values: list[str]
    parameter: str


class ConditionsField(forms.Field):
    """Carries a filter's conditions through django-filter's form; the filter itself reads the values."""


class Filter(django_filters.Filter):
    """A filter on the column `field_name`, by default the filter's own name.

    `operations` maps an operation of the wire to a lookup; `read` turns text into a value, or refuses it with
    None.
    """

    field_class = ConditionsField
    operations: Mapping[str, str] = {"eq": "exact"}
    splits_at_commas = True
    can_be_negated = True
    takes_one_value = False
    # The JSON Schema of one value, for the API's document.
    value_schema: Mapping[str, Any] = {"type": "string"}

    def __init__(self, field_name: str | None = None, **kwargs: Any) -> None:
        super().__init__(field_name=field_name, **kwargs)

    def takes(self, operation: str) -> bool:
        positive = NEGATIONS.get(operation, operation) if self.can_be_negated else operation
        return positive in self.operations

    def describe(self, name: str) -> str:
        """What it does, for the API's document."""
        return (getdoc(self) or "").partition("\n\n")[0]

    def needs(self, filters: Mapping[str, Filter]) -> list[str]:
        """The names of those of the filters of which one must come with this one; most need none."""
        return []

    def read(self, text: str) -> Any:
        raise NotImplementedError

    def matches(self, operation: str, values: list[Any]) -> Q:
        """What a row must be so that it matches any of the values."""
        lookup = f"{self.field_name}__{self.operations[operation]}"
        return reduce(or_, (Q(**{lookup: value}) for value in values))

    def filter(self, qs: AnyQuerySet, value: list[Condition] | None) -> AnyQuerySet:
        for condition in value or ():
            operation = NEGATIONS.get(condition.operation, condition.operation)
            matches = self.matches(operation, self.values(condition))
            qs = qs.exclude(matches) if condition.operation in NEGATIONS else qs.filter(matches)
        return qs

    def values(self, condition: Condition) -> list[Any]:
        texts = condition.values
        if self.splits_at_commas:
            texts = [part for text in texts for part in text.split(",")]
        operation = NEGATIONS.get(condition.operation, condition.operation)
        if len(texts) > MAX_VALUES and self.operations[operation] != "in":
            raise ParameterError("unsupported_filter_value", f"{len(texts)} values", condition.parameter)
        values = []
        for text in texts:
            if (value := self.read(text)) is None:
                raise ParameterError("unsupported_filter_value", text, condition.parameter)
            values.append(value)
        return values


class TextFilter(Filter):
    """Text: the whole of it, or a part of it whatever the case. A comma in it is a comma."""

    operations = TEXT_OPERATIONS
    splits_at_commas = False
    value_schema = {"type": "string", "maxLength": MAX_TEXT, "pattern": r"^[^\u0000]*$"}

    def describe(self, name: str) -> str:
        return f"By {name.replace('_', ' ')}"

    def read(self, text: str) -> str | None:
        return None if "\0" in text or len(text) > MAX_TEXT else text


class QueryFilter(TextFilter):
    """A part of any of these columns or expressions, whatever the case."""

    operations = {"eq": "icontains"}

    def __init__(self, *searched: str | models.expressions.Combinable) -> None:
        super().__init__()
        self.searched = searched

    def describe(self, name: str) -> str:
        expressions: list[Any] = [F(each) if isinstance(each, str) else each for each in self.searched]
        parts = [
            part for each in expressions for part in (each.flatten() if hasattr(each, "flatten") else [each])
        ]
        names = [part.name.replace("_", " ") for part in parts if isinstance(part, F)]  # type: ignore[attr-defined]
        return f"A part of {' or '.join(names)}, whatever the case"

    def filter(self, qs: AnyQuerySet, value: list[Condition] | None) -> AnyQuerySet:
        if not value:
            return qs
        expressions = {f"searched_{i}": e for i, e in enumerate(self.searched) if not isinstance(e, str)}
        return super().filter(qs.alias(**expressions), value)

    def matches(self, operation: str, values: list[str]) -> Q:
        names = [e if isinstance(e, str) else f"searched_{i}" for i, e in enumerate(self.searched)]
        return reduce(or_, (Q(**{f"{name}__icontains": value}) for name in names for value in values))


class IdFilter(Filter):
    """Ids of related records, through a path that meets one record at most (`deal__project_id`)."""

    operations = {"eq": "in"}
    value_schema = {"type": "integer", "format": "int64", "minimum": 1, "maximum": MAX_ID}

    def describe(self, name: str) -> str:
        return f"Of the {name.removesuffix('_id').replace('_', ' ')} that has one of these ids"

    def read(self, text: str) -> int | None:
        return parse_id(text)

    def matches(self, operation: str, values: list[int]) -> Q:
        return Q(**{f"{self.field_name}__in": values})


class OwnIdFilter(IdFilter):
    """The record's own id, which can be compared too."""

    operations = {"eq": "in", **NUMBER_OPERATIONS}

    def describe(self, name: str) -> str:
        return "By the record's own id"

    def matches(self, operation: str, values: list[int]) -> Q:
        return (
            super().matches(operation, values)
            if operation == "eq"
            else Filter.matches(self, operation, values)
        )


class MemberFilter(IdFilter):
    """Ids of records that this one is paired with, through a path that may meet many of them."""

    def filter(self, qs: AnyQuerySet, value: list[Condition] | None) -> AnyQuerySet:
        self.model = qs.model
        return super().filter(qs, value)

    def matches(self, operation: str, values: list[int]) -> Q:
        # A subquery, not a join: a record that is paired with two of them is still one row.
        return Q(pk__in=self.model._base_manager.filter(super().matches(operation, values)).values("pk"))


class ChoiceFilter(Filter):
    """One of a few numbers, each standing for a condition that has a name."""

    def __init__(self, choices: Mapping[str, tuple[str, Q]]) -> None:
        super().__init__()
        self.choices = choices
        self.value_schema = {"type": "string", "enum": [*choices]}

    def describe(self, name: str) -> str:
        return ", ".join(f"{value} = {meaning}" for value, (meaning, _) in self.choices.items())

    def read(self, text: str) -> Q | None:
        return self.choices[text][1] if text in self.choices else None

    def matches(self, operation: str, values: list[Q]) -> Q:
        return reduce(or_, values)


class MomentFilter(ChoiceFilter):
    """Filter by whether the model's moment is null (1) or set (2)."""

    def __init__(self, moment: Moment) -> None:
        super().__init__({"1": (moment.unset, moment.is_null), "2": (moment.done, ~moment.is_null)})


class FilterSet(django_filters.FilterSet):
    """A resource's filters. Every resource has `id`."""

    id = OwnIdFilter()


class FilterBackend(BaseFilterBackend):
    """Applies the view's `filterset_class`."""

    def filter_queryset(self, request: Request, queryset: AnyQuerySet, view: Any) -> AnyQuerySet:
        conditions = read_conditions(request.query_params, view.filterset_class)
        if not conditions:
            return queryset
        return view.filterset_class(conditions, queryset=queryset, request=request).qs


def read_conditions(
    params: QueryDict, filterset: type[django_filters.FilterSet]
) -> dict[str, list[Condition]]:
    """Every `filter…` parameter by filter name. Raise ParameterError for what the filter set doesn't take."""
    found: dict[tuple[str, str], Condition] = {}
    lists: set[tuple[str, str]] = set()
    for parameter, values in params.lists():
        if parameter.partition("[")[0] != "filter":
            continue
        match = PARAMETER.fullmatch(parameter)
        if match is None:
            raise ParameterError("unsupported_filter", parameter, parameter)
        if not match["list"]:
            only_value(params, parameter, "unsupported_filter_value")
        key, is_list = (match["name"], match["operation"] or "eq"), match["list"] is not None
        if key in found and not (is_list and key in lists):
            # `filter[id]=1&filter[id][eq]=2`: is it either of them, or both?
            told = ", ".join([*found[key].values, *values])
            raise ParameterError("unsupported_filter_value", told, parameter)
        if is_list:
            lists.add(key)
        found.setdefault(key, Condition(key[1], [], parameter)).values.extend(values)
    known: Mapping[str, Filter] = filterset.base_filters
    conditions: dict[str, list[Condition]] = {}
    for (name, operation), condition in found.items():
        if name not in known:
            raise ParameterError("unsupported_filter", name, condition.parameter)
        if not known[name].takes(operation):
            raise ParameterError("unsupported_filter", f"{name}[{operation}]", condition.parameter)
        conditions.setdefault(name, []).append(condition)
    return conditions


class SortBackend(BaseFilterBackend):
    """Orders by the view's `sorts` (wire name → columns), else as the model does; always to the last row.

    The id, which decides at the end, goes the way of the sort before it, so that one index gives the order
    forwards and backwards.
    """

    def filter_queryset(self, request: Request, queryset: AnyQuerySet, view: Any) -> AnyQuerySet:
        value = only_value(request.query_params, "sort", "unsupported_sort")
        if value is None:
            return queryset
        sorts: Mapping[str, tuple[str, ...]] = {"id": ("id",), **view.sorts}
        directions: dict[str, bool] = {}
        descending = False
        for name in value.split(","):
            descending = name.startswith("-")
            if name.removeprefix("-") not in sorts:
                raise ParameterError("unsupported_sort", name, "sort")
            for column in sorts[name.removeprefix("-")]:
                if "id" not in directions:  # after it there is nothing left to decide
                    directions.setdefault(column, descending)
        directions.setdefault("id", descending)
        return queryset.order_by(
            *(order(queryset.model, column, descending=down) for column, down in directions.items())
        )


def order(model: type[models.Model], column: str, *, descending: bool) -> OrderBy:
    """Nulls count as largest, as PostgreSQL's indexes have them, on every database."""
    nulls = model._meta.get_field(column).null
    if descending:
        return F(column).desc(nulls_first=nulls or None)
    return F(column).asc(nulls_last=nulls or None)
