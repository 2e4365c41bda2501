"""Test the catalog in the API."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from assignments.models import ProjectAssignment, ServiceAssignment, ServiceTypeAssignment
from catalog.models import Deal, Project, Service, ServiceType
from productive.accounts.models import Organization, Person
from tests.support.api import Api
from tests.support.factories import (
    DealFactory,
    PersonFactory,
    ProjectAssignmentFactory,
    ProjectFactory,
    ServiceAssignmentFactory,
    ServiceFactory,
    ServiceTypeAssignmentFactory,
    ServiceTypeFactory,
)

pytestmark = [pytest.mark.django_db, pytest.mark.no_cover]


@pytest.mark.parametrize(
    ("resource", "factory", "end", "reopen", "moment"),
    [
        ("service_types", ServiceTypeFactory, "archive", "restore", "archived_at"),
        ("projects", ProjectFactory, "archive", "restore", "archived_at"),
        ("people", PersonFactory, "archive", "restore", "archived_at"),
        ("deals", DealFactory, "close", "open", "closed_at"),
    ],
)
def test_archiving_keeps_the_first_timestamp_and_can_be_undone(
    resource: str, factory: Any, end: str, reopen: str, moment: str, api: Api, organization: Organization
) -> None:
    row = factory(organization=organization)
    path = f"{resource}/{row.pk}"
    status = "budget_status" if resource == "deals" else "status"
    first = api.patch(f"{path}/{end}").data["attributes"][moment]
    assert first is not None
    for body in (
        None,
        {},
        {"meta": {}},
        {"data": {"type": resource, "id": str(row.pk)}},
        {"data": {"type": resource}},
    ):
        again = api.patch(f"{path}/{end}", json=body)
        assert (again.status, again.data["attributes"][moment]) == (200, first)
    assert api.get(f"{resource}?filter[{status}]=2").ids == [row.pk]
    assert api.get(f"{resource}?filter[{status}]=1").ids == []

    assert api.patch(f"{path}/{reopen}").data["attributes"][moment] is None
    assert api.patch(f"{path}/{reopen}").status == 200
    assert api.get(f"{resource}?filter[{status}]=1").ids == [row.pk]
    assert api.patch(f"{path}/{end}", json={"data": {"type": "other"}}).status == 409
    assert api.patch(f"{path}/{end}", json={"data": {"type": resource, "id": str(row.pk + 1)}}).status == 409
    assert api.get(path).data["attributes"][moment] is None


def test_service_type_in_use_is_not_deleted(
    api: Api, organization: Organization, caplog: pytest.LogCaptureFixture
) -> None:
    service_type = ServiceTypeFactory(organization=organization)
    services = ServiceFactory.create_batch(2, organization=organization, service_type=service_type)
    response = api.delete(f"service_types/{service_type.pk}")
    assert response.invalid == [("base", "is used by 2 services; archive it instead")]
    assert [(record.name, record.levelname) for record in caplog.records] == [
        ("productive.web.request_log", "INFO")
    ]
    assert response.error["source"] == {"pointer": "data/attributes/base"}
    for service in services:
        assert api.delete(f"services/{service.pk}").status == 204
    ServiceTypeAssignmentFactory(organization=organization, service_type=service_type)
    assert api.delete(f"service_types/{service_type.pk}").status == 204
    assert (ServiceType.objects.count(), ServiceTypeAssignment.objects.count()) == (0, 0)


def test_deleting_cascades_to_assignments_only(api: Api, organization: Organization) -> None:
    def create() -> tuple[Project, Service, Person]:
        project = ProjectFactory(organization=organization)
        service = ServiceFactory(
            organization=organization, deal=DealFactory(organization=organization, project=project)
        )
        person = PersonFactory(organization=organization)
        ProjectAssignmentFactory(organization=organization, project=project, person=person)
        ServiceAssignmentFactory(organization=organization, service=service, person=person)
        ServiceTypeAssignmentFactory(
            organization=organization, service_type=service.service_type, person=person
        )
        return project, service, person

    def counts() -> list[int]:
        models = ProjectAssignment, ServiceAssignment, ServiceTypeAssignment, Project, Deal, Service, Person
        return [model.objects.count() for model in models]

    (project, _, _), (_, service, _), (_, _, person) = create(), create(), create()
    create()
    assert counts() == [4, 4, 4, 4, 4, 4, 4]
    assert api.delete(f"projects/{project.pk}").status == 204
    assert counts() == [3, 3, 4, 3, 3, 3, 4]
    assert api.delete(f"services/{service.pk}").status == 204
    assert counts() == [3, 2, 4, 3, 3, 2, 4]
    assert api.delete(f"people/{person.pk}").status == 204
    assert counts() == [2, 1, 3, 3, 3, 2, 3]


def test_archived_service_type_is_kept_by_its_services_only(api: Api, organization: Organization) -> None:
    service = ServiceFactory(organization=organization)
    other = ServiceFactory(organization=organization)
    service.service_type.archive()
    kept = {"data": {"type": "services", "attributes": {"name": "Renamed"}, "relationships": {}}}
    chosen = {
        "service_type": {"data": {"type": "service_types", "id": str(service.service_type_id)}},
        "deal": {"data": {"type": "deals", "id": str(service.deal_id)}},
    }
    assert api.patch(f"services/{service.pk}", json=kept).status == 200
    kept["data"]["relationships"] = chosen
    assert api.patch(f"services/{service.pk}", json=kept).status == 200
    assert api.patch(f"services/{other.pk}", json=kept).invalid == [("service_type", "is archived")]
    assert api.post("services", json=kept).invalid == [("service_type", "is archived")]


def test_deal_is_a_budget_that_ends_after_it_starts(api: Api, organization: Organization) -> None:
    project = ProjectFactory(organization=organization)

    def post(**attributes: Any) -> Any:
        attributes = {"name": "Website", "project_id": project.pk, **attributes}
        return api.post("deals", json={"data": {"type": "deals", "attributes": attributes}})

    assert post(budget=False).invalid == [("budget", "must be true: only budgets are kept")]
    assert post(date="2026-03-02", end_date="2026-03-01").invalid == [
        ("end_date", "must not be before the start date")
    ]
    assert post(project_id=None).invalid == [("project", "can't be blank")]
    created = post(date="2026-03-01", end_date="2026-03-01", budget=True)
    assert created.status == 201
    assert created.data["attributes"] | {"created_at": ""} == {
        "name": "Website",
        "budget": True,
        "date": "2026-03-01",
        "end_date": "2026-03-01",
        "closed_at": None,
        "person_restricted_tracking": False,
        "service_type_restricted_tracking": False,
        "created_at": "",
        "deal_type_id": 2,
        "deal_status_id": None,
        "tracking_type_id": None,
        "currency": None,
        "probability": None,
        "delivered_on": None,
        "note": None,
        "client_access": False,
        "tag_list": [],
    }
    assert api.get("deals?filter[type]=2").ids == [int(created.data["id"])]
    assert api.get("deals?filter[type]=1").ids == []


def test_people_are_filtered_by_name_and_sorted(api: Api, organization: Organization) -> None:
    def person(first: str, last: str, email: str, day: int) -> int:
        moment = datetime(2026, 1, day, tzinfo=UTC)
        return PersonFactory(
            organization=organization, first_name=first, last_name=last, email=email, created_at=moment
        ).pk

    ana, ivo, eva = (
        person("Ana", "Zec", "c@x.io", 2),
        person("Ivo", "Ban", "b@x.io", 3),
        person("Ana", "Ban", "a@x.io", 1),
    )
    assert api.get("people?filter[query]=ana%20z").ids == [ana]
    assert api.get("people?filter[query]=B@X").ids == [ivo]
    assert api.get("people?filter[email]=a@x.io").ids == [eva]
    assert api.get("people?sort=name").ids == [eva, ana, ivo]
    assert api.get("people?sort=-email").ids == [ana, ivo, eva]
    assert api.get("people?sort=created_at").ids == [eva, ana, ivo]
    unreachable = PersonFactory(organization=organization, email=None).pk
    assert api.get("people?sort=email").ids == [eva, ivo, ana, unreachable]
    assert api.get("people?sort=-email").ids == [unreachable, ana, ivo, eva]


def test_email_is_unique_ignoring_case(api: Api, organization: Organization) -> None:
    PersonFactory(organization=organization, email="Ana@example.com")
    PersonFactory(email="ivo@example.com")

    def post(email: str | None) -> Any:
        attributes = {"first_name": "A", "last_name": "B", "email": email}
        return api.post("people", json={"data": {"type": "people", "attributes": attributes}})

    assert post("ana@EXAMPLE.com").invalid == [("email", "has already been taken")]
    assert post("ivo@example.com").status == 201
    for blank in (None, None, "", "", " ", "\t"):
        created = post(blank)
        assert (created.status, created.data["attributes"]["email"]) == (201, None)


def test_projects_and_services_are_filtered_by_related_records(api: Api, organization: Organization) -> None:
    member = ProjectAssignmentFactory(organization=organization)
    service = ServiceFactory(organization=organization)
    ServiceFactory(organization=organization)
    assert api.get(f"projects?filter[person_id]={member.person_id}").ids == [member.project_id]
    assert api.get(f"people?filter[project_id]={member.project_id}").ids == [member.person_id]
    assert api.get(f"services?filter[project_id]={service.deal.project_id}").ids == [service.pk]
    assert api.get("services?sort=-name").ids[1] == service.pk


def test_deleting_an_organization_deletes_only_its_records() -> None:
    gone, kept = ServiceAssignmentFactory(), ServiceAssignmentFactory()
    gone.organization.delete()
    assert list(Service.objects.all()) == [kept.service]
    assert list(ServiceType.objects.all()) == [kept.service.service_type]
    assert list(ServiceAssignment.objects.all()) == [kept]
