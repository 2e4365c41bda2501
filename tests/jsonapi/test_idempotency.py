"""Test that a POST with a repeated key has no effect."""

from __future__ import annotations

import json
from datetime import timedelta
from io import StringIO
from typing import Any

import pytest
from django.apps import apps
from django.contrib import admin
from django.core.management import call_command
from django.utils import timezone

from catalog.models import ServiceType
from productive.accounts.idempotency import LIFETIME, IdempotencyKey
from productive.accounts.models import ApiToken, Organization
from productive.database.history import Change
from tests.support.api import Api
from tests.support.factories import ApiTokenFactory, OrganizationFactory, ServiceTypeFactory
from tests.support.idempotency import KEY, NEW_TYPE, age_keys, is_replay
from tests.support.resources import SERVED, WRITABLE, document_for, model_of, new

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize("resource", WRITABLE)
def test_repeated_request_creates_one_record(resource: str, api: Api, organization: Organization) -> None:
    body = new(resource, organization)
    first = api.post(resource, json=body, headers=KEY)
    assert (first.status, "Idempotency-Replayed" in first.headers) == (201, False)
    again = [api.post(resource, json=body, headers=KEY) for _ in range(2)]
    assert [is_replay(response, first) for response in again] == [True, True]
    assert model_of(resource)._base_manager.filter(organization=organization).count() == 1


def test_every_route_that_allows_post_is_tested(api: Api) -> None:
    assert {name for name in SERVED if api.post(name).status != 405} == {*WRITABLE}


def test_response_is_repeated_after_the_record_has_changed(api: Api) -> None:
    first = api.post("service_types?fields[service_types]=name", json=NEW_TYPE, headers=KEY)
    pk = first.data["id"]
    assert api.patch(f"service_types/{pk}/archive").status == 200
    assert is_replay(api.post("service_types?fields[service_types]=name", json=NEW_TYPE, headers=KEY), first)
    assert api.delete(f"service_types/{pk}").status == 204
    assert is_replay(api.post("service_types?fields[service_types]=name", json=NEW_TYPE, headers=KEY), first)
    assert ServiceType.objects.count() == 0


def test_repeated_etag_is_that_of_the_first_response(api: Api) -> None:
    first = api.post("service_types", json=NEW_TYPE, headers=KEY)
    path = f"service_types/{first.data['id']}"
    api.patch(path, json=document_for("service_types", name="Renamed"))
    again = api.post("service_types", json=NEW_TYPE, headers=KEY)
    assert api.delete(path, headers={"If-Match": again.headers["ETag"]}).status == 412


def test_document_may_be_serialized_differently(api: Api) -> None:
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
            "detail": "This Idempotency-Key was already used for another request",
            "source": {"header": "Idempotency-Key"},
        },
    )
    assert is_replay(api.post("service_types", json=NEW_TYPE, headers=KEY), first)
    assert ServiceType.objects.count() == 1


def test_rejected_request_is_not_stored(api: Api) -> None:
    """The request can be corrected and sent with the same key."""
    rejected = [
        api.post("service_types", json=document_for("service_types", name=""), headers=KEY),
        api.post("service_types", json=document_for("people"), headers=KEY),
        api.post("service_types", body=b"{", headers=KEY),
        api.post("service_types?include=nothing", json=NEW_TYPE, headers=KEY),
        Api("unknown").post("service_types", json=NEW_TYPE, headers=KEY),
    ]
    assert [response.status for response in rejected] == [422, 409, 400, 400, 401]
    assert IdempotencyKey.objects.count() == 0
    created = api.post("service_types", json=NEW_TYPE, headers=KEY)
    assert (created.status, "Idempotency-Replayed" in created.headers) == (201, False)


@pytest.mark.parametrize("key", ["", " ", "x" * 256, "tab\tbed", "del\x7f", "caf\xe9", "\x80", "\x00"])
def test_invalid_key_is_rejected(key: str, api: Api) -> None:
    response = api.post("service_types", json=NEW_TYPE, headers={"Idempotency-Key": key})
    assert (response.status, response.error) == (
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
def test_valid_key(key: str, api: Api) -> None:
    headers = {"Idempotency-Key": key}
    first = api.post("service_types", json=NEW_TYPE, headers=headers)
    assert first.status == 201
    assert is_replay(api.post("service_types", json=NEW_TYPE, headers=headers), first)
    other = {"Idempotency-Key": key.swapcase() if key.swapcase() != key else "another"}
    assert "Idempotency-Replayed" not in api.post("service_types", json=NEW_TYPE, headers=other).headers


def test_query_string_may_have_any_bytes(api: Api) -> None:
    path = "service_types?x=%ff%00&y=\x7f\xe9"
    first = api.post(path, json=NEW_TYPE, headers=KEY)
    assert first.status == 201
    assert is_replay(api.post(path, json=NEW_TYPE, headers=KEY), first)


def test_keys_of_different_tokens_are_independent(api: Api, organization: Organization) -> None:
    colleague = Api(ApiTokenFactory(organization=organization).name)
    stranger = Api(ApiTokenFactory(organization=OrganizationFactory()).name)
    responses = [
        each.post("service_types", json=NEW_TYPE, headers=KEY) for each in (api, colleague, stranger)
    ]
    assert [response.status for response in responses] == [201] * 3
    assert len({response.headers["Location"] for response in responses}) == 3
    assert not any("Idempotency-Replayed" in response.headers for response in responses)


def test_response_is_not_repeated_without_permission(api: Api, token: ApiToken) -> None:
    assert api.post("service_types", json=NEW_TYPE, headers=KEY).status == 201
    ApiToken.objects.filter(pk=token.pk).update(read_only=True)
    assert api.post("service_types", json=NEW_TYPE, headers=KEY).status == 403
    token.revoke()
    assert api.post("service_types", json=NEW_TYPE, headers=KEY).status == 401


def test_other_methods_ignore_the_key(api: Api, organization: Organization) -> None:
    row = ServiceTypeFactory(organization=organization)
    path = f"service_types/{row.pk}"
    responses = [
        api.get(path, headers=KEY),
        api.patch(path, json=document_for("service_types", name="Renamed"), headers=KEY),
        api.patch(f"{path}/archive", headers={"Idempotency-Key": ""}),
        api.delete(path, headers=KEY),
    ]
    assert [response.status for response in responses] == [200, 200, 200, 204]
    assert IdempotencyKey.objects.count() == 0


# --- Lifetime -------------------------------------------------------------------------------------


def test_key_lasts_a_day(api: Api) -> None:
    """After that it can be used for any request, pruned or not."""
    assert timedelta(hours=24) <= LIFETIME
    first = api.post("service_types", json=NEW_TYPE, headers=KEY)
    age_keys(LIFETIME - timedelta(minutes=1))
    assert is_replay(api.post("service_types", json=NEW_TYPE, headers=KEY), first)
    age_keys(timedelta(minutes=1))
    rejected = api.post("service_types", json=document_for("service_types", name=""), headers=KEY)
    assert rejected.status == 422
    second = api.post("projects", json=document_for("projects", name="Bridge"), headers=KEY)
    assert (second.status, "Idempotency-Replayed" in second.headers) == (201, False)
    assert is_replay(api.post("projects", json=document_for("projects", name="Bridge"), headers=KEY), second)
    assert api.post("service_types", json=NEW_TYPE, headers=KEY).status == 409
    assert IdempotencyKey.objects.count() == 1


def test_prune_deletes_expired_keys_only(token: ApiToken, monkeypatch: Any) -> None:
    monkeypatch.setattr("productive.accounts.management.commands.prune.KEYS_PER_TRANSACTION", 2)
    now = timezone.now()
    ages = [timedelta(0), LIFETIME - timedelta(minutes=1), *[LIFETIME + timedelta(days=n) for n in range(5)]]
    for n, age in enumerate(ages):
        IdempotencyKey.objects.create(token=token, key=f"key {n}", created_at=now - age)
    stdout = StringIO()
    call_command("prune", stdout=stdout)
    assert stdout.getvalue() == "5 idempotency keys deleted\n"
    assert sorted(key.key for key in IdempotencyKey.objects.all()) == ["key 0", "key 1"]
    call_command("prune", stdout=stdout)
    assert stdout.getvalue().endswith("\n0 idempotency keys deleted\n")


def test_prune_deletes_more_than_one_batch(token: ApiToken) -> None:
    created_at = timezone.now() - LIFETIME
    rows = [IdempotencyKey(token=token, key=str(n), created_at=created_at) for n in range(1001)]
    IdempotencyKey.objects.bulk_create(rows)
    call_command("prune", stdout=StringIO())
    assert IdempotencyKey.objects.count() == 0


def test_token_with_keys_can_be_deleted(api: Api, organization: Organization) -> None:
    api.post("service_types", json=NEW_TYPE, headers=KEY)
    organization.delete()
    assert (ApiToken.objects.count(), IdempotencyKey.objects.count()) == (0, 1)


# --- Queries and permissions ----------------------------------------------------------------------


def test_key_takes_two_queries_and_none_without_it(api: Api, django_assert_num_queries: Any) -> None:
    # The token, the record, its history, the response, the names of others; the savepoint.
    with django_assert_num_queries(5 + 2) as without:
        assert api.post("service_types", json=NEW_TYPE).status == 201
    assert "idempotencykey" not in str(without.captured_queries)
    # Two more for the key and its response.
    with django_assert_num_queries(7 + 2):
        assert api.post("service_types", json=NEW_TYPE, headers=KEY).status == 201
    # The token, the existing key, its response, the names of others; the savepoint.
    with django_assert_num_queries(4 + 2):
        assert api.post("service_types", json=NEW_TYPE, headers=KEY).status == 201


def test_keys_are_not_in_the_api_the_admin_or_the_permissions() -> None:
    assert IdempotencyKey not in {view.serializer_class.Meta.model for view in SERVED.values()}
    assert IdempotencyKey not in admin.site._registry
    permissions = apps.get_model("auth.Permission").objects
    assert not permissions.filter(content_type__model="idempotencykey").exists()
    assert not any(
        model.instance_type is IdempotencyKey for model in apps.get_models() if issubclass(model, Change)
    )


def test_response_is_stored_as_sent(api: Api, token: ApiToken) -> None:
    response = api.post("service_types", json=NEW_TYPE, headers=KEY)
    stored = IdempotencyKey.objects.get()
    assert (stored.token_id, str(stored), stored.location) == (
        token.pk,
        KEY["Idempotency-Key"],
        response.headers["Location"],
    )
    assert json.loads(bytes(stored.body)) == response.json
    assert token.name not in f"{stored.fingerprint} {stored.location} {bytes(stored.body)!r}"
