"""Test that a write with `dry_run=true` returns its result, and has no effect."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from catalog.models import ServiceType
from productive.accounts.idempotency import IdempotencyKey
from productive.accounts.models import Organization
from productive.database.signals import changed
from tests.support.api import Answer, Api
from tests.support.factories import (
    ApiTokenFactory,
    PersonFactory,
    ServiceFactory,
    ServiceTypeAssignmentFactory,
    ServiceTypeFactory,
)
from tests.support.idempotency import KEY, NEW_TYPE
from tests.support.resources import (
    ACTIONS,
    WRITABLE,
    action_document,
    change_for,
    create_rows,
    document_for,
    new,
)

pytestmark = pytest.mark.django_db

# What differs between two creations.
OWN = ("id", "created_at", "archived_at", "closed_at")


def tables() -> dict[str, list[Any]]:
    """Return all rows of all tables, also of the history."""
    found = {}
    with connection.cursor() as cursor:
        for table in connection.introspection.table_names(cursor):
            cursor.execute(f'SELECT * FROM "{table}"')  # noqa: S608
            found[table] = sorted(map(repr, cursor.fetchall()))
    return {table: rows for table, rows in found.items() if rows}


def without_own_values(answer: Answer) -> dict[str, Any]:
    attributes = {k: v for k, v in answer.data.get("attributes", {}).items() if k not in OWN}
    return {**answer.data, "id": None, "attributes": attributes}


@pytest.mark.parametrize("resource", WRITABLE)
def test_result_is_that_of_the_write_without_effect(
    resource: str, api: Api, organization: Organization
) -> None:
    row, unused = create_rows(resource, organization, 2)
    record = f"{resource}/{row.pk}"
    actions = [
        ("PATCH", f"{record}/{verb}", action_document(resource, verb, organization))
        for name, verb in ACTIONS
        if name == resource
    ]
    writes: list[tuple[str, str, Any]] = [
        ("POST", resource, new(resource, organization)),
        ("PATCH", record, change_for(resource, organization)),
        # A merged record can't be restored.
        *sorted(actions, key=lambda write: write[2] is not None),
        ("DELETE", f"{resource}/{unused.pk}", None),
    ]
    for method, path, document in writes:
        before = tables()
        dry = api.request(method, f"{path}?dry_run=true", json=document)
        assert (dry.status, dry.headers["Cache-Control"]) == (200, "no-store"), (method, path)
        assert tables() == before, (method, path)
        assert {"ETag", "Location"}.isdisjoint(dry.headers)
        real = api.request(method, f"{path}?dry_run=false", json=document)
        assert real.status == {"POST": 201, "PATCH": 200, "DELETE": 204}[method]
        if method == "DELETE":
            assert list(dry.json) == ["meta"]
        else:
            assert without_own_values(dry) == without_own_values(real)
        if document is not None:
            assert tables() != before


def test_errors_are_those_of_the_write(api: Api, organization: Organization) -> None:
    used, foreign = ServiceFactory(organization=organization), PersonFactory()
    reader = Api(ApiTokenFactory(organization=organization, read_only=True).name)
    assignment = ServiceTypeAssignmentFactory(organization=organization)
    pair = {"person_id": assignment.person_id, "service_type_id": assignment.service_type_id}
    duplicate = document_for("service_type_assignments", **pair)
    path = f"service_types/{used.service_type_id}"
    reader.get("service_types")  # Now no request updates its last use.
    before = tables()
    statuses = []
    for client, method, address, options in (
        (Api(), "POST", "service_types", {"json": NEW_TYPE}),
        (reader, "POST", "service_types", {"json": NEW_TYPE}),
        (api, "POST", "service_types", {"json": document_for("service_types")}),
        (api, "POST", "service_types", {"json": document_for("people")}),
        (api, "POST", "service_types", {"body": b"{"}),
        (api, "POST", "service_types", {"json": NEW_TYPE, "headers": {"Idempotency-Key": " "}}),
        (api, "POST", "service_types", {"body": b"{}", "headers": {"Content-Type": "text/plain"}}),
        (api, "POST", "service_types?include=nothing", {"json": NEW_TYPE}),
        (api, "POST", "service_type_assignments", {"json": duplicate}),
        (api, "PATCH", path, {"json": NEW_TYPE, "headers": {"If-Match": '"old"'}}),
        (api, "PATCH", f"{path}/archive", {"headers": {"If-Match": '"old"'}}),
        (api, "DELETE", path, {"headers": {"If-Match": '"old"'}}),
        (api, "DELETE", path, {}),
        (api, "DELETE", f"people/{foreign.pk}", {}),
        (api, "PATCH", f"people/{foreign.pk}/archive", {}),
        (api, "POST", f"people/{foreign.pk}", {"json": document_for("people")}),
    ):
        separator = "&" if "?" in address else "?"
        dry = client.request(method, f"{address}{separator}dry_run=true", **options)
        real = client.request(method, address, **options)
        assert (dry.status, dry.json) == (real.status, real.json), (method, address)
        statuses.append(dry.status)
    assert statuses == [401, 403, 422, 409, 400, 400, 415, 400, 422, 412, 412, 412, 422, 404, 404, 405]
    assert tables() == before


@pytest.mark.parametrize(
    "query",
    ["dry_run", "dry_run=", "dry_run=1", "dry_run=True", "dry_run[]=true", "dry_run=true&dry_run=false"],
)
def test_other_values_are_rejected(query: str, api: Api) -> None:
    rejected = api.post(f"service_types?{query}", json=NEW_TYPE)
    assert (rejected.status, rejected.error["code"]) == (400, "invalid_dry_run")
    assert rejected.error["source"] == {"parameter": query.partition("=")[0]}
    assert not ServiceType.objects.exists()
    # A GET ignores it, like other parameters that it doesn't have.
    assert api.get(f"service_types?{query}").status == 200


def test_idempotency_key_is_neither_used_nor_kept(api: Api) -> None:
    for _ in range(2):
        dry = api.post("service_types?dry_run=true", json=NEW_TYPE, headers=KEY)
        assert (dry.status, "Idempotency-Replayed" in dry.headers) == (200, False)
    assert not IdempotencyKey.objects.exists()
    assert api.post("service_types", json=NEW_TYPE, headers=KEY).status == 201


def test_nothing_runs_after_a_commit(
    api: Api, organization: Organization, django_capture_on_commit_callbacks: Any
) -> None:
    """A replica would need the position of the write."""
    sent = []

    def receive(**kwargs: Any) -> None:
        sent.append(kwargs["organizations"])

    changed.connect(receive)
    try:
        with django_capture_on_commit_callbacks() as callbacks:
            assert api.post("service_types?dry_run=true", json=NEW_TYPE).status == 200
        assert (sent, callbacks) == ([], [])
        assert api.post("service_types", json=NEW_TYPE).status == 201
    finally:
        changed.disconnect(receive)
    assert sent == [{organization.pk}]


def test_record_in_the_asserted_state_is_changed(api: Api, organization: Organization) -> None:
    path = f"service_types/{ServiceTypeFactory(organization=organization).pk}"
    headers = {"If-Match": api.get(path).headers["ETag"]}
    for _ in range(2):
        dry = api.patch(f"{path}?dry_run=true", json=NEW_TYPE, headers=headers)
        assert (dry.status, dry.data["attributes"]["name"]) == (200, "Design")


def test_included_records_are_those_after_the_write(
    api: Api, organization: Organization, monkeypatch: pytest.MonkeyPatch
) -> None:
    person, service_type = (
        PersonFactory(organization=organization),
        ServiceTypeFactory(organization=organization),
    )
    document = document_for("service_type_assignments", person_id=person.pk, service_type_id=service_type.pk)
    path = "service_type_assignments?dry_run=true&include=person.service_types"
    included = api.post(path, json=document).json["included"]
    assert {each["type"] for each in included} == {"people", "service_types"}
    # Fewer than in other responses, because they are read before the rollback.
    monkeypatch.setattr("productive.jsonapi.write_views.DRY_RUN_MAX_INCLUDED", 1)
    assert list(api.post(path, json=document).json) == ["data", "meta"]


def test_ignored_members_are_named(api: Api) -> None:
    dry = api.post(
        "service_types?dry_run=true", json=document_for("service_types", name="Design", color="red")
    )
    assert dry.json["meta"]["ignored"] == ["color"]


def test_write_is_rolled_back_before_the_response(api: Api) -> None:
    """On SQLite, other writes wait until then."""
    with CaptureQueriesContext(connection) as queries:
        api.post("service_types?dry_run=true", json=NEW_TYPE)
    statements = [query["sql"].split()[0] for query in queries]
    assert statements[statements.index("INSERT") :][-3:] == ["SELECT", "ROLLBACK", "RELEASE"]
