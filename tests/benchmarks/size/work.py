"""Build the same requests for each organization, each with the expected response."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import count, cycle
from random import Random
from statistics import median_low
from typing import Any, NamedTuple

from django.db.models import Count, Max, Min

from assignments.models import ProjectAssignment, ServiceAssignment
from productive.accounts.management.commands.issue_token import issue
from productive.accounts.models import Organization, Person
from productive.jsonapi.cursors import cursor_at, terms_of
from tests.benchmarks.timing import timed
from tests.support.api import Api

SERVICES, PROJECTS = "service_assignments", "project_assignments"
MODELS: Mapping[str, Any] = {SERVICES: ServiceAssignment, PROJECTS: ProjectAssignment}
# Different rows in turn, as with many clients: not one that is always cached.
VARIANTS = 20
# Rows in which people and projects to request are looked for.
SAMPLE = 2_000
PAGE = 30
# A page far down; if there are fewer, the last full one.
DEEP = 30_000
CREATE, DELETE = "create a project assignment", "delete it"


class CheckedRequest(NamedTuple):
    """A GET with the expected ids in order, and the total of a list by page number."""

    path: str
    ids: Sequence[int]
    total: int | None = None

    def check(self, api: Api) -> None:
        """Raise AssertionError unless the response is exactly that."""
        answer = api.get(self.path)
        assert answer.status == 200, answer
        ids = answer.ids if isinstance(answer.data, list) else [int(answer.data["id"])]
        assert (ids, answer.json["meta"].get("total_count")) == (list(self.ids), self.total), self.path


class Listed:
    """All rows of a resource in an organization, and requests for parts of them."""

    def __init__(self, resource: str, organization: Organization) -> None:
        self.resource = resource
        self.rows = MODELS[resource].objects.owned_by(organization).order_by("id")
        self.ids = self.rows.values_list("id", flat=True)
        self.total: int = self.rows.count()

    def page(self, number: int, size: int = PAGE) -> CheckedRequest:
        start = (number - 1) * size
        path = f"{self.resource}?page[number]={number}&page[size]={size}"
        return CheckedRequest(path, list(self.ids[start : start + size]), self.total)

    def newest(self) -> CheckedRequest:
        path = f"{self.resource}?sort=-id&page[size]={PAGE}"
        return CheckedRequest(path, list(self.ids.reverse()[:PAGE]), self.total)

    def deep(self) -> Sequence[CheckedRequest]:
        deepest = max(min(DEEP, self.total // PAGE), 1)
        return [self.page(number) for number in range(max(deepest - VARIANTS, 0) + 1, deepest + 1)]

    def last(self) -> CheckedRequest:
        return self.page(-(-self.total // PAGE))

    def after(self, pk: int) -> CheckedRequest:
        cursor = cursor_at(terms_of(self.rows), [pk])
        path = f"{self.resource}?page[after]={cursor}&page[size]={PAGE}"
        return CheckedRequest(path, list(self.ids.filter(id__gt=pk)[:PAGE]))

    def of(self, column: str, pk: int) -> CheckedRequest:
        ids = list(self.ids.filter(**{column: pk}))
        return CheckedRequest(f"{self.resource}?filter[{column}]={pk}", ids[:PAGE], len(ids))

    def one(self, pk: int) -> CheckedRequest:
        return CheckedRequest(f"{self.resource}/{pk}", [pk])

    def anywhere(self) -> list[int]:
        """Return ids from the whole list in random order."""
        ends = self.rows.aggregate(first=Min("id"), last=Max("id"))
        random = Random(1)
        return [
            self.ids.filter(id__gte=random.randint(ends["first"], ends["last"]))[0] for _ in range(VARIANTS)
        ]

    def numbers_of(self, column: str) -> dict[int, int]:
        """Return the number of rows by value of `column`, for values in the middle of the list."""
        start = max(self.total - SAMPLE, 0) // 2
        near = self.rows[start : start + SAMPLE].values_list(column, flat=True)
        rows = self.rows.order_by().filter(**{f"{column}__in": set(near)})
        return dict(rows.values_list(column).annotate(Count("id")))


@dataclass
class MeasuredTenant:
    """An organization with a token, a person without assignments, and its requests."""

    api: Api
    totals: Mapping[str, int]
    newcomer: Person
    projects: Sequence[int]
    reads: Mapping[str, Sequence[CheckedRequest]]
    numbers: count[int] = field(default_factory=count)

    def check(self) -> None:
        """Raise AssertionError unless every response has exactly the rows of the database."""
        for requests in self.reads.values():
            for request in requests:
                request.check(self.api)

    def timed_requests(self) -> Callable[[], dict[str, float]]:
        """Return a function that sends each request once, for other rows each time, and times it."""
        reads = {name: cycle(requests) for name, requests in self.reads.items()}

        def time_all() -> dict[str, float]:
            milliseconds = {name: self.read(next(requests)) for name, requests in reads.items()}
            return {**milliseconds, **self.write()}

        return time_all

    def read(self, request: CheckedRequest) -> float:
        milliseconds, answer = timed(lambda: self.api.get(request.path))
        assert answer.status == 200, answer
        return milliseconds

    def write(self) -> dict[str, float]:
        """Create a project assignment and delete it."""
        project = self.projects[next(self.numbers) % len(self.projects)]
        resource = {
            "type": PROJECTS,
            "relationships": {
                "person": {"data": {"type": "people", "id": str(self.newcomer.pk)}},
                "project": {"data": {"type": "projects", "id": str(project)}},
            },
        }
        creating, created = timed(lambda: self.api.post(PROJECTS, {"data": resource}))
        assert created.status == 201, created
        deleting, deleted = timed(lambda: self.api.delete(f"{PROJECTS}/{created.data['id']}"))
        assert deleted.status == 204, deleted
        return {CREATE: creating, DELETE: deleting}


@contextmanager
def tenants(organizations: Sequence[Organization]) -> Iterator[list[MeasuredTenant]]:
    """Yield tenants; delete their tokens and persons afterwards. The history of those stays."""
    services = [Listed(SERVICES, organization) for organization in organizations]
    members = [Listed(PROJECTS, organization) for organization in organizations]
    choices = zip(
        organizations,
        services,
        members,
        alike(services, "person_id"),
        alike(members, "project_id"),
        strict=True,
    )
    created_rows: list[Any] = []
    try:
        found = []
        for organization, service_list, member_list, people, projects in choices:
            token, secret = issue(organization, "Size")
            created_rows.append(token.user)
            newcomer = Person.objects.create(organization=organization, first_name="New", last_name="Comer")
            created_rows.append(newcomer)
            reads = {
                **list_reads("service assignments", service_list),
                **list_reads("project assignments", member_list),
                "service assignments of one person": [service_list.of("person_id", pk) for pk in people],
                "project assignments of one project": [member_list.of("project_id", pk) for pk in projects],
                "one service assignment": [service_list.one(pk) for pk in service_list.anywhere()],
                "one project assignment": [member_list.one(pk) for pk in member_list.anywhere()],
            }
            totals = {
                "service assignments": service_list.total,
                "project assignments": member_list.total,
            }
            found.append(MeasuredTenant(Api(secret), totals, newcomer, projects, reads))
        yield found
    finally:
        for row in created_rows:
            row.delete()


def list_reads(name: str, rows: Listed) -> dict[str, Sequence[CheckedRequest]]:
    return {
        first_page_of(name): [rows.page(1)],
        f"200 {name}": [rows.page(1, size=200)],
        f"{PAGE} {name}, newest first": [rows.newest()],
        f"page {DEEP:,} of {name}": rows.deep(),
        f"last page of {name}": [rows.last()],
        f"{name} after a cursor": [rows.after(pk) for pk in rows.anywhere()],
    }


def first_page_of(name: str) -> str:
    return f"{PAGE} {name}"


@dataclass(frozen=True)
class Far:
    """A request far down in a list: the first page of that list, and whether it is requested by page number.

    By number it may cost more in a larger organization, but never much more than the first page."""

    near: str
    by_number: bool


FAR = {
    far: Far(first_page_of(name), by_number)
    for name in ("service assignments", "project assignments")
    for far, by_number in (
        (f"page {DEEP:,} of {name}", True),
        (f"last page of {name}", True),
        (f"{name} after a cursor", False),
    )
}


def alike(lists: Sequence[Listed], column: str) -> list[list[int]]:
    """Return values of `column` in each list that have as many rows as is typical in the first list."""
    numbers = [rows.numbers_of(column) for rows in lists]
    usual = median_low(numbers[0].values())
    return [sorted(of, key=lambda pk: abs(of[pk] - usual))[:VARIANTS] for of in numbers]
