"""Send what clients of the documented API send, and demand an answer.

Most rows were seen in at least two independent clients.
"""

from __future__ import annotations

from typing import Any

import pytest

from productive.accounts.models import Organization
from tests.support.api import Api
from tests.support.factories import CompanyFactory, PersonFactory, ServiceFactory

pytestmark = [pytest.mark.django_db, pytest.mark.no_cover]

READS = (
    "companies",
    "companies?filter[name]=Acme&sort=name",
    "companies?filter[status]=1&filter[query]=acme&sort=-created_at",
    "projects?include=company",
    "projects?include=project_manager,last_actor,workflow",
    "projects?filter[company_id]={company}",
    "projects?filter[project_type]=2",
    "deals?filter[company_id]={company}",
    "deals?include=company,deal_status,responsible",
    "deals?filter[date][lt_eq]=2026-03-01&filter[end_date][gt_eq]=2026-01-01",
    "deals?filter[responsible_id]={person}",
    "deals?filter[stage_status_id]=1",
    "deals?filter[status]=1&sort=name",
    "services?filter[budget_status]=1",
    "services?filter[person_id]={person}",
    "services?filter[billing_type]=2",
    "services?filter[time_tracking_enabled]=true",
    "services?include=person,section",
    "people?filter[company_id]={company}",
    "people?include=company,subsidiary",
    "people?filter[team]=1",
    "people?sort=-title,joined_at",
    "projects?filter[created_at][gt_eq]=2026-01-01&sort=company_name",
    "deals?filter[pipeline_id]=1",
    "deals?sort=company_name,-project_name,responsible_name,number",
    "deals?filter[$op]=or&filter[0][name][eq]=Phase&filter[1][date][gt]=2026-01-01",
)

# Resource, attributes, relationships.
WRITES: tuple[tuple[str, dict[str, Any], dict[str, str]], ...] = (
    ("companies", {"name": "Acme"}, {}),
    (
        "projects",
        {
            "name": "Website",
            "project_type_id": 2,
            "project_manager_id": "{person}",
            "company_id": "{company}",
            "workflow_id": 1,
        },
        {},
    ),
    (
        "projects",
        {"name": "Website", "project_type_id": 1},
        {"company": "companies", "project_manager": "people", "workflow": "workflows"},
    ),
    (
        "deals",
        {
            "name": "Phase 1",
            "budget": True,
            "date": "2026-03-01",
            "project_id": "{project}",
            "company_id": "{company}",
            "responsible_id": "{person}",
            "deal_type_id": 2,
            "deal_status_id": 1,
            "currency": "EUR",
            "probability": 100,
        },
        {},
    ),
    (
        "deals",
        {"name": "Phase 1", "currency": "EUR"},
        {"project": "projects", "company": "companies", "responsible": "people"},
    ),
    (
        "services",
        {
            "name": "Design",
            "deal_id": "{deal}",
            "service_type_id": "{service_type}",
            "billing_type_id": 2,
            "unit_id": 1,
            "price": 12000,
            "quantity": 10,
            "booking_tracking_enabled": False,
        },
        {},
    ),
    (
        "people",
        {"first_name": "Ana", "last_name": "Horvat", "email": "ana@example.com", "company_id": "{company}"},
        {},
    ),
)


@pytest.fixture
def ids(organization: Organization) -> dict[str, int]:
    service = ServiceFactory(organization=organization)
    return {
        "company": CompanyFactory(organization=organization).pk,
        "person": PersonFactory(organization=organization).pk,
        "project": service.deal.project_id,
        "deal": service.deal_id,
        "service_type": service.service_type_id,
    }


def test_reads_of_clients_are_answered(api: Api, ids: dict[str, int]) -> None:
    assert {path: api.get(path.format(**ids)).status for path in READS} == dict.fromkeys(READS, 200)


def test_writes_of_clients_are_answered(api: Api, ids: dict[str, int]) -> None:
    """Strictly: no member is ignored."""
    kinds = {"companies": "company", "people": "person", "projects": "project"}
    for resource, attributes, relationships in WRITES:
        data = {
            "type": resource,
            "attributes": {
                name: value.format(**ids) if isinstance(value, str) else value
                for name, value in attributes.items()
            },
            "relationships": {
                name: {"data": {"type": kind, "id": str(ids.get(kinds.get(kind, ""), 1))}}
                for name, kind in relationships.items()
            },
        }
        answer = api.post(resource, json={"data": data}, headers={"Prefer": "handling=strict"})
        assert answer.status == 201, (data, answer.json)


def test_filters_by_what_is_not_here(api: Api, ids: dict[str, int]) -> None:
    """No project is a template, no budget recurs, and nobody is in a team."""
    for every, none in (
        ("projects?filter[template]=false", "projects?filter[template][not_eq]=false"),
        ("deals?filter[recurring][not_eq]=true", "deals?filter[recurring]=true"),
        ("people?filter[team][not_eq]=1", "people?filter[team]=1"),
        ("deals?filter[stage_status_id][not_eq]=2", "deals?filter[stage_status_id]=2"),
    ):
        assert (len(api.get(every).data), api.get(none).data) == (1, [])
