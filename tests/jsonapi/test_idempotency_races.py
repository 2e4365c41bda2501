"""Test that concurrent POSTs with the same key create one record."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from io import StringIO
from typing import Any

import pytest
from django.core.management import call_command
from django.db import connection, transaction
from django.utils import timezone

from assignments.models import ServiceAssignment
from catalog.models import ServiceType
from productive.accounts.idempotency import LIFETIME
from productive.accounts.models import Person
from productive.database.replicas import save_positions_on_commit
from productive.database.signals import changed
from tests.support.api import Answer, Api, SocketApi
from tests.support.concurrency import at_once
from tests.support.factories import ApiTokenFactory, PersonFactory, ServiceFactory
from tests.support.idempotency import KEY, NEW_TYPE, age_keys, is_replay
from tests.support.resources import document_for

pytestmark = [pytest.mark.django_db, pytest.mark.no_cover]

WRITERS = 16


def created_once(responses: list[Answer]) -> bool:
    """Return whether one response created the record and the others repeat it."""
    (first,) = (response for response in responses if "Idempotency-Replayed" not in response.headers)
    others = [response for response in responses if response is not first]
    return first.status == 201 and all(is_replay(response, first) for response in others)


@pytest.mark.django_db(transaction=True)
def test_concurrent_requests_create_one_record() -> None:
    token: Any = ApiTokenFactory(last_used_at=timezone.now() + timedelta(hours=1))
    api = Api(token.name)
    for n in range(3):
        headers, body = {"Idempotency-Key": f"{n}"}, document_for("service_types", name=f"Type {n}")
        responses = at_once(
            *[lambda h=headers, b=body: api.post("service_types", json=b, headers=h)] * WRITERS
        )
        assert created_once(responses)
        assert ServiceType.objects.filter(name=f"Type {n}").count() == 1


@pytest.mark.django_db(transaction=True)
def test_concurrent_requests_do_not_violate_unique_constraints() -> None:
    """The pair already exists, but the same request has created it."""
    token: Any = ApiTokenFactory(last_used_at=timezone.now() + timedelta(hours=1))
    api, organization = Api(token.name), token.organization
    person, service = PersonFactory(organization=organization), ServiceFactory(organization=organization)
    body = document_for("service_assignments", person_id=person.pk, service_id=service.pk)
    responses = at_once(*[lambda: api.post("service_assignments", json=body, headers=KEY)] * WRITERS)
    assert created_once(responses)
    assert ServiceAssignment.objects.count() == 1


@pytest.mark.django_db(transaction=True)
def test_different_concurrent_requests_with_one_key_create_one_record() -> None:
    token: Any = ApiTokenFactory(last_used_at=timezone.now() + timedelta(hours=1))
    api = Api(token.name)
    bodies = [document_for("people", first_name="Ana", last_name=f"{n}") for n in range(WRITERS)]
    responses = at_once(*(lambda b=body: api.post("people", json=b, headers=KEY) for body in bodies))
    assert Counter(response.status for response in responses) == {201: 1, 409: WRITERS - 1}
    assert Person.objects.filter(first_name="Ana").count() == 1


@pytest.mark.django_db(transaction=True)
def test_concurrent_requests_with_an_expired_key_create_one_record() -> None:
    token: Any = ApiTokenFactory(last_used_at=timezone.now() + timedelta(hours=1))
    api = Api(token.name)
    assert api.post("service_types", json=NEW_TYPE, headers=KEY).status == 201
    age_keys(LIFETIME)
    body = document_for("service_types", name="Second")
    responses = at_once(*[lambda: api.post("service_types", json=body, headers=KEY)] * WRITERS)
    assert created_once(responses)
    assert ServiceType.objects.filter(name="Second").count() == 1


@pytest.mark.postgresql
def test_prune_skips_a_key_that_is_in_use(transactional_db: None) -> None:
    """It doesn't wait for its row lock either."""
    token: Any = ApiTokenFactory(last_used_at=timezone.now() + timedelta(hours=1))
    api = Api(token.name)
    api.post("service_types", json=NEW_TYPE, headers=KEY)
    age_keys(LIFETIME)
    body, stdout = document_for("service_types", name="Second"), StringIO()
    with ThreadPoolExecutor(1) as pool, transaction.atomic():
        first = api.post("service_types", json=body, headers=KEY)
        pool.submit(run, lambda: call_command("prune", stdout=stdout)).result(5)
    assert stdout.getvalue() == "0 idempotency keys deleted\n"
    assert is_replay(api.post("service_types", json=body, headers=KEY), first)


@pytest.mark.parametrize("is_committed", [True, False], ids=["committed", "rolled back"])
def test_second_request_waits_for_the_transaction_of_the_first(
    is_committed: bool, transactional_db: None
) -> None:
    token: Any = ApiTokenFactory(last_used_at=timezone.now() + timedelta(hours=1))
    api = Api(token.name)
    with ThreadPoolExecutor(1) as pool, transaction.atomic():
        first = api.post("service_types", json=NEW_TYPE, headers=KEY)
        second = pool.submit(run, lambda: api.post("service_types", json=NEW_TYPE, headers=KEY))
        with pytest.raises(TimeoutError):
            second.result(0.3)
        transaction.set_rollback(not is_committed)
    assert is_replay(second.result(), first) is is_committed
    assert second.result().status == 201
    assert ServiceType.objects.count() == 1


def run(call: Callable[[], Any]) -> Any:
    try:
        return call()
    finally:
        connection.close()


@pytest.mark.django_db(transaction=True)
def test_requests_to_two_processes_create_one_record(socket_api: SocketApi) -> None:
    """Half of the requests are sent to the process of the test."""
    token: Any = ApiTokenFactory()
    here, there = Api(token.name), SocketApi(token.name, address=socket_api.address)
    calls = [
        lambda api=api: api.post("service_types", json=NEW_TYPE, headers=KEY) for api in [here, there] * 6
    ]
    responses = at_once(*calls)
    assert Counter(response.status for response in responses) == {201: 12}
    assert len({response.data["id"] for response in responses}) == ServiceType.objects.count() == 1


@pytest.fixture
def with_replica() -> Iterator[None]:
    """Save the positions of writes, as if there were a replica."""
    changed.connect(save_positions_on_commit)
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM accounts_last_write")
    yield
    changed.disconnect(save_positions_on_commit)
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM accounts_last_write")


def positions() -> dict[int, int]:
    with connection.cursor() as cursor:
        cursor.execute("SELECT organization_id, position FROM accounts_last_write")
        return dict(cursor.fetchall())


@pytest.mark.postgresql
@pytest.mark.django_db(transaction=True)
def test_repeated_response_saves_the_position_for_the_replica(with_replica: None) -> None:
    """The first request may not have saved the position of its write yet."""
    token: Any = ApiTokenFactory()
    api = Api(token.name)
    assert api.post("service_types", json=NEW_TYPE, headers=KEY).status == 201
    before = positions()[token.organization_id]
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM accounts_last_write")
    assert api.post("service_types", json=NEW_TYPE, headers=KEY).status == 201
    assert positions()[token.organization_id] > before
