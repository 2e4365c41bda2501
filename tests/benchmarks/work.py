"""Define the requests to measure, the same for every contender, with their targets."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from itertools import count
from typing import Any, TypeVar

from tests.benchmarks.agency import SECRET, Agency
from tests.benchmarks.timing import timed
from tests.benchmarks.urls import ROOTS
from tests.support.api import Answer, Api


@dataclass(frozen=True)
class Target:
    """Highest ratio to the hand-written time, and lowest ratio of the stock time to ours."""

    to_hand: float
    to_stock: float


LIST_30, LIST_200, WITH_INCLUDES = Target(1.8, 20), Target(1.5, 40), Target(1.8, 40)
ONE, WRITE = Target(1.8, 4), Target(2.2, 1.5)


@dataclass(frozen=True)
class Read:
    """A GET. `paths` are below the contender's root; contenders without a path don't take part."""

    name: str
    paths: Mapping[str, str]
    target: Target | None = None
    # Whether the contenders return the same resources, and not only as many.
    is_same: bool = True
    # Whether its memory is measured as well.
    is_large: bool = False

    def get(self, api: Api, contender: str) -> Answer:
        answer = api.get(ROOTS[contender] + self.paths[contender])
        assert answer.status == 200, answer
        return answer

    def time(self, api: Api, contender: str) -> dict[str, float]:
        return {self.name: timed(lambda: self.get(api, contender))[0]}


def reads(agency: Agency) -> list[Read]:
    def read(name: str, path: str, target: Target | None = None, **kwargs: Any) -> Read:
        return Read(name, dict.fromkeys(ROOTS, path), target, **kwargs)

    person = agency.assigned.pk
    people = ",".join(str(person.pk) for person in agency.people[:10])
    project, service = "project_assignments", "service_assignments"
    return [
        Read("nothing but the token", {"hand": "nothing"}, is_same=False),
        read("30 service assignments", service, LIST_30),
        read("200 service assignments", f"{service}?page[size]=200", LIST_200, is_large=True),
        read(
            "200 service assignments with person and service",
            f"{service}?include=person,service&page[size]=200",
            WITH_INCLUDES,
            is_large=True,
        ),
        read("service assignments of one person", f"{service}?filter[person_id]={person}"),
        read("30 project assignments", project, LIST_30),
        read("200 project assignments", f"{project}?page[size]=200", LIST_200, is_large=True),
        read(
            "200 project assignments with person and project",
            f"{project}?include=person,project&page[size]=200",
            WITH_INCLUDES,
            is_large=True,
        ),
        read("project assignments of one person", f"{project}?filter[person_id]={person}"),
        read("one project assignment", f"{project}/{agency.project_assignment}", ONE),
        Read(
            "200 tracking decisions",
            {
                "ours": f"tracking_decisions?filter[person_id]={people}&page[size]=200",
                "hand": f"{project}?page[size]=200",
            },
            is_same=False,
        ),
    ]


F = TypeVar("F", int, float)
Measured = Callable[[Callable[[], Answer]], tuple[F, Answer]]

# Writes of a record that is created, changed and deleted, in this order.
WRITES = {
    "create": ("create a project assignment", WRITE),
    "update": ("change its preferences", WRITE),
    "delete": ("delete it", None),
}


@dataclass
class Writes:
    """Create a project assignment, change its preferences and delete it."""

    api: Api
    agency: Agency
    numbers: count[int] = field(default_factory=count)

    def time(self, contender: str) -> dict[str, float]:
        return {name: milliseconds for name, (milliseconds, _) in self.run(contender, timed).items()}

    def run(self, contender: str, measured: Measured[F]) -> dict[str, tuple[F, Answer]]:
        """Return what `measured` returns for each request, and the response."""
        number, address = next(self.numbers), f"{ROOTS[contender]}project_assignments"
        project = self.agency.projects[number % len(self.agency.projects)]
        resource = {
            "type": "project_assignments",
            "relationships": {
                "person": {"data": {"type": "people", "id": str(self.agency.newcomer.pk)}},
                "project": {"data": {"type": "projects", "id": str(project.pk)}},
            },
        }
        created = measured(lambda: self.api.post(address, {"data": resource}))
        assert created[1].status == 201, created
        pk = created[1].data["id"]
        change = {
            "type": resource["type"],
            "id": pk,
            "attributes": {"preferences": {"columns": ["name", "due"]}},
        }
        updated = measured(lambda: self.api.patch(f"{address}/{pk}", {"data": change}))
        assert updated[1].status == 200, updated
        deleted = measured(lambda: self.api.delete(f"{address}/{pk}"))
        assert deleted[1].status == 204, deleted
        return {"create": created, "update": updated, "delete": deleted}


def client() -> Api:
    return Api(SECRET)
