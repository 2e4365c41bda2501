"""Create the rows that `make bench` measures on: one large organization."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from random import Random
from typing import Any

from django.db import connection
from django.db.models import F
from django.utils import timezone

from assignments.models import ProjectAssignment, ServiceAssignment
from catalog.models import Deal, Project, Service, ServiceType
from productive.accounts.models import ApiToken, Organization, Person, User
from productive.accounts.tokens import digest
from productive.database.history import record_rows

SECRET = "for-the-benchmarks-alone"
BATCH = 5_000


@dataclass(frozen=True)
class Size:
    """The numbers of rows; there are as many service assignments as project assignments."""

    people: int
    projects: int
    services: int
    assignments: int


FULL = Size(people=2_000, projects=500, services=5_000, assignments=100_000)
SMALL = Size(people=60, projects=40, services=60, assignments=60)


@dataclass(frozen=True)
class Agency:
    """The rows that requests name: a person with assignments, one without, and projects to assign."""

    assigned: Person
    newcomer: Person
    people: list[Person]
    projects: list[Project]
    project_assignment: int


def fill(size: Size) -> Agency:
    """Fill the empty tables, the same way each time, and refresh the statistics."""
    organization = Organization.objects.create(name="Agency", time_zone="Europe/Zagreb")
    own = {"organization": organization}
    user = User.objects.create(username="integration", service_account_of=organization)
    # In the future, so that no request updates it.
    ApiToken.objects.create(
        **own,
        name="benchmark",
        user=user,
        prefix=SECRET[:12],
        digest=digest(SECRET),
        last_used_at=timezone.now() + timedelta(days=1),
    )

    newcomer, *people = insert(
        Person,
        (
            Person(**own, first_name=f"First {n}", last_name=f"Last {n}", email=f"person{n}@example.com")
            for n in range(size.people + 1)
        ),
    )
    types = insert(ServiceType, (ServiceType(**own, name=f"Type {n}") for n in range(30)))
    projects = insert(Project, (Project(**own, name=f"Project {n}") for n in range(size.projects)))
    deals = insert(
        Deal,
        (
            Deal(
                **own,
                project=project,
                name=f"Budget {n}",
                person_restricted_tracking=n % 2 == 0,
                service_type_restricted_tracking=n % 3 == 0,
            )
            for n, project in enumerate(projects)
        ),
    )
    services = insert(
        Service,
        (
            Service(
                **own, deal=deals[n % len(deals)], service_type=types[n % len(types)], name=f"Service {n}"
            )
            for n in range(size.services)
        ),
    )
    insert(
        ServiceAssignment,
        (
            ServiceAssignment(**own, person=person, service=service)
            for person, service in pairs(people, services, size.assignments)
        ),
    )
    project_assignments = insert(
        ProjectAssignment,
        (
            ProjectAssignment(**own, person=person, project=project)
            for person, project in pairs(people, projects, size.assignments)
        ),
    )
    analyze()
    middle = project_assignments[len(project_assignments) // 2]
    return Agency(middle.person, newcomer, people, projects, middle.pk)


def analyze() -> None:
    """Refresh the planner's statistics."""
    with connection.cursor() as cursor:
        if connection.vendor == "sqlite":
            cursor.execute("ANALYZE")
            return
        # Not the catalogs that all databases of the server share: others may be locking them.
        tables = connection.introspection.table_names(cursor)
        cursor.execute(f"VACUUM ANALYZE {', '.join(map(connection.ops.quote_name, tables))}")


def insert(model: Any, rows: Iterable[Any]) -> list[Any]:
    """Insert the rows with a history record each, and return them."""
    inserted = list(model.objects.bulk_create(rows, batch_size=BATCH))
    record_rows(model.objects.all(), "+", date=F("created_at"))
    return inserted


def pairs(ones: list[Any], others: list[Any], number: int) -> Iterator[tuple[Any, Any]]:
    """Yield different pairs in random order."""
    for position in Random(1).sample(range(len(ones) * len(others)), number):
        one, other = divmod(position, len(others))
        yield ones[one], others[other]
