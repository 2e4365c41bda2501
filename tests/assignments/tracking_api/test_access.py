"""Test the access to a service in the API: its states, and warnings of writes that open it."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client

from assignments.models import ServiceAssignment
from catalog.models import Deal, Service
from catalog.views import ServiceViewSet
from productive.accounts.models import Organization
from tests.support.admin import delete
from tests.support.api import Api
from tests.support.factories import (
    PersonFactory,
    ServiceAssignmentFactory,
    ServiceFactory,
    ServiceTypeAssignmentFactory,
    UserFactory,
)

pytestmark = pytest.mark.django_db


def access(api: Api, service: Service) -> tuple[str, int]:
    meta = api.get(f"services/{service.pk}").data["meta"]
    listed = api.get(f"services?filter[access]={meta['access']}")
    assert {resource["meta"]["access"] for resource in listed.data} == {meta["access"]}
    assert service.pk in listed.ids
    assert service.pk not in api.get(f"services?filter[access][not_eq]={meta['access']}").ids
    return meta["access"], meta["assignee_count"]


def test_access_depends_on_restrictions_and_active_assignees(api: Api, organization: Organization) -> None:
    service = ServiceFactory(organization=organization)
    ana, ivo = PersonFactory.create_batch(2, organization=organization)
    assert access(api, service) == ("open", 0)
    Deal.objects.update(person_restricted_tracking=True)
    assert access(api, service) == ("open_nobody_assigned", 0)
    for person in (ana, ivo):
        ServiceAssignmentFactory(organization=organization, service=service, person=person)
    assert access(api, service) == ("restricted", 2)
    ana.archive()
    assert access(api, service) == ("restricted", 1)
    ivo.archive()
    assert access(api, service) == ("restricted_to_nobody", 0)
    ana.restore()

    Deal.objects.update(service_type_restricted_tracking=True)
    assert access(api, service) == ("restricted_to_nobody", 1)
    held = ServiceTypeAssignmentFactory(
        organization=organization, service_type=service.service_type, person=ana
    )
    assert access(api, service) == ("restricted", 1)
    ServiceAssignment.objects.all().delete()
    assert access(api, service) == ("restricted", 0)
    held.delete()
    assert access(api, service) == ("restricted_to_nobody", 0)
    Deal.objects.update(person_restricted_tracking=False)
    ServiceTypeAssignmentFactory(organization=organization, service_type=service.service_type, person=ana)
    assert access(api, service) == ("restricted", 0)
    Deal.objects.update(service_type_restricted_tracking=False)
    assert access(api, service) == ("open", 0)


def test_service_deleted_during_the_request_has_no_meta(
    api: Api, services: list[Service], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ServiceViewSet, "resource_metas", lambda self, ids: {ids[0]: {"access": "open"}})
    metas = [resource.get("meta") for resource in api.get("services").data]
    assert metas == [{"access": "open"}] + [None] * (len(services) - 1)


def test_access_is_only_in_meta(api: Api, services: list[Service]) -> None:
    resource = api.get(f"services/{services[0].pk}").data
    assert list(resource) == ["id", "type", "attributes", "relationships", "meta"]
    assert "access" not in resource["attributes"]
    assert set(api.get("service_assignments").data[0]) == {"id", "type", "relationships"}


def staff(organization: Organization) -> Client:
    client = Client()
    client.force_login(UserFactory(organization=organization, is_staff=True, is_superuser=True))
    return client


def delete_over_api(api: Api, assignment: ServiceAssignment) -> str | None:
    response = api.delete(f"service_assignments/{assignment.pk}")
    assert (response.status, response.body) == (204, b"")
    return response.headers.get("Warning-Opened-Service")


def move_over_api(api: Api, assignment: ServiceAssignment) -> str | None:
    elsewhere = ServiceFactory(organization=assignment.organization)
    body = {"data": {"type": "service_assignments", "attributes": {"service_id": elsewhere.pk}}}
    response = api.patch(f"service_assignments/{assignment.pk}", json=body)
    assert response.status == 200
    return response.headers.get("Warning-Opened-Service")


def delete_person_over_api(api: Api, assignment: ServiceAssignment) -> str | None:
    response = api.delete(f"people/{assignment.person_id}")
    assert response.status == 204
    return response.headers.get("Warning-Opened-Service")


def delete_in_the_admin(api: Api, assignment: ServiceAssignment) -> str | None:
    assert delete(staff(assignment.organization), assignment).status_code == 302
    return str(assignment.service_id)


def delete_person_in_the_admin(api: Api, assignment: ServiceAssignment) -> str | None:
    assert delete(staff(assignment.organization), assignment.person).status_code == 302
    return str(assignment.service_id)


@pytest.mark.no_cover
@pytest.mark.parametrize(
    "remove",
    [delete_over_api, move_over_api, delete_person_over_api, delete_in_the_admin, delete_person_in_the_admin],
)
def test_removing_the_last_assignee_opens_the_service(
    remove: Any, api: Api, organization: Organization, services: list[Service]
) -> None:
    design = services[0]
    second = ServiceAssignmentFactory(organization=organization, service=design)
    assert access(api, design) == ("restricted", 2)
    header = remove(api, second)
    assert access(api, design) == ("restricted", 1)
    if remove is not delete_in_the_admin and remove is not delete_person_in_the_admin:
        assert header is None
    assert remove(api, ServiceAssignment.objects.get(service=design)) == str(design.pk)
    assert access(api, design) == ("open_nobody_assigned", 0)


def test_service_moved_to_a_restricted_budget_is_open(
    api: Api, organization: Organization, services: list[Service]
) -> None:
    moved = ServiceFactory(organization=organization)
    assert access(api, moved) == ("open", 0)
    body = {"data": {"type": "services", "attributes": {"deal_id": services[0].deal_id}}}
    response = api.patch(f"services/{moved.pk}", json=body)
    assert response.data["meta"] == {"access": "open_nobody_assigned", "assignee_count": 0}
    assert access(api, moved) == ("open_nobody_assigned", 0)


def test_unrestricted_budget_has_no_warning(api: Api, organization: Organization) -> None:
    assignment = ServiceAssignmentFactory(organization=organization)
    assert delete_over_api(api, assignment) is None


def test_access_filter_takes_all_states(api: Api, services: list[Service]) -> None:
    every = "open,open_nobody_assigned,restricted,restricted_to_nobody"
    assert api.get(f"services?filter[access]={every}").ids == [service.pk for service in services]
    assert api.get(f"services?filter[access][not_eq]={every}").ids == []


def test_removing_the_last_assignee_keeps_the_restriction_by_type(
    api: Api, organization: Organization, services: list[Service]
) -> None:
    """The header names the service: all who hold the type may track then."""
    Deal.objects.update(service_type_restricted_tracking=True)
    design = services[0]
    holder = PersonFactory(organization=organization)
    ServiceTypeAssignmentFactory(organization=organization, service_type=design.service_type, person=holder)
    assert access(api, design) == ("restricted_to_nobody", 1)
    assert delete_over_api(api, ServiceAssignment.objects.get(service=design)) == str(design.pk)
    assert access(api, design) == ("restricted", 0)
