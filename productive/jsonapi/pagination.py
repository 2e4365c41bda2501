"""Paginate by number, with a total, or by cursor, without one."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, TypeVar
from urllib.parse import urlencode

from django.http import QueryDict
from rest_framework.request import Request
from rest_framework_json_api.pagination import JsonApiPageNumberPagination

from productive.database.owned_rows import scan_by_id
from productive.jsonapi.cursors import Term, cursor_at, ranges_after, terms_of, values_at
from productive.jsonapi.errors import ParameterError
from productive.jsonapi.filter_operations import AnyQuerySet
from productive.jsonapi.parameters import only_value
from productive.jsonapi.parsers import MAX_ID, parse_id
from productive.jsonapi.records import count_records, read_rows

PAGE_SIZE = 30
MAX_PAGE_SIZE = 200

T = TypeVar("T")


class Contents(NamedTuple):
    """The rows of a page, the parameters of its links, and its meta."""

    rows: Sequence[Any]
    links: Mapping[str, Mapping[str, object]]
    meta: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Page:
    """A page by its number."""

    number: int
    size: int
    max_size: int = MAX_PAGE_SIZE

    @property
    def offset(self) -> int:
        return (self.number - 1) * self.size

    def rows(self, queryset: AnyQuerySet, columns: Sequence[str]) -> tuple[Sequence[Any], int | None]:
        """Return the rows of this page, and the total if it is known."""
        # A bigint can't be higher, so there are no rows.
        last = self.offset + self.size
        return ([], None) if last > MAX_ID else read_rows(queryset, tuple(columns), self.offset, last)

    def total(self, queryset: AnyQuerySet, rows: Sequence[Any]) -> int:
        """Return the number of all rows, counted unless this is the last page."""
        if len(rows) < self.size and (rows or self.number == 1):
            return self.offset + len(rows)
        return count_records(queryset)

    def read(self, queryset: AnyQuerySet, columns: Sequence[str]) -> Contents:
        rows, known = self.rows(queryset, columns)
        return self.contents(rows, self.total(queryset, rows) if known is None else known)

    def contents(self, rows: Sequence[Any], total: int) -> Contents:
        pages = -(-total // self.size)
        last = max(pages, 1)
        numbers = {"first": 1, "prev": self.number - 1, "next": self.number + 1, "last": last}
        names = {"first", "last"}
        if 1 < self.number <= last + 1:
            names.add("prev")
        if self.number < last:
            names.add("next")
        links = {
            link: {"page[number]": number, "page[size]": self.size}
            for link, number in numbers.items()
            if link in names
        }
        meta = {
            "current_page": self.number,
            "total_pages": pages,
            "total_count": total,
            "page_size": self.size,
            "max_page_size": self.max_size,
        }
        return Contents(rows, links, meta)


@dataclass(frozen=True, slots=True)
class CursorPage:
    """The page after a cursor; the first one if the cursor is "".

    Each page costs the same, because the rows before it are neither read nor counted. One more row than the
    size is fetched, to find out whether there is a next page.
    """

    cursor: str
    size: int
    max_size: int = MAX_PAGE_SIZE

    def read(self, queryset: AnyQuerySet, columns: Sequence[str]) -> Contents:
        """Raise CursorError unless the cursor is one of this order."""
        terms = terms_of(queryset)
        values = self.values(terms)
        # After `columns`, whose positions mustn't change.
        names = [*columns, *(term.column for term in terms if term.column not in columns)]
        places = [names.index(term.column) for term in terms]
        rows: list[Any] = []
        for found in querysets_after(queryset, terms, values):
            if len(rows) <= self.size:
                rows += found.values_list(*names)[: self.size + 1 - len(rows)]
        return self.contents(rows, terms, lambda row: [row[place] for place in places])

    def values(self, terms: Sequence[Term]) -> list[Any] | None:
        """Return the values of the cursor; None for the first page."""
        return values_at(terms, self.cursor) if self.cursor else None

    def contents(
        self, rows: Sequence[T], terms: Sequence[Term], values_of: Callable[[T], Sequence[Any]]
    ) -> Contents:
        shown, cursors = rows[: self.size], {"first": ""}
        if len(rows) > self.size:
            cursors["next"] = cursor_at(terms, values_of(shown[-1]))
        links = {link: {"page[after]": cursor, "page[size]": self.size} for link, cursor in cursors.items()}
        return Contents(shown, links, {"page_size": self.size, "max_page_size": self.max_size})


def querysets_after(
    queryset: AnyQuerySet, terms: Sequence[Term], values: Sequence[Any] | None
) -> Sequence[AnyQuerySet]:
    """Return the rows after the values, or all, as a queryset for each range."""
    if terms[0].column == "id":
        direction = -1 if terms[0].descending else 1
        return [scan_by_id(queryset, direction, values[0] if values else None)]
    return [queryset.filter(condition) for condition in ranges_after(terms, values)] if values else [queryset]


class Pagination(JsonApiPageNumberPagination):
    """Add cursors, strict numbers, and links that keep the whole query.

    `paginate_queryset` isn't used, because it reads instances, not rows in the columns of a plan.
    """

    page_size = PAGE_SIZE
    max_page_size = MAX_PAGE_SIZE
    cursor_query_param = "page[after]"

    def get_page(self, request: Request) -> Page | CursorPage:
        """Return the page, or raise ParameterError if it is invalid."""
        params = request.query_params
        for name in params:
            if name.partition("[")[0] == "page" and name not in self.query_params:
                raise ParameterError("invalid_page", name, name)
        size = self.get_page_size(request)
        cursor = only_value(params, self.cursor_query_param, "invalid_page")
        if cursor is None:
            # Clients also count from 0.
            is_zero = only_value(params, self.page_query_param, "invalid_page") == "0"
            number = 1 if is_zero else number_in(params, self.page_query_param, 1)
            return Page(number, size, self.max_page_size)
        if self.page_query_param in params:
            raise ParameterError("keyset_conflict", "", self.page_query_param)
        return CursorPage(cursor, size, self.max_page_size)

    def get_page_size(self, request: Request) -> int:
        """Return the size, up to the maximum, or raise ParameterError."""
        size = number_in(request.query_params, self.page_size_query_param, self.page_size)
        return min(size, self.max_page_size)

    def get_links(self, request: Request, pages: Mapping[str, Mapping[str, object]]) -> dict[str, str]:
        """Return links with the request's query and each page's parameters."""
        query = [
            (name, value)
            for name, values in request.query_params.lists()
            for value in values
            if name not in self.query_params
        ]
        address = request.build_absolute_uri(request.path)
        return {link: f"{address}?{urlencode([*query, *page.items()])}" for link, page in pages.items()}

    @property
    def query_params(self) -> tuple[str, ...]:
        return self.page_query_param, self.cursor_query_param, self.page_size_query_param


def number_in(params: QueryDict, name: str, default: int) -> int:
    """Return the number, or the default if the parameter is absent or empty."""
    value = only_value(params, name, "invalid_page")
    number = parse_id(value) if value else default
    if number is None:
        raise ParameterError("invalid_page", str(value), name)
    return number
