"""Check that `make size` runs and that responses are right, whatever the figures."""

from __future__ import annotations

import pytest

from productive.accounts.models import ApiToken, Organization, Person, User
from tests.benchmarks.size.report import row
from tests.benchmarks.size.work import PROJECTS, SERVICES, CheckedRequest, Listed, alike, tenants
from tests.benchmarks.smoke import works_measured_by
from tests.support.api import Api
from tests.support.factories import (
    OrganizationFactory,
    PersonFactory,
    ProjectAssignmentFactory,
    ServiceAssignmentFactory,
)

pytestmark = pytest.mark.no_cover

WORKS = [
    "30 service assignments",
    "200 service assignments",
    "30 service assignments, newest first",
    "page 30,000 of service assignments",
    "last page of service assignments",
    "service assignments after a cursor",
    "30 project assignments",
    "200 project assignments",
    "30 project assignments, newest first",
    "page 30,000 of project assignments",
    "last page of project assignments",
    "project assignments after a cursor",
    "service assignments of one person",
    "project assignments of one project",
    "one service assignment",
    "one project assignment",
    "create a project assignment",
    "delete it",
]


@pytest.mark.any_database
def test_command_measures_every_work_on_this_database() -> None:
    assert works_measured_by("tests.benchmarks.size") == WORKS


def test_measurement_leaves_organization_unchanged(organization: Organization) -> None:
    ServiceAssignmentFactory(organization=organization)
    ProjectAssignmentFactory(organization=organization)

    def counts() -> list[int]:
        return [model.objects.count() for model in (ApiToken, User, Person)]

    before = counts()
    with tenants([organization]) as (tenant,):
        tenant.check()
        assert [*tenant.timed_requests()()] == WORKS
        assert counts() == [number + 1 for number in before]
    assert counts() == before


def test_response_that_differs_from_the_rows_is_rejected(api: Api, organization: Organization) -> None:
    created = ProjectAssignmentFactory.create_batch(3, organization=organization)
    ids = [assignment.pk for assignment in created]
    CheckedRequest(PROJECTS, ids, 3).check(api)
    CheckedRequest(f"{PROJECTS}/{ids[0]}", ids[:1]).check(api)
    for wrong in (
        CheckedRequest(PROJECTS, ids[::-1], 3),
        CheckedRequest(PROJECTS, ids, 4),
        CheckedRequest(PROJECTS, ids),
        CheckedRequest(f"{PROJECTS}/{ids[0]}", ids[1:2]),
        CheckedRequest(f"{PROJECTS}/{ids[-1] + 1}", ids[:1]),
    ):
        with pytest.raises(AssertionError):
            wrong.check(api)


@pytest.mark.django_db
def test_ids_with_a_typical_number_of_rows_come_first() -> None:
    lists, people = [], []
    for numbers in ((2, 2, 1), (1, 2, 3)):
        owner = OrganizationFactory()
        theirs = PersonFactory.create_batch(3, organization=owner)
        for number, person in zip(numbers, theirs, strict=True):
            ServiceAssignmentFactory.create_batch(number, organization=owner, person=person)
        lists.append(Listed(SERVICES, owner))
        people.append([person.pk for person in theirs])
    ours, others = alike(lists, "person_id")
    assert set(ours[:2]) == set(people[0][:2])
    assert others[0] == people[1][1]


def test_row_compares_figures_with_targets() -> None:
    firsts = {"first page": {"small": 2.0, "large": 2.0}}
    ms = {"small": 2.0, "large": 4.0}

    def cells(far: dict[str, object] | None) -> list[str]:
        return row({"work": "work", "ms": ms, "far": far}, "small", ["large"], firsts)

    assert cells(None) == ["work", "2.0 ms", "4.0 ms", "2.00 (≤ 1.5 ✗)", ""]
    assert cells({"near": "first page", "by_number": False})[3:] == ["2.00 (≤ 1.5 ✗)", "2.00 (≤ 3 ✓)"]
    assert cells({"near": "first page", "by_number": True})[3:] == ["2.00", "2.00 (≤ 3 ✓)"]
