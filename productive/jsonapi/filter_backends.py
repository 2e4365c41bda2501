"""Read `filter[…]` and `sort`; reject those that aren't declared."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping
from typing import Any, NamedTuple

import django_filters
from django.db import models
from django.db.models import F
from django.db.models.expressions import OrderBy
from django.http import QueryDict
from django.utils.datastructures import MultiValueDict
from rest_framework.request import Request
from rest_framework_json_api import filters
from rest_framework_json_api.django_filters import DjangoFilterBackend

from productive.jsonapi.errors import ParameterError
from productive.jsonapi.filters import AnyQuerySet, OperationFilter, key_of
from productive.jsonapi.parameters import only_value


class FilterParameter(NamedTuple):
    """A filter and operation, and the query parameter that names them."""

    name: str
    operation: str
    text: str


class FilterData(MultiValueDict[str, str]):
    """The data of a filter set's form, with the query parameter of each key."""

    def __init__(self) -> None:
        super().__init__()
        self.parameters: dict[str, FilterParameter] = {}


class FilterBackend(DjangoFilterBackend):
    """Add operations, lists (`filter[id][]=1`) and this API's errors."""

    filter_regex = re.compile(
        r"filter\[(?P<name>[^\[\]]*)\](?:\[(?P<operation>[^\[\]\d][^\[\]]*)\])?(?P<list>\[\d*\])?"
    )

    def get_filterset(self, request: Request, queryset: AnyQuerySet, view: Any) -> Any:
        """Return the filter set, None without filters, or raise ParameterError."""
        declared = getattr(self.get_filterset_class(view, queryset), "base_filters", {})
        if not any(map(is_filter, request.query_params)) and not any(map(is_required, declared.values())):
            return None
        filterset = super().get_filterset(request, queryset, view)
        check_stock_filters(filterset)
        if not filterset.is_valid():
            raise first_error(filterset)
        return filterset

    def get_filterset_kwargs(self, request: Request, queryset: AnyQuerySet, view: Any) -> dict[str, Any]:
        data = self.read(request.query_params)
        keys = data.parameters.values()
        return {"data": data, "queryset": queryset, "request": request, "filter_keys": keys}

    def read(self, params: QueryDict) -> FilterData:
        """Return the form's data; raise ParameterError for ambiguous parameters."""
        data = FilterData()
        lists: set[str] = set()
        for parameter, sent in params.lists():
            if not is_filter(parameter):
                continue
            match = self.filter_regex.fullmatch(parameter)
            if match is None:
                raise ParameterError("unsupported_filter", parameter, parameter)
            name, operation, is_list = match["name"], match["operation"] or "eq", match["list"] is not None
            values = sent if is_list else sent[-1:]  # As in Productive's API, the last one counts.
            key = key_of(name, operation)
            if key in data and not (is_list and key in lists):
                # `filter[id]=1&filter[id][eq]=2` could mean either of them, or both.
                texts = ", ".join([*data.getlist(key), *values])
                raise ParameterError("unsupported_filter_value", texts, parameter)
            if is_list:
                lists.add(key)
            data.parameters.setdefault(key, FilterParameter(name, operation, parameter))
            data.setlist(key, [*data.getlist(key), *values])
        return data

    def _validate_filter(
        self, keys: Collection[FilterParameter], filterset_class: type[django_filters.FilterSet] | None
    ) -> None:
        """Raise ParameterError for undeclared filters and operations."""
        known: Mapping[str, django_filters.Filter] = getattr(filterset_class, "base_filters", {})
        names = {key.name for key in keys}
        for name, operation, parameter in keys:
            if key_of(name, operation) in known:
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


def is_filter(parameter: str) -> bool:
    return parameter.partition("[")[0] == "filter"


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
    key = key_of(name, params.get("operation", "eq"))
    if key not in filterset.data:
        return ParameterError("missing_filter", name, "filter")
    value = params.get("value", filterset.data[key])
    return ParameterError("unsupported_filter_value", str(value), filterset.data.parameters[key].text)


class OrderingFilter(filters.OrderingFilter):
    """Add sorts of several columns, and an order of nulls.

    The id is the last column. It has the direction of the sort before it, so that one index gives the order
    forwards and backwards. Without `sort`, the order is that of the model.
    """

    def get_ordering(self, request: Request, queryset: AnyQuerySet, view: Any) -> list[OrderBy] | None:
        value = only_value(request.query_params, self.ordering_param, "unsupported_sort")
        if not value:
            return None
        names = value.split(",")
        self.remove_invalid_fields(queryset, names, view, request)
        sorts = sorts_of(view)
        directions: dict[str, bool] = {}
        descending = False
        for name in names:
            descending = name.startswith("-")
            for column in sorts[name.removeprefix("-")]:
                if "id" not in directions:  # The id is unique: no later column can change the order.
                    directions.setdefault(column, descending)
        directions.setdefault("id", descending)
        return [order(queryset.model, column, descending=down) for column, down in directions.items()]

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


def order(model: type[models.Model], column: str, *, descending: bool) -> OrderBy:
    """Order nulls as the largest values, as PostgreSQL's indexes do."""
    nulls = model._meta.get_field(column).null
    if descending:
        return F(column).desc(nulls_first=nulls or None)
    return F(column).asc(nulls_last=nulls or None)
