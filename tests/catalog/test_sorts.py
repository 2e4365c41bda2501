"""Test sorts by the names of related records."""

from __future__ import annotations

from typing import Any

import pytest

from productive.accounts.models import Organization
from tests.support.api import Api
from tests.support.factories import (
    CompanyFactory,
    DealFactory,
    PersonFactory,
    ProjectFactory,
    ServiceFactory,
)

pytestmark = pytest.mark.django_db


@pytest.fixture
def services(organization: Organization) -> dict[int, str]:
    """Return the names of three services, by id; each has a budget and a project of its own."""
    companies = [CompanyFactory(organization=organization, name=name) for name in ("M", "N")]
    people = [
        PersonFactory(organization=organization, first_name="Ana", last_name=last, title=title, manager=None)
        for last, title in (("B", "Designer"), ("A", None))
    ]
    people[0].manager = people[1]
    people[0].company = companies[0]
    people[0].save()
    found = {}
    # Name, the project's company, the budget's own company, the responsible person.
    for name, company, own, responsible in (
        ("x", companies[1], None, people[0]),
        ("y", None, companies[0], people[1]),
        ("z", None, None, None),
    ):
        project = ProjectFactory(organization=organization, name=name, company=company)
        deal = DealFactory(
            organization=organization, project=project, name=name, company=own, responsible=responsible
        )
        found[ServiceFactory(organization=organization, deal=deal, name=name).pk] = name
    return found


def walk(api: Api, path: str) -> list[Any]:
    """Return the resources of all pages by cursor, one a page."""
    address, found = f"{path}&page[size]=1&page[after]=", []
    while address:
        page = api.get(address.removeprefix("http://testserver"))
        found += page.data
        address = page.json["links"].get("next", "")
    return found


@pytest.mark.parametrize(
    ("path", "ascending"),
    [
        ("projects?sort={}company_name", "x yz"),
        ("deals?sort={}company_name", "y x z"),
        ("deals?sort={}project_name", "x y z"),
        ("deals?sort={}responsible_name", "y x z"),
        ("deals?sort={}creator_name", "xyz"),
        ("deals?sort={}number", "x y z"),
        ("deals?sort={}closed_at", "xyz"),
        ("services?sort={}company", "y x z"),
        ("services?sort={}budget", "x y z"),
        ("services?sort={}project_name", "x y z"),
    ],
)
def test_sorts_by_related_names(path: str, ascending: str, api: Api, services: dict[int, str]) -> None:
    """Nulls are the largest. Equal records, without a space between them, are in the order of their ids."""
    expected = [name for name in ascending if name != " "]
    for sign, names in (("", expected), ("-", expected[::-1])):
        page = api.get(path.format(sign))
        assert [resource["attributes"]["name"] for resource in page.data] == names, sign
        assert walk(api, path.format(sign)) == page.data
        numbered = [api.get(f"{path.format(sign)}&page[size]=1&page[number]={n}").data for n in (1, 2, 3)]
        assert [one for (one,) in numbered] == page.data


def test_sorts_of_people(api: Api, services: dict[int, str]) -> None:
    for sort in ("title", "company_name", "manager"):
        assert [p["attributes"]["last_name"] for p in api.get(f"people?sort={sort}").data] == ["B", "A"]
        assert [p["attributes"]["last_name"] for p in walk(api, f"people?sort=-{sort}")] == ["A", "B"]
    assert api.get("people?sort=joined_at").ids == api.get("people?sort=created_at").ids


def test_sort_and_its_cursor_need_no_more_queries(
    api: Api, services: dict[int, str], django_assert_num_queries: Any
) -> None:
    """The token and the page. It is the last one, so its rows needn't be counted."""
    with django_assert_num_queries(2):
        assert len(api.get("deals?sort=company_name,responsible_name&include=company").data) == 3
