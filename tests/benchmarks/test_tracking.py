"""Compare the cost of tracking decisions with that of a list, measured in one run."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection

from assignments.models import ProjectAssignment, ServiceAssignment, ServiceTypeAssignment
from catalog.models import Deal, Project, Service, ServiceType
from productive.accounts.models import ApiToken, Organization, Person
from tests.benchmarks.timing import TRIES, medians
from tests.support.api import Api
from tests.support.resources import OWNED

PEOPLE, SERVICES, ASSIGNMENTS = 2_000, 1_500, 30_000
PROJECTS, DEALS, TYPES = 100, 150, 30


def fill(organization: Organization) -> tuple[list[Person], list[Service]]:
    """Create a large agency: each person on five projects, most budgets restricted."""
    own = {"organization": organization}

    def insert(model: Any, rows: Any) -> list[Any]:
        return list(model.objects.bulk_create(rows, batch_size=2_000))

    people = insert(Person, (Person(**own, first_name="P", last_name=str(n)) for n in range(PEOPLE)))
    types = insert(ServiceType, (ServiceType(**own, name=f"T{n}") for n in range(TYPES)))
    projects = insert(Project, (Project(**own, name=f"P{n}") for n in range(PROJECTS)))
    deals = insert(
        Deal,
        (
            Deal(
                **own,
                project=projects[n % PROJECTS],
                name=f"D{n}",
                person_restricted_tracking=n % 2 == 0,
                service_type_restricted_tracking=n % 3 == 0,
            )
            for n in range(DEALS)
        ),
    )
    services = insert(
        Service,
        (
            Service(**own, deal=deals[n % DEALS], service_type=types[n % TYPES], name=f"S{n}")
            for n in range(SERVICES)
        ),
    )
    insert(
        ProjectAssignment,
        (
            ProjectAssignment(**own, person=person, project=projects[(n * 7 + m) % PROJECTS])
            for n, person in enumerate(people)
            for m in range(5)
        ),
    )
    insert(
        ServiceTypeAssignment,
        (
            ServiceTypeAssignment(**own, person=person, service_type=types[(n + m) % TYPES])
            for n, person in enumerate(people)
            for m in range(2)
        ),
    )
    each = (ASSIGNMENTS - PEOPLE * 7) // PEOPLE
    insert(
        ServiceAssignment,
        (
            ServiceAssignment(**own, person=person, service=services[(n * 13 + m) % SERVICES])
            for n, person in enumerate(people)
            for m in range(each)
        ),
    )
    with connection.cursor() as cursor:
        tables = (model._meta.db_table for model in [Organization, ApiToken, *OWNED])
        cursor.execute(f"ANALYZE {', '.join(tables)}")
    return people, services


@pytest.mark.fuzz
@pytest.mark.postgresql
def test_tracking_decisions_cost_little_more_than_a_list(api: Api, organization: Organization) -> None:
    people, _ = fill(organization)
    ids = ",".join(str(person.pk) for person in people[:10])

    def get(path: str) -> Callable[[], Any]:
        def call() -> Any:
            answer = api.get(path)
            assert answer.status == 200
            return answer

        return call

    def thousand_decisions() -> None:
        for number in range(1, 6):
            assert (
                len(
                    get(
                        f"tracking_decisions?filter[person_id]={ids}&page[size]=200&page[number]={number}"
                    )().data
                )
                == 200
            )

    contenders = {
        "plain list of 30": get("services"),
        "trackable by one person, 30": get(f"services?filter[trackable_by_person_id]={people[0].pk}"),
        "plain list of 200": get("services?page[size]=200"),
        "1,000 decisions": thousand_decisions,
    }
    found = contenders["trackable by one person, 30"]().json["meta"]["total_count"]
    assert 30 < found < SERVICES
    for _ in range(TRIES):
        ms = medians(contenders, rounds=11)
        trackable = ms["trackable by one person, 30"] / ms["plain list of 30"]
        decisions = ms["1,000 decisions"] / ms["plain list of 200"]
        figures = ", ".join(f"{name} {time:.1f} ms" for name, time in ms.items())
        print(f"\n{figures}; ratios {trackable:.2f} and {decisions:.1f}")  # noqa: T201
        if trackable < 2 and decisions < 15:
            return
    pytest.fail("a trackable page took twice a plain one, or 1,000 decisions fifteen times a page of 200")
