"""Test the tracking rule in the API: filters, decisions and access."""

from __future__ import annotations

from datetime import date, timedelta
from itertools import product
from typing import Any

import pytest
from django.db.models import QuerySet
from django.test import Client

from assignments.models import ServiceAssignment
from catalog.models import Deal, Service
from catalog.views import ServiceViewSet
from productive.accounts.models import Organization, Person
from tests.support.admin import delete
from tests.support.api import Api
from tests.support.factories import (
    ApiTokenFactory,
    DealFactory,
    PersonFactory,
    ProjectAssignmentFactory,
    ProjectFactory,
    ServiceAssignmentFactory,
    ServiceFactory,
    ServiceTypeAssignmentFactory,
    ServiceTypeFactory,
    UserFactory,
)

pytestmark = pytest.mark.django_db

DAY = "2026-11-23"


@pytest.fixture
def people(organization: Organization) -> list[Person]:
    """Return Ana, Ivo and Eve.

    Ana and Ivo are on the project, and Ana is assigned to its first service. Eve is not on it.
    """
    return [
        PersonFactory(organization=organization, first_name=first, last_name=last)
        for first, last in (("Ana", "Horvat"), ("Ivo", "Ban"), ("Eve", "Kos"))
    ]


@pytest.fixture
def services(organization: Organization, people: list[Person]) -> list[Service]:
    """Return services of a budget for 2026 that is restricted by person.

    Time tracking is off for the last one.
    """
    project = ProjectFactory(organization=organization, name="Acme")
    for person in people[:2]:
        ProjectAssignmentFactory(organization=organization, project=project, person=person)
    deal = DealFactory(
        organization=organization,
        project=project,
        name="Acme 2026",
        date=date(2026, 1, 1),
        end_date=date(2026, 12, 31),
        person_restricted_tracking=True,
    )
    rows = [
        ServiceFactory(organization=organization, deal=deal, name=name, time_tracking_enabled=name != "QA")
        for name in ("Design", "Code", "QA")
    ]
    ServiceAssignmentFactory(organization=organization, service=rows[0], person=people[0])
    return rows


# --- filters --------------------------------------------------------------------------------------


def test_services_are_filtered_by_person(api: Api, people: list[Person], services: list[Service]) -> None:
    (ana, ivo, eve), (design, code, qa) = people, services

    def found(person: Person, more: str = f"&filter[on]={DAY}") -> list[int]:
        return api.get(f"services?filter[trackable_by_person_id]={person.pk}{more}").ids

    assert found(ana) == [design.pk, code.pk]
    assert found(ivo) == [code.pk]
    assert found(eve) == []
    assert found(ana, f"&filter[on]={DAY}&filter[kind]=expense") == [design.pk, code.pk, qa.pk]
    assert found(ana, "&filter[on]=2027-01-01") == []
    assert found(ana, f"&filter[on]={DAY}&filter[name]=Code") == [code.pk]
    assert api.get(f"services?filter[trackable_by_person_id][not_eq]={ivo.pk}&filter[on]={DAY}").ids == [
        design.pk,
        qa.pk,
    ]


def test_people_are_filtered_by_service(api: Api, people: list[Person], services: list[Service]) -> None:
    (ana, ivo, eve), (design, code, qa) = people, services

    def found(query: str) -> list[int]:
        return api.get(f"people?{query}&filter[on]={DAY}").ids

    assert found(f"filter[service_id]={design.pk}") == [ana.pk]
    assert found(f"filter[service_id]={code.pk}") == [ana.pk, ivo.pk]
    assert found(f"filter[service_id]={qa.pk}") == []
    assert found(f"filter[service_id]={qa.pk}&filter[kind]=expense") == [ana.pk, ivo.pk]
    assert found(f"filter[service_id]={design.pk},{qa.pk}") == [ana.pk]
    assert found(f"filter[service_id][]={design.pk}&filter[service_id][]={code.pk}") == [ana.pk, ivo.pk]
    assert found(f"filter[service_id][not_eq]={code.pk}") == [eve.pk]


def test_day_is_today_in_the_organizations_zone_by_default(
    api: Api, organization: Organization, people: list[Person], services: list[Service]
) -> None:
    today = organization.today()
    path = f"services?filter[trackable_by_person_id]={people[0].pk}"
    for start, found in ((today, 2), (today + timedelta(days=1), 0)):
        Deal.objects.update(date=start, end_date=None)
        assert len(api.get(path).ids) == found


def test_tracking_filters_take_no_more_queries(
    api: Api, people: list[Person], services: list[Service], django_assert_num_queries: Any
) -> None:
    """The token, the page and, for services, their access."""
    for path, number in (
        (f"services?filter[trackable_by_person_id]={people[0].pk}", 3),
        (f"people?filter[service_id]={services[0].pk}", 2),
    ):
        with django_assert_num_queries(number):
            assert api.get(path).status == 200


@pytest.mark.parametrize(
    ("path", "code"),
    [
        ("services?filter[on]=2026-11-23", "unsupported_filter"),
        ("people?filter[kind]=time", "unsupported_filter"),
        ("services?filter[trackable_by_person_id]=1&filter[on]=23.11.2026", "unsupported_filter_value"),
        ("services?filter[trackable_by_person_id]=1&filter[on]=2026-02-30", "unsupported_filter_value"),
        ("services?filter[trackable_by_person_id]=1&filter[on]=20261123", "unsupported_filter_value"),
        (
            "services?filter[trackable_by_person_id]=1&filter[on]=2026-11-23,2026-11-24",
            "unsupported_filter_value",
        ),
        ("services?filter[trackable_by_person_id]=1&filter[kind]=money", "unsupported_filter_value"),
        ("services?filter[trackable_by_person_id]=1&filter[on][gt]=2026-11-23", "unsupported_filter"),
        ("services?filter[trackable_by_person_id]=1&filter[kind][not_eq]=time", "unsupported_filter"),
        ("services?filter[trackable_by_person_id]=1&filter[on][not_eq]=2026-11-23", "unsupported_filter"),
        ("services?filter[trackable_by_person_id]=1,2", "unsupported_filter_value"),
        ("services?filter[trackable_by_person_id]=me", "unsupported_filter_value"),
        ("services?filter[access]=closed", "unsupported_filter_value"),
        ("tracking_decisions", "missing_filter"),
        ("tracking_decisions?filter[kind]=time", "missing_filter"),
        ("tracking_decisions?filter[person_id]=x", "unsupported_filter_value"),
        ("tracking_decisions?filter[person_id][not_eq]=1", "unsupported_filter"),
        ("tracking_decisions?filter[project_id]=1", "unsupported_filter"),
        ("tracking_decisions?filter[person_id]=1&filter[on]=tomorrow", "unsupported_filter_value"),
        ("tracking_decisions?filter[person_id]=1&sort=id", "unsupported_sort"),
        ("tracking_decisions?filter[person_id]=1&include=deal", "unsupported_include"),
        ("tracking_decisions?filter[person_id]=1&fields[tracking_decisions]=why", "unsupported_field"),
        ("tracking_decisions?filter[person_id]=1&page[number]=-1", "invalid_page"),
    ],
)
def test_invalid_parameter_is_rejected(path: str, code: str, api: Api) -> None:
    response = api.get(path)
    assert (response.status, response.error["code"]) == (400, code)


# --- decisions ------------------------------------------------------------------------------------


def test_decision_has_reasons(api: Api, people: list[Person], services: list[Service]) -> None:
    ana, design = people[0], services[0]
    response = api.get(
        f"tracking_decisions?filter[person_id]={ana.pk}&filter[service_id]={design.pk}&filter[on]={DAY}"
    )
    decision = {
        "id": f"{ana.pk}-{design.pk}-time-{DAY}",
        "type": "tracking_decisions",
        "attributes": {
            "allowed": True,
            "kind": "time",
            "on": DAY,
            "reasons": [{"code": "assigned", "message": "Ana Horvat is assigned to Design on Acme 2026"}],
        },
        "relationships": {"person": {"meta": {"included": False}}, "service": {"meta": {"included": False}}},
    }
    query = f"filter%5Bperson_id%5D={ana.pk}&filter%5Bservice_id%5D={design.pk}&filter%5Bon%5D={DAY}"
    link = f"http://testserver/api/v2/tracking_decisions?{query}&page%5Bnumber%5D=1&page%5Bsize%5D=30"
    assert response.json == {
        "data": [decision],
        "links": {"first": link, "last": link},
        "meta": {
            "current_page": 1,
            "total_pages": 1,
            "total_count": 1,
            "page_size": 30,
            "max_page_size": 20_000,
        },
    }
    assert api.get(f"tracking_decisions/{decision['id']}").json == {"data": decision, "meta": {}}


@pytest.mark.any_database
def test_page_has_a_whole_board(api: Api, organization: Organization) -> None:
    """Of 70 people and 30 services, 2,100 pairs: more than other resources have on a page."""
    people = Person.objects.bulk_create(
        [Person(organization=organization, first_name="P", last_name=str(n)) for n in range(70)]
    )
    deal = DealFactory(organization=organization)
    service_type = ServiceTypeFactory(organization=organization)
    services = Service.objects.bulk_create(
        [
            Service(organization=organization, deal=deal, service_type=service_type, name="S")
            for _ in range(30)
        ]
    )
    query = "&".join(
        f"filter[{name}]={','.join(str(row.pk) for row in rows)}"
        for name, rows in (("person_id", people), ("service_id", services))
    )
    for cursor in ("", "&page[after]="):
        page = api.get(
            f"tracking_decisions?{query}&page[size]=99999{cursor}&fields[tracking_decisions]=allowed"
        )
        assert len({resource["id"] for resource in page.data}) == 2_100
        assert page.json["meta"]["page_size"] == 20_000
        assert "next" not in page.json["links"]


@pytest.mark.no_cover
def test_pages_have_all_pairs(api: Api, people: list[Person], services: list[Service]) -> None:
    outsider = ServiceAssignmentFactory()

    def all_ids(query: str, size: int) -> list[str]:
        found: list[str] = []
        for number in range(1, 20):
            page = api.get(
                f"tracking_decisions?{query}&filter[on]={DAY}&page[size]={size}&page[number]={number}"
            )
            assert page.json["meta"]["total_count"] == total
            found += [resource["id"] for resource in page.data]
        return found

    person_ids, service_ids = [p.pk for p in people], [s.pk for s in services]
    for query, chosen in (
        (
            f"filter[person_id]={person_ids[0]},{person_ids[2]}",
            product([person_ids[0], person_ids[2]], service_ids),
        ),
        (f"filter[service_id]={service_ids[1]},{outsider.service_id}", product(person_ids, [service_ids[1]])),
        (
            f"filter[person_id]={person_ids[0]},{outsider.person_id}&filter[service_id]={service_ids[0]},{service_ids[2]}",
            product([person_ids[0]], [service_ids[0], service_ids[2]]),
        ),
        (f"filter[person_id]={outsider.person_id}", []),
    ):
        expected = sorted(f"{p}-{s}-time-{DAY}" for p, s in chosen)
        total = len(expected)
        for size in (1, 2, 4, 200):
            assert sorted(all_ids(query, size)) == expected
    far = api.get(f"tracking_decisions?filter[person_id]={person_ids[0]}&page[number]=9223372036854775807")
    assert (far.status, far.data, far.json["meta"]["total_count"]) == (200, [], 3)


def test_page_past_the_end_is_empty_after_concurrent_inserts(
    api: Api, organization: Organization, people: list[Person], monkeypatch: pytest.MonkeyPatch
) -> None:
    count = QuerySet.count

    def count_late(self: Any) -> int:
        PersonFactory.create_batch(3, organization=organization)
        return count(self)

    monkeypatch.setattr(QuerySet, "count", count_late)
    service = ServiceFactory(organization=organization)
    response = api.get(f"tracking_decisions?filter[service_id]={service.pk}&page[size]=1&page[number]=99")
    assert (response.status, response.data) == (200, [])


def test_service_deleted_during_the_request_has_no_meta(
    api: Api, services: list[Service], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ServiceViewSet, "resource_metas", lambda self, ids: {ids[0]: {"access": "open"}})
    metas = [resource.get("meta") for resource in api.get("services").data]
    assert metas == [{"access": "open"}] + [None] * (len(services) - 1)


def test_decisions_include_person_and_service(
    api: Api, people: list[Person], services: list[Service]
) -> None:
    ana, design = people[0], services[0]
    path = f"tracking_decisions/{ana.pk}-{design.pk}-time-{DAY}?include=person,service.deal.project"
    response = api.get(
        f"{path}&fields[people]=first_name&fields[tracking_decisions]=allowed,person,service"
    ).json
    assert response["data"]["attributes"] == {"allowed": True}
    assert response["data"]["relationships"] == {
        "person": {"data": {"type": "people", "id": str(ana.pk)}},
        "service": {"data": {"type": "services", "id": str(design.pk)}},
    }
    assert sorted(r["type"] for r in response["included"]) == ["deals", "people", "projects", "services"]
    assert {"id": str(ana.pk), "type": "people", "attributes": {"first_name": "Ana"}} in response["included"]


def test_decisions_take_four_queries_for_any_number_of_pairs(
    api: Api,
    organization: Organization,
    people: list[Person],
    services: list[Service],
    django_assert_num_queries: Any,
) -> None:
    """The token, the people, the services and the assignments of all pairs."""
    for number in (0, 30):
        ServiceFactory.create_batch(number, organization=organization, deal=services[0].deal)
        with django_assert_num_queries(4):
            response = api.get(
                f"tracking_decisions?filter[person_id]={people[0].pk},{people[1].pk}&page[size]=200"
            )
        assert len(response.data) == 2 * (3 + number)


@pytest.mark.parametrize(
    "pk",
    ["1", "x", "0-1-time-2026-11-23", "1-1-time-20261123", "1-1-money-2026-11-23", "1-1-time-2026-13-01"],
)
def test_invalid_decision_id_is_not_found(pk: str, api: Api) -> None:
    assert api.get(f"tracking_decisions/{pk}").error["code"] == "record_not_found"


def test_decisions_are_read_only(api: Api, organization: Organization) -> None:
    assert Api().get("tracking_decisions?filter[person_id]=1").status == 401
    reader = Api(ApiTokenFactory(organization=organization, read_only=True).name)
    assert reader.get("tracking_decisions?filter[person_id]=1").status == 200
    for method, path in (("POST", ""), ("PATCH", "/1-1-time-2026-11-23"), ("DELETE", "/1-1-time-2026-11-23")):
        assert api.request(method, f"tracking_decisions{path}").status == 405


# --- access ---------------------------------------------------------------------------------------


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
