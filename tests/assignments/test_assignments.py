"""Test assignments and saved filters in the API."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from assignments.models import ProjectAssignment, ServiceAssignment
from productive.accounts.models import Organization
from tests.support.api import Api
from tests.support.factories import (
    FilterFactory,
    PersonFactory,
    ProjectAssignmentFactory,
    ServiceAssignmentFactory,
    ServiceFactory,
    ServiceTypeAssignmentFactory,
)

pytestmark = pytest.mark.django_db


def document(resource: str, attributes: Any = None, **related: tuple[str, Any]) -> dict[str, Any]:
    relationships = {
        name: {"data": None if pk is None else {"type": kind, "id": str(pk)}}
        for name, (kind, pk) in related.items()
    }
    return {"data": {"type": resource, "attributes": attributes or {}, "relationships": relationships}}


def test_duplicate_is_rejected_at_the_documented_field(api: Api, organization: Organization) -> None:
    service = ServiceAssignmentFactory(organization=organization)
    project = ProjectAssignmentFactory(organization=organization)
    kind = ServiceTypeAssignmentFactory(organization=organization)
    for resource, attributes, invalid in (
        (
            "service_assignments",
            {"person_id": service.person_id, "service_id": service.service_id},
            ("service", "only one assignment per service, per person is allowed"),
        ),
        (
            "project_assignments",
            {"person_id": str(project.person_id), "project_id": project.project_id},
            ("person", "has already been assigned to that project"),
        ),
        (
            "service_type_assignments",
            {"person_id": kind.person_id, "service_type_id": str(kind.service_type_id)},
            ("service_type", "only one assignment per service type, per person is allowed"),
        ),
    ):
        assert api.post(resource, json=document(resource, attributes)).invalid == [invalid]


def test_foreign_key_is_an_attribute_or_a_relationship_or_both(api: Api, organization: Organization) -> None:
    service = ServiceFactory(organization=organization)
    people = PersonFactory.create_batch(4, organization=organization)
    attributes = [
        {},
        {"person_id": people[1].pk},
        {"person_id": str(people[2].pk)},
        {"person_id": people[3].pk},
    ]
    for person, attribute in zip(people, attributes, strict=True):
        related = {"service": ("services", service.pk)}
        if not attribute or person is people[3]:
            related["person"] = ("people", person.pk)
        created = api.post("service_assignments", json=document("service_assignments", attribute, **related))
        assert created.status == 201
    assert list(ServiceAssignment.objects.values_list("person", flat=True)) == [p.pk for p in people]

    both = document("service_assignments", {"person_id": people[0].pk}, person=("people", people[1].pk))
    assert api.post("service_assignments", json=both).invalid == [
        ("person", "attribute is invalid"),
        ("service", "can't be blank"),
    ]


def test_missing_and_empty_relationships_are_blank(api: Api, token: Any) -> None:
    blank = [("person", "can't be blank"), ("service", "can't be blank")]
    for relationships in ({}, {"person": {}, "service": {"meta": {}}}, {"person": {"data": None}}):
        body = {"data": {"type": "service_assignments", "relationships": relationships}}
        assert api.post("service_assignments", json=body).invalid == blank
    assert api.post("service_assignments", json={"data": {"type": "service_assignments"}}).invalid == blank


def test_saved_filter_must_exist_only_as_a_relationship(api: Api, organization: Organization) -> None:
    own, foreign = FilterFactory(organization=organization), FilterFactory()
    path = f"project_assignments/{ProjectAssignmentFactory(organization=organization).pk}"

    def patch(attributes: Any = None, **related: Any) -> Any:
        return api.patch(path, json=document("project_assignments", attributes, **related))

    def stored() -> int | None:
        return ProjectAssignment.objects.values_list("default_filter_id", flat=True).get()

    for value, kept in ((27, 27), ("28", 28), (2**63 - 1, 2**63 - 1), (None, None)):
        assert patch({"default_filter_id": value}).data["attributes"]["default_filter_id"] == kept
        assert stored() == kept
    for value in (0, -1, 2**63, 1.5, True, "x", "1_0", []):
        assert patch({"default_filter_id": value}).invalid == [("default_filter_id", "attribute is invalid")]

    assert patch(favorite_filter=("filters", own.pk)).data["attributes"]["default_filter_id"] == own.pk
    assert stored() == own.pk
    for pk in (foreign.pk, 10**9):
        assert patch(favorite_filter=("filters", pk)).invalid == [("favorite_filter", "attribute is invalid")]
    contradictions = [
        patch({"default_filter_id": 1 + own.pk}, favorite_filter=("filters", own.pk)),
        patch({"default_filter_id": own.pk}, favorite_filter=("filters", None)),
        patch({"default_filter_id": 10**9}, favorite_filter=("filters", None)),
    ]
    for different in contradictions:
        assert different.invalid == [("favorite_filter", "attribute is invalid")]
    assert patch({"default_filter_id": 10**9}).status == 200
    view = patch({"default_filter_id": 10**9}, favorite_filter=("filters", None))
    assert view.data["attributes"]["default_filter_id"] == stored() == 10**9
    assert patch({"default_filter_id": own.pk}).status == 200
    assert stored() == own.pk
    assert patch(favorite_filter=("filters", None)).data["attributes"]["default_filter_id"] is None
    assert stored() is None


def test_deleting_a_filter_keeps_its_id_in_assignments(api: Api, organization: Organization) -> None:
    saved = FilterFactory(organization=organization)
    assignment = ProjectAssignmentFactory(organization=organization, default_filter_id=saved.pk)
    assert api.delete(f"filters/{saved.pk}").status == 204
    response = api.get(f"project_assignments/{assignment.pk}?include=favorite_filter")
    assert response.data["attributes"]["default_filter_id"] == saved.pk
    assert response.data["relationships"]["favorite_filter"] == {"data": None}


def test_update_writes_only_the_given_attributes(api: Api, organization: Organization) -> None:
    """Concurrent changes of different attributes don't undo each other."""
    assignment = ProjectAssignmentFactory(organization=organization, watched=True)
    body = document("project_assignments", {"tasks_layout_id": 5})
    with CaptureQueriesContext(connection) as queries:
        assert api.patch(f"project_assignments/{assignment.pk}", json=body).status == 200
    (update,) = (q["sql"] for q in queries if q["sql"].startswith("UPDATE"))
    assert "tasks_layout_id" in update
    assert "watched" not in update


def test_writes_take_few_queries(
    api: Api, organization: Organization, django_assert_num_queries: Any
) -> None:
    service, person = ServiceFactory(organization=organization), PersonFactory(organization=organization)
    pair = document("service_assignments", person=("people", person.pk), service=("services", service.pk))
    # The token, two related records, the uniqueness, the insert, its history, the response; the savepoint.
    # Whether the service had assignees; whether the person can track, and why not.
    with django_assert_num_queries(7 + 2 + 1 + 4):
        created = api.post("service_assignments", json=pair)
    path = f"service_assignments/{created.data['id']}"
    # The token, the record, the related record, the uniqueness, the saved pair (it is equal), the update, the
    # last history record (it is equal), the response; the savepoint.
    with django_assert_num_queries(8 + 2):
        assert (
            api.patch(path, json=document("service_assignments", service=("services", service.pk))).status
            == 200
        )
    # The token, the record, whether the person can track, whether the service is restricted, the delete, its
    # history; the savepoint.
    with django_assert_num_queries(6 + 2):
        assert api.delete(path).status == 204


def test_full_clean_keeps_saved_filters(organization: Organization) -> None:
    """It cleans all fields, including the relations to saved filters."""
    own = FilterFactory(organization=organization).pk
    for saved in (own, 10**9, None):
        assignment = ProjectAssignmentFactory(organization=organization, default_filter_id=saved)
        assignment.full_clean()
        assert (assignment.organization, assignment.default_filter_id) == (organization, saved)
