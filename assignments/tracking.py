"""Who may track time or log expenses where, and why not: one rule, asked in two ways.

`decide` judges one person on one service and gives every reason; `trackable_by` and `who_may_track` are the
same rule as querysets, for lists of any length. None of them knows a clock or a request: the day is given.

One module, long as it is: whoever changes one reading of the rule must have the other before them.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from typing import Any, NamedTuple

from django.db import models
from django.db.models import Count, Exists, F, OuterRef, Q, Value

from assignments.models import ProjectAssignment, ServiceAssignment, ServiceTypeAssignment
from catalog.models import Deal, Project, Service, ServiceType
from productive.accounts.models import Person

# The rule, in its order: the first that fails decides, all that fail are told.
REFUSALS = {
    "person_archived": "the person is archived",
    "project_archived": "the budget's project is archived",
    "budget_closed": "the budget is closed",
    "outside_budget_dates": "the day is before the budget's start date or after its end date",
    "time_tracking_disabled": "time tracking is switched off on the service",
    "expense_tracking_disabled": "expense tracking is switched off on the service",
    "not_project_member": "the person is not assigned to the budget's project",
    "not_assigned": (
        "the budget is restricted by person, somebody is assigned to the service, and this person is not"
    ),
    "service_type_not_assigned": (
        "the budget is restricted by service type and the person does not hold the service's type"
    ),
}
ALLOWANCES = {
    "open": "the budget is not restricted",
    "nobody_assigned": (
        "the budget is restricted by person, but nobody is assigned to the service:"
        " the restriction is ignored until somebody is"
    ),
    "assigned": "the budget is restricted by person, and the person is assigned to the service",
    "service_type_assigned": "the budget is restricted by service type, and the person holds the type",
}

PAIRS_PER_QUERY = 1_000


class Kind(StrEnum):
    TIME = "time"
    EXPENSE = "expense"


class Outcome(StrEnum):
    PASSED = "passed"
    FAILED = "failed"
    # The budget doesn't restrict by it, so the rule doesn't ask.
    NOT_REACHED = "not reached"


@dataclass(frozen=True, slots=True)
class Reason:
    """A code of REFUSALS or ALLOWANCES, the same in a sentence that names the records, and the record that
    would have to change."""

    code: str
    message: str
    about: models.Model


@dataclass(frozen=True, slots=True)
class Check:
    """One line of the rule as it came out for a pair."""

    outcome: Outcome
    reason: Reason


@dataclass(frozen=True, slots=True)
class Decision:
    """Whether the person may, why or why not, and every line of the rule in its order."""

    person: Person
    service: Service
    on_date: date
    kind: Kind
    allowed: bool
    reasons: tuple[Reason, ...]
    checks: tuple[Check, ...]

    def __str__(self) -> str:
        what = "track time" if self.kind is Kind.TIME else "log expenses"
        where = f"{self.service} on {self.service.deal}"
        can = "can" if self.allowed else "can't"
        why = self.reasons[0].message
        return f"{self.person} {can} {what} for {where} on {spelled(self.on_date)}: {why}."


class Facts(NamedTuple):
    """What assignments say of one person and one service. `assigned` counts everybody's, archived or not."""

    is_member: bool
    assigned: int
    is_assigned: bool
    holds_type: bool


# --- one pair -------------------------------------------------------------------------------------


def decide(person: Person, service: Service, on_date: date, kind: Kind) -> Decision:
    """Whether the person may track on the service on that day. Two queries at most, one where the service
    comes with its budget, project and type. Raise ValueError for records of two organizations."""
    if person.organization_id != service.organization_id:
        raise ValueError("the person and the service belong to different organizations")
    if not is_loaded(service):
        service = with_budget(Service.objects.filter(pk=service.pk)).get()
    return next(decide_all([(person, service)], on_date, kind))


def decide_all(pairs: Sequence[tuple[Person, Service]], on_date: date, kind: Kind) -> Iterator[Decision]:
    """The decision for each pair, in their order, with one query for each PAIRS_PER_QUERY of them.

    The services must come `with_budget`.
    """
    for start in range(0, len(pairs), PAIRS_PER_QUERY):
        chunk = pairs[start : start + PAIRS_PER_QUERY]
        for (person, service), facts in zip(chunk, facts_of(chunk), strict=True):
            yield judge(person, service, on_date, kind, facts)


def with_budget(services: models.QuerySet[Service]) -> models.QuerySet[Service]:
    return services.select_related("deal__project", "service_type")


def is_loaded(service: Service) -> bool:
    state = service._state.fields_cache
    return "deal" in state and "service_type" in state and "project" in state["deal"]._state.fields_cache


def facts_of(pairs: Sequence[tuple[Person, Service]]) -> Iterator[Facts]:
    people = {person.pk for person, _ in pairs}
    services = {service.pk for _, service in pairs}
    projects = {service.deal.project_id for _, service in pairs}
    types = {service.service_type_id for _, service in pairs}

    def theirs(model: Any, name: str, ids: set[int]) -> Any:
        rows = model.objects.filter(**{f"{name}__in": ids}, person__in=people).order_by()
        return rows.values_list(Value(name), F(f"{name}_id"), F("person_id"))

    found = set(
        theirs(ProjectAssignment, "project", projects).union(
            theirs(ServiceAssignment, "service", services),
            theirs(ServiceTypeAssignment, "service_type", types),
            ServiceAssignment.objects.filter(service__in=services)
            .order_by()
            .values("service")
            .values_list(Value("count"), F("service_id"), Count("pk")),
            all=True,
        )
    )
    counts = {pk: number for name, pk, number in found if name == "count"}
    for person, service in pairs:
        yield Facts(
            is_member=("project", service.deal.project_id, person.pk) in found,
            assigned=counts.get(service.pk, 0),
            is_assigned=("service", service.pk, person.pk) in found,
            holds_type=("service_type", service.service_type_id, person.pk) in found,
        )


def judge(person: Person, service: Service, on_date: date, kind: Kind, facts: Facts) -> Decision:
    """The rule itself, on facts alone: no query, no clock."""
    checks = (
        *budget_checks(person, service, on_date, kind),
        *assignment_checks(person, service, facts),
    )
    refusals = tuple(check.reason for check in checks if check.outcome is Outcome.FAILED)
    if refusals:
        return Decision(person, service, on_date, kind, False, refusals, checks)
    allowances = tuple(
        check.reason
        for check in checks
        if check.outcome is Outcome.PASSED and check.reason.code in ALLOWANCES
    )
    deal = service.deal
    is_open = Reason("open", f"{deal} is not restricted: everybody on {deal.project} may track on it", deal)
    return Decision(person, service, on_date, kind, True, allowances or (is_open,), checks)


def check(code: str, passes: bool, about: models.Model, *, yes: str, no: str) -> Check:
    outcome = Outcome.PASSED if passes else Outcome.FAILED
    return Check(outcome, Reason(code, yes if passes else no, about))


def budget_checks(person: Person, service: Service, on_date: date, kind: Kind) -> Iterator[Check]:
    """What holds for everybody alike."""
    deal: Deal = service.deal
    project: Project = deal.project
    yield check(
        "person_archived",
        person.archived_at is None,
        person,
        yes=f"{person} is active",
        no=f"{person} is archived",
    )
    yield check(
        "project_archived",
        project.archived_at is None,
        project,
        yes=f"The project {project} is active",
        no=f"The project {project} is archived",
    )
    yield check(
        "budget_closed",
        deal.closed_at is None,
        deal,
        yes=f"The budget {deal} is open",
        no=f"The budget {deal} is closed",
    )
    too_early = deal.date is not None and on_date < deal.date
    yield check(
        "outside_budget_dates",
        not too_early and (deal.end_date is None or on_date <= deal.end_date),
        deal,
        yes=f"{spelled(on_date)} is within the dates of {deal}",
        no=f"{spelled(on_date)} is before {deal} starts, on {spelled(deal.date)}"
        if too_early
        else f"{spelled(on_date)} is after {deal} ended, on {spelled(deal.end_date)}",
    )
    word = "Time" if kind is Kind.TIME else "Expense"
    yield check(
        f"{kind}_tracking_disabled",
        service.time_tracking_enabled if kind is Kind.TIME else service.expense_tracking_enabled,
        service,
        yes=f"{word} tracking is switched on for {service} on {deal}",
        no=f"{word} tracking is switched off for {service} on {deal}",
    )


def assignment_checks(person: Person, service: Service, facts: Facts) -> Iterator[Check]:
    """What holds for this person."""
    deal: Deal = service.deal
    project: Project = deal.project
    service_type: ServiceType = service.service_type
    yield check(
        "not_project_member",
        facts.is_member,
        project,
        yes=f"{person} is on the project {project}",
        no=f"{person} is not on the project {project}",
    )
    if not deal.person_restricted_tracking:
        message = f"{deal} is not restricted by person"
        yield Check(Outcome.NOT_REACHED, Reason("not_assigned", message, deal))
    elif facts.assigned == 0:
        message = f"Nobody is assigned to {service} on {deal}: its restriction is ignored until somebody is"
        yield Check(Outcome.PASSED, Reason("nobody_assigned", message, service))
    else:
        others = "the one person" if facts.assigned == 1 else f"among the {facts.assigned:,} people"
        yield check(
            "assigned" if facts.is_assigned else "not_assigned",
            facts.is_assigned,
            service,
            yes=f"{person} is assigned to {service} on {deal}",
            no=f"{person} is not {others} assigned to {service} on {deal}",
        )
    if not deal.service_type_restricted_tracking:
        message = f"{deal} is not restricted by service type"
        yield Check(Outcome.NOT_REACHED, Reason("service_type_not_assigned", message, deal))
    else:
        yield check(
            "service_type_assigned" if facts.holds_type else "service_type_not_assigned",
            facts.holds_type,
            service_type,
            yes=f"{person} holds the service type {service_type}",
            no=f"{person} does not hold the service type {service_type}, which {deal} is restricted to",
        )


def spelled(day: date | None) -> str:
    return "" if day is None else f"{day.day} {day:%B %Y}"


# --- sets -----------------------------------------------------------------------------------------


def open_budget(on_date: date, deal: str = "") -> list[Q]:
    """The budget at this path ("" is the row itself) takes what is tracked on the day."""
    return [
        Q((f"{deal}date", None)) | Q((f"{deal}date__lte", on_date)),
        Q((f"{deal}end_date", None)) | Q((f"{deal}end_date__gte", on_date)),
        Q((f"{deal}closed_at", None)),
    ]


def lets_in(deal: str, everybody: Any, assigned: Any, holds: Any) -> list[Any]:
    """What the restrictions of the budget at this path ask of a person's assignments, and of everybody's."""
    return [
        Q((f"{deal}person_restricted_tracking", False)) | ~Exists(everybody) | Exists(assigned),
        Q((f"{deal}service_type_restricted_tracking", False)) | Exists(holds),
    ]


def trackable_by(
    services: models.QuerySet[Service], person: Any, on_date: date, kind: Kind
) -> models.QuerySet[Service]:
    """Those of the services that the person (an id, or a reference in an outer query) may track on."""
    assigned = ServiceAssignment.objects.filter(service=OuterRef("pk"))
    # Of this person's projects alone, which loses nothing: asked for all, a database may read all there are.
    everybodys = assigned.filter(service__deal__project__project_assignments__person=person)
    holders = ServiceTypeAssignment.objects.filter(service_type=OuterRef("service_type"))
    # The few budgets of the person's projects first; what is asked of a service is asked within these.
    deals = Deal.objects.filter(
        *open_budget(on_date),
        project__project_assignments__person=person,
        project__project_assignments__person__archived_at=None,
        project__archived_at=None,
    )
    return services.filter(
        *lets_in("deal__", everybodys, assigned.filter(person=person), holders.filter(person=person)),
        deal__in=deals,
        **{f"{kind}_tracking_enabled": True},
    )


def trackable_somewhere(on_date: date) -> models.Subquery:
    """One membership, if there is any, that lets an active person of the outer query track time or expenses.

    `trackable_by`, begun at the few projects of a person, as it must be for thousands of people. One is asked
    for, not whether there is any: for that PostgreSQL would look through everybody's services.
    """
    deal, service = "project__deals__", "project__deals__services"
    assigned = ServiceAssignment.objects.filter(service=OuterRef(service))
    holds = ServiceTypeAssignment.objects.filter(
        service_type=OuterRef(f"{service}__service_type"), person=OuterRef("person")
    )
    memberships = ProjectAssignment.objects.filter(
        *open_budget(on_date, deal),
        *lets_in(deal, assigned, assigned.filter(person=OuterRef("person")), holds),
        Q((f"{service}__time_tracking_enabled", True)) | Q((f"{service}__expense_tracking_enabled", True)),
        project__archived_at=None,
        person=OuterRef("pk"),
    )
    return models.Subquery(memberships.order_by().values("pk")[:1])


def who_may_track(
    people: models.QuerySet[Person], services: Collection[int], on_date: date, kind: Kind
) -> models.QuerySet[Person]:
    """Those of the people who may track on at least one of the services (ids)."""
    these = Service.objects.filter(pk__in=services)
    # Said twice: the members alone are few, and the rest of the rule need be asked for them only.
    members = ProjectAssignment.objects.filter(project__deals__services__in=services).values("person")
    return people.filter(Exists(trackable_by(these, OuterRef(OuterRef("pk")), on_date, kind)), pk__in=members)
