"""The action `merge` of service types and people, and the warning about similar names."""

from __future__ import annotations

from typing import Any

import pytest

from assignments.models import ServiceAssignment
from catalog.models import ServiceType
from productive.accounts.models import ApiToken, Organization, Person
from tests.support.api import Api
from tests.support.factories import (
    ApiTokenFactory,
    PersonFactory,
    ProjectAssignmentFactory,
    ServiceAssignmentFactory,
    ServiceFactory,
    ServiceTypeAssignmentFactory,
    ServiceTypeFactory,
)
from tests.support.resources import document_for

pytestmark = pytest.mark.django_db


def into(resource: str, pk: Any) -> Any:
    linkage = {"data": {"type": resource, "id": str(pk)}}
    return {"data": {"type": resource, "relationships": {"into": linkage}}}


def test_service_type_is_merged(api: Api, organization: Organization) -> None:
    kept, other = ServiceTypeFactory.create_batch(2, organization=organization)
    service = ServiceFactory(organization=organization, service_type=other)
    assignment = ServiceTypeAssignmentFactory(organization=organization, service_type=other)
    path = f"service_types/{other.pk}"
    dry = api.patch(f"{path}/merge?dry_run=true", json=into("service_types", kept.pk))
    assert dry.status == 200
    assert dry.json["meta"]["merged_into"] == str(kept.pk)
    assert dry.json["meta"]["consequences"]["loses_count"] == 0
    assert ServiceType.objects.get(pk=other.pk).archived_at is None

    merged = api.patch(f"{path}/merge", json=into("service_types", kept.pk))
    assert (merged.status, merged.data["meta"]) == (200, {"merged_into": str(kept.pk)})
    found = api.get(path)
    assert found.data["attributes"]["archived_at"] is not None
    assert found.json["meta"] == found.data["meta"] == {"merged_into": str(kept.pk)}
    assert found.headers["ETag"] == merged.headers["ETag"]
    assert "meta" not in api.get(f"service_types/{kept.pk}").data
    listed = {each["id"]: each.get("meta") for each in api.get("service_types").data}
    assert listed == {str(kept.pk): None, str(other.pk): {"merged_into": str(kept.pk)}}
    sparse = api.get(f"service_types?fields[service_types]=name&filter[merged_into_id]={kept.pk}").data
    assert [(each["id"], each["meta"]) for each in sparse] == [(str(other.pk), {"merged_into": str(kept.pk)})]
    for row in (service, assignment):
        row.refresh_from_db()
        assert row.service_type == kept
    history = ServiceType.history.filter(id=other.pk).latest("history_id")
    assert (history.merged_into_id, history.via) == (kept.pk, f"API: {ApiToken.objects.get().name}")

    # Again, as a client that got no response. What a concurrent request has added moves, too.
    late = ServiceTypeAssignmentFactory(organization=organization, service_type=other)
    assert api.patch(f"{path}/merge", json=into("service_types", kept.pk)).body == merged.body
    late.refresh_from_db()
    assert late.service_type == kept


def test_merged_record_is_refused_with_the_id_of_the_other(api: Api, organization: Organization) -> None:
    kept, other, third = ServiceTypeFactory.create_batch(3, organization=organization)
    person = PersonFactory(organization=organization)
    assigned = ServiceAssignmentFactory(organization=organization)
    other.merge(kept)
    message = f"has been merged into {kept.pk}"
    path = f"service_types/{other.pk}"
    assert api.patch(path, json=document_for("service_types", name="New")).invalid == [("base", message)]
    assert api.patch(f"{path}/restore").invalid == [("base", message)]
    assert api.patch(f"{path}/merge", json=into("service_types", third.pk)).invalid == [("base", message)]
    found = api.patch(f"service_types/{third.pk}/merge", json=into("service_types", other.pk))
    assert found.invalid == [("into", message)]
    pair = {"person_id": person.pk, "service_type_id": other.pk}
    found = api.post("service_type_assignments", json=document_for("service_type_assignments", **pair))
    assert found.invalid == [("service_type", message)]
    found = api.patch(
        f"services/{assigned.service_id}", json=document_for("services", service_type_id=other.pk)
    )
    assert found.invalid == [("service_type", message)]
    double = PersonFactory(organization=organization)
    double.merge(person)
    pair = {"person_id": double.pk, "service_id": assigned.service_id}
    found = api.post("service_assignments", json=document_for("service_assignments", **pair))
    assert found.invalid == [("person", f"has been merged into {person.pk}")]
    # What can't change is that it was merged.
    assert api.patch(f"{path}/archive").status == 200
    assert api.delete(path).status == 204


def test_what_can_not_be_merged(api: Api, organization: Organization) -> None:
    kept, other, archived = ServiceTypeFactory.create_batch(3, organization=organization)
    archived.archive()
    foreign = ServiceTypeFactory()
    path = f"service_types/{other.pk}/merge"
    for pk, message in [
        (other.pk, "must be another record"),
        (archived.pk, "is archived"),
        (foreign.pk, "attribute is invalid"),
        (0, "attribute is invalid"),
        ("1 ", "attribute is invalid"),
        (2**63, "attribute is invalid"),
    ]:
        assert api.patch(path, json=into("service_types", pk)).invalid == [("into", message)]
    assert api.patch(path, json=into("people", kept.pk)).status == 409
    wrong = into("service_types", kept.pk)
    wrong["data"]["relationships"]["into"]["data"]["type"] = "people"
    assert api.patch(path, json=wrong).invalid == [("into", "attribute is invalid")]
    assert api.patch(path, json=document_for("service_types")).invalid == [("into", "can't be blank")]
    assert api.patch(path, json=document_for("service_types", into_id=None)).status == 422
    for broken in (1.5, True, [kept.pk], {"id": kept.pk}, "x"):
        found = api.patch(path, json=document_for("service_types", into_id=broken))
        assert found.invalid == [("into", "attribute is invalid")], broken
    both = into("service_types", kept.pk)
    both["data"]["attributes"] = {"into_id": archived.pk}
    assert api.patch(path, json=both).invalid == [("into", "attribute is invalid")]
    assert api.patch(path).status == 400
    assert api.patch(f"service_types/{foreign.pk}/merge", json=into("service_types", kept.pk)).status == 404
    reader = Api(ApiTokenFactory(organization=organization, read_only=True).name)
    assert reader.patch(path, json=into("service_types", kept.pk)).status == 403
    assert ServiceType.objects.exclude(merged_into=None).count() == 0
    both["data"]["attributes"] = {"into_id": kept.pk}
    assert api.patch(path, json=both).status == 200


def test_person_is_merged_and_loses_access(api: Api, organization: Organization) -> None:
    kept, double = PersonFactory.create_batch(2, organization=organization)
    service = ServiceFactory(organization=organization)
    for person in (kept, double):
        ServiceAssignmentFactory(organization=organization, service=service, person=person)
    ProjectAssignmentFactory(organization=organization, project=service.deal.project, person=double)
    document = document_for("people", into_id=kept.pk)
    merged = api.patch(f"people/{double.pk}/merge", json=document)
    assert merged.status == 200
    assert merged.headers["Warning-Access-Lost"] == str(double.pk)
    assert Person.objects.get(pk=double.pk).merged_into == kept
    assert [pair.person for pair in ServiceAssignment.objects.all()] == [kept]


def test_similar_names_are_in_the_meta_of_the_response(api: Api, organization: Organization) -> None:
    first = ServiceTypeFactory(organization=organization, name="Quality Assurance")
    first.archive()
    ServiceTypeFactory(name="QA")
    document = document_for("service_types", name="QA")
    expected = [{"id": str(first.pk), "name": "Quality Assurance", "archived": True}]
    assert api.post("service_types?dry_run=true", json=document).json["meta"]["look_alikes"] == expected
    created = api.post("service_types", json=document)
    assert (created.status, created.json["meta"]) == (201, {"look_alikes": expected})
    path = f"service_types/{created.data['id']}"
    assert created.headers["ETag"] == api.get(path).headers["ETag"]
    assert api.get(path).json["meta"] == {}
    other = api.post("service_types", json=document_for("service_types", name="Illustration"))
    assert other.json["meta"] == {}
    renamed = api.patch(path, json=document_for("service_types", name="Illustrations", unknown=1))
    assert renamed.json["meta"] == {
        "ignored": ["unknown"],
        "look_alikes": [{"id": other.data["id"], "name": "Illustration", "archived": False}],
    }
    described = api.patch(path, json=document_for("service_types", description="x"))
    assert described.json["meta"] == {}
