"""Test that pages by cursor have every record once, while rows change."""

from __future__ import annotations

from base64 import urlsafe_b64encode
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import permutations, product
from random import Random
from typing import Any
from urllib.parse import parse_qs, quote, urlsplit

import orjson
import pytest

from productive.accounts.models import Organization
from tests.support.api import Answer, Api
from tests.support.factories import PersonFactory, ProjectFactory, ServiceFactory, ServiceTypeFactory
from tests.support.resources import METAS, RESOURCES, create_rows, model_of, relationships_of
from tests.support.samples import sampled

pytestmark = pytest.mark.django_db

MOMENT = datetime(2026, 11, 23, 8, 30, tzinfo=UTC)


def orders(resource: str) -> Iterator[str]:
    """Yield the default order, each sort, and each pair of sorts."""
    sorts = [*RESOURCES[resource].sorts]
    yield ""
    for sort, sign in product(["id", *sorts], ("", "-")):
        yield f"&sort={sign}{sort}"
    for (one, other), (sign, other_sign) in product(permutations(sorts, 2), product(("", "-"), repeat=2)):
        yield f"&sort={sign}{one},{other_sign}{other}"


WALKED = [resource for resource in RESOURCES if resource != "organizations"]
WALKS = sampled((resource, order) for resource in WALKED for order in orders(resource))


def set_random_values(row: Any, random: Random) -> None:
    """Set values that other rows have, too, some of them null."""
    for column in ("name", "first_name", "last_name"):
        if hasattr(row, column):
            setattr(row, column, random.choice(["a", "A", "b", "ba", "č", "Ž", "%", "名"]))
    if hasattr(row, "email") and random.random() < 0.5:
        row.email = None
    row.created_at = MOMENT + timedelta(microseconds=random.choice([0, 1, 999_999, 10**12]))
    row.save()


def create_random_rows(resource: str, organization: Organization, count: int, random: Random) -> list[Any]:
    rows = create_rows(resource, organization, count)
    for row in rows:
        set_random_values(row, random)
    return rows


def pages(api: Api, path: str) -> Iterator[Answer]:
    """Yield every page, by the links to the next."""
    address = f"/api/v2/{path}&page[after]="
    while address:
        response = api.get(address)
        assert response.status == 200, response
        yield response
        parts = urlsplit(response.json["links"].get("next", ""))
        address = parts.query and f"{parts.path}?{parts.query}"


def cursor_in(response: Answer) -> str:
    """Return the cursor of the next page."""
    (cursor,) = parse_qs(urlsplit(response.json["links"]["next"]).query)["page[after]"]
    return cursor


def cursor_of(*payload: Any) -> str:
    """Return a cursor with these values."""
    return urlsafe_b64encode(orjson.dumps(payload)).rstrip(b"=").decode()


@pytest.mark.no_cover
@pytest.mark.parametrize(("resource", "order"), WALKS)
def test_pages_have_each_record_once_while_records_change(
    resource: str, order: str, api: Api, organization: Organization
) -> None:
    random = Random(f"{resource} {order}")
    rows = {row.pk: row for row in create_random_rows(resource, organization, 12, random)}
    throughout, walked, known = {*rows}, [], {*rows}
    for page in pages(api, f"{resource}?page[size]=3{order}"):
        walked += page.ids
        # Delete any record, and sometimes the one of the cursor.
        for pk in {random.choice([*rows]), *random.choice([page.ids[-1:], []])} & rows.keys():
            rows.pop(pk).delete()
            throughout.discard(pk)
        for row in create_random_rows(resource, organization, 1, random):
            rows[row.pk] = row
            known.add(row.pk)
    assert len(walked) == len(set(walked))
    assert throughout <= set(walked) <= known
    left = api.get(f"{resource}?page[size]=200{order}").ids
    assert [pk for pk in walked if pk in rows] == [pk for pk in left if pk in walked]


def test_links_and_meta(api: Api, organization: Organization) -> None:
    rows = [ServiceTypeFactory(organization=organization, name=name) for name in ("one", "two", "three", "ö")]

    def link(cursor: str) -> str:
        query = f"filter%5Bquery%5D=e&include=assignees&page%5Bafter%5D={cursor}&page%5Bsize%5D=1"
        return f"http://testserver/api/v2/service_types?{query}"

    first, second = (
        api.get(f"service_types?page[after]={cursor}&filter[query]=e&page[size]=1&include=assignees")
        for cursor in ("", cursor_of("name_key,id", "one", rows[0].pk))
    )
    assert (first.ids, second.ids) == ([rows[0].pk], [rows[2].pk])
    assert list(first.json) == ["data", "included", "links", "meta"]
    assert first.json["links"] == {
        "first": link(""),
        "next": link(cursor_of("name_key,id", "one", rows[0].pk)),
    }
    assert second.json["links"] == {"first": link("")}
    for page in (first, second):
        assert list(page.json["meta"].items()) == [("page_size", 1), ("max_page_size", 200)]


def test_empty_list_has_a_first_page(api: Api, token: Any) -> None:
    response = api.get("people?page[after]=&page[size]=500").json
    link = "http://testserver/api/v2/people?page%5Bafter%5D=&page%5Bsize%5D=200"
    assert response == {
        "data": [],
        "links": {"first": link},
        "meta": {"page_size": 200, "max_page_size": 200},
    }


def test_filters_and_fields_apply_to_every_page(api: Api, organization: Organization) -> None:
    rows = ServiceFactory.create_batch(5, organization=organization, time_tracking_enabled=False)
    query = f"filter[id][not_eq]={rows[1].pk}&fields[services]=deal&include=deal&sort=-name&page[size]=2"
    walked = [page.json for page in pages(api, f"services?{query}")]
    assert [int(row["id"]) for page in walked for row in page["data"]] == [rows[i].pk for i in (4, 3, 2, 0)]
    assert [[d["id"] for d in page["included"]] for page in walked] == [
        [str(rows[i].deal_id) for i in page] for page in ((4, 3), (2, 0))
    ]
    assert {key for page in walked for row in page["data"] for key in row} == {
        "id",
        "type",
        "relationships",
        "meta",
    }


@pytest.mark.no_cover
@pytest.mark.parametrize("resource", WALKED)
def test_page_takes_one_query(
    resource: str, api: Api, organization: Organization, django_assert_num_queries: Any
) -> None:
    """Besides: the token, the meta object, and each to-many include."""
    create_rows(resource, organization, 5)
    names = relationships_of(resource)
    to_many = [name for name in names if model_of(resource)._meta.get_field(name).many_to_many]
    for cursor in ("", cursor_in(api.get(f"{resource}?page[size]=2&page[after]="))):
        with django_assert_num_queries(2 + METAS.get(resource, 0)):
            assert len(api.get(f"{resource}?page[size]=2&page[after]={cursor}").data) == 2
        with django_assert_num_queries(2 + METAS.get(resource, 0) + len(to_many)):
            api.get(f"{resource}?page[size]=2&page[after]={cursor}&include={','.join(names)}")


def test_page_across_the_border_of_nulls_takes_one_more_query(
    api: Api, organization: Organization, django_assert_num_queries: Any
) -> None:
    """A full page doesn't need the second query."""
    for email in ("a@example.com", "b@example.com", "c@example.com", None, None, None, None):
        PersonFactory(organization=organization, email=email)
    for sort, counts in (("email", [2, 3, 2, 2]), ("-email", [2, 3, 3, 2])):
        address = f"/api/v2/people?sort={sort}&page[size]=2&page[after]="
        for count in counts:
            with django_assert_num_queries(count):
                response = api.get(address)
            address = response.json["links"].get("next", "").removeprefix("http://testserver")
        assert address == ""


BAD = {
    "word": "x",
    "not base64": "!!!!",
    "letters of another script": "čćž",
    "not url-safe": cursor_of("name_key,id", "??>>~~", 5).replace("_", "/").replace("-", "+"),
    "padded": f"{cursor_of('name,id', 'abcd', 5)}=",
    "space": f"{cursor_of('name,id', 'a', 5)} ",
    "noise within": f"{cursor_of('name,id', 'a', 5)[:4]}*{cursor_of('name,id', 'a', 5)[4:]}",
    "not JSON": urlsafe_b64encode(b"name_key,id").decode(),
    "JSON spelled otherwise": urlsafe_b64encode(b'["name_key,id", "a", 5]').rstrip(b"=").decode(),
    "not a list": urlsafe_b64encode(b'{"name_key,id":5}').rstrip(b"=").decode(),
    "empty list": cursor_of(),
    "nested": urlsafe_b64encode(b"[" * 2000 + b"]" * 2000).rstrip(b"=").decode(),
    "list for a value": cursor_of("name_key,id", ["a"], 5),
    "object for a value": cursor_of("name_key,id", {"a": 1}, 5),
    "null where there is none": cursor_of("name_key,id", None, 5),
    "no id": cursor_of("name_key,id", "a"),
    "null id": cursor_of("name_key,id", "a", None),
    "too many values": cursor_of("name_key,id", "a", 5, 5),
    "id as text": cursor_of("name_key,id", "a", "5"),
    "id as truth": cursor_of("name_key,id", "a", True),
    "fraction": cursor_of("name_key,id", "a", 5.5),
    "number for text": cursor_of("name_key,id", 5, 5),
    "id of 64 bits": cursor_of("name_key,id", "a", 2**63),
    "id of 80 bits": urlsafe_b64encode(b'["name_key,id","a",%d]' % 2**80).rstrip(b"=").decode(),
    "NUL": cursor_of("name_key,id", "\0", 5),
    "surrogate": urlsafe_b64encode(b'["name_key,id","\\ud800",5]').rstrip(b"=").decode(),
    "broken UTF-8": urlsafe_b64encode(b'["name_key,id","\xff",5]').rstrip(b"=").decode(),
    "another order": cursor_of("id", 5),
    "the other way": cursor_of("-name,-id", "a", 5),
    "no order": cursor_of(None, "a", 5),
    "too long": cursor_of("name_key,id", "a" * 8_000, 5),
}
BAD_MOMENTS = {
    "after the calendar": cursor_of("created_at,id", 2**62, 5),
    "before it": cursor_of("created_at,id", -(2**62), 5),
    "text": cursor_of("created_at,id", "2026-11-23", 5),
    "none": cursor_of("created_at,id", None, 5),
}


@pytest.mark.parametrize(
    ("sort", "cursor"),
    [("name", bad) for bad in BAD.values()] + [("created_at", bad) for bad in BAD_MOMENTS.values()],
    ids=[*BAD, *BAD_MOMENTS],
)
def test_invalid_cursor_is_rejected(sort: str, cursor: str, api: Api) -> None:
    response = api.get(f"projects?sort={sort}&page[after]={quote(cursor)}")
    shown = cursor if len(cursor) <= 100 else f"{cursor[:100]}…"
    assert (response.status, response.error) == (
        400,
        invalid_page(
            f"Page after '{shown}' is not one that a list in this order has",
            "page[after]",
            "keyset_invalid_cursor",
        ),
    )


def invalid_page(detail: str, parameter: str, code: str) -> dict[str, Any]:
    return {
        "status": "400",
        "code": code,
        "title": code.replace("_", " ").title(),
        "detail": detail,
        "source": {"parameter": parameter},
    }


@pytest.mark.parametrize("sort", ["name", "created_at", "id", "-id"])
def test_any_valid_values_are_a_cursor(sort: str, api: Api, token: Any) -> None:
    """Test the lowest and the highest values that a cursor can have."""
    values = {
        "name": ["", "\U0010ffff" * 255, "'; --%s"],
        "created_at": [-62135596800000000, 253402300799999999],
    }
    names = {"name": "name_key,id", "created_at": "created_at,id"}
    project = ProjectFactory(organization=token.organization)
    found = set()
    for value in values.get(sort, [()]):
        for pk in (-(2**63) + 1, 0, 2**63 - 1):
            payload = (sort, pk) if value == () else (names[sort], value, pk)
            response = api.get(f"projects?sort={sort}&page[after]={cursor_of(*payload)}")
            assert response.status == 200
            found.update(response.ids)
    assert found == {project.pk}


@pytest.mark.parametrize(
    ("query", "detail", "parameter"),
    [
        ("page[after]=&page[number]=1", "A page has a number or comes after another", "page[number]"),
        ("page[after]=&page[after]=", "Page ', ' is not a whole number from 1", "page[after]"),
        ("page[after]=&page[size]=0", "Page '0' is not a whole number from 1", "page[size]"),
        ("page[after][]=", "Page 'page[after][]' is not a whole number from 1", "page[after][]"),
        ("page[before]=", "Page 'page[before]' is not a whole number from 1", "page[before]"),
    ],
)  # fmt: skip
def test_ambiguous_or_unknown_page_parameter_is_rejected(
    query: str, detail: str, parameter: str, api: Api
) -> None:
    response = api.get(f"projects?{query}")
    code = "keyset_conflict" if parameter == "page[number]" else "invalid_page"
    assert (response.status, response.error) == (400, invalid_page(detail, parameter, code))


@pytest.mark.parametrize("listed", ["service_id", "person_id"])
def test_tracking_decisions_have_pages_by_cursor(
    listed: str, api: Api, organization: Organization, django_assert_num_queries: Any
) -> None:
    """The token, both sides of the pairs, and one query for all pairs."""
    services = ServiceFactory.create_batch(3, organization=organization)
    people = PersonFactory.create_batch(4, organization=organization)
    ids = ",".join(str(row.pk) for row in (services if listed == "service_id" else people))
    path = f"tracking_decisions?filter[{listed}]={ids}"
    together = [row["id"] for row in api.get(path).data]
    assert len(together) == 12
    for size in (1, 2, 3, 5, 11, 12, 30):
        walked = [row["id"] for page in pages(api, f"{path}&page[size]={size}") for row in page.data]
        assert walked == together
    with django_assert_num_queries(4):
        first = api.get(f"{path}&page[size]=2&page[after]=")
    assert first.json["meta"] == {"page_size": 2, "max_page_size": 20_000}
    other = "person_id" if listed == "service_id" else "service_id"
    others = ",".join(str(row.pk) for row in (people if listed == "service_id" else services))
    turned = api.get(f"tracking_decisions?filter[{other}]={others}&page[after]={cursor_in(first)}")
    assert (turned.status, turned.error["code"]) == (400, "keyset_invalid_cursor")
    assert api.get("tracking_decisions?filter[person_id]=1000000000&page[after]=").data == []


def test_tracking_decisions_continue_after_a_deleted_pair(api: Api, organization: Organization) -> None:
    services = ServiceFactory.create_batch(2, organization=organization)
    people = PersonFactory.create_batch(3, organization=organization)
    ids = ",".join(str(row.pk) for row in services)
    walk = pages(api, f"tracking_decisions?filter[service_id]={ids}&page[size]=3")
    assert [row["id"].split("-")[:2] for row in next(walk).data] == [
        [str(people[i].pk), str(services[j].pk)] for i, j in ((0, 0), (0, 1), (1, 0))
    ]
    last = people[2].pk
    people[1].delete()
    assert [row["id"].split("-")[:2] for row in next(walk).data] == [
        [str(last), str(service.pk)] for service in services
    ]
