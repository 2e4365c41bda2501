"""Build the mix of requests: nine reads to a write, in a large and some small organizations."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from random import Random
from typing import Any

import orjson

from tests.benchmarks.load.client import RawResponse, Request
from tests.benchmarks.load.judgement import PageJudge, expect
from tests.benchmarks.load.world import Pair, Pairs, Tenant, Values

LARGE = 0.9  # of the requests go to the first organization
# kind → how many of a hundred requests, and how to build the path
READS: dict[str, tuple[int, Callable[[Tenant, Random], str]]] = {
    "list of 30": (
        15,
        lambda tenant, random: random.choice(
            ("service_assignments", "project_assignments", "people", "services", "projects")
        ),
    ),
    "list of 30, included": (12, lambda tenant, random: "service_assignments?include=person,service"),
    "list of 200": (5, lambda tenant, random: "service_assignments?page[size]=200"),
    "list of 200, included": (
        5,
        lambda tenant, random: "project_assignments?page[size]=200&include=person,project",
    ),
    "filtered by person": (
        12,
        lambda tenant, random: (
            f"service_assignments?filter[person_id]={random.choice(tenant.people)}&include=service"
        ),
    ),
    "filtered by service": (
        10,
        lambda tenant, random: f"service_assignments?filter[service_id]={random.choice(tenant.services)}",
    ),
    "filtered by project": (
        10,
        lambda tenant, random: (
            f"project_assignments?filter[project_id]={random.choice(tenant.projects)}&include=person"
        ),
    ),
    "one": (12, lambda tenant, random: f"services/{random.choice(tenant.services)}"),
    "one, included": (
        3,
        lambda tenant, random: f"people/{random.choice(tenant.people)}?include=service_types",
    ),
    "deep page": (
        5,
        lambda tenant, random: (
            f"service_assignments?page[number]={random.randint(tenant.pages // 2, tenant.pages)}"
        ),
    ),
}
WRITES = {
    "create service assignment": 2,
    "delete service assignment": 2,
    "create project assignment": 1,
    "delete project assignment": 1,
    "duplicate, rejected": 1,
    "update preferences": 2,
    "update person": 1,
}
OTHERS = {"other tenant's, rejected": 1}
KINDS = {kind: times for kind, (times, _) in READS.items()} | OTHERS | WRITES


class Mix:
    """Build requests and record what was acknowledged. The same seed gives the same requests."""

    def __init__(self, tenants: Sequence[Tenant], seed: int = 1) -> None:
        self.tenants, self.random = tenants, Random(seed)
        self.deck: list[str] = []
        self.values = 0
        self.judges = {
            tenant.organization: PageJudge(
                tenant.organization, [other.ids for other in tenants if other is not tenant]
            )
            for tenant in tenants
        }

    def next_request(self) -> Request:
        random = self.random
        tenant = self.tenants[0] if random.random() < LARGE else random.choice(self.tenants[1:])
        if not self.deck:
            # Shuffled hundreds, so that every hundred has the same share of each kind.
            self.deck = [kind for kind, times in KINDS.items() for _ in range(times)]
            random.shuffle(self.deck)
        kind = self.deck.pop()
        if kind in READS:
            path = READS[kind][1](tenant, random)
            return request(kind, tenant, "GET", path, self.judges[tenant.organization])
        match kind.split():
            case ["create" | "delete" as verb, model, _]:
                return self.create_or_delete(verb, tenant, pairs_named(tenant, model))
            case ["update", "preferences"]:
                self.values += 1
                return self.update(kind, tenant, tenant.preferences, {"number": self.values})
            case ["update", "person"]:
                self.values += 1
                return self.update(kind, tenant, tenant.titles, f"Title {self.values}")
            case ["duplicate,", _]:
                pairs = tenant.service_pairs
                body = document(pairs, random.choice(pairs.seeded)[1])
                return request(
                    kind, tenant, "POST", pairs.resource, partial(expect, 422, b"only one assignment"), body
                )
        other = random.choice([each for each in self.tenants if each is not tenant])
        path = f"people/{random.choice(other.people)}"
        return request(kind, tenant, "GET", path, partial(expect, 404, b'"errors"'))

    def create_or_delete(self, verb: str, tenant: Tenant, pairs: Pairs) -> Request:
        """Create or delete a pair; do the other if nothing is left to create or delete."""
        if (verb == "create" and pairs.free) or not pairs.created:
            pair = self.take(pairs.free)
            return request(
                f"create {pairs.partner} assignment",
                tenant,
                "POST",
                pairs.resource,
                partial(self.judge_created, tenant, pairs, pair),
                document(pairs, pair),
            )
        pk, pair = self.take(pairs.created)
        return request(
            f"delete {pairs.partner} assignment",
            tenant,
            "DELETE",
            f"{pairs.resource}/{pk}",
            partial(self.judge_deleted, pairs, pk, pair),
        )

    def judge_created(self, tenant: Tenant, pairs: Pairs, pair: Pair, answer: RawResponse) -> str:
        if complaint := expect(201, b'{"data":', answer):
            return complaint
        pk = int(orjson.loads(answer.body)["data"]["id"])
        pairs.created.append((pk, pair))
        tenant.ids[pairs.resource].add(pk)
        return ""

    def judge_deleted(self, pairs: Pairs, pk: int, pair: Pair, answer: RawResponse) -> str:
        if complaint := expect(204, b"", answer):
            return complaint
        pairs.deleted.append(pk)
        pairs.free.append(pair)
        return "an answer without content has some" if answer.body else ""

    def update(self, kind: str, tenant: Tenant, values: Values, value: Any) -> Request:
        pk = self.take(values.idle)
        resource = "people" if values.attribute == "title" else "project_assignments"
        body = {"data": {"type": resource, "id": str(pk), "attributes": {values.attribute: value}}}
        judge = partial(self.judge_updated, values, pk, value)
        return request(kind, tenant, "PATCH", f"{resource}/{pk}", judge, orjson.dumps(body))

    def judge_updated(self, values: Values, pk: int, value: Any, answer: RawResponse) -> str:
        if complaint := expect(200, b'{"data":', answer):
            return complaint
        values.idle.append(pk)
        values.acknowledged[pk] = value
        attributes = orjson.loads(answer.body)["data"]["attributes"]
        return "" if attributes[values.attribute] == value else "not the value that was sent"

    def take(self, items: list[Any]) -> Any:
        """Remove and return a random item."""
        index = self.random.randrange(len(items))
        items[index], items[-1] = items[-1], items[index]
        return items.pop()


def pairs_named(tenant: Tenant, partner: str) -> Pairs:
    return tenant.service_pairs if partner == "service" else tenant.project_pairs


def document(pairs: Pairs, pair: Pair) -> bytes:
    person, other = pair
    attributes = {"person_id": person, f"{pairs.partner}_id": other}
    return orjson.dumps({"data": {"type": pairs.resource, "attributes": attributes}})


def request(
    kind: str, tenant: Tenant, method: str, path: str, judge: Callable[[RawResponse], str], body: bytes = b""
) -> Request:
    head = f"{method} /api/v2/{path} HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Auth-Token: {tenant.secret}\r\n"
    if body:
        head += f"Content-Type: application/vnd.api+json\r\nContent-Length: {len(body)}\r\n"
    return Request(kind, f"{head}\r\n".encode() + body, judge)
