"""Test the filters of the API that apply the tracking rule."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from catalog.models import Deal, Service
from productive.accounts.models import Organization, Person
from tests.support.api import Api

pytestmark = pytest.mark.django_db

DAY = "2026-11-23"


def test_services_are_filtered_by_person(api: Api, people: list[Person], services: list[Service]) -> None:
    (ana, ivo, eve), (design, code, qa) = people, services

    def found(person: Person, more: str = f"&filter[on]={DAY}") -> list[int]:
        return api.get(f"services?filter[trackable_by_person_id]={person.pk}{more}").ids

    assert found(ana) == [design.pk, code.pk]
    assert found(ivo) == [code.pk]
    assert found(eve) == []
    assert found(ana, f"&filter[on]={DAY}&filter[kind]=expense") == [design.pk, code.pk, qa.pk]
    assert found(ana, "&filter[on]=2027-01-01") == []
    assert found(ana, f"&filter[on]={DAY}&filter[name]=Code") == [code.pk]
    assert api.get(f"services?filter[trackable_by_person_id][not_eq]={ivo.pk}&filter[on]={DAY}").ids == [
        design.pk,
        qa.pk,
    ]


def test_people_are_filtered_by_service(api: Api, people: list[Person], services: list[Service]) -> None:
    (ana, ivo, eve), (design, code, qa) = people, services

    def found(query: str) -> list[int]:
        return api.get(f"people?{query}&filter[on]={DAY}").ids

    assert found(f"filter[service_id]={design.pk}") == [ana.pk]
    assert found(f"filter[service_id]={code.pk}") == [ana.pk, ivo.pk]
    assert found(f"filter[service_id]={qa.pk}") == []
    assert found(f"filter[service_id]={qa.pk}&filter[kind]=expense") == [ana.pk, ivo.pk]
    assert found(f"filter[service_id]={design.pk},{qa.pk}") == [ana.pk]
    assert found(f"filter[service_id][]={design.pk}&filter[service_id][]={code.pk}") == [ana.pk, ivo.pk]
    assert found(f"filter[service_id][not_eq]={code.pk}") == [eve.pk]


def test_day_is_today_in_the_organizations_zone_by_default(
    api: Api, organization: Organization, people: list[Person], services: list[Service]
) -> None:
    today = organization.today()
    path = f"services?filter[trackable_by_person_id]={people[0].pk}"
    for start, found in ((today, 2), (today + timedelta(days=1), 0)):
        Deal.objects.update(date=start, end_date=None)
        assert len(api.get(path).ids) == found


def test_tracking_filters_take_no_more_queries(
    api: Api, people: list[Person], services: list[Service], django_assert_num_queries: Any
) -> None:
    """The token, the page and, for services, their access."""
    for path, number in (
        (f"services?filter[trackable_by_person_id]={people[0].pk}", 3),
        (f"people?filter[service_id]={services[0].pk}", 2),
    ):
        with django_assert_num_queries(number):
            assert api.get(path).status == 200


@pytest.mark.parametrize(
    ("path", "code"),
    [
        ("services?filter[on]=2026-11-23", "unsupported_filter"),
        ("people?filter[kind]=time", "unsupported_filter"),
        ("services?filter[trackable_by_person_id]=1&filter[on]=23.11.2026", "unsupported_filter_value"),
        ("services?filter[trackable_by_person_id]=1&filter[on]=2026-02-30", "unsupported_filter_value"),
        ("services?filter[trackable_by_person_id]=1&filter[on]=20261123", "unsupported_filter_value"),
        (
            "services?filter[trackable_by_person_id]=1&filter[on]=2026-11-23,2026-11-24",
            "unsupported_filter_value",
        ),
        ("services?filter[trackable_by_person_id]=1&filter[kind]=money", "unsupported_filter_value"),
        ("services?filter[trackable_by_person_id]=1&filter[on][gt]=2026-11-23", "unsupported_filter"),
        ("services?filter[trackable_by_person_id]=1&filter[kind][not_eq]=time", "unsupported_filter"),
        ("services?filter[trackable_by_person_id]=1&filter[on][not_eq]=2026-11-23", "unsupported_filter"),
        ("services?filter[trackable_by_person_id]=1,2", "unsupported_filter_value"),
        ("services?filter[trackable_by_person_id]=me", "unsupported_filter_value"),
        ("services?filter[access]=closed", "unsupported_filter_value"),
        ("tracking_decisions", "missing_filter"),
        ("tracking_decisions?filter[kind]=time", "missing_filter"),
        ("tracking_decisions?filter[person_id]=x", "unsupported_filter_value"),
        ("tracking_decisions?filter[person_id][not_eq]=1", "unsupported_filter"),
        ("tracking_decisions?filter[project_id]=1", "unsupported_filter"),
        ("tracking_decisions?filter[person_id]=1&filter[on]=tomorrow", "unsupported_filter_value"),
        ("tracking_decisions?filter[person_id]=1&sort=id", "unsupported_sort"),
        ("tracking_decisions?filter[person_id]=1&include=deal", "unsupported_include"),
        ("tracking_decisions?filter[person_id]=1&fields[tracking_decisions]=why", "unsupported_field"),
        ("tracking_decisions?filter[person_id]=1&page[number]=-1", "invalid_page"),
    ],
)
def test_invalid_parameter_is_rejected(path: str, code: str, api: Api) -> None:
    response = api.get(path)
    assert (response.status, response.error["code"]) == (400, code)
