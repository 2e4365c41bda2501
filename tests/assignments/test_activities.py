"""Test `activities`, which are read from the history."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest

from assignments.activities import ITEMS
from assignments.filters import ActivityFilterSet
from assignments.models import ServiceAssignment
from catalog.models import Company, Deal, Project, ServiceType
from productive.accounts.models import Organization, Person
from productive.database.history import history_of
from productive.jsonapi.filters import IdFilter
from productive.jsonapi.serializers import ModelSerializer
from tests.support.api import Api
from tests.support.factories import (
    ApiTokenFactory,
    CompanyFactory,
    PersonFactory,
    ProjectFactory,
    ServiceAssignmentFactory,
    ServiceFactory,
    UserFactory,
)
from tests.support.resources import RESOURCES, document_for

pytestmark = pytest.mark.django_db


def walk(api: Api, query: str = "", size: int = 2) -> list[Any]:
    """Return the resources of all pages by cursor."""
    address, found = f"activities?{query}&page[size]={size}&page[after]=", []
    while address:
        page = api.get(address.removeprefix("http://testserver"))
        found += page.data
        address = page.json["links"].get("next", "")
    return found


def summary(data: list[Any]) -> list[str]:
    return [f"{a['attributes']['event']} {a['attributes']['item_type']}" for a in data]


def test_every_resource_has_activities() -> None:
    """The codes are part of their ids, so they never change."""
    owned = {view.serializer_class.Meta.model for view in RESOURCES.values()} - {Organization}
    assert {item.model for item in ITEMS} == owned
    assert [(item.code, item.type) for item in ITEMS] == [
        (1, "person"),
        (2, "company"),
        (3, "service_type"),
        (4, "project"),
        (5, "deal"),
        (6, "service"),
        (7, "service_assignment"),
        (8, "project_assignment"),
        (9, "service_type_assignment"),
        (10, "filter"),
    ]


def test_activities_say_what_was_done(organization: Organization) -> None:
    user = UserFactory(organization=organization)
    person = user.people.get()
    service = ServiceFactory(organization=organization, name="Design")
    deal, project = service.deal, service.deal.project
    api = Api(ApiTokenFactory(organization=organization, user=user).name)
    start = api.get("activities").json["meta"]["total_count"]
    new = document_for("service_assignments", service_id=service.pk, person_id=person.pk)
    assignment = api.post("service_assignments", json=new).data["id"]
    api.patch(f"services/{service.pk}", json=document_for("services", name="UX", price=5))
    api.patch(f"deals/{deal.pk}/close")
    api.delete(f"service_assignments/{assignment}")
    answer = api.get("activities?include=creator")
    assert answer.json["meta"]["total_count"] == start + 4
    destroyed, closed, changed, created = answer.data[:4]
    assert [person_["id"] for person_ in answer.json["included"]] == [str(person.pk)]
    for each in (destroyed, closed, changed, created):
        assert each["relationships"]["creator"] == {"data": {"type": "people", "id": str(person.pk)}}
        assert each["relationships"]["comment"] == {"meta": {"included": False}}
        assert api.get(f"activities/{each['id']}?include=creator").data == each
    links = {"person_id": person.pk, "service_id": service.pk}
    assert created["attributes"] == {
        "event": "create",
        "changeset": [{name: [None, pk]} for name, pk in links.items()],
        "item_id": int(assignment),
        "item_type": "service_assignment",
        "item_name": f"{person} on UX",
        "item_deleted_at": destroyed["attributes"]["created_at"],
        "parent_id": service.pk,
        "parent_type": "service",
        "parent_name": "UX",
        "parent_deleted_at": None,
        "root_id": project.pk,
        "root_type": "project",
        "root_name": project.name,
        "root_deleted_at": None,
        "deal_is_budget": False,
        "task_id": None,
        "deal_id": None,
        "booking_id": None,
        "invoice_id": None,
        "company_id": None,
        "created_at": created["attributes"]["created_at"],
        "discussion_id": None,
        "engagement_id": None,
        "page_id": None,
        "person_id": person.pk,
        "purchase_order_id": None,
        "made_by_automation": False,
    }
    assert destroyed["attributes"]["changeset"] == [{name: [pk, None]} for name, pk in links.items()]
    assert (destroyed["attributes"]["event"], changed["attributes"]["event"]) == ("destroy", "update")
    assert changed["attributes"]["changeset"] == [{"price": [None, 5]}, {"name": ["Design", "UX"]}]
    assert (changed["attributes"]["parent_name"], changed["attributes"]["deal_id"]) == (deal.name, deal.pk)
    moment = api.get(f"deals/{deal.pk}").data["attributes"]["closed_at"]
    assert closed["attributes"]["changeset"] == [{"closed_at": [None, moment]}]
    assert (closed["attributes"]["deal_id"], closed["attributes"]["deal_is_budget"]) == (deal.pk, True)


def test_deleted_parents_keep_their_names(api: Api, organization: Organization) -> None:
    assignment = ServiceAssignmentFactory(organization=organization)
    name = str(assignment)
    assignment.service.deal.project.delete()
    attributes = [each["attributes"] for each in api.get("activities?filter[event]=destroy").data]
    by_type = {each["item_type"]: each for each in attributes}
    assert set(by_type) == {"project", "deal", "service", "service_assignment"}
    found = by_type["service_assignment"]
    assert (found["item_name"], found["parent_name"]) == (name, assignment.service.name)
    assert (found["root_id"], by_type["deal"]["root_id"]) == (None, by_type["project"]["item_id"])


def test_hidden_columns_are_not_in_changesets(api: Api, organization: Organization) -> None:
    """The user as whom a person signs in isn't an attribute of people."""
    person = PersonFactory(organization=organization)
    person.user = UserFactory(organization=None)
    person.save()
    first, second = api.get(f"activities?filter[person_id]={person.pk}").data
    assert first["attributes"]["changeset"] == []
    names = {name for change in second["attributes"]["changeset"] for name in change}
    assert names == {"first_name", "last_name", "email", *names} - {
        "user_id",
        "organization_id",
        "created_at",
    }
    assert names <= set(ModelSerializer.by_model[Person].Meta.fields)


@pytest.fixture
def history(organization: Organization) -> dict[str, Any]:
    """Create a company, its project and two people, one of whom acts; rename the project, delete a person."""
    user = UserFactory(organization=organization)
    company = CompanyFactory(organization=organization)
    project = ProjectFactory(organization=organization, company=company)
    own = Api(ApiTokenFactory(organization=organization, user=user).name)
    own.patch(f"projects/{project.pk}", json=document_for("projects", name="Changed"))
    leaver = PersonFactory(organization=organization)
    pk = leaver.pk
    leaver.delete()
    found = {"user": user.people.get().pk, "company": company.pk, "project": project.pk, "leaver": pk}
    other = ApiTokenFactory()
    foreign = PersonFactory(organization=other.organization)
    return found | {"foreign": foreign.pk, "other": other.name}


ALL = "destroy person,create person,update project,create project,create company,create person"


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("", ALL),
        ("filter[event]=update", "update project"),
        ("filter[event][not_eq]=create", "destroy person,update project"),
        ("filter[event]=update,destroy", "destroy person,update project"),
        ("filter[item_type]=project", "update project,create project"),
        ("filter[item_type]=Project,Company", "update project,create project,create company"),
        ("filter[item_type]=ServiceType", ""),
        ("filter[item_type][not_eq]=person", "update project,create project,create company"),
        ("filter[item_type]=person&filter[item_id]={leaver}", "destroy person,create person"),
        ("filter[person_id]={leaver}", "destroy person,create person"),
        ("filter[person_id]={foreign}", ""),
        ("filter[person_id][not_eq]={leaver}&filter[item_type]=person", "create person"),
        ("filter[company_id]={company}", "update project,create project,create company"),
        ("filter[project_id]={project}", "update project,create project"),
        ("filter[deal_id]=1", ""),
        ("filter[creator_id]={user}", "update project"),
        ("filter[creator_id]={foreign}", ""),
        ("filter[creator_id][not_eq]={foreign}", ALL),
        ("filter[type]=2", ALL),
        ("filter[type]=1", ""),
        ("filter[type][not_eq]=2", ""),
        ("filter[after]=2020-01-01&filter[before]=2999-12-31", ALL),
        ("filter[after]=2999-12-31", ""),
        ("filter[before]=2020-01-01T00:00:00.000%2B01:00", ""),
        (
            "filter[$op]=or&filter[0][event]=destroy&filter[1][company_id]={company}&filter[1][event]=update",
            "destroy person,update project",
        ),
    ],
)
def test_filters(query: str, found: str, api: Api, history: dict[str, Any]) -> None:
    """Pages by number and by cursor have the same entries, none of them of another organization."""
    query = query.format(**history)
    expected = [each for each in found.split(",") if each]
    answer = api.get(f"activities?{query}")
    assert summary(answer.data) == expected
    assert answer.json["meta"]["total_count"] == len(expected)
    assert walk(api, query) == answer.data
    second = api.get(f"activities?{query}&page[size]=2&page[number]=2")
    assert (second.data, second.json["meta"]["total_count"]) == (answer.data[2:4], len(expected))


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ("sort=created_at", "unsupported_sort"),
        ("filter[id]=1", "unsupported_filter"),
        ("filter[task_id]=1", "unsupported_filter"),
        ("filter[item_type]=task", "unsupported_filter_value"),
        ("filter[event]=seen", "unsupported_filter_value"),
        ("filter[after]=yesterday", "unsupported_filter_value"),
        ("filter[after][gt]=2026-01-01", "unsupported_filter"),
        ("filter[person_id]=x", "unsupported_filter_value"),
        ("page[after]=WyJpZCIsMV0", "keyset_invalid_cursor"),
        ("include=item", "unsupported_include"),
    ],
)
def test_nonsense_is_rejected(query: str, code: str, api: Api) -> None:
    answer = api.get(f"activities?{query}")
    assert (answer.status, answer.error["code"]) == (400, code)


def test_filters_by_foreign_ids_find_nothing(api: Api, organization: Organization) -> None:
    PersonFactory(organization=organization, id=1)
    row = ServiceAssignmentFactory(id=77, person__user=UserFactory(organization=None))
    company = CompanyFactory(organization=row.organization)
    ids = {
        "item_id": row.pk,
        "person_id": row.person_id,
        "creator_id": row.person_id,
        "company_id": company.pk,
        "deal_id": row.service.deal_id,
        "project_id": row.service.deal.project_id,
    }
    filters = ActivityFilterSet.base_filters
    assert set(ids) == {name for name, each in filters.items() if isinstance(each, IdFilter)}
    every = api.get("activities").ids
    for name, pk in ids.items():
        assert api.get(f"activities?filter[{name}]={pk}").data == []
        assert api.get(f"activities?filter[{name}][not_eq]={pk}").ids == every


def test_other_organizations_and_writes(api: Api, history: dict[str, Any]) -> None:
    other = Api(history["other"])
    ids = api.get("activities").ids
    assert [other.get(f"activities/{pk}").status for pk in ids] == [404] * len(ids)
    assert not set(other.get("activities").ids) & set(ids)
    for path in ("0", "1", "99", "x", "-1", str(2**63 - 1), str(2**64)):
        assert api.get(f"activities/{path}").status == 404
    for method in ("POST", "PATCH", "DELETE"):
        assert api.request(method, "activities", json=document_for("activities")).status == 405
    assert summary(api.get(f"activities?page[number]={2**60}").data) == []


def test_entries_of_one_moment_have_a_total_order(api: Api, organization: Organization) -> None:
    """Entries of several models can have the same date and the same id, as in a large import."""
    now = PersonFactory(organization=organization).created_at
    for model in (Person, Company, Project, ServiceType):
        history = history_of(model)
        for number in (1, 2, 3):
            values = {"email": None} if model is Person else {}
            history.objects.create(
                history_id=9_000 + number,
                history_date=now + timedelta(days=1),
                history_type="+",
                change_set=uuid4(),
                id=number,
                organization=organization,
                created_at=now,
                **values,
            )
    ids = api.get("activities").ids
    assert ids[:12] == [(9_000 + n) * 100 + code for n in (3, 2, 1) for code in (4, 3, 2, 1)]
    for size in (1, 5):
        assert [int(each["id"]) for each in walk(api, size=size)] == ids
    assert [pk for n in range(1, 6) for pk in api.get(f"activities?page[size]=3&page[number]={n}").ids] == ids


def test_query_count_is_independent_of_rows(
    api: Api, organization: Organization, django_assert_num_queries: Any
) -> None:
    """The token, the keys, the creators, and for each kind of record its entries and what it belongs to."""

    def create(number: int) -> None:
        for assignment in ServiceAssignmentFactory.create_batch(number, organization=organization):
            api.patch(f"deals/{assignment.service.deal_id}", json=document_for("deals", name="Changed"))
        ServiceAssignment.objects.first().delete()  # type: ignore[union-attr]

    create(1)
    # Six kinds; the previous entries of deals; the people, services, deals and projects of others.
    with django_assert_num_queries(3 + 6 + 1 + 4):
        assert len(api.get("activities?page[size]=200").data) == 8
    create(3)
    with django_assert_num_queries(3 + 6 + 1 + 4 + 1):  # and the included people
        assert len(api.get("activities?page[size]=200&include=creator").data) == 30
    with django_assert_num_queries(3 + 6 + 1 + 4 + 1):  # and the count
        assert api.get("activities?page[size]=29").json["meta"]["total_count"] == 30
    assert Deal.objects.count() == 4
