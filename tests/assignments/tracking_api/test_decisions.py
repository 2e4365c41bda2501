"""Test tracking decisions in the API."""

from __future__ import annotations

from itertools import product
from typing import Any

import pytest
from django.db.models import QuerySet

from catalog.models import Service
from productive.accounts.models import Organization, Person
from tests.support.api import Api
from tests.support.factories import (
    ApiTokenFactory,
    DealFactory,
    PersonFactory,
    ServiceAssignmentFactory,
    ServiceFactory,
    ServiceTypeFactory,
)

pytestmark = pytest.mark.django_db

DAY = "2026-11-23"


def test_decision_has_reasons(api: Api, people: list[Person], services: list[Service]) -> None:
    ana, design = people[0], services[0]
    response = api.get(
        f"tracking_decisions?filter[person_id]={ana.pk}&filter[service_id]={design.pk}&filter[on]={DAY}"
    )
    decision = {
        "id": f"{ana.pk}-{design.pk}-time-{DAY}",
        "type": "tracking_decisions",
        "attributes": {
            "allowed": True,
            "kind": "time",
            "on": DAY,
            "reasons": [{"code": "assigned", "message": "Ana Horvat is assigned to Design on Acme 2026"}],
        },
        "relationships": {"person": {"meta": {"included": False}}, "service": {"meta": {"included": False}}},
    }
    query = f"filter%5Bperson_id%5D={ana.pk}&filter%5Bservice_id%5D={design.pk}&filter%5Bon%5D={DAY}"
    link = f"http://testserver/api/v2/tracking_decisions?{query}&page%5Bnumber%5D=1&page%5Bsize%5D=30"
    assert response.json == {
        "data": [decision],
        "links": {"first": link, "last": link},
        "meta": {
            "current_page": 1,
            "total_pages": 1,
            "total_count": 1,
            "page_size": 30,
            "max_page_size": 20_000,
        },
    }
    assert api.get(f"tracking_decisions/{decision['id']}").json == {"data": decision, "meta": {}}


@pytest.mark.any_database
def test_page_has_a_whole_board(api: Api, organization: Organization) -> None:
    """Of 70 people and 30 services, 2,100 pairs: more than other resources have on a page."""
    people = Person.objects.bulk_create(
        [Person(organization=organization, first_name="P", last_name=str(n)) for n in range(70)]
    )
    deal = DealFactory(organization=organization)
    service_type = ServiceTypeFactory(organization=organization)
    services = Service.objects.bulk_create(
        [
            Service(organization=organization, deal=deal, service_type=service_type, name="S")
            for _ in range(30)
        ]
    )
    query = "&".join(
        f"filter[{name}]={','.join(str(row.pk) for row in rows)}"
        for name, rows in (("person_id", people), ("service_id", services))
    )
    for cursor in ("", "&page[after]="):
        page = api.get(
            f"tracking_decisions?{query}&page[size]=99999{cursor}&fields[tracking_decisions]=allowed"
        )
        assert len({resource["id"] for resource in page.data}) == 2_100
        assert page.json["meta"]["page_size"] == 20_000
        assert "next" not in page.json["links"]


@pytest.mark.no_cover
def test_pages_have_all_pairs(api: Api, people: list[Person], services: list[Service]) -> None:
    outsider = ServiceAssignmentFactory()

    def all_ids(query: str, size: int) -> list[str]:
        found: list[str] = []
        for number in range(1, 20):
            page = api.get(
                f"tracking_decisions?{query}&filter[on]={DAY}&page[size]={size}&page[number]={number}"
            )
            assert page.json["meta"]["total_count"] == total
            found += [resource["id"] for resource in page.data]
        return found

    person_ids, service_ids = [p.pk for p in people], [s.pk for s in services]
    for query, chosen in (
        (
            f"filter[person_id]={person_ids[0]},{person_ids[2]}",
            product([person_ids[0], person_ids[2]], service_ids),
        ),
        (f"filter[service_id]={service_ids[1]},{outsider.service_id}", product(person_ids, [service_ids[1]])),
        (
            f"filter[person_id]={person_ids[0]},{outsider.person_id}&filter[service_id]={service_ids[0]},{service_ids[2]}",
            product([person_ids[0]], [service_ids[0], service_ids[2]]),
        ),
        (f"filter[person_id]={outsider.person_id}", []),
    ):
        expected = sorted(f"{p}-{s}-time-{DAY}" for p, s in chosen)
        total = len(expected)
        for size in (1, 2, 4, 200):
            assert sorted(all_ids(query, size)) == expected
    far = api.get(f"tracking_decisions?filter[person_id]={person_ids[0]}&page[number]=9223372036854775807")
    assert (far.status, far.data, far.json["meta"]["total_count"]) == (200, [], 3)


def test_page_past_the_end_is_empty_after_concurrent_inserts(
    api: Api, organization: Organization, people: list[Person], monkeypatch: pytest.MonkeyPatch
) -> None:
    count = QuerySet.count

    def count_late(self: Any) -> int:
        PersonFactory.create_batch(3, organization=organization)
        return count(self)

    monkeypatch.setattr(QuerySet, "count", count_late)
    service = ServiceFactory(organization=organization)
    response = api.get(f"tracking_decisions?filter[service_id]={service.pk}&page[size]=1&page[number]=99")
    assert (response.status, response.data) == (200, [])


def test_decisions_include_person_and_service(
    api: Api, people: list[Person], services: list[Service]
) -> None:
    ana, design = people[0], services[0]
    path = f"tracking_decisions/{ana.pk}-{design.pk}-time-{DAY}?include=person,service.deal.project"
    response = api.get(
        f"{path}&fields[people]=first_name&fields[tracking_decisions]=allowed,person,service"
    ).json
    assert response["data"]["attributes"] == {"allowed": True}
    assert response["data"]["relationships"] == {
        "person": {"data": {"type": "people", "id": str(ana.pk)}},
        "service": {"data": {"type": "services", "id": str(design.pk)}},
    }
    assert sorted(r["type"] for r in response["included"]) == ["deals", "people", "projects", "services"]
    assert {"id": str(ana.pk), "type": "people", "attributes": {"first_name": "Ana"}} in response["included"]


def test_decisions_take_four_queries_for_any_number_of_pairs(
    api: Api,
    organization: Organization,
    people: list[Person],
    services: list[Service],
    django_assert_num_queries: Any,
) -> None:
    """The token, the people, the services and the assignments of all pairs."""
    for number in (0, 30):
        ServiceFactory.create_batch(number, organization=organization, deal=services[0].deal)
        with django_assert_num_queries(4):
            response = api.get(
                f"tracking_decisions?filter[person_id]={people[0].pk},{people[1].pk}&page[size]=200"
            )
        assert len(response.data) == 2 * (3 + number)


@pytest.mark.parametrize(
    "pk",
    ["1", "x", "0-1-time-2026-11-23", "1-1-time-20261123", "1-1-money-2026-11-23", "1-1-time-2026-13-01"],
)
def test_invalid_decision_id_is_not_found(pk: str, api: Api) -> None:
    assert api.get(f"tracking_decisions/{pk}").error["code"] == "record_not_found"


def test_decisions_are_read_only(api: Api, organization: Organization) -> None:
    assert Api().get("tracking_decisions?filter[person_id]=1").status == 401
    reader = Api(ApiTokenFactory(organization=organization, read_only=True).name)
    assert reader.get("tracking_decisions?filter[person_id]=1").status == 200
    for method, path in (("POST", ""), ("PATCH", "/1-1-time-2026-11-23"), ("DELETE", "/1-1-time-2026-11-23")):
        assert api.request(method, f"tracking_decisions{path}").status == 405
