"""Test pages and their links, filters and their operations, sorts."""

from __future__ import annotations

from typing import Any

import pytest

from catalog.models import ServiceType
from productive.accounts.models import Organization
from tests.support.api import Api
from tests.support.factories import PersonFactory, ServiceTypeAssignmentFactory, ServiceTypeFactory

pytestmark = pytest.mark.django_db


@pytest.fixture
def types(organization: Organization) -> dict[str, int]:
    described = {
        "Design": "Wireframes",
        "Development": "code, review",
        "QA": None,
        "design review": "50% off_",
    }
    rows = [
        ServiceTypeFactory(organization=organization, name=name, description=text)
        for name, text in described.items()
    ]
    return {row.name: row.pk for row in rows}


def names(api: Api, query: str) -> list[str]:
    return [resource["attributes"]["name"] for resource in api.get(f"service_types?{query}").data]


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("filter[name]=Design", ["Design"]),
        ("filter[name][eq]=Design", ["Design"]),
        ("filter[name]=design", []),
        ("filter[name][]=Design&filter[name][]=QA", ["Design", "QA"]),
        ("filter[name][not_eq]=Design", ["Development", "QA", "design review"]),
        ("filter[name][contains]=DESIGN", ["Design", "design review"]),
        ("filter[name][contains][]=DESIGN&filter[name][contains][]=qa", ["Design", "QA", "design review"]),
        ("filter[name][not_contain]=design", ["Development", "QA"]),
        ("filter[name][contains]=design&filter[name][not_eq]=Design", ["design review"]),
        ("filter[description]=code,%20review", ["Development"]),
        ("filter[description][contains]=%25", ["design review"]),
        ("filter[description][contains]=f_", ["design review"]),
        ("filter[description][not_contain]=code", ["Design", "QA", "design review"]),
        ("filter[query]=REV", ["Development", "design review"]),
        ("filter[query]=", ["Design", "Development", "QA", "design review"]),
        ("filter[query]=rev&filter[name][not_contain]=dev", ["design review"]),
        ("some_parameter=of_another_client", ["Design", "Development", "QA", "design review"]),
    ],
)
def test_text_filters(query: str, found: list[str], api: Api, types: dict[str, int]) -> None:
    assert sorted(names(api, query)) == sorted(found)


def test_default_order_is_name_then_id(api: Api, organization: Organization) -> None:
    rows = [ServiceTypeFactory(organization=organization, name=name) for name in ("b", "a", "b", "a")]
    assert api.get("service_types").ids == [rows[i].pk for i in (1, 3, 0, 2)]


def test_id_has_the_direction_of_the_last_sort(api: Api, organization: Organization) -> None:
    rows = [
        PersonFactory(
            organization=organization, first_name=name, last_name="", created_at="2026-11-23T08:30Z"
        )
        for name in ("b", "a", "b", "a")
    ]
    for sort, order in (
        ("name", (1, 3, 0, 2)),
        ("-name", (2, 0, 3, 1)),
        ("-name,created_at", (0, 2, 1, 3)),
        ("created_at,-name", (2, 0, 3, 1)),
        ("name,-id", (3, 1, 2, 0)),
        ("-name,name", (0, 2, 1, 3)),
        ("-id,name", (3, 2, 1, 0)),
    ):
        assert api.get(f"people?sort={sort}").ids == [rows[i].pk for i in order], sort


def test_own_id_can_be_compared(api: Api, types: dict[str, int]) -> None:
    first, second, third, fourth = sorted(types.values())
    for query, found in (
        (f"filter[id]={first},{third}", [first, third]),
        (f"filter[id][not_eq]={first},{third}", [second, fourth]),
        (f"filter[id][gt]={second}", [third, fourth]),
        (f"filter[id][gt_eq]={second}&filter[id][lt]={fourth}", [second, third]),
        (f"filter[id][lt_eq]={first}", [first]),
        ("filter[id]=9223372036854775807", []),
    ):
        assert sorted(api.get(f"service_types?{query}").ids) == found, query


def test_member_filter_finds_a_record_once(
    api: Api, organization: Organization, types: dict[str, int]
) -> None:
    ana, ivo, eve = PersonFactory.create_batch(3, organization=organization)
    by_name = ServiceType.objects.in_bulk(types.values())
    for person, name in ((ana, "Design"), (ivo, "Design"), (ivo, "QA")):
        ServiceTypeAssignmentFactory(
            organization=organization, person=person, service_type=by_name[types[name]]
        )
    assert names(api, f"filter[person_id]={ana.pk}") == ["Design"]
    assert names(api, f"filter[person_id]={ana.pk},{ivo.pk}") == ["Design", "QA"]
    assert names(api, f"filter[person_id]={eve.pk}") == []
    assert names(api, f"filter[person_id][not_eq]={ivo.pk}") == ["design review", "Development"]
    assert api.get(f"people?filter[service_type_id]={types['Design']},{types['QA']}").ids == [ana.pk, ivo.pk]


@pytest.mark.parametrize(
    ("query", "code", "detail", "parameter"),
    [
        ("filter[nme]=x", "unsupported_filter", "Filter 'nme' is not supported on this endpoint", "filter[nme]"),
        ("filter[name][like]=x", "unsupported_filter", "Filter 'name[like]' is not supported on this endpoint", "filter[name][like]"),
        ("filter[id]=x", "unsupported_filter_value", "Filter value 'x' is not supported on this endpoint", "filter[id]"),
        ("filter[status]=3", "unsupported_filter_value", "Filter value '3' is not supported on this endpoint", "filter[status]"),
        ("sort=name", "unsupported_sort", "Sort by 'name' is not supported on this endpoint", "sort"),
        ("sort=,", "unsupported_sort", "Sort by '' is not supported on this endpoint", "sort"),
        ("include=people", "unsupported_include", "Include 'people' is not supported on this endpoint", "include"),
        ("include=assignees.nobody", "unsupported_include", "Include 'assignees.nobody' is not supported on this endpoint", "include"),
        ("include[]=assignees", "unsupported_include", "Include 'include[]' is not supported on this endpoint", "include[]"),
        ("sort[]=id", "unsupported_sort", "Sort by 'sort[]' is not supported on this endpoint", "sort[]"),
        ("fields[service_types]=secret", "unsupported_field", "Field 'secret' is not supported on this endpoint", "fields[service_types]"),
        ("page[number]=last", "invalid_page", "Page 'last' is not a whole number from 1", "page[number]"),
        ("page[size]=0", "invalid_page", "Page '0' is not a whole number from 1", "page[size]"),
    ],
)  # fmt: skip
def test_unknown_parameter_is_rejected(query: str, code: str, detail: str, parameter: str, api: Api) -> None:
    response = api.get(f"service_types?{query}")
    title = " ".join(word.capitalize() for word in code.split("_"))
    assert (response.status, response.error) == (
        400,
        {"status": "400", "code": code, "title": title, "detail": detail, "source": {"parameter": parameter}},
    )


def test_links_of_pages(api: Api, types: dict[str, int]) -> None:
    def link(number: int) -> str:
        query = f"filter%5Bquery%5D=e&page%5Bnumber%5D={number}&page%5Bsize%5D=1"
        return f"http://testserver/api/v2/service_types?{query}"

    # Three of the four names have an "e".
    pages = {
        1: {"first": 1, "next": 2, "last": 3},
        2: {"first": 1, "prev": 1, "next": 3, "last": 3},
        3: {"first": 1, "prev": 2, "last": 3},
        4: {"first": 1, "prev": 3, "last": 3},
        9: {"first": 1, "last": 3},
    }
    for number, links in pages.items():
        response = api.get(f"service_types?page[number]={number}&filter[query]=e&page[size]=1").json
        assert response["links"] == {name: link(n) for name, n in links.items()}
        assert list(response["links"]) == list(links)
        assert response["meta"] == {
            "current_page": number,
            "total_pages": 3,
            "total_count": 3,
            "page_size": 1,
            "max_page_size": 200,
        }
        assert len(response["data"]) == (1 if number <= 3 else 0)


def test_page_size_is_limited_to_the_maximum(api: Api, types: dict[str, int]) -> None:
    assert api.get("service_types?page[size]=500").json["meta"]["page_size"] == 200
    huge = api.get("service_types?page[number]=9223372036854775807&page[size]=200")
    assert (huge.status, huge.data, huge.json["meta"]["total_count"]) == (200, [], 4)


def test_empty_list_has_a_first_page(api: Api, token: Any) -> None:
    response = api.get("service_types").json
    assert response["data"] == []
    assert list(response["links"]) == ["first", "last"]
    assert response["links"]["first"] == response["links"]["last"]
    assert (response["meta"]["total_pages"], response["meta"]["total_count"]) == (0, 0)
