"""Check that a short load run finds no errors, and that wrong rows are found."""

from __future__ import annotations

from io import StringIO
from pathlib import Path
from random import Random

import pytest
from django.core.management import call_command

from assignments.models import ProjectAssignment, ServiceAssignment
from productive.accounts.models import Organization, Person
from tests.benchmarks.load.mix import KINDS
from tests.benchmarks.load.run import load
from tests.benchmarks.load.world import tenant_of
from tests.support.servers import database_url_of_tests

pytestmark = [pytest.mark.any_database, pytest.mark.no_cover]


def seeded(*names: str) -> list[Organization]:
    for name in names:
        call_command("seed", organization_name=name, people=20, projects=12, stdout=StringIO())
    return [Organization.objects.get(name=name) for name in names]


@pytest.mark.django_db(transaction=True)
def test_short_load_has_no_errors(tmp_path: Path) -> None:
    figures = load(
        database_url_of_tests(),
        seeded("Large", "Small"),
        tmp_path,
        seconds=2.5,
        connections=8,
        warm_up=0,
        reference_seconds=0.3,
    )
    print("\n" + "\n".join(figures.lines()))  # noqa: T201
    assert figures.errors == []
    rows = figures.tally.rows()
    assert list(rows) == [*KINDS, "all"]
    assert rows["all"].requests


@pytest.mark.django_db
def test_discrepancies_reports_rows_that_differ_from_acknowledged_ones() -> None:
    [organization] = seeded("Large")
    tenant = tenant_of(organization, Random(1))
    assert list(tenant.discrepancies()) == []

    services, projects = tenant.service_pairs, tenant.project_pairs
    lost = services.seeded[3][0]
    ServiceAssignment.objects.filter(pk=lost).delete()
    person, service = services.free[0]
    row = ServiceAssignment(organization=organization, person_id=person, service_id=service)
    [unknown] = ServiceAssignment.objects.bulk_create([row])
    moved, (_, project) = projects.seeded[0]
    taken = {pair for _, pair in projects.seeded}
    person = next(person for person in tenant.people if (person, project) not in taken)
    ProjectAssignment.objects.filter(pk=moved).update(person_id=person)
    projects.deleted.append(10**9)
    tenant.titles.acknowledged = {tenant.people[0]: "Title 1", tenant.people[1]: "Title 2"}
    Person.objects.filter(pk=tenant.people[1]).update(title="Title 2")

    assert list(tenant.discrepancies()) == [
        f"1 service_assignments were acknowledged and don't exist, such as {lost}",
        f"1 service_assignments exist without an acknowledgment, such as {unknown.pk}",
        f"1 project_assignments are other pairs, such as {moved}",
        f"1 project_assignments lack a history record of their creation, such as {10**9}",
        f"1 project_assignments lack a history record of their deletion, such as {10**9}",
        f"1 of Person don't have the acknowledged title, such as {tenant.people[0]}",
    ]
