"""Parse `filter[…]` parameters, with groups that are combined with AND or OR.

`filter[$op]=or&filter[0][name]=a&filter[1][name]=b` has two numbered groups, which can have groups in turn,
as in Productive's API. Without `$op`, a group combines with AND.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

from django.http import QueryDict
from django.utils.datastructures import MultiValueDict

from productive.jsonapi.errors import ParameterError
from productive.jsonapi.filter_operations import form_key

OPERATOR = "$op"
OPERATORS = ("and", "or")
# Each group costs a subquery. Deep groups have no use that a few levels don't have.
MAX_GROUP_DEPTH, MAX_GROUPS = 5, 50
UNNUMBERED = "Only numbered filters can be combined with 'or', such as filter[0][{}]"

PARAMETER = re.compile(r"filter(?P<groups>(?:\[\d{1,4}\])*)(?P<rest>\[.*)", re.ASCII | re.DOTALL)
FILTER = re.compile(
    r"\[(?P<name>[^\[\]]*)\](?:\[(?P<operation>[^\[\]\d][^\[\]]*)\])?(?P<list>\[\d*\])?", re.ASCII
)


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
        self.list_keys: set[str] = set()

    def add(self, parameter: str, rest: str, sent: list[str]) -> None:
        """Add a parameter's values, or raise ParameterError if it is malformed or ambiguous."""
        match = FILTER.fullmatch(rest)
        if match is None:
            raise ParameterError("unsupported_filter", parameter, parameter)
        name, operation, is_list = match["name"], match["operation"] or "eq", match["list"] is not None
        values = sent if is_list else sent[-1:]  # As in Productive's API, the last one counts.
        key = form_key(name, operation)
        if key in self and not (is_list and key in self.list_keys):
            # `filter[id]=1&filter[id][eq]=2` could mean either of them, or both.
            texts = ", ".join([*self.getlist(key), *values])
            raise ParameterError("unsupported_filter_value", texts, parameter)
        if is_list:
            self.list_keys.add(key)
        self.parameters.setdefault(key, FilterParameter(name, operation, parameter))
        self.setlist(key, [*self.getlist(key), *values])


class FilterGroup:
    """Filters, which are combined with AND, or numbered groups of them, combined with the operator."""

    def __init__(self) -> None:
        self.operator = "and"
        # The first query parameter that makes it a group.
        self.parameter: str | None = None
        self.data = FilterData()
        self.groups: dict[int, FilterGroup] = {}

    def __iter__(self) -> Iterator[FilterGroup]:
        """Yield this group and all groups in it."""
        yield self
        for group in self.groups.values():
            yield from group


def read_filters(params: QueryDict) -> FilterGroup:
    """Return all filters of the request; raise ParameterError for malformed ones."""
    root = FilterGroup()
    for parameter, sent in params.lists():
        if is_filter(parameter):
            add_parameter(root, parameter, sent)
    for group in root:
        if group.operator == "or" and group.data:
            first = next(iter(group.data.parameters.values()))
            raise ParameterError("unsupported_filter", first.name, first.text, detail=UNNUMBERED)
    return root


def add_parameter(root: FilterGroup, parameter: str, sent: list[str]) -> None:
    match = PARAMETER.fullmatch(parameter)
    path = [int(number) for number in re.findall(r"\d+", match["groups"])] if match else []
    if match is None or len(path) > MAX_GROUP_DEPTH:
        raise ParameterError("unsupported_filter", parameter, parameter)
    group = root
    for number in path:
        group = group.groups.setdefault(number, FilterGroup())
    is_operator = match["rest"] == f"[{OPERATOR}]"
    if path or is_operator:
        root.parameter = root.parameter or parameter
        if sum(1 for _ in root) > MAX_GROUPS + 1:
            raise ParameterError("unsupported_filter", parameter, parameter)
    if not is_operator:
        group.data.add(parameter, match["rest"], sent)
    elif sent[-1] not in OPERATORS:
        raise ParameterError("unsupported_filter_value", sent[-1], parameter)
    else:
        group.operator = sent[-1]


def is_filter(parameter: str) -> bool:
    return parameter.partition("[")[0] == "filter"
