"""Includes cost no more than what they add, and what they may add is limited."""

from __future__ import annotations

import random
from typing import Any

import orjson
import pytest
from django.db import connection, transaction
from django.db.models.signals import post_save
from django.test.utils import CaptureQueriesContext

from catalog.models import ServiceType
from productive.accounts.idempotency import IdempotencyKey
from productive.accounts.models import Organization, Person
from tests.support.api import Api
from tests.support.factories import (
    ApiTokenFactory,
    PersonFactory,
    ServiceTypeAssignmentFactory,
    ServiceTypeFactory,
)
from tests.support.resources import document_for

pytestmark = pytest.mark.django_db

CHAIN = "assignees.service_types.assignees.service_types.assignees"
KEY = {"Idempotency-Key": "include"}


@pytest.fixture
def limit(settings: Any) -> Any:
    def set_limit(number: int) -> None:
        settings.MAX_INCLUDED = number

    return set_limit


@pytest.fixture
def full(organization: Organization) -> Any:
    """Four service types that five people hold."""
    types = ServiceTypeFactory.create_batch(4, organization=organization)
    people = PersonFactory.create_batch(5, organization=organization)
    for service_type in types:
        for person in people:
            ServiceTypeAssignmentFactory(organization=organization, service_type=service_type, person=person)
    return types


def linkage(resource: dict[str, Any], name: str) -> list[str] | None:
    data = resource["relationships"][name].get("data")
    return None if data is None else sorted((identifier["id"] for identifier in data), key=int)


@pytest.mark.no_cover
@pytest.mark.any_database
@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("depth", range(1, 6))
def test_chained_include_has_everything_within_reach(
    api: Api, organization: Organization, seed: int, depth: int
) -> None:
    """As by hand: level by level, each record with the links that any of its levels shows."""
    chance = random.Random(seed)
    types = ServiceTypeFactory.create_batch(6, organization=organization)
    people = PersonFactory.create_batch(8, organization=organization)
    holders: dict[str, set[str]] = {str(each.pk): set() for each in types}
    held: dict[str, set[str]] = {str(each.pk): set() for each in people}
    for service_type in types:
        for person in chance.sample(people, chance.randint(0, 3)):
            ServiceTypeAssignmentFactory(organization=organization, service_type=service_type, person=person)
            holders[str(service_type.pk)].add(str(person.pk))
            held[str(person.pk)].add(str(service_type.pk))
    first = str(types[0].pk)
    path = ".".join(CHAIN.split(".")[:depth])
    response = api.get(f"service_types?filter[id]={first}&include={path}").json

    level, expected = {first}, {("service_types", first): holders[first]}
    for number in range(1, depth + 1):
        name, links = ("people", holders) if number % 2 else ("service_types", held)
        level = set().union(*(links[pk] for pk in level))
        further = held if number % 2 else holders
        for pk in level:
            shown = further[pk] if number < depth else None
            expected[name, pk] = expected.get((name, pk)) or shown
    found = {
        (each["type"], each["id"]): linkage(
            each, "assignees" if each["type"] == "service_types" else "service_types"
        )
        for each in [*response["data"], *response["included"]]
    }
    by_id = {key: None if ids is None else sorted(ids, key=int) for key, ids in expected.items()}
    assert found == by_id
    assert len(found) == 1 + len(response["included"])


def test_links_are_fetched_once(api: Api, full: Any, django_assert_num_queries: Any) -> None:
    """The token, the page, the people, and their service types; later levels have nothing new."""
    with django_assert_num_queries(4):
        response = api.get(f"service_types?include={CHAIN}")
    assert len(response.json["included"]) == 5


def test_more_than_the_limit_is_rejected(api: Api, full: Any, limit: Any) -> None:
    """Here, 5 people, 20 links to them, and 20 links to their service types."""
    path = "service_types?include=assignees.service_types"
    limit(45)
    assert api.get(path).status == 200
    limit(44)
    response = api.get(path)
    assert (response.status, response.error) == (
        400,
        {
            "status": "400",
            "code": "unsupported_include",
            "title": "Unsupported Include",
            "detail": (
                "Include 'assignees.service_types' adds more than 44 records and links. Include less, request"
                " fewer records per page, or list the related records with a filter"
            ),
            "source": {"parameter": "include"},
        },
    )
    assert api.get(f"{path}&page[size]=1").status == 200
    assert api.get(f"service_types/{full[0].pk}?include=assignees").status == 200


def test_no_more_rows_are_read_than_the_limit(api: Api, full: Any, limit: Any) -> None:
    limit(7)
    with CaptureQueriesContext(connection) as captured:
        assert api.get("service_types?include=assignees").status == 400
    assert captured[-1]["sql"].endswith("LIMIT 8")


def test_to_one_relationships_count_too(api: Api, full: Any, limit: Any) -> None:
    """5 people and 4 service types."""
    path = "service_type_assignments?include=person,service_type"
    limit(9)
    assert api.get(path).status == 200
    limit(8)
    assert api.get(path).status == 400


# --- Writes ---------------------------------------------------------------------------------------


def test_write_that_includes_too_much_is_made_and_shows_the_record_alone(
    api: Api, full: Any, limit: Any
) -> None:
    limit(3)
    path = f"service_types/{full[0].pk}"
    response = api.patch(f"{path}?include=assignees", json=document_for("service_types", name="New"))
    assert (response.status, response.data["attributes"]["name"]) == (200, "New")
    assert response.data["relationships"]["assignees"] == {"meta": {"included": False}}
    assert "included" not in response.json
    assert response.headers["ETag"] == api.get(path).headers["ETag"]


def test_write_reads_what_it_includes_after_the_transaction(api: Api, full: Any) -> None:
    path = f"service_types/{full[0].pk}?include=assignees"
    with CaptureQueriesContext(connection) as captured:
        response = api.patch(path, json=document_for("service_types", name="New"))
    assert len(response.json["included"]) == 5
    statements = [query["sql"] for query in captured]
    end = max(n for n, sql in enumerate(statements) if sql.startswith("RELEASE SAVEPOINT"))
    assert [n for n, sql in enumerate(statements) if "servicetypeassignment" in sql] > [end]


@pytest.mark.django_db(transaction=True)
def test_record_that_is_deleted_after_the_transaction_is_in_the_response() -> None:
    """Another request deletes it before the response includes anything."""
    token = ApiTokenFactory()
    service_type = ServiceTypeFactory(organization=token.organization)

    def delete_later(sender: Any, instance: Any, **kwargs: Any) -> None:
        transaction.on_commit(lambda: sender.objects.filter(pk=instance.pk).delete())

    post_save.connect(delete_later, sender=ServiceType)
    try:
        path = f"service_types/{service_type.pk}?include=assignees"
        response = Api(token.name).patch(path, json=document_for("service_types", name="New"))
    finally:
        post_save.disconnect(delete_later, sender=ServiceType)
    assert (response.status, response.data["attributes"]["name"]) == (200, "New")
    assert not ServiceType.objects.exists()


def test_idempotency_key_stores_the_record_alone(api: Api, organization: Organization, full: Any) -> None:
    person = Person.objects.create(organization=organization, first_name="Ana", last_name="New")
    path = "service_type_assignments?include=service_type.assignees"
    body = document_for("service_type_assignments", person_id=person.pk, service_type_id=full[0].pk)
    first, again = (api.post(path, json=body, headers=KEY) for _ in range(2))
    assert (first.status, again.status, again.headers["Idempotency-Replayed"]) == (201, 201, "true")
    assert first.json == again.json
    assert len(first.json["included"]) == 7
    stored = orjson.loads(bytes(IdempotencyKey.objects.get().body))
    assert list(stored) == ["data", "meta"]


def test_if_match_compares_what_is_included(api: Api, organization: Organization, full: Any) -> None:
    path = f"service_types/{full[0].pk}?include=assignees"
    tag = {"If-Match": api.get(path).headers["ETag"]}
    document = document_for("service_types", name=full[0].name)
    assert api.patch(path, json=document, headers=tag).status == 200
    PersonFactory(organization=organization)
    assert api.patch(path, json=document, headers=tag).status == 200
    ServiceTypeAssignmentFactory(organization=organization, service_type=full[0])
    assert api.patch(path, json=document, headers=tag).status == 412
