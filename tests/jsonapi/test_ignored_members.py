"""Test documents with members that the resource doesn't have."""

from __future__ import annotations

from typing import Any

import pytest

from catalog.models import ServiceType
from productive.accounts.models import ApiToken
from tests.support.api import Api
from tests.support.factories import ServiceTypeFactory

pytestmark = pytest.mark.django_db


def document(**attributes: Any) -> dict[str, Any]:
    company = {"data": {"type": "companies", "id": "7"}}
    return {
        "data": {
            "type": "service_types",
            "attributes": {"color": "red", **attributes, "person": 1},
            "relationships": {"company": company, "name": {"data": None}, "assignees": {"data": []}},
        }
    }


IGNORED = ["color", "person", "company", "name"]


def test_response_names_ignored_members(api: Api) -> None:
    created = api.post("service_types", json=document(name="Design", organization_id=1))
    assert (created.status, created.data["attributes"]["name"]) == (201, "Design")
    assert list(created.json) == ["data", "meta"]
    assert created.json["meta"] == {"ignored": IGNORED}
    changed = api.patch(f"service_types/{created.data['id']}?include=assignees", json=document(name="QA"))
    assert (changed.status, changed.data["attributes"]["name"]) == (200, "QA")
    assert list(changed.json) == ["data", "included", "meta"]
    assert changed.json["meta"] == {"ignored": IGNORED}
    shown = api.get(f"service_types/{created.data['id']}?include=assignees")
    assert (shown.json["meta"], shown.headers["ETag"]) == ({}, changed.headers["ETag"])


def test_repeated_request_names_them_again(token: ApiToken) -> None:
    api = Api(token.name, {"Idempotency-Key": "a"})
    first, second = (api.post("service_types", json=document(name="Design")) for _ in range(2))
    assert second.headers["Idempotency-Replayed"] == "true"
    assert second.json == first.json
    assert first.json["meta"] == {"ignored": IGNORED}


@pytest.mark.parametrize(
    "prefer",
    ["handling=strict", "respond-async, Handling = Strict", 'handling="strict"; a=1', "a,handling=strict"],
)
def test_strict_handling_rejects_them(token: ApiToken, prefer: str) -> None:
    service_type = ServiceTypeFactory(organization=token.organization)
    api, unknown = Api(token.name, {"Prefer": prefer}), "attribute is not supported"
    for response in (
        api.post("service_types", json=document(name="Design")),
        api.patch(f"service_types/{service_type.pk}", json=document(name="Design")),
    ):
        assert sorted(response.invalid) == sorted((name, unknown) for name in IGNORED)
    assert ServiceType.objects.get().name == service_type.name


@pytest.mark.parametrize("prefer", ["handling=lenient", "handling=stricter", "return=minimal", "strict", ""])
def test_other_preferences_change_nothing(token: ApiToken, prefer: str) -> None:
    response = Api(token.name, {"Prefer": prefer}).post("service_types", json=document(name="Design"))
    assert (response.status, response.json["meta"]) == (201, {"ignored": IGNORED})
