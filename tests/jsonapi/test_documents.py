"""Test includes, sparse fields and the format of values."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from productive.accounts.models import Organization
from tests.support.api import Api
from tests.support.factories import (
    ApiTokenFactory,
    DealFactory,
    FilterFactory,
    OrganizationFactory,
    PersonFactory,
    ProjectAssignmentFactory,
    ProjectFactory,
    ServiceAssignmentFactory,
    ServiceFactory,
    ServiceTypeAssignmentFactory,
    ServiceTypeFactory,
)

pytestmark = pytest.mark.django_db


def keys(resources: list[dict[str, Any]]) -> list[tuple[str, int]]:
    return sorted((resource["type"], int(resource["id"])) for resource in resources)


def test_nested_include_has_each_record_once(
    api: Api, organization: Organization, django_assert_num_queries: Any
) -> None:
    """The token and the page, which joins to-one relationships."""
    project = ProjectFactory(organization=organization)
    deal = DealFactory(organization=organization, project=project)
    services = ServiceFactory.create_batch(2, organization=organization, deal=deal)
    assignments = [ServiceAssignmentFactory(organization=organization, service=s) for s in services]
    with django_assert_num_queries(2):
        response = api.get("service_assignments?include=service.deal.project,person").json
    assert keys(response["included"]) == sorted(
        [("projects", project.pk), ("deals", deal.pk)]
        + [("services", s.pk) for s in services]
        + [("people", a.person_id) for a in assignments]
    )
    first = response["data"][0]["relationships"]
    assert first["service"] == {"data": {"type": "services", "id": str(services[0].pk)}}
    by_type = {resource["type"]: resource for resource in response["included"]}
    assert by_type["services"]["relationships"]["deal"] == {"data": {"type": "deals", "id": str(deal.pk)}}
    assert by_type["services"]["relationships"]["service_type"] == {"meta": {"included": False}}
    assert by_type["deals"]["relationships"]["project"]["data"]["id"] == str(project.pk)
    assert list(response) == ["data", "included", "links", "meta"]


def test_to_many_include_takes_one_query_and_shows_empty_lists(
    api: Api, organization: Organization, django_assert_num_queries: Any
) -> None:
    """The token, the page, the assignees."""
    busy, idle = (ServiceTypeFactory(organization=organization) for _ in range(2))
    people = PersonFactory.create_batch(3, organization=organization)
    for person in people:
        ServiceTypeAssignmentFactory(organization=organization, service_type=busy, person=person)
    with django_assert_num_queries(3):
        response = api.get("service_types?include=assignees").json
    shown = {r["id"]: r["relationships"]["assignees"] for r in response["data"]}
    assert shown == {
        str(busy.pk): {"data": [{"type": "people", "id": str(p.pk)} for p in people]},
        str(idle.pk): {"data": []},
    }
    assert keys(response["included"]) == [("people", p.pk) for p in people]


def test_circular_include_has_primary_data_once(api: Api, organization: Organization) -> None:
    person, colleague = PersonFactory.create_batch(2, organization=organization)
    service_type = ServiceTypeFactory(organization=organization)
    for each in (person, colleague):
        ServiceTypeAssignmentFactory(organization=organization, service_type=service_type, person=each)
    response = api.get(f"people/{person.pk}?include=service_types.assignees").json
    assert keys(response["included"]) == [("people", colleague.pk), ("service_types", service_type.pk)]


def test_record_of_two_include_paths_has_the_linkage_of_both(api: Api, organization: Organization) -> None:
    person = PersonFactory(organization=organization)
    service = ServiceFactory(organization=organization)
    ServiceTypeAssignmentFactory(organization=organization, service_type=service.service_type, person=person)
    ServiceAssignmentFactory(organization=organization, service=service, person=person)
    for include in (
        "person,service.service_type.assignees.service_types",
        "person.service_types,service.service_type.assignees",
    ):
        response = api.get(f"service_assignments?include={include}").json
        (included,) = (r for r in response["included"] if r["type"] == "people")
        assert included["relationships"]["service_types"] == {
            "data": [{"type": "service_types", "id": str(service.service_type_id)}]
        }


def test_responses_to_writes_have_includes(api: Api, organization: Organization) -> None:
    project = ProjectFactory(organization=organization)
    relationships = {"project": {"data": {"type": "projects", "id": str(project.pk)}}}
    body = {"data": {"type": "deals", "attributes": {"name": "Website"}, "relationships": relationships}}
    created = api.post("deals?include=project", json=body)
    assert created.status == 201
    assert created.headers["Location"] == f"http://testserver/api/v2/deals/{created.data['id']}"
    assert keys(created.json["included"]) == [("projects", project.pk)]
    assert list(created.json) == ["data", "included", "meta"]
    body["data"] = {"type": "deals", "attributes": {"name": "App"}}
    assert api.patch(f"deals/{created.data['id']}?include=project", json=body).json["included"] != []
    assert api.post("deals?include=nothing", json=body).error["code"] == "unsupported_include"


def test_filter_of_another_organization_is_null(api: Api, organization: Organization) -> None:
    own, foreign = FilterFactory(organization=organization), FilterFactory()
    ids = {"default_filter_id": own.pk, "budgets_filter_id": foreign.pk, "deals_filter_id": 999_999}
    assignment = ProjectAssignmentFactory(organization=organization, **ids)
    names = "favorite_filter,budgets_favorite_filter,deals_favorite_filter,docs_favorite_filter"
    response = api.get(f"project_assignments/{assignment.pk}?include={names}").json
    shown = {name: response["data"]["relationships"][name] for name in names.split(",")}
    assert shown == {
        "favorite_filter": {"data": {"type": "filters", "id": str(own.pk)}},
        "budgets_favorite_filter": {"data": None},
        "deals_favorite_filter": {"data": None},
        "docs_favorite_filter": {"data": None},
    }
    assert keys(response["included"]) == [("filters", own.pk)]
    assert {name: response["data"]["attributes"][name] for name in ids} == ids


def test_sparse_fields_choose_attributes_and_relationships(api: Api, organization: Organization) -> None:
    assignment = ServiceAssignmentFactory(organization=organization)
    response = api.get(
        "service_assignments?include=person&fields[people]=last_name&fields[service_assignments]=person"
    )
    assert response.json["data"] == [
        {
            "id": str(assignment.pk),
            "type": "service_assignments",
            "relationships": {"person": {"data": {"type": "people", "id": str(assignment.person_id)}}},
        }
    ]
    assert response.json["included"] == [
        {
            "id": str(assignment.person_id),
            "type": "people",
            "attributes": {"last_name": assignment.person.last_name},
        }
    ]
    nothing = api.get("people?fields[people]=").data
    assert nothing == [{"id": str(assignment.person_id), "type": "people"}]


def test_moments_are_in_the_organizations_time_zone() -> None:
    for zone, written in (
        ("Europe/Zagreb", ["2025-03-30T01:59:59.999+01:00", "2025-03-30T03:00:00.000+02:00"]),
        ("America/St_Johns", ["2025-03-29T22:29:59.999-02:30", "2025-03-29T22:30:00.000-02:30"]),
        ("UTC", ["2025-03-30T00:59:59.999+00:00", "2025-03-30T01:00:00.000+00:00"]),
        ("No/Such_Zone", ["2025-03-30T00:59:59.999+00:00", "2025-03-30T01:00:00.000+00:00"]),
    ):
        moments = datetime(2025, 3, 30, 0, 59, 59, 999_999, UTC), datetime(2025, 3, 30, 1, tzinfo=UTC)
        organization = OrganizationFactory(time_zone=zone)
        for moment in moments:
            ProjectFactory(organization=organization, created_at=moment)
        response = Api(ApiTokenFactory(organization=organization).name).get("projects")
        assert [r["attributes"]["created_at"] for r in response.data] == written


def test_json_attributes_are_stored_unchanged(api: Api, organization: Organization) -> None:
    assignment = ProjectAssignmentFactory(organization=organization)
    for preferences in ({"a": [1, 2.5, None, {"b": "č😀"}]}, [], "text", 0, False, None):
        body = {"data": {"type": "project_assignments", "attributes": {"preferences": preferences}}}
        response = api.patch(f"project_assignments/{assignment.pk}", json=body)
        assert response.data["attributes"]["preferences"] == preferences
        assignment.refresh_from_db()
        assert assignment.preferences == preferences
