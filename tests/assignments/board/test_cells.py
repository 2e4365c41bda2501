"""Test that the cells of the staffing boards show what the tracking rule decides."""

from __future__ import annotations

from itertools import product
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assignments.board.cells import (
    Mark,
    decide_cell,
    project_grid,
    service_grid,
    service_type_grid,
)
from assignments.models import ProjectAssignment, ServiceAssignment, ServiceTypeAssignment
from assignments.tracking import Facts, Kind, decide, with_budget
from assignments.tracking_today import ServiceState as State
from catalog.models import Project, Service, ServiceType
from productive.accounts.models import Organization
from tests.support.databases import rolled_back
from tests.support.factories import OrganizationFactory, PersonFactory
from tests.support.samples import fuzz_settings
from tests.support.states import create_service_of_each_state
from tests.support.worlds import TODAY, build

pytestmark = pytest.mark.django_db


@pytest.fixture
def organization() -> Organization:
    return OrganizationFactory()


def pairs_of(model: Any, name: str) -> set[Any]:
    return set(model.objects.values_list("person", name))


def mark(*, is_assigned: bool, can_track: bool) -> Mark:
    if is_assigned:
        return Mark.TRACKS if can_track else Mark.NO_EFFECT
    return Mark.OPEN if can_track else Mark.NONE


def test_cells_agree_with_the_rule(organization: Organization) -> None:
    """Compare each cell of generated records with `decide()`, for services and for what groups them."""

    @fuzz_settings(8)
    @given(st.data())
    def compare(data: Any) -> None:
        with rolled_back():
            people, _ = build(data.draw, organization)
            services = list(with_budget(Service.objects.order_by("pk")))
            tracks = {
                (person.pk, service.pk)
                for person, service, kind in product(people, services, Kind)
                if decide(person, service, TODAY, kind).allowed
            }
            for grid_of, columns, model, name, path in (
                (service_grid, services, ServiceAssignment, "service", "pk"),
                (project_grid, Project.objects.all(), ProjectAssignment, "project", "deal.project_id"),
                (
                    service_type_grid,
                    ServiceType.objects.all(),
                    ServiceTypeAssignment,
                    "service_type",
                    "service_type_id",
                ),
            ):
                assigned = pairs_of(model, name)
                grid = grid_of(people, list(columns), assigned, TODAY)
                tracked = {
                    (p, value_at(s, path))
                    for p in (one.pk for one in people)
                    for s in services
                    if (p, s.pk) in tracks
                }
                expected = [
                    [
                        mark(is_assigned=pair in assigned, can_track=pair in tracked)
                        for pair in ((person.pk, column.pk) for column in columns)
                    ]
                    for person in people
                ]
                assert [[cell.mark for cell in row] for row in grid.cells] == expected, name
                assert dict(grid.counts) == counted(assigned)

    compare()


def value_at(service: Service, path: str) -> Any:
    value: Any = service
    for name in path.split("."):
        value = getattr(value, name)
    return value


def counted(assigned: set[Any]) -> dict[int, int]:
    columns = [column for _, column in assigned]
    return {column: columns.count(column) for column in columns}


@pytest.mark.any_database
def test_cells_and_columns_say_why(organization: Organization) -> None:
    services = create_service_of_each_state(organization)
    ordered = list(with_budget(Service.objects.order_by("pk")))
    outsider = PersonFactory(organization=organization)
    grid = service_grid([outsider], ordered, set(), organization.today())
    texts = {service.pk: cell.why for service, cell in zip(ordered, grid.cells[0], strict=True)}
    assert texts[services[State.OPEN].pk] == "the person is not assigned to the budget's project"
    assert texts[services[State.BUDGET_CLOSED].pk] == (
        "the budget is closed; the person is not assigned to the budget's project"
    )
    titles = {state: grid.states[service.pk].title for state, service in services.items()}
    assert titles[State.OPEN] == titles[State.OPEN_NOBODY_ASSIGNED] == "Everybody"
    assert titles[State.RESTRICTED] == "1 person"
    assert grid.states[services[State.TRACKING_DISABLED].pk] == (
        "Nobody",
        "time and expense tracking are off",
        "danger",
    )
    service = services[State.OPEN]
    service.expense_tracking_enabled = False
    facts = Facts(is_member=True, assignee_count=1, is_assigned=True, holds_type=False)
    assert decide_cell(outsider, service, facts, organization.today()) == (
        Mark.TRACKS,
        "the budget is not restricted; only time",
    )
