"""Send concurrent requests: the one that loses a race gets an ordinary error.

On PostgreSQL the requests run in threads of this process, on SQLite in two server processes. A request that
loses gets the documented error, never a 5xx, and no constraint is violated afterwards.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from threading import Event
from typing import Any

import pytest
from django.db import connection

from assignments.models import ProjectAssignment, ServiceAssignment, ServiceTypeAssignment
from catalog.models import Service, ServiceType
from productive.accounts.models import ApiToken
from tests.chaos.invariants import broken_rules
from tests.support.api import Answer, Api, SocketApi
from tests.support.concurrency import at_once
from tests.support.factories import (
    ApiTokenFactory,
    DealFactory,
    OrganizationFactory,
    PersonFactory,
    ProjectFactory,
    ServiceAssignmentFactory,
    ServiceFactory,
    ServiceTypeFactory,
)
from tests.support.servers import Server

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.no_cover]

# Each write to SQLite waits for the disk.
THREADS, ROUNDS = 8, 10 if connection.vendor == "postgresql" else 3


@pytest.fixture
def world(request: pytest.FixtureRequest) -> Iterator[tuple[Any, Api]]:
    """An organization and a client of it. Check all constraints at the end."""
    organization = OrganizationFactory()
    secret = ApiTokenFactory(organization=organization).name
    if connection.vendor == "postgresql":
        yield organization, Api(secret)
    else:
        server: Server = request.getfixturevalue("server")
        yield organization, SocketApi(secret, address=server.netloc)
    assert broken_rules(query, is_sqlite=connection.vendor == "sqlite") == []


def query(sql: str) -> Sequence[Sequence[Any]]:
    with connection.cursor() as cursor:
        cursor.execute(sql)
        return cursor.fetchall()


@pytest.mark.parametrize(
    ("resource", "factory", "name", "kind", "model", "error"),
    [
        (
            "service_assignments",
            ServiceFactory,
            "service",
            "services",
            ServiceAssignment,
            ("service", "only one assignment per service, per person is allowed"),
        ),
        (
            "project_assignments",
            ProjectFactory,
            "project",
            "projects",
            ProjectAssignment,
            ("person", "has already been assigned to that project"),
        ),
        (
            "service_type_assignments",
            ServiceTypeFactory,
            "service_type",
            "service_types",
            ServiceTypeAssignment,
            ("service_type", "only one assignment per service type, per person is allowed"),
        ),
    ],
)
def test_concurrent_creation_of_pair_succeeds_once(
    resource: str,
    factory: Any,
    name: str,
    kind: str,
    model: Any,
    error: tuple[str, str],
    world: tuple[Any, Api],
) -> None:
    organization, api = world
    for _ in range(ROUNDS):
        person, other = PersonFactory(organization=organization), factory(organization=organization)
        attributes = {"person_id": person.pk, f"{name}_id": other.pk}
        body = {"data": {"type": resource, "attributes": attributes}}
        answers = at_once(*[lambda body=body: api.post(resource, json=body)] * THREADS)
        assert Counter(a.status for a in answers) == {201: 1, 422: THREADS - 1}
        assert {tuple(a.invalid) for a in answers if a.status == 422} == {(error,)}
        assert model.objects.filter(person=person, **{name: other}).count() == 1


def test_concurrent_moves_to_one_service_leave_one_pair(world: tuple[Any, Api]) -> None:
    organization, api = world
    for _ in range(ROUNDS):
        person, target = PersonFactory(organization=organization), ServiceFactory(organization=organization)
        rows = [ServiceAssignmentFactory(organization=organization, person=person) for _ in range(4)]
        body = {"data": {"type": "service_assignments", "attributes": {"service_id": target.pk}}}
        answers = at_once(
            *(
                lambda row=row, body=body: api.patch(f"service_assignments/{row.pk}", json=body)
                for row in rows
            )
        )
        assert Counter(a.status for a in answers) == {200: 1, 422: 3}
        assert ServiceAssignment.objects.filter(person=person, service=target).count() == 1


@pytest.mark.parametrize("parent", ["people", "services"])
def test_assignment_created_during_deletion_of_parent_leaves_no_orphan(
    parent: str, world: tuple[Any, Api]
) -> None:
    organization, api = world
    for _ in range(ROUNDS):
        person, service = PersonFactory(organization=organization), ServiceFactory(organization=organization)
        attributes = {"person_id": person.pk, "service_id": service.pk}
        body = {"data": {"type": "service_assignments", "attributes": attributes}}
        path = f"people/{person.pk}" if parent == "people" else f"services/{service.pk}"
        created, deleted = at_once(
            lambda body=body: api.post("service_assignments", json=body), lambda path=path: api.delete(path)
        )
        assert deleted.status == 204
        assert created.status in (201, 422)
        assert not ServiceAssignment.objects.filter(person_id=person.pk).exists()


def test_deletion_of_service_type_during_use_is_rejected_or_succeeds(world: tuple[Any, Api]) -> None:
    organization, api = world
    for _ in range(ROUNDS):
        service, taken = (
            ServiceFactory(organization=organization),
            ServiceTypeFactory(organization=organization),
        )
        body = {"data": {"type": "services", "attributes": {"service_type_id": taken.pk}}}
        updated, deleted = at_once(
            lambda body=body, pk=service.pk: api.patch(f"services/{pk}", json=body),
            lambda pk=taken.pk: api.delete(f"service_types/{pk}"),
        )
        assert (updated.status, deleted.status) in ((200, 422), (422, 204))
        assert ServiceType.objects.filter(pk=Service.objects.get(pk=service.pk).service_type_id).exists()


def test_concurrent_deletion_succeeds_once(world: tuple[Any, Api]) -> None:
    organization, api = world
    for _ in range(ROUNDS):
        path = f"service_assignments/{ServiceAssignmentFactory(organization=organization).pk}"
        answers = at_once(*[lambda path=path: api.delete(path)] * THREADS)
        assert Counter(a.status for a in answers) == {204: 1, 404: THREADS - 1}


def test_update_during_deletion_does_not_restore_row(world: tuple[Any, Api]) -> None:
    organization, api = world
    for _ in range(ROUNDS):
        row = ServiceTypeFactory(organization=organization)
        path = f"service_types/{row.pk}"
        body = {"data": {"type": "service_types", "attributes": {"name": "New"}}}
        updated, deleted = at_once(
            lambda path=path, body=body: api.patch(path, json=body), lambda path=path: api.delete(path)
        )
        assert deleted.status == 204
        assert updated.status in (200, 404)
        assert not ServiceType.objects.filter(pk=row.pk).exists()


def test_concurrent_changes_of_two_attributes_are_both_saved(world: tuple[Any, Api]) -> None:
    organization, api = world
    for n in range(ROUNDS):
        row = ServiceTypeFactory(organization=organization)
        changes = [{"name": f"Name {n}"}, {"description": f"Text {n}"}]
        bodies = [{"data": {"type": "service_types", "attributes": change}} for change in changes]
        at_once(
            *(lambda body=body, pk=row.pk: api.patch(f"service_types/{pk}", json=body) for body in bodies)
        )
        row.refresh_from_db()
        assert (row.name, row.description) == (f"Name {n}", f"Text {n}")


def test_concurrent_archiving_keeps_one_time(world: tuple[Any, Api]) -> None:
    organization, api = world
    for _ in range(ROUNDS):
        path = f"service_types/{ServiceTypeFactory(organization=organization).pk}/archive"
        answers = at_once(*[lambda path=path: api.patch(path)] * THREADS)
        assert {a.status for a in answers} == {200}
        assert len({a.data["attributes"]["archived_at"] for a in answers}) == 1


@pytest.mark.parametrize("source", ["new", "moved"])
def test_service_type_can_not_be_used_after_concurrent_archiving(source: str, world: tuple[Any, Api]) -> None:
    organization, api = world
    deal, active_type = DealFactory(organization=organization), ServiceTypeFactory(organization=organization)
    rejected = 0
    for _ in range(ROUNDS):
        taken = ServiceTypeFactory(organization=organization)
        values = {"name": "Taken", "deal_id": deal.pk, "service_type_id": taken.pk}
        body = {"data": {"type": "services", "attributes": values}}
        if source == "new":
            takers = [lambda body=body: api.post("services", json=body)] * (THREADS - 1)
        else:
            rows = [
                ServiceFactory(deal=deal, service_type=active_type, organization=organization)
                for _ in range(7)
            ]
            takers = [lambda body=body, pk=row.pk: api.patch(f"services/{pk}", json=body) for row in rows]
        *took, archived = at_once(*takers, lambda pk=taken.pk: api.patch(f"service_types/{pk}/archive"))
        assert archived.status == 200
        assert {a.status for a in took} <= {200, 201, 422}
        lost = [a for a in took if a.status == 422]
        assert all(a.invalid == [("service_type", "is archived")] for a in lost)
        rejected += len(lost)
        taken.refresh_from_db()
        written = Service.history.filter(service_type_id=taken.pk)
        assert written.count() == len(took) - len(lost)
        assert not written.filter(history_date__gt=taken.archived_at).exists()
    assert rejected


def test_concurrent_changes_that_conflict_are_not_both_saved(world: tuple[Any, Api]) -> None:
    organization, api = world
    for _ in range(ROUNDS):
        deal = DealFactory(organization=organization, date="2026-05-01", end_date="2026-05-31")
        bodies = [
            {"data": {"type": "deals", "attributes": change}}
            for change in ({"date": "2026-05-20"}, {"end_date": "2026-05-10"})
        ]
        answers = at_once(
            *(lambda body=body, pk=deal.pk: api.patch(f"deals/{pk}", json=body) for body in bodies)
        )
        assert Counter(a.status for a in answers) == {200: 1, 422: 1}
        (loser,) = [a for a in answers if a.status == 422]
        assert loser.invalid == [("end_date", "must not be before the start date")]


def test_pages_during_writes_have_each_row_once_and_no_foreign_rows(world: tuple[Any, Api]) -> None:
    """While rows are created and deleted, rows that exist throughout appear at least once."""
    organization, api = world
    ServiceTypeFactory.create_batch(3, name="Same")
    ours = {row.pk for row in ServiceTypeFactory.create_batch(500, organization=organization, name="Same")}
    pages = [f"service_types?page[size]=50&page[number]={number}" for number in range(1, 11)]
    listed_ids = [pk for page in pages for pk in api.get(page).ids]
    assert sorted(listed_ids) == sorted(ours)

    def write() -> Answer:
        body = {"data": {"type": "service_types", "attributes": {"name": "Same"}}}
        for _ in range(2 * ROUNDS):
            created = api.post("service_types", json=body)
            assert created.status == 201
            last = api.delete(f"service_types/{created.data['id']}")
        return last

    def walk() -> Answer:
        found = set[int]()
        for page in [*pages, pages[-1].replace("=10", "=11")]:
            answer = api.get(page)
            assert answer.status == 200
            assert {row["relationships"]["organization"]["data"]["id"] for row in answer.data} <= {
                str(organization.pk)
            }
            found.update(answer.ids)
        # The order ends with the id, and new ids are higher, so new rows come last.
        assert found >= ours
        return answer

    assert Counter(a.status for a in at_once(write, write, walk, walk)) == {204: 2, 200: 2}


def test_token_is_rejected_after_revocation(world: tuple[Any, Api]) -> None:
    _, api = world
    revoked = Event()

    def send() -> list[tuple[bool, int]]:
        answers = []
        while len([late for late, _ in answers if late]) < 20:
            # Read before the request is sent.
            is_late = revoked.is_set()
            answers.append((is_late, api.get("organizations").status))
        connection.close()
        return answers

    with ThreadPoolExecutor(4) as pool:
        futures = [pool.submit(send) for _ in range(4)]
        while api.get("organizations").status != 200:
            pass
        ApiToken.objects.get(name=api.token).revoke()
        revoked.set()
        answers = Counter(answer for each in futures for answer in each.result())
    assert answers[True, 401] == 80
    assert answers.keys() <= {(True, 401), (False, 200), (False, 401)}
