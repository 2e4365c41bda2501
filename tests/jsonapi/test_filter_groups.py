"""Test `filter[$op]` and numbered filters."""

from __future__ import annotations

from typing import Any

import pytest

from productive.accounts.models import Organization
from productive.jsonapi.filter_groups import MAX_GROUP_DEPTH, MAX_GROUPS
from productive.jsonapi.filters import ChoiceFilter, IdFilter
from tests.support.api import Api
from tests.support.factories import ApiTokenFactory, PersonFactory, ServiceTypeAssignmentFactory
from tests.support.resources import RESOURCES, SERVED, create_linked_rows

pytestmark = [pytest.mark.django_db, pytest.mark.any_database]


def nested(depth: int) -> str:
    return f"filter{'[0]' * depth}[email]=a"


@pytest.fixture
def people(organization: Organization) -> dict[int, str]:
    rows = [
        PersonFactory(organization=organization, first_name=first, last_name=last, email=f"{first}@{last}")
        for first, last in (("ana", "x"), ("bo", "x"), ("ana", "y"), ("cy", "z"))
    ]
    ServiceTypeAssignmentFactory(organization=organization, person=rows[1])
    return {row.pk: row.email for row in rows}


# The second is the example of the vendor's guide, and the last of an SDK.
@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("filter[$op]=or&filter[0][first_name][eq]=bo&filter[1][last_name]=y", "ana@y bo@x"),
        (
            "filter[$op]=or&filter[0][first_name][eq]=cy&filter[1][$op]=and"
            "&filter[1][0][first_name][contains]=A&filter[1][1][last_name][not_eq]=y",
            "ana@x cy@z",
        ),
        ("filter[$op]=and&filter[0][first_name]=ana&filter[1][last_name]=x", "ana@x"),
        ("filter[0][first_name]=ana&filter[1][first_name][not_contain]=b", "ana@x ana@y"),
        ("filter[$op]=and&filter[0][email][contains]=a&filter[1][email][contains]=y", "ana@y"),
        ("filter[$op]=and&filter[0][query]=a&filter[1][query]=y", "ana@y"),
        ("filter[$op]=or&filter[7][first_name]=bo", "bo@x"),
        ("filter[$op]=or&filter[0][first_name]=ana&filter[0][last_name]=y&filter[1][query]=cy", "ana@y cy@z"),
        ("filter[$op]=or&filter[0][email][]=bo@x&filter[0][email][]=cy@z&filter[1][id]=0", "bo@x cy@z"),
        ("filter[$op]=or&filter[0][id]=0&filter[1][id]=0", ""),
        ("filter[last_name]=x&filter[$op]=and&filter[0][first_name][not_eq]=bo", "ana@x"),
        (
            "filter[$op]=and&filter[0][$op]=or&filter[0][0][first_name]=bo&filter[0][1][first_name]=cy"
            "&filter[1][$op]=or&filter[1][0][last_name]=x&filter[1][1][last_name]=y",
            "bo@x",
        ),
        ("filter[$op]=and", "ana@x ana@y bo@x cy@z"),
        ("filter[$op]=xor&filter[$op]=or&filter[0][first_name]=bo&filter[1][first_name]=cy", "bo@x cy@z"),
        (nested(MAX_GROUP_DEPTH).replace("=a", "=bo@x"), "bo@x"),
    ],
)
def test_groups_are_combined(query: str, found: str, api: Api, people: dict[int, str]) -> None:
    answer = api.get(f"people?{query}&sort=email")
    assert [resource["attributes"]["email"] for resource in answer.data] == found.split()
    # The same by cursor, whose links keep the filters.
    address, ids = f"people?{query}&sort=email&page[size]=1&page[after]=", []
    while address:
        page = api.get(address.removeprefix("http://testserver"))
        ids += page.ids
        address = page.json["links"].get("next", "")
    assert ids == answer.ids


@pytest.mark.parametrize(
    ("query", "code", "parameter"),
    [
        ("filter[$op]=xor", "unsupported_filter_value", "filter[$op]"),
        ("filter[$op]=", "unsupported_filter_value", "filter[$op]"),
        ("filter[$op][]=or", "unsupported_filter", "filter[$op][]"),
        ("filter[$op][eq]=or", "unsupported_filter", "filter[$op][eq]"),
        ("filter[0]=1", "unsupported_filter", "filter[0]"),
        ("filter[0][0]=1", "unsupported_filter", "filter[0][0]"),
        ("filter[0][]=1", "unsupported_filter", "filter[0][]"),
        ("filter[99999][email]=a", "unsupported_filter", "filter[99999][email]"),
        ("filter[-1][email]=a", "unsupported_filter", "filter[-1][email]"),
        ("filter[%D9%A3][email]=a", "unsupported_filter", "filter[٣][email]"),
        ("filter[0][nothing]=1", "unsupported_filter", "filter[0][nothing]"),
        ("filter[0][email][gt]=1", "unsupported_filter", "filter[0][email][gt]"),
        ("filter[1][on]=2026-01-01", "unsupported_filter", "filter[1][on]"),
        ("filter[1][company_id]=x", "unsupported_filter_value", "filter[1][company_id]"),
        ("filter[0][email]=a&filter[0][email][eq]=b", "unsupported_filter_value", "filter[0][email][eq]"),
        ("filter[$op]=or&filter[email]=a", "unsupported_filter", "filter[email]"),
        ("filter[$op]=or&filter[0][email]=a&filter[email]=b", "unsupported_filter", "filter[email]"),
        (nested(MAX_GROUP_DEPTH + 1), "unsupported_filter", nested(MAX_GROUP_DEPTH + 1).removesuffix("=a")),
        (nested(2000), "unsupported_filter", nested(2000).removesuffix("=a")),
        (
            "&".join(f"filter[{n}][id]=1" for n in range(MAX_GROUPS + 1)),
            "unsupported_filter",
            f"filter[{MAX_GROUPS}][id]",
        ),
    ],
)
def test_nonsense_is_rejected(query: str, code: str, parameter: str, api: Api) -> None:
    answer = api.get(f"people?{query}")
    assert (answer.status, answer.error["code"]) == (400, code)
    assert answer.error["source"] == {"parameter": parameter}


@pytest.mark.parametrize("resource", RESOURCES)
def test_every_filter_can_be_numbered(resource: str, api: Api, organization: Organization) -> None:
    """It finds the same records, and none of another organization."""
    row = create_linked_rows(resource, organization, 2)[0] if resource != "organizations" else organization
    other = Api(ApiTokenFactory().name)
    declared = RESOURCES[resource].filterset_class.base_filters
    for name, each in declared.items():
        if each.needs(declared):
            continue
        value: Any = getattr(row, name, None) or 1 if isinstance(each, IdFilter) else 1
        if isinstance(each, ChoiceFilter):
            value = next(iter(each.conditions))
        elif "enum" in each.value_schema:
            value = each.value_schema["enum"][0]
        elif each.value_schema.get("format") == "date":
            value = "2026-01-01"
        for operation in each.all_operations():
            plain = api.get(f"{resource}?filter[{name}][{operation}]={value}")
            group = f"{resource}?filter[$op]=or&filter[0][{name}][{operation}]={value}&filter[1][id]=0"
            assert (plain.status, api.get(group).ids) == (200, plain.ids), (name, operation)
            assert not set(other.get(group).ids) & set(plain.ids) or resource == "organizations"


def test_computed_resources_have_no_groups(api: Api) -> None:
    for resource, view in SERVED.items():
        answer = api.get(f"{resource}?filter[$op]=and")
        expected = 200 if view.filterset_class.can_be_grouped else 400  # type: ignore[attr-defined]
        assert (resource, answer.status) == (resource, expected)


def test_the_largest_groups_are_served(api: Api, people: dict[int, str]) -> None:
    """Their SQL is as long as the request, not longer with each level."""
    ids = [*people]
    wide = "&".join(f"filter[{n}][service_type_id][not_eq]={n + 1}" for n in range(MAX_GROUPS))
    assert api.get(f"people?filter[$op]=or&{wide}").ids == ids
    pairs = "&".join(
        f"filter[{n}][$op]=or&filter[{n}][0][id]={ids[0]}&filter[{n}][1][id]={ids[1]}"
        for n in range(MAX_GROUPS // 3)
    )
    assert api.get(f"people?{pairs}").ids == ids[:2]
