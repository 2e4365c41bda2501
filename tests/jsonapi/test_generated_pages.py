"""Test pages, cursors and orders with generated input."""

from __future__ import annotations

import json
from base64 import urlsafe_b64encode
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from itertools import product
from types import SimpleNamespace
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from django.http import QueryDict
from hypothesis import example, given
from hypothesis import strategies as st

from catalog.models import Project
from productive.accounts.models import Organization, Person
from productive.jsonapi.cursors import MAX_CURSOR
from productive.jsonapi.pagination import MAX_PAGE_SIZE, CursorPage, Page, Pagination
from productive.jsonapi.parsers import MAX_ID
from tests.support.api import Api
from tests.support.databases import rolled_back
from tests.support.factories import PersonFactory, ProjectFactory
from tests.support.generated import any_text, any_value, code_of, outcome, spelled
from tests.support.samples import fuzz_settings

# Other tests cover each kind of input.
pytestmark = pytest.mark.no_cover


@pytest.mark.any_database
@fuzz_settings(100)
@given(
    st.lists(
        st.tuples(
            st.sampled_from(["page[number]", "page[size]", "page[after]"]) | any_text.map("page[{}]".format),
            any_text | st.integers(-1, 2**64).map(str),
        ),
        max_size=3,
    )
)
def test_any_page_is_valid_or_rejected(pairs: list[tuple[str, str]]) -> None:
    page, code = outcome(Pagination().get_page, SimpleNamespace(query_params=QueryDict(spelled(pairs))))
    if page is None:
        assert code in ("invalid_page", "keyset_conflict")
        return
    assert 1 <= page.size <= MAX_PAGE_SIZE
    assert isinstance(page, CursorPage) or (isinstance(page, Page) and 1 <= page.number <= MAX_ID)


ORDERS = ["", "id", "-id", "name", "-name", "created_at", "-created_at,name", "email", "-email,-id"]
MOMENT = datetime(2026, 11, 23, 8, 30, tzinfo=UTC)


def make_person(organization: Organization, drawn: tuple[str, bool, int]) -> Person:
    name, has_email, seconds = drawn
    person: Person = PersonFactory(
        organization=organization, first_name=name, created_at=MOMENT + timedelta(seconds=seconds)
    )
    if not has_email:
        Person.objects.filter(pk=person.pk).update(email=None)
    return person


people_drawn = st.tuples(st.sampled_from(["a", "B", "ž", "名"]), st.booleans(), st.integers(0, 2))


@pytest.mark.django_db
def test_pages_by_number_have_each_row_once(api: Api, organization: Organization) -> None:
    @fuzz_settings(10)
    @given(st.lists(people_drawn, max_size=7), st.integers(1, 4), st.sampled_from(ORDERS))
    def walk(drawn: list[tuple[str, bool, int]], size: int, order: str) -> None:
        with rolled_back():
            created = [make_person(organization, each).pk for each in drawn]
            path = f"people?page[size]={size}{order and f'&sort={order}'}"
            first = api.get(path).json
            pages = max(first["meta"]["total_pages"], 1)
            walked = [pk for n in range(1, pages + 2) for pk in api.get(f"{path}&page[number]={n}").ids]
            assert sorted(walked) == sorted(created)
            assert (first["meta"]["total_count"], pages) == (len(created), max(-(-len(created) // size), 1))
            assert ("next" in first["links"]) == (len(created) > size)

    walk()


@pytest.mark.django_db
def test_pages_by_cursor_have_each_row_once_while_rows_change(api: Api, organization: Organization) -> None:
    @fuzz_settings(10)
    @given(
        st.lists(people_drawn, max_size=7),
        st.integers(1, 3),
        st.sampled_from(ORDERS),
        st.lists(st.tuples(st.integers(0, 6), st.lists(people_drawn, max_size=2)), max_size=4),
    )
    def walk(
        drawn: list[tuple[str, bool, int]], size: int, order: str, changes: list[tuple[int, list[Any]]]
    ) -> None:
        with rolled_back():
            rows = [make_person(organization, each) for each in drawn]
            throughout, known = {row.pk for row in rows}, {row.pk for row in rows}
            walked: list[int] = []
            address = f"/api/v2/people?page[size]={size}&page[after]={order and f'&sort={order}'}"
            while address:
                response = api.get(address)
                walked += response.ids
                if changes:
                    index, more = changes.pop()
                    if index < len(rows):
                        deleted = rows.pop(index)
                        throughout.discard(deleted.pk)
                        deleted.delete()
                    known |= {make_person(organization, each).pk for each in more}
                parts = urlsplit(response.json["links"].get("next", ""))
                address = parts.query and f"{parts.path}?{parts.query}"
            assert len(walked) == len(set(walked))
            assert throughout <= set(walked) <= known

    walk()


def encoded(payload: Any) -> str:
    return urlsafe_b64encode(json.dumps(payload, separators=(",", ":")).encode()).rstrip(b"=").decode()


ORDERS_SPELLED = ["id", "-id", "name,id", "-name,-id", "created_at,id", "-created_at,-id"]
cursors = st.one_of(
    any_text,
    st.binary(max_size=30).map(lambda raw: urlsafe_b64encode(raw).rstrip(b"=").decode()),
    st.tuples(st.sampled_from(ORDERS_SPELLED), any_value, any_value).map(encoded),
    st.tuples(st.sampled_from(ORDERS_SPELLED), st.lists(any_value, max_size=3)).map(encoded),
    st.tuples(
        st.sampled_from(ORDERS_SPELLED),
        any_text | st.integers(-(2**63), 2**63),
        st.integers(-(2**63), 2**64),
    ).map(encoded),
)


@pytest.mark.django_db
def test_any_cursor_is_valid_or_rejected(api: Api, organization: Organization) -> None:
    known = {project.pk for project in ProjectFactory.create_batch(3, organization=organization)}
    statuses = []

    @fuzz_settings(100)
    @given(cursors, st.sampled_from(["id", "-id", "name", "-name", "created_at", "-created_at"]))
    @example(encoded(["id", 0]), "id")
    def check(cursor: str, sort: str) -> None:
        response = api.get(f"projects?{spelled([('sort', sort), ('page[after]', cursor)])}")
        assert code_of(response) in (None, "keyset_invalid_cursor")
        if response.status == 200:
            assert set(response.ids) <= known
            for query in (parse_qs(urlsplit(link).query) for link in response.json["links"].values()):
                assert len(query.get("page[after]", [""])[0]) <= MAX_CURSOR
        statuses.append((response.status, cursor != ""))

    check()
    assert {(200, True), (400, True)} <= {*statuses}


@pytest.mark.django_db
def test_rows_are_sorted(api: Api, organization: Organization) -> None:
    """Only sorts for which all databases have the same order."""
    rows: list[Project] = [
        ProjectFactory(organization=organization, created_at=MOMENT + timedelta(seconds=n % 3))
        for n in range(7)
    ]
    keys: dict[str, Callable[[Project], Any]] = {
        "id": lambda row: row.pk,
        "created_at": lambda row: row.created_at,
    }
    for sorts in [("id",), *product(("created_at",), ("", "id")), ("id", "created_at")]:
        for signs in product(("", "-"), repeat=2):
            order = [(sign, sort) for sign, sort in zip(signs, sorts, strict=False) if sort]
            expected = sorted(rows, key=keys["id"], reverse=order[-1][0] == "-")
            for sign, sort in reversed(order):
                expected.sort(key=keys[sort], reverse=sign == "-")
            found = api.get(f"projects?sort={','.join(sign + sort for sign, sort in order)}").ids
            assert found == [row.pk for row in expected], order
