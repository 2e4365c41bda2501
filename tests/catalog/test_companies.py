"""Test companies, the company of a budget, and responsible people."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from django.utils.html import escape

from catalog.models import Deal, Project
from productive.accounts.models import Organization
from productive.database.history import history_of
from tests.support.admin import form_data, save, signed_in, staff
from tests.support.api import Api
from tests.support.factories import (
    ApiTokenFactory,
    CompanyFactory,
    DealFactory,
    PersonFactory,
    ProjectFactory,
    ServiceFactory,
    UserFactory,
)
from tests.support.resources import document_for
from tests.support.spreadsheets import csv_file, preview, rows_of, run

pytestmark = pytest.mark.django_db


def test_company_in_use_can_be_archived_but_not_deleted(api: Api, organization: Organization) -> None:
    created = api.post("companies", json=document_for("companies", name="Cedar Bank", default_currency="EUR"))
    assert created.status == 201
    path = f"companies/{created.data['id']}"
    project = ProjectFactory(organization=organization, company_id=created.data["id"])
    assert api.get("companies?filter[query]=cedar").ids == [int(created.data["id"])]
    assert api.get(f"companies?filter[project_id]={project.pk}").ids == [int(created.data["id"])]
    assert api.delete(path).invalid == [("base", "is used by 1 projects; archive it instead")]
    assert api.patch(f"{path}/archive").data["attributes"]["archived_at"] is not None
    assert api.get("companies?filter[status]=1").ids == []


def test_budget_without_company_has_that_of_its_project(api: Api, organization: Organization) -> None:
    first, second = CompanyFactory.create_batch(2, organization=organization)
    project = ProjectFactory(organization=organization, company=first)
    inherits = DealFactory(organization=organization, project=project)
    own = DealFactory(organization=organization, project=project, company=second)
    services = [ServiceFactory(organization=organization, deal=deal) for deal in (inherits, own)]

    def companies() -> dict[int, Any]:
        listed = api.get("deals?include=company,project.company")
        assert {one["id"] for one in listed.json["included"] if one["type"] == "companies"} >= {str(first.pk)}
        return {int(deal["id"]): deal["relationships"]["company"]["data"] for deal in listed.data}

    assert companies() == {
        inherits.pk: {"type": "companies", "id": str(first.pk)},
        own.pk: {"type": "companies", "id": str(second.pk)},
    }
    assert api.get(f"deals?filter[company_id]={first.pk}").ids == [inherits.pk]
    assert api.get(f"deals?filter[company_id][not_eq]={first.pk}").ids == [own.pk]
    assert api.get(f"deals?filter[company_id]={first.pk},{second.pk}").ids == [inherits.pk, own.pk]
    assert api.get(f"services?filter[company_id]={second.pk}").ids == [services[1].pk]
    client = staff(organization)
    page = client.get(f"/admin/catalog/deal/?company={first.pk}")
    assert [deal.pk for deal in page.context["cl"].result_list] == [inherits.pk]
    changed = api.patch(f"deals/{own.pk}?include=company", json=document_for("deals", company_id=None))
    assert changed.data["relationships"]["company"]["data"]["id"] == str(first.pk)
    project.company = None
    project.save()
    assert api.get(f"deals/{inherits.pk}?include=company").data["relationships"]["company"] == {"data": None}


def test_responsible_people_can_be_set_included_and_deleted(api: Api, organization: Organization) -> None:
    ana, ivo = PersonFactory.create_batch(2, organization=organization)
    service = ServiceFactory(organization=organization)
    deal, project = service.deal, service.deal.project
    identifier = {"type": "people", "id": str(ana.pk)}
    for path, name in (
        (f"projects/{project.pk}", "project_manager"),
        (f"deals/{deal.pk}", "responsible"),
        (f"deals/{deal.pk}", "creator"),
        (f"services/{service.pk}", "person"),
        (f"people/{ivo.pk}", "manager"),
    ):
        resource = path.partition("/")[0]
        changed = api.patch(f"{path}?include={name}", json=document_for(resource, **{f"{name}_id": ana.pk}))
        assert changed.data["relationships"][name] == {"data": identifier}
        document = {"data": {"type": resource, "relationships": {name: {"data": identifier}}}}
        assert api.patch(path, json=document).status == 200
        if resource != "projects":
            assert api.get(f"{resource}?filter[{name}_id]={ana.pk}").ids == [int(path.partition("/")[2])]
    assert api.get(f"projects?filter[responsible_id]={ana.pk}").ids == [project.pk]
    project.archive()
    deal.close()
    ivo.archive()
    client = staff(organization)
    page = client.get(f"/admin/accounts/person/{ana.pk}/change/").content.decode()
    for link in (
        f"/admin/catalog/project/?project_manager={ana.pk}&archived=all",
        f"/admin/catalog/deal/?responsible={ana.pk}&closed=all",
        f"/admin/catalog/service/?responsible={ana.pk}",
        f"/admin/accounts/person/?manager={ana.pk}&archived=all",
    ):
        assert f'href="{escape(link)}">1 ' in page
        assert client.get(link).context["cl"].result_count == 1
    assert api.delete(f"people/{ana.pk}").status == 204
    deal.refresh_from_db()
    assert (deal.responsible, deal.creator) == (None, None)
    # One entry for both links.
    entry = history_of(Deal).objects.filter(id=deal.pk).latest("history_id")
    assert (entry.responsible_id, entry.creator_id) == (None, None)


def test_creator_of_budget_is_the_person_who_acts(api: Api, organization: Organization) -> None:
    user = UserFactory(organization=organization, is_staff=True, is_superuser=True)
    PersonFactory(user=user)  # of another organization
    person = user.people.get(organization=organization)
    project = ProjectFactory(organization=organization)
    document = document_for("deals", name="Phase 1", project_id=project.pk)
    own = Api(ApiTokenFactory(organization=organization, user=user).name)
    created = own.post("deals?include=creator", json=document)
    assert created.data["relationships"]["creator"]["data"] == {"type": "people", "id": str(person.pk)}
    assert own.get(f"deals?filter[creator_id]={person.pk}&sort=creator_name").ids == [int(created.data["id"])]
    # A service account is no person, and a named creator stays.
    assert api.post("deals?include=creator", json=document).data["relationships"]["creator"] == {"data": None}
    other = PersonFactory(organization=organization)
    document["data"]["attributes"]["creator_id"] = other.pk
    named = own.post("deals?include=creator", json=document)
    assert named.data["relationships"]["creator"]["data"]["id"] == str(other.pk)
    client = signed_in(user)
    data = form_data(client, "/admin/catalog/deal/add/") | {"name": "By form", "project": project.pk}
    save(client, "/admin/catalog/deal/add/", data | {"organization": organization.pk})
    assert Deal.objects.get(name="By form").creator == person


def test_access_check_names_whom_to_ask(organization: Organization) -> None:
    manager, responsible, left = PersonFactory.create_batch(3, organization=organization)
    left.archive()
    project = ProjectFactory(organization=organization, project_manager=manager)
    deal = DealFactory(organization=organization, project=project, responsible=responsible)
    service = ServiceFactory(organization=organization, deal=deal, person=left)
    person = PersonFactory(organization=organization)
    page = staff(organization).get(f"/admin/access-check/?person={person.pk}&service={service.pk}")
    assert [label for label, _ in page.context["ask"]] == [
        f"{one} · {one.email}" for one in (responsible, manager)
    ]
    assert f"/admin/accounts/person/{responsible.pk}/change/" in page.content.decode()


def test_page_of_company_lists_its_projects(organization: Organization) -> None:
    company = CompanyFactory(organization=organization, company_code="CEDAR")
    projects = ProjectFactory.create_batch(2, organization=organization, company=company)
    other = ProjectFactory(organization=organization)
    page = staff(organization).get(f"/admin/catalog/company/{company.pk}/change/").content.decode()
    assert [f"/project/{one.pk}/change/" in page for one in (*projects, other)] == [True, True, False]


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("[gt_eq]=2026-03-02", [1, 2]),
        ("[gt]=2026-03-02", [2]),
        ("[lt]=2026-03-02", [0]),
        ("[lt_eq]=2026-03-02", [0, 1]),
        ("=2026-03-02", [1]),
        ("[not_eq]=2026-03-02", [0, 2]),
        ("[gt]=2026-03-02T12:00:00.000%2B01:00", [2]),
        ("[eq]=2026-03-02T12:00:00", [1]),
    ],
)
def test_time_is_compared_with_a_day_of_the_organization(
    query: str, found: list[int], api: Api, organization: Organization
) -> None:
    """Zagreb is an hour ahead of UTC in March."""
    moments = [
        datetime(2026, 3, 1, 22, 59, tzinfo=UTC),
        datetime(2026, 3, 2, 11, tzinfo=UTC),
        datetime(2026, 3, 2, 23, tzinfo=UTC),
    ]
    companies = [CompanyFactory(organization=organization, created_at=moment) for moment in moments]
    ids = [companies[position].pk for position in found]
    assert sorted(api.get(f"companies?filter[created_at]{query}").ids) == ids


def test_invalid_dates_are_rejected_and_missing_dates_are_open(api: Api, organization: Organization) -> None:
    for value in ("soon", "0001-01-01", "9999-12-31", "20260302", "2026-03-02T25:00"):
        rejected = api.get(f"companies?filter[created_at]={value}")
        assert rejected.error["code"] == "unsupported_filter_value"
    ended, open_ended = (
        ServiceFactory(organization=organization, deal__end_date=day).pk for day in ("2026-03-01", None)
    )
    assert api.get("deals?filter[end_date][lt_eq]=2026-03-01").ids == [Deal.objects.get(services=ended).pk]
    assert api.get("services?filter[after]=2026-03-02").ids == [open_ended]
    assert sorted(api.get("services?filter[after]=2026-03-01&filter[before]=2026-01-01").ids) == [
        ended,
        open_ended,
    ]


def test_import_links_projects_to_companies_by_name_or_code(organization: Organization) -> None:
    named = CompanyFactory(organization=organization, name="Cedar Bank", company_code="CEDAR")
    CompanyFactory(name="Foreign")
    linked = ProjectFactory(organization=organization, name="Linked", company=named)
    client = staff(organization)

    def outcomes(*rows: list[str]) -> list[str]:
        response = preview(client, Project, csv_file(["Name", "Company"], *rows))
        return [outcome for _, outcome, _ in rows_of(response)]

    assert outcomes(["A", "Foreign"]) == ["rejected"]
    rows = ["A", "Cedar Bank"], ["B", "CEDAR"], ["C", ""], ["Linked", ""]
    run(client, Project, csv_file(["Name", "Company"], *rows))
    companies = dict(Project.objects.owned_by(organization).values_list("name", "company"))
    assert companies == {"A": named.pk, "B": named.pk, "C": None, "Linked": None}
    assert Project.objects.get(pk=linked.pk).company is None
