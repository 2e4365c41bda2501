"""Keep the rows that the load uses, and check afterwards that they are as acknowledged."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from random import Random
from typing import Any

from django.db.models import Count, F, Q

from assignments.models import ProjectAssignment, ServiceAssignment
from catalog.models import Project, Service
from productive.accounts.management.commands.issue_token import issue
from productive.accounts.models import Organization, Person
from productive.database.history import history_of

Pair = tuple[int, int]

# Of one organization and model: pairs that are created and deleted in turn, so that the data doesn't grow.
# More than can be in flight, or lost with an error, at the same time.
PAIRS = 100


@dataclass
class Pairs:
    """Assignments of a model in an organization, exactly as the server has acknowledged them.

    A pair with a request in flight is neither free nor created, so no two requests use the same pair.
    """

    model: Any
    partner: str
    organization: int
    seeded: list[tuple[int, Pair]]
    free: list[Pair]
    created: list[tuple[int, Pair]] = field(default_factory=list)
    deleted: list[int] = field(default_factory=list)

    @property
    def resource(self) -> str:
        return f"{self.partner}_assignments"

    def discrepancies(self) -> Iterator[str]:
        """Yield differences between acknowledged and real rows, and violated constraints."""
        columns = "person_id", f"{self.partner}_id"
        rows = self.model.objects.filter(organization=self.organization)
        found = {pk: (person, other) for pk, person, other in rows.values_list("pk", *columns)}
        expected = dict([*self.seeded, *self.created])
        own = Q(
            person__organization=F("organization"), **{f"{self.partner}__organization": F("organization")}
        )
        for wrong, what in (
            (expected.keys() - found.keys(), "were acknowledged and don't exist"),
            (found.keys() - expected.keys(), "exist without an acknowledgment"),
            ({pk for pk in expected.keys() & found.keys() if expected[pk] != found[pk]}, "are other pairs"),
            (set(rows.exclude(own).values_list("pk", flat=True)), "link two organizations"),
            (
                self.unlike_history("+", [*dict(self.created), *self.deleted]),
                "lack a history record of their creation",
            ),
            (self.unlike_history("-", self.deleted), "lack a history record of their deletion"),
        ):
            if wrong:
                yield f"{len(wrong)} {self.resource} {what}, such as {min(wrong)}"
        doubled = rows.values(*columns).annotate(times=Count("pk")).filter(times__gt=1).count()
        if doubled:
            yield f"{doubled} pairs of {self.resource} are duplicates"

    def unlike_history(self, history_type: str, expected: list[int]) -> set[int]:
        """Return expected ids without such a record, and unexpected ids with one, except seeded ones."""
        records = history_of(self.model).objects.filter(
            organization=self.organization, history_type=history_type
        )
        recorded = set(records.values_list("id", flat=True)) - dict(self.seeded).keys()
        return recorded.symmetric_difference(expected)


@dataclass
class Values:
    """An attribute that is changed repeatedly, and its last acknowledged value in each row."""

    model: Any
    attribute: str
    # Rows without a change in flight.
    idle: list[int]
    acknowledged: dict[int, Any] = field(default_factory=dict)

    def discrepancies(self) -> Iterator[str]:
        found = dict(self.model.objects.filter(pk__in=self.acknowledged).values_list("pk", self.attribute))
        if unlike := [pk for pk, value in self.acknowledged.items() if found.get(pk) != value]:
            yield (
                f"{len(unlike)} of {self.model.__name__} don't have the acknowledged {self.attribute}, "
                f"such as {min(unlike)}"
            )


@dataclass
class Tenant:
    """An organization as its integration knows it: the secret, and ids to request."""

    organization: int
    secret: str
    people: list[int]
    services: list[int]
    projects: list[int]
    service_pairs: Pairs
    project_pairs: Pairs
    preferences: Values
    titles: Values
    # Full pages of 30 service assignments at the start: new rows don't change these.
    pages: int

    def __post_init__(self) -> None:
        # All ids that have ever existed, by type of resource.
        self.ids = {
            "people": set(self.people),
            "services": set(self.services),
            "projects": set(self.projects),
            self.service_pairs.resource: {pk for pk, _ in self.service_pairs.seeded},
            self.project_pairs.resource: {pk for pk, _ in self.project_pairs.seeded},
        }

    def discrepancies(self) -> Iterator[str]:
        for part in (self.service_pairs, self.project_pairs, self.preferences, self.titles):
            yield from part.discrepancies()


def tenant_of(organization: Organization, random: Random) -> Tenant:
    """Create a token and return everything that requests are built from."""
    _, secret = issue(organization, "Load")
    people, services, projects = (
        list(model.objects.owned_by(organization).values_list("pk", flat=True))
        for model in (Person, Service, Project)
    )
    service_pairs = pairs_of(ServiceAssignment, "service", organization, people, services, random)
    project_pairs = pairs_of(ProjectAssignment, "project", organization, people, projects, random)
    return Tenant(
        organization=organization.pk,
        secret=secret,
        people=people,
        services=services,
        projects=projects,
        service_pairs=service_pairs,
        project_pairs=project_pairs,
        preferences=Values(ProjectAssignment, "preferences", [pk for pk, _ in project_pairs.seeded]),
        titles=Values(Person, "title", list(people)),
        pages=len(service_pairs.seeded) // 30,
    )


def pairs_of(
    model: Any, partner: str, organization: Organization, people: list[int], others: list[int], random: Random
) -> Pairs:
    rows = model.objects.owned_by(organization).values_list("pk", "person_id", f"{partner}_id")
    seeded = [(pk, (person, other)) for pk, person, other in rows]
    taken, free = {pair for _, pair in seeded}, set[Pair]()
    while len(free) < PAIRS:
        pair = random.choice(people), random.choice(others)
        if pair not in taken:
            free.add(pair)
    return Pairs(model, partner, organization.pk, seeded, sorted(free))
