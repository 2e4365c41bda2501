"""Test filters, `include`, `fields` and `sort` with generated input."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from itertools import product
from typing import Any
from urllib.parse import urlencode

import pytest
from django.http import QueryDict
from hypothesis import given
from hypothesis import strategies as st

from catalog.models import ServiceType
from productive.accounts.models import Organization
from productive.database.text import fold, search_words
from productive.jsonapi.filter_groups import read_filters
from tests.support.api import Api
from tests.support.factories import PersonFactory, ServiceTypeAssignmentFactory, ServiceTypeFactory
from tests.support.generated import any_text, code_of, outcome, spelled
from tests.support.resources import RESOURCES, SERVED, WRITABLE, create_rows, relationships_of
from tests.support.samples import fuzz_settings

# Other tests cover each kind of input.
pytestmark = pytest.mark.no_cover


FILTERS = sorted({name for view in SERVED.values() for name in view.filterset_class.base_filters})
OPERATIONS = ["eq", "not_eq", "contains", "not_contain", "gt", "gt_eq", "lt", "lt_eq"]
filter_names = st.builds(
    "filter{}{}{}".format,
    (st.sampled_from(FILTERS) | any_text).map("[{}]".format) | any_text,
    st.just("") | st.sampled_from(OPERATIONS).map("[{}]".format) | any_text,
    st.sampled_from(["", "", "", "[]", "[0]", "[1]", "[x", "]"]),
)
filter_values = (
    any_text
    | st.integers(-1, 2**64).map(str)
    | st.sampled_from(["1", "2", "time", "open", "2026-11-23", "1,2", ",", "%", "\0", "NULL"])
)


@pytest.mark.django_db
def test_any_filter_is_applied_or_rejected(api: Api, organization: Organization) -> None:
    for resource in WRITABLE:
        create_rows(resource, organization)

    @fuzz_settings(80)
    @given(st.sampled_from(sorted(SERVED)), st.lists(st.tuples(filter_names, filter_values), max_size=3))
    def check(resource: str, pairs: list[tuple[str, str]]) -> None:
        query = spelled(pairs)
        code = code_of(api.get(f"{resource}?{query}"))
        assert code in (None, "unsupported_filter", "unsupported_filter_value", "missing_filter"), query
        _, error_code = outcome(read_filters, QueryDict(query))
        assert error_code is None or code is not None

    check()


LETTERS = st.text("aAáÁbB%_\\ 名,", max_size=3)


@pytest.mark.django_db
def test_filters_return_the_same_rows_as_python(api: Api, organization: Organization) -> None:
    """Test the same conditions in Python, for every row."""
    people = PersonFactory.create_batch(2, organization=organization)
    rows: list[ServiceType] = []
    texts = ["a", "Á", "ab", "aB", "%", "_", "\\", "á b", "名", ",", "b,a", "bab"]
    for n, name in enumerate(texts):
        row = ServiceTypeFactory(
            organization=organization,
            name=name,
            description=[None, "", *texts][n],
            archived_at=datetime(2026, 1, 1, tzinfo=UTC) if n % 3 == 0 else None,
        )
        rows.append(row)
    assignees: dict[int, set[int]] = {row.pk: set() for row in rows}
    for (n, row), (k, person) in product(enumerate(rows), enumerate(people)):
        if n % (k + 2) == 0:
            ServiceTypeAssignmentFactory(organization=organization, service_type=row, person=person)
            assignees[row.pk].add(person.pk)
    ServiceTypeFactory(name="a")  # Of another organization.

    def contains(value: str | None, part: str) -> bool:
        return value is not None and fold(part) in fold(value)

    def has_words(row: ServiceType, value: str) -> bool:
        words = search_words(value)
        return all(contains(row.name, word) or contains(row.description, word) for word in words)

    ids = st.sampled_from([row.pk for row in rows] + [10**9])
    # (Filter, operation) → whether a row matches a value.
    matches: dict[tuple[str, str], Callable[[ServiceType, Any], bool]] = {
        ("name", "eq"): lambda row, value: row.name == value,
        ("name", "contains"): lambda row, value: contains(row.name, value),
        ("description", "eq"): lambda row, value: row.description == value,
        ("description", "contains"): lambda row, value: contains(row.description, value),
        ("query", "eq"): has_words,
        ("status", "eq"): lambda row, value: (row.archived_at is None) == (value == 1),
        ("person_id", "eq"): lambda row, value: value in assignees[row.pk],
        ("id", "eq"): lambda row, value: row.pk == value,
        ("id", "gt"): lambda row, value: row.pk > value,
        ("id", "gt_eq"): lambda row, value: row.pk >= value,
        ("id", "lt"): lambda row, value: row.pk < value,
        ("id", "lt_eq"): lambda row, value: row.pk <= value,
    }
    negated = {"eq": "not_eq", "contains": "not_contain"}
    drawn: dict[str, st.SearchStrategy[Any]] = {
        "status": st.sampled_from([1, 2]),
        "person_id": st.sampled_from([person.pk for person in people] + [10**9]),
        "id": ids,
    }

    @st.composite
    def conditions(draw: Any) -> tuple[str, str, bool, list[Any]]:
        name, operation = draw(st.sampled_from(sorted(matches)))
        chosen = draw(st.lists(drawn.get(name, LETTERS), min_size=1, max_size=3))
        return name, operation, operation in negated and draw(st.booleans()), chosen

    @fuzz_settings(70)
    @given(st.lists(conditions(), min_size=1, max_size=3, unique_by=lambda each: each[:3]))
    def check(drawn_conditions: list[tuple[str, str, bool, list[Any]]]) -> None:
        expected = [
            row.pk
            for row in rows
            if all(
                any(matches[name, operation](row, value) for value in chosen) != negative
                for name, operation, negative, chosen in drawn_conditions
            )
        ]
        query = spelled(
            [
                (f"filter[{name}][{negated[operation] if negative else operation}][]", value)
                for name, operation, negative, chosen in drawn_conditions
                for value in chosen
            ]
        )
        assert sorted(api.get(f"service_types?{query}").ids) == expected, query

    check()


NAMES = sorted({name for view in RESOURCES.values() for name in view.serializer_class.Meta.fields})
name_lists = st.lists(
    st.lists(st.sampled_from(NAMES) | any_text, min_size=1, max_size=6).map(".".join), max_size=3
).map(",".join)


@pytest.mark.django_db
def test_any_include_fields_and_sort_are_accepted_or_rejected(api: Api, organization: Organization) -> None:
    for resource in WRITABLE:
        create_rows(resource, organization)

    @fuzz_settings(70)
    @given(
        st.sampled_from(sorted(RESOURCES)),
        st.lists(
            st.tuples(
                st.sampled_from(["include", "sort", "fields"])
                | (st.sampled_from(sorted(SERVED)) | any_text).map("fields[{}]".format),
                name_lists | st.sampled_from(NAMES),
            ),
            max_size=3,
        ),
    )
    def check(resource: str, pairs: list[tuple[str, str]]) -> None:
        code = code_of(api.get(f"{resource}?{spelled(pairs)}"))
        assert code in (None, "unsupported_include", "unsupported_sort", "unsupported_field")

    check()


@pytest.mark.django_db
def test_response_has_the_requested_fields_and_includes(api: Api, organization: Organization) -> None:
    for resource in WRITABLE:
        create_rows(resource, organization)

    @fuzz_settings(30)
    @given(st.data(), st.sampled_from(sorted(RESOURCES)))
    def check(data: Any, resource: str) -> None:
        serializer = RESOURCES[resource].serializer_class
        names = [*serializer.Meta.fields, *serializer.without_records]
        related = [*relationships_of(resource), *serializer.without_records]
        shown = data.draw(st.none() | st.lists(st.sampled_from(names), unique=True))
        included = data.draw(st.lists(st.sampled_from(related), unique=True)) if related else []
        query = {"include": ",".join(included)}
        if shown is not None:
            query[f"fields[{resource}]"] = ",".join(shown)
        (first, *_) = api.get(f"{resource}?{urlencode(query)}").data
        expected = [name for name in names if shown is None or name in shown]
        assert [*first.get("attributes", {}), *first.get("relationships", {})] == sorted(
            expected, key=lambda name: name in related
        )
        linked = {name for name, each in first.get("relationships", {}).items() if "data" in each}
        assert linked == {
            name for name in expected if name in (*included, "organization") and name in related
        }

    check()
