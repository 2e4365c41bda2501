"""What the cells of a board show: whether the person is assigned, and what the tracking rule decides."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from enum import StrEnum
from typing import Any, NamedTuple

from django.db.models import Count, F, OuterRef

from assignments.models import ProjectAssignment, ServiceTypeAssignment
from assignments.state_badges import COLORS, badge_note, badge_title
from assignments.tracking import (
    ALLOWANCES,
    REFUSALS,
    Facts,
    Kind,
    apply_rule,
    assignment_checks,
    budget_checks,
    check_person,
    fact_rows,
    trackable_by,
)
from assignments.tracking_today import states_on
from catalog.models import Project, Service, ServiceType
from productive.accounts.models import Person

# The id of a person and of a column's record.
Pair = tuple[int, int]


class Mark(StrEnum):
    """Whether the person is assigned, and can track today."""

    TRACKS = "y"
    # Assigned, but can't track.
    NO_EFFECT = "v"
    # Can track without being assigned.
    OPEN = "o"
    NONE = "n"


class Cell(NamedTuple):
    """A cell: its mark, and why, as one sentence."""

    mark: Mark
    why: str

    @classmethod
    def of(cls, why: str, *, is_assigned: bool, can_track: bool) -> Cell:
        marks = (Mark.TRACKS, Mark.NO_EFFECT) if is_assigned else (Mark.OPEN, Mark.NONE)
        return cls(marks[0] if can_track else marks[1], why)


class State(NamedTuple):
    """Who can track in a column: a short text, a note, and a color of the theme."""

    title: str
    note: str = ""
    color: str = "default"


@dataclass
class Grid:
    """The cells of some people and columns, in their order."""

    cells: list[list[Cell]]
    # The number of people who are assigned to a column, on other pages, too.
    counts: Mapping[int, int]
    # Not all columns have one.
    states: Mapping[int, State] = field(default_factory=dict)
    # The people for whom the board's project has an assignment.
    members: Collection[int] = ()


def service_grid(
    people: Sequence[Person], services: Sequence[Service], assigned: Collection[Pair], today: date
) -> Grid:
    """Return what the tracking rule decides for each person and service.

    It takes two queries. The rule is evaluated once for each service and combination of facts, because a
    board has few of these and thousands of pairs.
    """
    ids = [service.pk for service in services]
    projects = {service.deal.project_id for service in services}
    found: dict[str, dict[Pair, int]] = defaultdict(dict)
    for name, pk, number in fact_rows(
        [person.pk for person in people], projects, ids, {service.service_type_id for service in services}
    ):
        found[name][(pk, number) if name != "count" else (pk, 0)] = number
    members, holders = found["project"], found["service_type"]
    counts = {pk: number for (pk, _), number in found["count"].items()}
    known: dict[tuple[int, bool, Facts], Cell] = {}
    cells = []
    for person in people:
        row = []
        for service in services:
            facts = Facts(
                is_member=(service.deal.project_id, person.pk) in members,
                assignee_count=counts.get(service.pk, 0),
                is_assigned=(person.pk, service.pk) in assigned,
                holds_type=(service.service_type_id, person.pk) in holders,
            )
            key = service.pk, person.archived_at is None, facts
            if key not in known:
                known[key] = decide_cell(person, service, facts, today)
            row.append(known[key])
        cells.append(row)
    return Grid(cells, counts, column_states(services, today), {person for _, person in members})


def column_states(services: Sequence[Service], today: date) -> dict[int, State]:
    """Return the states of the services by id. It takes one query."""
    by_id = {service.pk: service for service in services}
    return {
        pk: State(
            badge_title(open_to).removesuffix(" on the project"),
            badge_note(by_id[pk], open_to.state),
            COLORS.get(open_to.state, "danger"),
        )
        for pk, open_to in states_on(today, [*by_id]).items()
    }


def decide_cell(person: Person, service: Service, facts: Facts, today: date) -> Cell:
    """Apply the tracking rule to both kinds.

    Of two refusals, the one for which less is missing is shown.
    """
    decisions = [
        apply_rule(
            person,
            service,
            today,
            kind,
            (
                check_person(person),
                *budget_checks(service, today, kind),
                *assignment_checks(person, service, facts),
            ),
        )
        for kind in Kind
    ]
    allowed = [decision for decision in decisions if decision.allowed]
    shown = allowed[0] if allowed else min(decisions, key=lambda decision: len(decision.reasons))
    texts = [(ALLOWANCES | REFUSALS)[reason.code] for reason in shown.reasons]
    if len(allowed) == 1:
        texts.append("only time" if shown.kind is Kind.TIME else "only expenses")
    return Cell.of("; ".join(texts), is_assigned=facts.is_assigned, can_track=bool(allowed))


def project_grid(
    people: Sequence[Person], projects: Sequence[Project], assigned: Collection[Pair], today: date
) -> Grid:
    """Return whether people are on the projects, and can track on any of their services."""
    tracked = tracked_pairs(people, "deal__project", projects, today)
    texts = {
        (True, True): "on the project, and can track on it",
        (True, False): "on the project, but can't track on any of its services today",
        (False, False): "not on the project",
    }
    return pair_grid(people, projects, assigned, tracked, texts, ProjectAssignment.project)


def service_type_grid(
    people: Sequence[Person], types: Sequence[ServiceType], assigned: Collection[Pair], today: date
) -> Grid:
    """Return whether people hold the service types, and can track on any service of these."""
    tracked = tracked_pairs(people, "service_type", types, today)
    texts = {
        (True, True): "holds the type, and can track on services of it",
        (True, False): "holds the type, but can't track on any service of it today",
        (False, True): "can track on services of the type, whose budgets aren't restricted to it",
        (False, False): "doesn't hold the type",
    }
    return pair_grid(people, types, assigned, tracked, texts, ServiceTypeAssignment.service_type)


def pair_grid(
    people: Sequence[Person],
    columns: Sequence[Any],
    assigned: Collection[Pair],
    tracked: Collection[Pair],
    texts: Mapping[tuple[bool, bool], str],
    relation: Any,
) -> Grid:
    """Return the grid of assignments that aren't to services. It takes a query for the counts."""
    cells = []
    for person in people:
        pairs = ((person.pk, column.pk) for column in columns)
        flags = [(pair in assigned, pair in tracked) for pair in pairs]
        cells.append([Cell.of(texts[each], is_assigned=each[0], can_track=each[1]) for each in flags])
    model, name = relation.field.model, relation.field.name
    rows = model.objects.filter(**{f"{name}__in": [column.pk for column in columns]}).order_by()
    return Grid(cells, dict(rows.values(name).annotate(number=Count("pk")).values_list(name, "number")))


def tracked_pairs(
    people: Sequence[Person], path: str, columns: Sequence[Any], today: date
) -> set[tuple[int, int]]:
    """Return the pairs of a person and a column with a service that the person can track on today.

    `path` leads from a service to the column's record.
    """
    services: Any = (
        Service.objects.filter(**{f"{path}__in": [column.pk for column in columns]})
        .annotate(member=F("deal__project__project_assignments__person"))
        .filter(member__in=[person.pk for person in people])
    )
    trackable: Any = trackable_by(services, OuterRef("member"), today, None).order_by()
    return set(trackable.values_list("member", path).distinct())
