"""Open pages of the admin as a member of Operations, and measure them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from random import Random
from typing import Any

from django.contrib.auth.models import Group
from django.core.management import call_command
from django.db import connection, transaction
from django.db.models import Count, QuerySet
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from assignments.models import ProjectAssignment, ServiceAssignment, ServiceTypeAssignment
from catalog.models import Deal, Project, Service, ServiceType
from productive.accounts.models import Organization, Person, User
from productive.database.history import change_set
from tests.benchmarks.load.run import database_name
from tests.benchmarks.timing import medians

LIMIT_MS, LIMIT_KB = 150, 60
LISTED = (
    Person,
    ServiceType,
    Project,
    Deal,
    Service,
    ServiceAssignment,
    ProjectAssignment,
    ServiceTypeAssignment,
)
# Model → the rows that its page shows, too. The record with most of them is opened.
OPENED = {
    Person: "service_assignments",
    ServiceType: "assignees",
    Project: "project_assignments",
    Deal: "services",
    Service: "service_assignments",
}
# Rows that one statement inserts.
BATCH = 5_000
# Recorded changes.
CHANGES = 50


@dataclass(frozen=True)
class Page:
    name: str
    milliseconds: float
    kilobytes: float
    queries: int

    def passed(self) -> bool:
        return self.milliseconds <= LIMIT_MS and self.kilobytes <= LIMIT_KB


@dataclass(frozen=True)
class Result:
    database: str
    size: str
    pages: list[Page]

    def passed(self) -> bool:
        return all(page.passed() for page in self.pages)

    def lines(self) -> Iterator[str]:
        yield "| page | ms | KB sent | queries | |"
        yield "|---|--:|--:|--:|---|"
        for page in self.pages:
            figures = f"{page.milliseconds:.0f} | {page.kilobytes:.0f} | {page.queries}"
            yield f"| {page.name} | {figures} | {'✓' if page.passed() else '✗'} |"


def measure(organization: Organization, services: int, assignments: int, rounds: int) -> Result:
    """Delete services and add random assignments until there are as many, and measure each page."""
    delete_services(organization, services)
    add_assignments(organization, assignments)
    change_people(organization)
    if not connection.in_atomic_block:
        call_command("refresh_statistics")
    user = User.objects.create(username="bench", is_staff=True)
    user.groups.add(Group.objects.get(name="Operations"))
    Person.objects.create(organization=organization, first_name="Bench", last_name="Mark", user=user)
    client = Client(SERVER_NAME="127.0.0.1", headers={"Accept-Encoding": "gzip"})
    client.force_login(user, "django.contrib.auth.backends.ModelBackend")

    paths = pages(organization)
    opened = {name: (lambda path=path: client.get(path)) for name, path in paths.items()}
    times = medians(opened, rounds)
    measured = []
    for name, open_page in opened.items():
        with CaptureQueriesContext(connection) as captured:
            response = open_page()
        if response.status_code != 200:
            raise RuntimeError(f"{paths[name]}: {response.status_code}")
        measured.append(Page(name, times[name], len(response.content) / 1024, len(captured)))
    counts = {
        model._meta.verbose_name_plural: model.objects.owned_by(organization).count()
        for model in (Person, Project, Deal, Service, ServiceAssignment, ProjectAssignment)
    }
    size = ", ".join(f"{count:,} {name}" for name, count in counts.items())
    return Result(database_name(), size, measured)


def delete_services(organization: Organization, kept: int) -> None:
    """Delete all services but the first ones, without a record in the history."""
    own = Service.objects.owned_by(organization).order_by("pk").values_list("pk", flat=True)
    surplus = list(own[kept:])
    for model, lookup in ((ServiceAssignment, "service__in"), (Service, "pk__in")):
        rows = QuerySet(model).filter(**{lookup: surplus})
        rows._raw_delete(rows.db)


def change_people(organization: Organization) -> None:
    """Record changes as on a usual day: small ones, each in a change set of its own."""
    for person in Person.objects.owned_by(organization).order_by("pk")[:CHANGES]:
        with change_set():
            person.title = f"{person.title or ''} changed"
            person.save()


def add_assignments(organization: Organization, number: int) -> None:
    """Assign random people to services and to projects, until there are so many assignments of both kinds."""
    random = Random(1)
    people = ids(Person, organization)
    for model, field, partners in (
        (ServiceAssignment, "service_id", ids(Service, organization)),
        (ProjectAssignment, "project_id", ids(Project, organization)),
    ):
        taken = set(model.objects.owned_by(organization).values_list("person_id", field))
        missing = min(number // 2, len(people) * len(partners)) - len(taken)
        pairs: set[tuple[int, int]] = set()
        while len(pairs) < missing:
            pair = (random.choice(people), random.choice(partners))
            if pair not in taken:
                pairs.add(pair)
        rows = [
            model(organization=organization, person_id=person, **{field: partner})
            for person, partner in sorted(pairs)
        ]
        with transaction.atomic():
            model.objects.bulk_create(rows, batch_size=BATCH)


def ids(model: Any, organization: Organization) -> list[int]:
    return list(model.objects.owned_by(organization).values_list("pk", flat=True))


def pages(organization: Organization) -> dict[str, str]:
    """Return name → path."""
    found = {"overview": reverse("admin:index"), "command palette": f"{reverse('admin:search')}?s=an"}
    for model in LISTED:
        found[f"{model._meta.verbose_name_plural}"] = address(model, "changelist")
    for query in ("access=nobody", "o=2"):
        found[f"services?{query}"] = f"{address(Service, 'changelist')}?{query}"
    for model, rows in OPENED.items():
        with_most = (
            model.objects.owned_by(organization).annotate(rows=Count(rows)).order_by("-rows", "pk").first()
        )
        found[f"{model._meta.verbose_name} with {with_most.rows} {rows.replace('_', ' ')}"] = address(
            model, "change", with_most.pk
        )
    found["new service"] = address(Service, "add")
    person, service = (model.objects.owned_by(organization).first() for model in (Person, Service))
    found["access check"] = f"{reverse('access_check')}?person={person.pk}&service={service.pk}"
    found["changes"] = reverse("admin:changes")
    return found


def address(model: Any, page: str, *args: Any) -> str:
    return reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_{page}", args=args)
