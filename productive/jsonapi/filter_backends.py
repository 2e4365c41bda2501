"""Read `filter[…]` and `sort`; reject those that aren't declared."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from functools import reduce
from typing import Any

import django_filters
from django.db.models import F
from django.db.models.expressions import OrderBy
from rest_framework.request import Request
from rest_framework_json_api import filters
from rest_framework_json_api.django_filters import DjangoFilterBackend

from productive.jsonapi.cursors import is_nullable
from productive.jsonapi.errors import ParameterError
from productive.jsonapi.filter_groups import OPERATOR, FilterData, FilterGroup, FilterParameter, read_filters
from productive.jsonapi.filter_operations import AnyQuerySet, OperationFilter, form_key
from productive.jsonapi.parameters import only_value


class FilterBackend(DjangoFilterBackend):
    """Add operations, lists (`filter[id][]=1`), groups (`filter[$op]=or`) and this API's errors."""

    def filter_queryset(self, request: Request, queryset: AnyQuerySet, view: Any) -> AnyQuerySet:
        def select(group: FilterGroup, rows: AnyQuerySet) -> AnyQuerySet:
            """Return those of the rows that the group selects."""
            groups = group.groups.values()
            if group.operator == "or" and len(groups) > 1:
                # As a union, because no index can be used for OR across tables. It starts from all rows,
                # because each of several unions would otherwise repeat those before it.
                first, *others = (select(each, queryset).order_by().values("pk") for each in groups)
                return rows.filter(pk__in=first.union(*others))
            filterset = self.build(group.data, request, rows, view)
            return reduce(
                lambda found, each: select(each, found), groups, filterset.qs if filterset else rows
            )

        return select(read_filters(request.query_params), queryset)

    def get_filterset(self, request: Request, queryset: AnyQuerySet, view: Any) -> Any:
        """Return the filter set, None without filters, or raise ParameterError.

        A view that calls it has no groups.
        """
        root = read_filters(request.query_params)
        if root.parameter is not None:
            raise ParameterError("unsupported_filter", OPERATOR, root.parameter)
        return self.build(root.data, request, queryset, view)

    def build(self, data: FilterData, request: Request, queryset: AnyQuerySet, view: Any) -> Any:
        filterset_class = self.get_filterset_class(view, queryset)
        if not data and not any(map(is_required, filterset_class.base_filters.values())):
            return None
        self._validate_filter(data.parameters.values(), filterset_class)
        filterset = filterset_class(data=data, queryset=queryset, request=request)
        check_stock_filters(filterset)
        if not filterset.is_valid():
            raise first_error(filterset)
        return filterset

    def _validate_filter(
        self, keys: Collection[FilterParameter], filterset_class: type[django_filters.FilterSet] | None
    ) -> None:
        """Raise ParameterError for undeclared filters and operations."""
        known: Mapping[str, django_filters.Filter] = getattr(filterset_class, "base_filters", {})
        names = {key.name for key in keys}
        for name, operation, parameter in keys:
            if form_key(name, operation) in known:
                continue
            if name not in known:
                raise ParameterError("unsupported_filter", name, parameter)
            if not isinstance(known[name], OperationFilter) or not known[name].takes(operation):
                raise ParameterError("unsupported_filter", f"{name}[{operation}]", parameter)
        for name, _, parameter in keys:
            needed = known[name].needs(known) if isinstance(known.get(name), OperationFilter) else []
            if needed and names.isdisjoint(needed):
                message = f"{name} without {' or '.join(needed)}"
                raise ParameterError("unsupported_filter", message, parameter)


def is_required(each: django_filters.Filter) -> bool:
    return bool(each.extra["required"])


def check_stock_filters(filterset: Any) -> None:
    """Raise ParameterError for values that django-filter would ignore."""
    for name, each in filterset.filters.items():
        values = [] if isinstance(each, OperationFilter) else filterset.data.getlist(name)
        takes_many = len(values) < 2 or getattr(each.field.widget, "allow_multiple_selected", False)
        if "" in values or not takes_many:
            parameter = filterset.data.parameters[name].text
            raise ParameterError("unsupported_filter_value", ", ".join(values), parameter)


def first_error(filterset: Any) -> ParameterError:
    """Return the error of the first invalid filter."""
    name, (error, *_) = next(iter(filterset.errors.as_data().items()))
    params = error.params or {}
    key = form_key(name, params.get("operation", "eq"))
    if key not in filterset.data:
        return ParameterError("missing_filter", name, "filter")
    value = params.get("value", filterset.data[key])
    return ParameterError("unsupported_filter_value", str(value), filterset.data.parameters[key].text)


class OrderingFilter(filters.OrderingFilter):
    """Add sorts of several columns, sorts by expressions, and an order of nulls.

    The id is the last column. It has the direction of the sort before it, so that one index gives the order
    forwards and backwards. Without `sort`, the order is that of the model.
    """

    def filter_queryset(self, request: Request, queryset: AnyQuerySet, view: Any) -> AnyQuerySet:
        directions = self.directions(request, queryset, view)
        if not directions:
            return queryset
        used = {name: each for name, each in view.sort_expressions.items() if name in directions}
        if used:
            queryset = queryset.annotate(**used)
        return queryset.order_by(
            *(order(queryset, column, descending=down) for column, down in directions.items())
        )

    def directions(self, request: Request, queryset: AnyQuerySet, view: Any) -> dict[str, bool]:
        """Return the columns of the order, and whether each is descending."""
        value = only_value(request.query_params, self.ordering_param, "unsupported_sort")
        directions: dict[str, bool] = {}
        if not value:
            return directions
        names = value.split(",")
        self.remove_invalid_fields(queryset, names, view, request)
        sorts = sorts_of(view)
        descending = False
        for name in names:
            descending = name.startswith("-")
            for column in sorts[name.removeprefix("-")]:
                if "id" not in directions:  # The id is unique: no later column can change the order.
                    directions.setdefault(column, descending)
        directions.setdefault("id", descending)
        return directions

    def remove_invalid_fields(
        self, queryset: AnyQuerySet, fields: Iterable[str], view: Any, request: Request
    ) -> list[str]:
        """Raise ParameterError for a sort that the view doesn't declare."""
        sorts = sorts_of(view)
        for name in fields:
            if name.removeprefix("-") not in sorts:
                raise ParameterError("unsupported_sort", name, self.ordering_param)
        return [*fields]


def sorts_of(view: Any) -> dict[str, tuple[str, ...]]:
    return {"id": ("id",), **view.sorts}


def order(queryset: AnyQuerySet, column: str, *, descending: bool) -> OrderBy:
    """Order nulls as the largest values, as PostgreSQL's indexes do."""
    nulls = is_nullable(queryset, column)
    if descending:
        return F(column).desc(nulls_first=nulls or None)
    return F(column).asc(nulls_last=nulls or None)
