"""Test the documented attributes and relationships that have no further meaning here."""

from __future__ import annotations

from typing import Any

import pytest

from productive.accounts.models import Organization
from tests.support.api import Api
from tests.support.resources import RESOURCES, create_rows, document_for

pytestmark = pytest.mark.django_db

# Resource → attributes that clients send → how they are returned, if differently.
KEPT: dict[str, dict[str, Any]] = {
    "projects": {"project_type_id": 1, "workflow_id": 12, "preferences": {"a": [1]}},
    "deals": {
        "deal_type_id": 1,
        "deal_status_id": 12,
        "tracking_type_id": 2,
        "currency": "EUR",
        "probability": 100,
        "delivered_on": "2026-03-01",
        "note": "Agreed",
        "client_access": True,
        "tag_list": ["red", "big"],
    },
    "services": {
        "billing_type_id": 4,
        "unit_id": 3,
        "price": 12000,
        "quantity": 1.5,
        "description": "Weekly",
        "limitation_type": "time",
        "budget_cap_enabled": True,
        "booking_tracking_enabled": False,
        "section_id": 12,
        "position": 0,
    },
    "people": {
        "nickname": "An",
        "role_id": 2,
        "custom_role_id": 12,
        "subsidiary_id": 12,
        "time_tracking_policy_id": 12,
        "timesheet_submission_disabled": True,
        "virtual": True,
        "tag_list": ["red"],
    },
}
REJECTED: dict[str, dict[str, Any]] = {
    "projects": {"project_type_id": 3, "workflow_id": -1},
    "deals": {
        "deal_type_id": None,
        "currency": "eur",
        "probability": 101,
        "delivered_on": "soon",
        "client_access": 1,
        "tag_list": ["", "x"],
    },
    "services": {
        "billing_type_id": 5,
        "unit_id": True,
        "price": "12,5",
        "quantity": True,
        "position": 2**63,
    },
    "people": {"role_id": "admin", "virtual": "yes", "tag_list": {"a": 1}},
}


@pytest.mark.parametrize("resource", KEPT)
def test_documented_attributes_are_validated_stored_and_returned(
    resource: str, api: Api, organization: Organization
) -> None:
    (row,) = create_rows(resource, organization)
    changed = api.patch(f"{resource}/{row.pk}", json=document_for(resource, **KEPT[resource]))
    assert changed.status == 200
    assert "ignored" not in changed.json["meta"]
    assert KEPT[resource].items() <= api.get(f"{resource}/{row.pk}").data["attributes"].items()
    rejected = api.patch(f"{resource}/{row.pk}", json=document_for(resource, **REJECTED[resource]))
    assert {name for name, _ in rejected.invalid} == REJECTED[resource].keys()
    # The history has the first change only, so it can be undone.
    entry = type(row).history.filter(id=row.pk).latest()
    assert {name: getattr(entry, name) for name in KEPT[resource] if name != "delivered_on"} == {
        name: value for name, value in KEPT[resource].items() if name != "delivered_on"
    }


def test_numbers_and_tags_can_be_strings(api: Api, organization: Organization) -> None:
    (service,) = create_rows("services", organization)
    sent = {"unit_id": "2", "price": "100000.0", "quantity": "2.5"}
    changed = api.patch(f"services/{service.pk}", json=document_for("services", **sent))
    stored = {name: changed.data["attributes"][name] for name in sent}
    assert stored == {"unit_id": 2, "price": 100000, "quantity": 2.5}
    (person,) = create_rows("people", organization)
    changed = api.patch(f"people/{person.pk}", json=document_for("people", tag_list="red, big,"))
    assert changed.data["attributes"]["tag_list"] == ["red", "big"]


@pytest.mark.parametrize("resource", KEPT)
def test_relationships_without_records_are_empty(
    resource: str, api: Api, organization: Organization, django_assert_num_queries: Any
) -> None:
    """Including them adds no query."""
    create_rows(resource, organization, 2)
    linkage = RESOURCES[resource].serializer_class.without_records
    for data in api.get(resource).data:
        assert {data["relationships"][name]["meta"]["included"] for name in linkage} == {False}
    with django_assert_num_queries(3 if resource == "services" else 2):
        listed = api.get(f"{resource}?include={','.join(linkage)}")
    assert listed.json["included"] == []
    for data in listed.data:
        assert {name: data["relationships"][name]["data"] for name in linkage} == linkage
    name = next(iter(linkage))
    sparse = api.get(f"{resource}?fields[{resource}]={name}&include={name}").data[0]
    assert sparse["relationships"] == {name: {"data": linkage[name]}}
    assert api.get(f"{resource}?include={name}.organization").error["code"] == "unsupported_include"


def test_relationship_without_records_writes_its_id(api: Api, organization: Organization) -> None:
    (project,) = create_rows("projects", organization)

    def patch(data: Any, **attributes: Any) -> Any:
        document = document_for("projects", **attributes)
        document["data"]["relationships"] = {"workflow": {"data": data}}
        return api.patch(f"projects/{project.pk}", json=document)

    workflow = {"type": "workflows", "id": "12"}
    changed = patch(workflow)
    assert (changed.data["attributes"]["workflow_id"], changed.json["meta"]) == (12, {})
    assert patch(None, workflow_id=12).data["attributes"]["workflow_id"] == 12
    assert patch(workflow, workflow_id=13).invalid == [("workflow", "attribute is invalid")]
    assert patch({"type": "workflows", "id": "x"}).invalid == [("workflow_id", "attribute is invalid")]
    assert patch([workflow]).data["attributes"]["workflow_id"] == 12
    assert patch(None).data["attributes"]["workflow_id"] is None
