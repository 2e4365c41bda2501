"""Idempotency-Key: a POST that is sent again is answered again, and makes nothing a second time."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from io import StringIO
from typing import Any

import pytest
from django.apps import apps
from django.conf import settings
from django.contrib import admin
from django.core.management import call_command
from django.db import connection, transaction
from django.utils import timezone

from assignments.models import ServiceAssignment
from catalog.models import ServiceType
from productive.accounts.idempotency import KEPT_FOR, IdempotencyKey
from productive.accounts.models import ApiToken, Organization, Person
from productive.database.history import Change
from productive.database.replicas import REPLICA
from tests.support.api import Answer, Api, SocketApi
from tests.support.concurrency import at_once
from tests.support.factories import (
    ApiTokenFactory,
    OrganizationFactory,
    PersonFactory,
    ServiceFactory,
    ServiceTypeFactory,
)
from tests.support.resources import SERVED, WRITABLE, document_for, model_of, new

pytestmark = pytest.mark.django_db

KEY = {"Idempotency-Key": "8e03978e-40d5-43dd-bc93-6894a57f9324"}
NEW_TYPE = document_for("service_types", name="Design")


def is_replay(again: Answer, first: Answer) -> bool:
    """The first answer, byte for byte, and said to be."""
    return again == Answer(first.status, {**first.headers, "Idempotency-Replayed": "true"}, first.body)


@pytest.mark.parametrize("resource", WRITABLE)
def test_every_resource_is_made_once(resource: str, api: Api, organization: Organization) -> None:
    body = new(resource, organization)
    first = api.post(resource, json=body, headers=KEY)
    assert (first.status, "Idempotency-Replayed" in first.headers) == (201, False)
    again = [api.post(resource, json=body, headers=KEY) for _ in range(2)]
    assert [is_replay(answer, first) for answer in again] == [True, True]
    assert model_of(resource)._base_manager.filter(organization=organization).count() == 1


def test_every_route_that_takes_post_is_one_of_these(api: Api) -> None:
    assert {name for name in SERVED if api.post(name).status != 405} == {*WRITABLE}


def test_answer_is_the_first_one_whatever_has_become_of_the_record(api: Api) -> None:
    first = api.post("service_types?fields[service_types]=name", json=NEW_TYPE, headers=KEY)
    pk = first.data["id"]
    assert api.patch(f"service_types/{pk}/archive").status == 200
    assert is_replay(api.post("service_types?fields[service_types]=name", json=NEW_TYPE, headers=KEY), first)
    assert api.delete(f"service_types/{pk}").status == 204
    assert is_replay(api.post("service_types?fields[service_types]=name", json=NEW_TYPE, headers=KEY), first)
    assert ServiceType.objects.count() == 0


def test_tag_that_is_replayed_is_that_of_the_state_then(api: Api) -> None:
    first = api.post("service_types", json=NEW_TYPE, headers=KEY)
    path = f"service_types/{first.data['id']}"
    api.patch(path, json=document_for("service_types", name="Renamed"))
    again = api.post("service_types", json=NEW_TYPE, headers=KEY)
    assert api.delete(path, headers={"If-Match": again.headers["ETag"]}).status == 412


def test_document_may_be_written_in_another_way(api: Api) -> None:
    first = api.post("service_types", json=NEW_TYPE, headers=KEY)
    other = b'{ "data": {"attributes": {"name": "D\\u0065sign"}, "type": "service_types"} }'
    assert is_replay(api.post("service_types", body=other, headers=KEY), first)


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("service_types", document_for("service_types", name="Development")),
        ("service_types", document_for("service_types", name="Design", description=None)),
        ("service_types", {**NEW_TYPE, "meta": {}}),
        ("service_types", document_for("service_types", name="")),
        ("service_types?include=assignees", NEW_TYPE),
        ("service_types?fields[service_types]=name", NEW_TYPE),
        ("service_types/", NEW_TYPE),
        ("projects", document_for("projects", name="Design")),
    ],
)
def test_key_of_another_request_is_a_conflict(path: str, body: Any, api: Api) -> None:
    first = api.post("service_types", json=NEW_TYPE, headers=KEY)
    conflict = api.post(path, json=body, headers=KEY)
    assert (conflict.status, conflict.error) == (
        409,
        {
            "status": "409",
            "code": "conflict",
            "title": "Conflict",
            "detail": "This Idempotency-Key has come with another request before",
            "source": {"header": "Idempotency-Key"},
        },
    )
    assert is_replay(api.post("service_types", json=NEW_TYPE, headers=KEY), first)
    assert ServiceType.objects.count() == 1


def test_refusal_is_not_kept(api: Api) -> None:
    """It has made nothing. Mended, the request may be sent with the same key."""
    refused = [
        api.post("service_types", json=document_for("service_types", name=""), headers=KEY),
        api.post("service_types", json=document_for("people"), headers=KEY),
        api.post("service_types", body=b"{", headers=KEY),
        api.post("service_types?include=nothing", json=NEW_TYPE, headers=KEY),
        Api("unknown").post("service_types", json=NEW_TYPE, headers=KEY),
    ]
    assert [answer.status for answer in refused] == [422, 409, 400, 400, 401]
    assert IdempotencyKey.objects.count() == 0
    made = api.post("service_types", json=NEW_TYPE, headers=KEY)
    assert (made.status, "Idempotency-Replayed" in made.headers) == (201, False)


@pytest.mark.parametrize("key", ["", " ", "x" * 256, "tab\tbed", "del\x7f", "caf\xe9", "\x80", "\x00"])
def test_key_that_cannot_be_one_is_refused(key: str, api: Api) -> None:
    answer = api.post("service_types", json=NEW_TYPE, headers={"Idempotency-Key": key})
    assert (answer.status, answer.error) == (
        400,
        {
            "status": "400",
            "code": "invalid_header",
            "title": "Invalid Header",
            "detail": "Idempotency-Key must be 1 to 255 printable ASCII characters",
            "source": {"header": "Idempotency-Key"},
        },
    )
    assert ServiceType.objects.count() == 0


@pytest.mark.parametrize("key", ["1", "x" * 255, '"quoted"', "a b", "'; DROP TABLE", "%s", "a,a"])
def test_any_other_key_is_one(key: str, api: Api) -> None:
    headers = {"Idempotency-Key": key}
    first = api.post("service_types", json=NEW_TYPE, headers=headers)
    assert first.status == 201
    assert is_replay(api.post("service_types", json=NEW_TYPE, headers=headers), first)
    other = {"Idempotency-Key": key.swapcase() if key.swapcase() != key else "another"}
    assert "Idempotency-Replayed" not in api.post("service_types", json=NEW_TYPE, headers=other).headers


def test_query_of_any_bytes_has_a_fingerprint(api: Api) -> None:
    path = "service_types?x=%ff%00&y=\x7f\xe9"
    first = api.post(path, json=NEW_TYPE, headers=KEY)
    assert first.status == 201
    assert is_replay(api.post(path, json=NEW_TYPE, headers=KEY), first)


def test_key_is_its_tokens_own(api: Api, organization: Organization) -> None:
    """Another organization's, and another token's, never meets it, nor tells of it."""
    neighbour = Api(ApiTokenFactory(organization=organization).name)
    stranger = Api(ApiTokenFactory(organization=OrganizationFactory()).name)
    answers = [each.post("service_types", json=NEW_TYPE, headers=KEY) for each in (api, neighbour, stranger)]
    assert [answer.status for answer in answers] == [201] * 3
    assert len({answer.headers["Location"] for answer in answers}) == 3
    assert not any("Idempotency-Replayed" in answer.headers for answer in answers)


def test_answer_is_repeated_only_to_whoever_may_still_ask(api: Api, token: ApiToken) -> None:
    assert api.post("service_types", json=NEW_TYPE, headers=KEY).status == 201
    ApiToken.objects.filter(pk=token.pk).update(read_only=True)
    assert api.post("service_types", json=NEW_TYPE, headers=KEY).status == 403
    token.revoke()
    assert api.post("service_types", json=NEW_TYPE, headers=KEY).status == 401


def test_other_methods_have_no_use_for_it(api: Api, organization: Organization) -> None:
    row = ServiceTypeFactory(organization=organization)
    path = f"service_types/{row.pk}"
    answers = [
        api.get(path, headers=KEY),
        api.patch(path, json=document_for("service_types", name="Renamed"), headers=KEY),
        api.patch(f"{path}/archive", headers={"Idempotency-Key": ""}),
        api.delete(path, headers=KEY),
    ]
    assert [answer.status for answer in answers] == [200, 200, 200, 204]
    assert IdempotencyKey.objects.count() == 0


# --- How long -------------------------------------------------------------------------------------


def age(by: timedelta) -> None:
    for row in IdempotencyKey.objects.all():
        IdempotencyKey.objects.filter(pk=row.pk).update(created_at=row.created_at - by)


def test_key_lasts_a_day(api: Api) -> None:
    """Afterwards it may be used anew, for the same request or for another one, pruned or not."""
    assert timedelta(hours=24) <= KEPT_FOR
    first = api.post("service_types", json=NEW_TYPE, headers=KEY)
    age(KEPT_FOR - timedelta(minutes=1))
    assert is_replay(api.post("service_types", json=NEW_TYPE, headers=KEY), first)
    age(timedelta(minutes=1))
    refused = api.post("service_types", json=document_for("service_types", name=""), headers=KEY)
    assert refused.status == 422
    second = api.post("projects", json=document_for("projects", name="Bridge"), headers=KEY)
    assert (second.status, "Idempotency-Replayed" in second.headers) == (201, False)
    assert is_replay(api.post("projects", json=document_for("projects", name="Bridge"), headers=KEY), second)
    assert api.post("service_types", json=NEW_TYPE, headers=KEY).status == 409
    assert IdempotencyKey.objects.count() == 1


def test_prune_deletes_what_has_expired_and_nothing_else(token: ApiToken, monkeypatch: Any) -> None:
    monkeypatch.setattr("productive.accounts.management.commands.prune.BATCH_SIZE", 2)
    now = timezone.now()
    ages = [timedelta(0), KEPT_FOR - timedelta(minutes=1), *[KEPT_FOR + timedelta(days=n) for n in range(5)]]
    for n, age in enumerate(ages):
        IdempotencyKey.objects.create(token=token, key=f"key {n}", created_at=now - age)
    told = StringIO()
    call_command("prune", stdout=told)
    assert told.getvalue() == "5 idempotency keys deleted\n"
    assert sorted(key.key for key in IdempotencyKey.objects.all()) == ["key 0", "key 1"]
    call_command("prune", stdout=told)
    assert told.getvalue().endswith("\n0 idempotency keys deleted\n")


def test_prune_deletes_a_thousand_at_once(token: ApiToken) -> None:
    then = timezone.now() - KEPT_FOR
    rows = [IdempotencyKey(token=token, key=str(n), created_at=then) for n in range(1001)]
    IdempotencyKey.objects.bulk_create(rows)
    call_command("prune", stdout=StringIO())
    assert IdempotencyKey.objects.count() == 0


def test_token_is_deleted_with_keys_behind_it(api: Api, organization: Organization) -> None:
    api.post("service_types", json=NEW_TYPE, headers=KEY)
    organization.delete()
    assert (ApiToken.objects.count(), IdempotencyKey.objects.count()) == (0, 1)


# --- What it costs, and what it isn't -------------------------------------------------------------


def test_key_costs_two_queries_and_nothing_without_it(api: Api, django_assert_num_queries: Any) -> None:
    # the token, the record, its history, the answer; the savepoint
    with django_assert_num_queries(4 + 2) as without:
        assert api.post("service_types", json=NEW_TYPE).status == 201
    assert "idempotencykey" not in str(without.captured_queries)
    # and the key, then its answer
    with django_assert_num_queries(6 + 2):
        assert api.post("service_types", json=NEW_TYPE, headers=KEY).status == 201
    # the token, the key that is taken, its answer; the savepoint
    with django_assert_num_queries(3 + 2):
        assert api.post("service_types", json=NEW_TYPE, headers=KEY).status == 201


def test_keys_are_no_resource_no_page_and_no_right() -> None:
    assert IdempotencyKey not in {view.serializer_class.Meta.model for view in SERVED.values()}
    assert IdempotencyKey not in admin.site._registry
    permissions = apps.get_model("auth.Permission").objects
    assert not permissions.filter(content_type__model="idempotencykey").exists()
    assert not any(
        model.instance_type is IdempotencyKey for model in apps.get_models() if issubclass(model, Change)
    )


# --- At once --------------------------------------------------------------------------------------

WRITERS = 16


def once_and_the_rest(answers: list[Answer]) -> bool:
    """One answer that made the record, and the others repeat it."""
    (first,) = (answer for answer in answers if "Idempotency-Replayed" not in answer.headers)
    rest = [answer for answer in answers if answer is not first]
    return first.status == 201 and all(is_replay(answer, first) for answer in rest)


@pytest.mark.django_db(transaction=True)
def test_request_sent_many_times_at_once_makes_one_record() -> None:
    token: Any = ApiTokenFactory(last_used_at=timezone.now() + timedelta(hours=1))
    api = Api(token.name)
    for n in range(3):
        headers, body = {"Idempotency-Key": f"{n}"}, document_for("service_types", name=f"Type {n}")
        answers = at_once(*[lambda h=headers, b=body: api.post("service_types", json=b, headers=h)] * WRITERS)
        assert once_and_the_rest(answers)
        assert ServiceType.objects.filter(name=f"Type {n}").count() == 1


@pytest.mark.django_db(transaction=True)
def test_rule_that_a_second_record_would_break_is_not_what_the_loser_hears() -> None:
    """The pair is there already, made by the same request: that is no fault of the client's."""
    token: Any = ApiTokenFactory(last_used_at=timezone.now() + timedelta(hours=1))
    api, organization = Api(token.name), token.organization
    person, service = PersonFactory(organization=organization), ServiceFactory(organization=organization)
    body = document_for("service_assignments", person_id=person.pk, service_id=service.pk)
    answers = at_once(*[lambda: api.post("service_assignments", json=body, headers=KEY)] * WRITERS)
    assert once_and_the_rest(answers)
    assert ServiceAssignment.objects.count() == 1


@pytest.mark.django_db(transaction=True)
def test_different_requests_with_one_key_at_once_make_one_record() -> None:
    token: Any = ApiTokenFactory(last_used_at=timezone.now() + timedelta(hours=1))
    api = Api(token.name)
    bodies = [document_for("people", first_name="Ana", last_name=f"{n}") for n in range(WRITERS)]
    answers = at_once(*(lambda b=body: api.post("people", json=b, headers=KEY) for body in bodies))
    assert Counter(answer.status for answer in answers) == {201: 1, 409: WRITERS - 1}
    assert Person.objects.filter(first_name="Ana").count() == 1


@pytest.mark.django_db(transaction=True)
def test_expired_key_used_anew_many_times_at_once_makes_one_record() -> None:
    token: Any = ApiTokenFactory(last_used_at=timezone.now() + timedelta(hours=1))
    api = Api(token.name)
    assert api.post("service_types", json=NEW_TYPE, headers=KEY).status == 201
    age(KEPT_FOR)
    body = document_for("service_types", name="Anew")
    answers = at_once(*[lambda: api.post("service_types", json=body, headers=KEY)] * WRITERS)
    assert once_and_the_rest(answers)
    assert ServiceType.objects.filter(name="Anew").count() == 1


@pytest.mark.postgresql
def test_key_that_is_being_used_anew_is_not_pruned(transactional_db: None) -> None:
    """And nobody is waited for. On SQLite, one writes after the other anyway."""
    token: Any = ApiTokenFactory(last_used_at=timezone.now() + timedelta(hours=1))
    api = Api(token.name)
    api.post("service_types", json=NEW_TYPE, headers=KEY)
    age(KEPT_FOR)
    body, told = document_for("service_types", name="Anew"), StringIO()
    with ThreadPoolExecutor(1) as pool, transaction.atomic():
        first = api.post("service_types", json=body, headers=KEY)
        pool.submit(run, lambda: call_command("prune", stdout=told)).result(5)
    assert told.getvalue() == "0 idempotency keys deleted\n"
    assert is_replay(api.post("service_types", json=body, headers=KEY), first)


@pytest.mark.parametrize("is_done", [True, False], ids=["done", "come to nothing"])
def test_second_request_waits_for_what_becomes_of_the_first(is_done: bool, transactional_db: None) -> None:
    token: Any = ApiTokenFactory(last_used_at=timezone.now() + timedelta(hours=1))
    api = Api(token.name)
    with ThreadPoolExecutor(1) as pool, transaction.atomic():
        first = api.post("service_types", json=NEW_TYPE, headers=KEY)
        second = pool.submit(run, lambda: api.post("service_types", json=NEW_TYPE, headers=KEY))
        with pytest.raises(TimeoutError):
            second.result(0.3)
        transaction.set_rollback(not is_done)
    assert is_replay(second.result(), first) is is_done
    assert second.result().status == 201
    assert ServiceType.objects.count() == 1


def run(call: Callable[[], Any]) -> Any:
    try:
        return call()
    finally:
        connection.close()


@pytest.mark.django_db(transaction=True)
def test_server_in_a_process_of_its_own_keeps_them_too(socket_api: SocketApi) -> None:
    """One request here, in the tests' process, the others there, by its threads, all at once."""
    token: Any = ApiTokenFactory()
    here, there = Api(token.name), SocketApi(token.name, address=socket_api.address)
    calls = [
        lambda api=api: api.post("service_types", json=NEW_TYPE, headers=KEY) for api in [here, there] * 6
    ]
    answers = at_once(*calls)
    assert Counter(answer.status for answer in answers) == {201: 12}
    assert len({answer.data["id"] for answer in answers}) == ServiceType.objects.count() == 1


@pytest.fixture
def with_replica(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Changes are noted for readers of a replica. That none is there, no writer hears of."""
    monkeypatch.setitem(settings.DATABASES, REPLICA, connection.settings_dict)
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM accounts_last_write")
    yield
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM accounts_last_write")


def noted() -> dict[int, int]:
    with connection.cursor() as cursor:
        cursor.execute("SELECT organization_id, position FROM accounts_last_write")
        return dict(cursor.fetchall())


@pytest.mark.postgresql
@pytest.mark.django_db(transaction=True)
def test_whoever_hears_of_a_record_by_a_replay_reads_it(with_replica: None) -> None:
    """Its maker may be about to note it. So whoever repeats the answer notes it first."""
    token: Any = ApiTokenFactory()
    api = Api(token.name)
    assert api.post("service_types", json=NEW_TYPE, headers=KEY).status == 201
    before = noted()[token.organization_id]
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM accounts_last_write")
    assert api.post("service_types", json=NEW_TYPE, headers=KEY).status == 201
    assert noted()[token.organization_id] > before


def test_answer_is_kept_as_it_was_sent(api: Api, token: ApiToken) -> None:
    answer = api.post("service_types", json=NEW_TYPE, headers=KEY)
    kept = IdempotencyKey.objects.get()
    assert (kept.token_id, str(kept), kept.location) == (
        token.pk,
        KEY["Idempotency-Key"],
        answer.headers["Location"],
    )
    assert json.loads(bytes(kept.body)) == answer.json
    assert token.name not in f"{kept.fingerprint} {kept.location} {bytes(kept.body)!r}"
