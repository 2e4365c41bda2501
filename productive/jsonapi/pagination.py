"""Pages: `page[number]` and `page[size]`, their links, and the total that the meta object tells."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from django.db import models
from django.http import QueryDict
from rest_framework.request import Request

from productive.counting import part, total
from productive.jsonapi.errors import ParameterError
from productive.jsonapi.parameters import only_value
from productive.jsonapi.parsers import MAX_ID, parse_id

PAGE_SIZE = 30
MAX_PAGE_SIZE = 200


@dataclass(frozen=True, slots=True)
class Page:
    """Which part of a list is asked for."""

    number: int
    size: int

    @classmethod
    def from_params(cls, params: QueryDict) -> Page:
        """Raise ParameterError where the query string names no page. A size over the maximum is cut to it."""
        for name in params:
            if name.partition("[")[0] == "page" and name not in ("page[number]", "page[size]"):
                raise ParameterError("invalid_page", name, name)
        size = page_parameter(params, "page[size]", PAGE_SIZE)
        return cls(page_parameter(params, "page[number]", 1), min(size, MAX_PAGE_SIZE))

    @property
    def offset(self) -> int:
        return (self.number - 1) * self.size

    def rows(self, queryset: models.QuerySet[Any, Any]) -> Sequence[Any]:
        """This page's rows; none where it begins beyond what a database can count."""
        last = self.offset + self.size
        return [] if last > MAX_ID else part(queryset, self.offset, last)

    def total(self, queryset: models.QuerySet[Any, Any], rows: Sequence[Any]) -> int:
        """How many rows there are in all; counted only where the page itself doesn't show it."""
        if len(rows) < self.size and (rows or self.number == 1):
            return self.offset + len(rows)
        return total(queryset)

    def links(self, request: Request, total_pages: int) -> dict[str, str]:
        last = max(total_pages, 1)
        numbers = {"first": 1, "prev": self.number - 1, "next": self.number + 1, "last": last}
        there = {"first", "last"}
        if 1 < self.number <= last + 1:
            there.add("prev")
        if self.number < last:
            there.add("next")
        query = [
            (name, value)
            for name, values in request.query_params.lists()
            for value in values
            if name not in ("page[number]", "page[size]")
        ]
        address = request.build_absolute_uri(request.path)
        return {
            link: f"{address}?{urlencode([*query, ('page[number]', number), ('page[size]', self.size)])}"
            for link, number in numbers.items()
            if link in there
        }

    def meta(self, total: int) -> dict[str, int]:
        return {
            "current_page": self.number,
            "total_pages": -(-total // self.size),
            "total_count": total,
            "page_size": self.size,
            "max_page_size": MAX_PAGE_SIZE,
        }


def page_parameter(params: QueryDict, name: str, default: int) -> int:
    value = only_value(params, name, "invalid_page")
    number = default if value is None else parse_id(value)
    if number is None:
        raise ParameterError("invalid_page", str(value), name)
    return number
