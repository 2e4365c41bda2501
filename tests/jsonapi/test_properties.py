"""Test the API with generated input."""

from __future__ import annotations

import gzip
import json
from base64 import urlsafe_b64encode
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta
from io import BytesIO
from itertools import product
from types import SimpleNamespace
from typing import Any, TypeVar
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest
from django.db import transaction
from django.http import QueryDict
from hypothesis import example, given
from hypothesis import strategies as st

from catalog.models import Project, ServiceType
from productive.accounts.models import Organization, Person
from productive.database.text import fold, search_words
from productive.jsonapi.cursors import MAX_CURSOR
from productive.jsonapi.errors import ApiError, ParameterError
from productive.jsonapi.filter_groups import read_filters
from productive.jsonapi.pagination import MAX_PAGE_SIZE, CursorPage, Page, Pagination
from productive.jsonapi.parsers import ABSENT, MAX_ID, JSONParser, ResourceObject, parse_day, parse_id
from productive.jsonapi.renderers import MEDIA_TYPE
from tests.support.api import Answer, Api
from tests.support.factories import (
    PersonFactory,
    ProjectFactory,
    ServiceTypeAssignmentFactory,
    ServiceTypeFactory,
)
from tests.support.resources import (
    RESOURCES,
    SERVED,
    WRITABLE,
    create_rows,
    document_for,
    model_of,
    relationships_of,
)
from tests.support.samples import fuzz_settings

# Other tests cover each kind of input.
pytestmark = pytest.mark.no_cover

T = TypeVar("T")


@contextmanager
def rolled_back() -> Iterator[None]:
    with transaction.atomic():
        yield
        transaction.set_rollback(True)


# Text that is valid in JSON and in a database.
storable_text = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=12)
any_text = st.text(max_size=12)
latin_1 = st.text(st.characters(max_codepoint=255), max_size=30)


def values(text: st.SearchStrategy[str], numbers: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.recursive(
        st.none() | st.booleans() | numbers | text,
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(text, inner, max_size=3),
        max_leaves=6,
    )


any_value = values(any_text, st.integers() | st.floats())
storable_value = values(
    storable_text,
    st.integers(-(2**63), 2**64 - 1) | st.floats(allow_nan=False, allow_infinity=False),
)


# --- Documents ------------------------------------------------------------------------------------


def parse(body: bytes, content_type: str = MEDIA_TYPE, **meta: str) -> Any:
    return JSONParser().parse(BytesIO(body), content_type, {"request": SimpleNamespace(META=meta)})


def outcome(call: Callable[..., T], *args: Any, **kwargs: Any) -> tuple[T | None, Any]:
    """Return the result or None, and the error's code or status or None."""
    try:
        return call(*args, **kwargs), None
    except ParameterError as error:
        return None, error.members["code"]
    except ApiError as error:
        return None, error.status_code


identifiers = st.fixed_dictionaries({}, optional={"type": any_value, "id": any_value})
relationships = any_value | st.fixed_dictionaries({"data": any_value | identifiers | st.lists(identifiers)})
resource_objects = st.fixed_dictionaries(
    {"type": any_value | st.just("people")},
    optional={
        "id": any_value,
        "attributes": any_value | st.dictionaries(any_text, any_value, max_size=3),
        "relationships": any_value | st.dictionaries(any_text, relationships, max_size=3),
    },
)
documents = any_value | st.fixed_dictionaries({"data": any_value | resource_objects})
bodies = st.binary(max_size=60) | st.builds(
    lambda document, ascii_only: json.dumps(document, ensure_ascii=ascii_only).encode(errors="surrogatepass"),
    documents,
    st.booleans(),
)


@pytest.mark.any_database
@fuzz_settings(200)
@given(bodies, st.integers(0, 60), st.binary(max_size=3))
@example(b"[" * 100_000, 0, b"")
@example(b'{"data":' * 5_000, 0, b"")
@example(b'{"data":{"type":"\\ud800"}}', 60, b"")
def test_any_body_is_parsed_or_malformed(body: bytes, at: int, noise: bytes) -> None:
    """Also insert other bytes."""
    for sent in (body, body[:at] + noise + body[at:]):
        parsed, status = outcome(parse, sent)
        if status is None:
            assert isinstance(parsed, ResourceObject) or "data" not in parsed
            # An accepted document can be serialized and parsed again.
            document = parsed.document if isinstance(parsed, ResourceObject) else parsed
            assert parse(json.dumps(document).encode()) == parsed
        else:
            assert status == 400


@pytest.mark.any_database
@fuzz_settings(50)
@given(latin_1 | latin_1.map(lambda text: f"{MEDIA_TYPE};{text}"), latin_1)
def test_any_content_type_and_coding_is_accepted_or_rejected(content_type: str, coding: str) -> None:
    found = outcome(parse, b"{}", content_type, HTTP_CONTENT_ENCODING=coding)
    assert found in (({}, None), (None, 415))


valid_identifiers = st.fixed_dictionaries({"type": storable_text, "id": storable_text})
linkages = st.none() | valid_identifiers | st.lists(valid_identifiers, max_size=3)


@pytest.mark.any_database
@fuzz_settings(70)
@given(
    kind=storable_text,
    identity=st.none() | storable_text,
    attributes=st.dictionaries(storable_text, storable_value, max_size=4),
    linked=st.dictionaries(storable_text, linkages | st.just(ABSENT), max_size=4),
)
def test_resource_object_is_parsed_unchanged(
    kind: str, identity: str | None, attributes: dict[str, Any], linked: dict[str, Any]
) -> None:
    data = {
        "type": kind,
        "id": identity,
        "attributes": attributes,
        "relationships": {
            name: {"meta": {}} if linkage is ABSENT else {"data": linkage} for name, linkage in linked.items()
        },
    }
    for ascii_only in (True, False):
        body = json.dumps({"data": data}, ensure_ascii=ascii_only).encode()
        read = parse(body, CONTENT_LENGTH=str(len(body)))
        assert read == ResourceObject(kind, identity, attributes, linked)


almost_ids = st.from_regex(r"[-+ 0-9_.e\u0660\uff11]{1,21}")


@pytest.mark.any_database
@fuzz_settings(100)
@given(any_text | almost_ids | any_value, st.integers(1, MAX_ID), st.dates())
def test_id_and_date_have_one_format(sent: Any, number: int, day: date) -> None:
    assert parse_id(str(number)) == number
    assert parse_day(day.isoformat()) == day
    found = parse_id(sent)
    assert found is None or (str(found) == sent and 1 <= found <= MAX_ID)
    found_day = parse_day(sent)
    assert found_day is None or found_day.isoformat() == sent


# --- Query strings --------------------------------------------------------------------------------


def code_of(response: Answer) -> str | None:
    """Return the code of an error 400; None for a list."""
    if response.status == 200:
        assert isinstance(response.json["data"], list)
        return None
    assert response.status == 400, response
    code: str = response.error["code"]
    assert response.error["source"]["parameter"]
    return code


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


def spelled(pairs: list[tuple[str, str]]) -> str:
    return urlencode(pairs, errors="replace")


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


# --- Headers --------------------------------------------------------------------------------------


@pytest.mark.django_db
def test_any_other_token_is_rejected(api: Api, token: Any) -> None:
    @fuzz_settings(20)
    @given(latin_1 | latin_1.map(lambda noise: f"{token.name}{noise}"))
    def check(secret: str) -> None:
        response = Api(secret).get("projects")
        assert response.status == (200 if secret == token.name else 401)

    check()


@pytest.mark.django_db
def test_any_other_organization_is_rejected(api: Api, organization: Organization) -> None:
    own = str(organization.pk)

    @fuzz_settings(20)
    @given(
        latin_1 | st.integers().map(str) | st.sampled_from([own, f" {own}", f"{own} ", f"0{own}", f"{own}\n"])
    )
    def check(organization_id: str) -> None:
        response = api.get("projects", headers={"X-Organization-Id": organization_id})
        assert response.status == (200 if organization_id == own else 403)

    check()


@pytest.mark.django_db
def test_other_headers_only_change_the_representation(api: Api, organization: Organization) -> None:
    ProjectFactory.create_batch(12, organization=organization)
    plain = api.get("projects")
    tags = st.sampled_from([plain.headers["ETag"], f"W/{plain.headers['ETag']}", "*", '"x"', ""])
    codings = st.sampled_from(["gzip", "x-gzip;q=0.1", "gzip;q=0", "identity", "*"])

    @fuzz_settings(50)
    @given(
        st.fixed_dictionaries(
            {},
            optional={
                "Accept": latin_1,
                "Accept-Encoding": latin_1 | st.lists(codings | latin_1, max_size=3).map(", ".join),
                "If-None-Match": latin_1 | st.lists(tags | latin_1, max_size=3).map(", ".join),
                "Accept-Language": latin_1,
                "Cookie": latin_1,
                "Content-Type": latin_1,
            },
        )
    )
    def check(headers: dict[str, str]) -> None:
        response = api.get("projects", headers=headers)
        if response.status == 304:
            assert (response.body, "If-None-Match" in headers) == (b"", True)
            return
        assert response.status == 200
        body = gzip.decompress(response.body) if "Content-Encoding" in response.headers else response.body
        assert body == plain.body

    check()


# --- Writing --------------------------------------------------------------------------------------


@pytest.mark.django_db
def test_any_attribute_value_is_stored_or_rejected(api: Api, organization: Organization) -> None:
    """Stored values can be read again, in a list, too."""
    rows = {resource: create_rows(resource, organization)[0] for resource in WRITABLE}
    attributes = [
        (resource, name)
        for resource in WRITABLE
        for name in RESOURCES[resource].serializer_class.Meta.fields
        if not model_of(resource)._meta.get_field(name).is_relation
    ]

    @fuzz_settings(80)
    @given(st.sampled_from(attributes), any_value | storable_value)
    def check(attribute: tuple[str, str], value: Any) -> None:
        resource, name = attribute
        with rolled_back():
            response = api.patch(
                f"{resource}/{rows[resource].pk}", json=document_for(resource, **{name: value})
            )
            assert response.status in (200, 400, 422), (attribute, value)
            listed = api.get(resource)
            assert listed.status == 200
            if response.status == 200:
                assert [each["attributes"] for each in listed.data if each["id"] == response.data["id"]] == [
                    response.data["attributes"]
                ]

    check()
