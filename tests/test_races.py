"""Lost races are ordinary answers: real threads against PostgreSQL, released together by a barrier.

Whoever loses gets the documented refusal, never a 5xx, and no rule is broken afterwards.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any

import pytest
from django.db import connection

from assignments.models import ProjectAssignment, ServiceAssignment, ServiceTypeAssignment
from catalog.models import Service, ServiceType
from tests.api import Answer, Api
from tests.factories import (
    ApiTokenFactory,
    OrganizationFactory,
    PersonFactory,
    ProjectFactory,
    ServiceAssignmentFactory,
    ServiceFactory,
    ServiceTypeFactory,
)

pytestmark = [pytest.mark.postgresql, pytest.mark.django_db(transaction=True)]

THREADS, ROUNDS = 8, 10


def at_once(*calls: Callable[[], Answer]) -> list[Answer]:
    """Run all of these at the same moment, each on a connection of its own."""
    barrier = Barrier(len(calls))

    def run(call: Callable[[], Answer]) -> Answer:
        try:
            barrier.wait(10)
            return call()
        finally:
            connection.close()

    with ThreadPoolExecutor(len(calls)) as pool:
        return list(pool.map(run, calls))


@pytest.fixture
def world() -> tuple[Any, Api]:
    organization = OrganizationFactory()
    return organization, Api(ApiTokenFactory(organization=organization).name)


@pytest.mark.parametrize(
    ("resource", "factory", "name", "kind", "model", "refusal"),
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
def test_pair_made_many_times_at_once_is_made_once(
    resource: str,
    factory: Any,
    name: str,
    kind: str,
    model: Any,
    refusal: tuple[str, str],
    world: tuple[Any, Api],
) -> None:
    organization, api = world
    for _ in range(ROUNDS):
        person, other = PersonFactory(organization=organization), factory(organization=organization)
        attributes = {"person_id": person.pk, f"{name}_id": other.pk}
        body = {"data": {"type": resource, "attributes": attributes}}
        answers = at_once(*[lambda body=body: api.post(resource, json=body)] * THREADS)
        assert Counter(a.status for a in answers) == {201: 1, 422: THREADS - 1}
        assert {tuple(a.invalid) for a in answers if a.status == 422} == {(refusal,)}
        assert model.objects.filter(person=person, **{name: other}).count() == 1


def test_assignments_moved_to_one_service_at_once_leave_one_pair(world: tuple[Any, Api]) -> None:
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
def test_assignment_made_while_its_parent_is_deleted_leaves_no_orphan(
    parent: str, world: tuple[Any, Api]
) -> None:
    organization, api = world
    for _ in range(ROUNDS):
        person, service = PersonFactory(organization=organization), ServiceFactory(organization=organization)
        attributes = {"person_id": person.pk, "service_id": service.pk}
        body = {"data": {"type": "service_assignments", "attributes": attributes}}
        path = f"people/{person.pk}" if parent == "people" else f"services/{service.pk}"
        made, deleted = at_once(
            lambda body=body: api.post("service_assignments", json=body), lambda path=path: api.delete(path)
        )
        assert deleted.status == 204
        assert made.status in (201, 422)
        assert not ServiceAssignment.objects.filter(person_id=person.pk).exists()


def test_service_type_deleted_while_a_service_takes_it_is_refused_or_gone(world: tuple[Any, Api]) -> None:
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


def test_record_deleted_many_times_at_once_is_deleted_once(world: tuple[Any, Api]) -> None:
    organization, api = world
    for _ in range(ROUNDS):
        path = f"service_assignments/{ServiceAssignmentFactory(organization=organization).pk}"
        answers = at_once(*[lambda path=path: api.delete(path)] * THREADS)
        assert Counter(a.status for a in answers) == {204: 1, 404: THREADS - 1}


def test_updated_while_deleted_does_not_come_back(world: tuple[Any, Api]) -> None:
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


def test_two_attributes_changed_at_once_both_survive(world: tuple[Any, Api]) -> None:
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


def test_archived_many_times_at_once_keeps_one_moment(world: tuple[Any, Api]) -> None:
    organization, api = world
    for _ in range(ROUNDS):
        path = f"service_types/{ServiceTypeFactory(organization=organization).pk}/archive"
        answers = at_once(*[lambda path=path: api.patch(path)] * THREADS)
        assert {a.status for a in answers} == {200}
        assert len({a.data["attributes"]["archived_at"] for a in answers}) == 1
