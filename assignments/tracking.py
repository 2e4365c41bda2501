"""The tracking rule: who may track time or log expenses on which service.

`decide()` applies the rule to one person and one service, and returns all reasons. `trackable_by()`,
`trackable_membership()` and `who_may_track()` are the same rule as querysets. All of them take the day as an
argument.

Both forms are in one module because a change of the rule must change both.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from datetime import date
from enum import StrEnum
from functools import lru_cache
from itertools import chain, islice
from typing import Any, NamedTuple

from django.db import models
from django.db.models import Count, Exists, F, OuterRef, Q, Value

from assignments.models import ProjectAssignment, ServiceAssignment, ServiceTypeAssignment
from catalog.models import Deal, Service
from productive.accounts.models import Person
from productive.database.query_cache import MAX_COMPILED_IDS, CompiledQuery, padded

# The reason codes and their meanings, in the order of the checks. The first failed check is the main reason,
# but all of them are reported.
REFUSALS = {
    "person_archived": "the person is archived",
    "project_archived": "the budget's project is archived",
    "budget_closed": "the budget is closed",
    "outside_budget_dates": "the day is before the budget's start date or after its end date",
    "time_tracking_disabled": "time tracking is switched off on the service",
    "expense_tracking_disabled": "expense tracking is switched off on the service",
    "not_project_member": "the person is not assigned to the budget's project",
    "not_assigned": (
        "the budget is restricted by person, the service has assignees, and the person is not one of them"
    ),
    "service_type_not_assigned": (
        "the budget is restricted by service type and the person does not hold the service's type"
    ),
}
ALLOWANCES = {
    "open": "the budget is not restricted",
    "nobody_assigned": (
        "the budget is restricted by person, but the service has no assignees:"
        " the restriction is ignored until it has one"
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
    # The budget doesn't have this restriction.
    SKIPPED = "skipped"


class Reason(NamedTuple):
    """Why a person may or may not track.

    `code` is a key of REFUSALS or ALLOWANCES, `message` a sentence that names the records, and `record` the
    one that would have to change.
    """

    code: str
    message: str
    record: models.Model


class CheckResult(NamedTuple):
    """The outcome of one check of the rule."""

    outcome: Outcome
    reason: Reason


class Decision(NamedTuple):
    """Whether a person may track on a service, and why.

    `checks` are the results of all checks, in order.
    """

    person: Person
    service: Service
    on_date: date
    kind: Kind
    allowed: bool
    reasons: tuple[Reason, ...]
    checks: tuple[CheckResult, ...]

    def __str__(self) -> str:
        can = "can" if self.allowed else "can't"
        action = "track time" if self.kind is Kind.TIME else "log expenses"
        service = f"{self.service} on {self.service.deal}"
        reason = self.reasons[0].message
        return f"{self.person} {can} {action} for {service} on {format_day(self.on_date)}: {reason}."


class Facts(NamedTuple):
    """The assignments that matter for a person and a service.

    `assignee_count` includes archived people.
    """

    is_member: bool
    assignee_count: int
    is_assigned: bool
    holds_type: bool


# --- one pair -------------------------------------------------------------------------------------


def decide(person: Person, service: Service, on_date: date, kind: Kind) -> Decision:
    """Return whether the person may track on the service on that day, and why.

    It takes two queries, or one for a service from `with_budget()`. Raise ValueError for records of two
    organizations.
    """
    if person.organization_id != service.organization_id:
        raise ValueError("the person and the service belong to different organizations")
    if not has_budget_loaded(service):
        service = with_budget(Service.objects.filter(pk=service.pk)).get()
    return next(decide_all([(person, service)], on_date, kind))


def decide_all(pairs: Sequence[tuple[Person, Service]], on_date: date, kind: Kind) -> Iterator[Decision]:
    """Yield the decision for each pair, in order.

    It takes one query for every PAIRS_PER_QUERY pairs. The services must be from `with_budget()`.
    """
    for start in range(0, len(pairs), PAIRS_PER_QUERY):
        chunk = pairs[start : start + PAIRS_PER_QUERY]
        # Once for each person and each service, because most of the checks are not about the pair.
        people = {person.pk: person for person, _ in chunk}
        services = {service.pk: service for _, service in chunk}
        of_person = {pk: check_person(person) for pk, person in people.items()}
        of_service = {pk: [*budget_checks(service, on_date, kind)] for pk, service in services.items()}
        for (person, service), facts in zip(chunk, fetch_facts(chunk), strict=True):
            of_pair = assignment_checks(person, service, facts)
            checks = (of_person[person.pk], *of_service[service.pk], *of_pair)
            yield apply_rule(person, service, on_date, kind, checks)


def with_budget(services: models.QuerySet[Service]) -> models.QuerySet[Service]:
    """Select the related records that the rule needs."""
    return services.select_related("deal__project", "service_type")


def has_budget_loaded(service: Service) -> bool:
    cache = service._state.fields_cache
    return "deal" in cache and "service_type" in cache and "project" in cache["deal"]._state.fields_cache


def fetch_facts(pairs: Sequence[tuple[Person, Service]]) -> Iterator[Facts]:
    """Yield the facts of each pair, in order. All are fetched with one query."""
    people = {person.pk for person, _ in pairs}
    services = {service.pk for _, service in pairs}
    projects = {service.deal.project_id for _, service in pairs}
    types = {service.service_type_id for _, service in pairs}

    if len(pairs) > MAX_COMPILED_IDS:
        found = {*fact_rows(people, projects, services, types)}
    else:
        lists = [*map(padded, (people, projects, services, types))]
        found = {*map(tuple, facts_query(*map(len, lists)).rows(*chain(*lists)))}
    counts = {pk: number for name, pk, number in found if name == "count"}
    for person, service in pairs:
        person_id, service_id = person.pk, service.pk
        yield Facts(
            is_member=("project", service.deal.project_id, person_id) in found,
            assignee_count=counts.get(service_id, 0),
            is_assigned=("service", service_id, person_id) in found,
            holds_type=("service_type", service.service_type_id, person_id) in found,
        )


def fact_rows(
    people: Collection[int], projects: Collection[int], services: Collection[int], types: Collection[int]
) -> Any:
    """Return the assignments of the people as rows of a name, an id and a person's id.

    The rows named "count" have a service's id and the number of its assignees.
    """

    def assignments_of(model: Any, name: str, ids: Collection[int]) -> Any:
        rows = model.objects.filter(**{f"{name}__in": ids}, person__in=people).order_by()
        return rows.values_list(Value(name), F(f"{name}_id"), F("person_id"))

    return assignments_of(ProjectAssignment, "project", projects).union(
        assignments_of(ServiceAssignment, "service", services),
        assignments_of(ServiceTypeAssignment, "service_type", types),
        ServiceAssignment.objects.filter(service__in=services)
        .order_by()
        .values("service")
        .values_list(Value("count"), F("service_id"), Count("pk")),
        all=True,
    )


@lru_cache(maxsize=256)
def facts_query(*counts: int) -> CompiledQuery:
    """Return the query of `fact_rows()` for as many people, projects, services and types."""

    def build(*ids: int) -> Any:
        rest = iter(ids)
        return fact_rows(*([*islice(rest, count)] for count in counts))

    return CompiledQuery(ServiceAssignment, build, *range(sum(counts)))


def apply_rule(
    person: Person, service: Service, on_date: date, kind: Kind, checks: tuple[CheckResult, ...]
) -> Decision:
    """Return the decision that follows from the results of all checks."""
    refusals = [check.reason for check in checks if check.outcome is Outcome.FAILED]
    if refusals:
        reasons = refusals
    else:
        allowances = [check.reason for check in checks if check.reason.code in ALLOWANCES]
        reasons = allowances or [is_open(service.deal)]
    return Decision(person, service, on_date, kind, not refusals, tuple(reasons), checks)


def is_open(deal: Deal) -> Reason:
    return Reason("open", f"{deal} is not restricted: everybody on {deal.project} may track on it", deal)


def check(code: str, passes: bool, record: models.Model, message: str) -> CheckResult:
    return CheckResult(Outcome.PASSED if passes else Outcome.FAILED, Reason(code, message, record))


def check_person(person: Person) -> CheckResult:
    passes = person.archived_at is None
    return check("person_archived", passes, person, f"{person} is {'active' if passes else 'archived'}")


def budget_checks(service: Service, on_date: date, kind: Kind) -> Iterator[CheckResult]:
    """Yield the checks of the budget and the service."""
    deal, project = service.deal, service.deal.project
    passes = project.archived_at is None
    state = "active" if passes else "archived"
    yield check("project_archived", passes, project, f"The project {project} is {state}")
    passes = deal.closed_at is None
    yield check("budget_closed", passes, deal, f"The budget {deal} is {'open' if passes else 'closed'}")
    day = format_day(on_date)
    if deal.date is not None and on_date < deal.date:
        message = f"{day} is before {deal} starts, on {format_day(deal.date)}"
        yield check("outside_budget_dates", False, deal, message)
    elif deal.end_date is not None and on_date > deal.end_date:
        message = f"{day} is after {deal} ended, on {format_day(deal.end_date)}"
        yield check("outside_budget_dates", False, deal, message)
    else:
        yield check("outside_budget_dates", True, deal, f"{day} is within the dates of {deal}")
    is_time = kind is Kind.TIME
    passes = service.time_tracking_enabled if is_time else service.expense_tracking_enabled
    word, state = "Time" if is_time else "Expense", "on" if passes else "off"
    message = f"{word} tracking is switched {state} for {service} on {deal}"
    yield check(f"{kind}_tracking_disabled", passes, service, message)


def assignment_checks(person: Person, service: Service, facts: Facts) -> Iterator[CheckResult]:
    """Yield the checks of the person's assignments."""
    deal = service.deal
    project = deal.project
    state = "on" if facts.is_member else "not on"
    message = f"{person} is {state} the project {project}"
    yield check("not_project_member", facts.is_member, project, message)
    if not deal.person_restricted_tracking:
        message = f"{deal} is not restricted by person"
        yield CheckResult(Outcome.SKIPPED, Reason("not_assigned", message, deal))
    elif facts.assignee_count == 0:
        message = f"Nobody is assigned to {service} on {deal}: its restriction is ignored until somebody is"
        yield CheckResult(Outcome.PASSED, Reason("nobody_assigned", message, service))
    elif facts.is_assigned:
        yield check("assigned", True, service, f"{person} is assigned to {service} on {deal}")
    else:
        count = facts.assignee_count
        others = "the one person" if count == 1 else f"among the {count:,} people"
        message = f"{person} is not {others} assigned to {service} on {deal}"
        yield check("not_assigned", False, service, message)
    if not deal.service_type_restricted_tracking:
        message = f"{deal} is not restricted by service type"
        yield CheckResult(Outcome.SKIPPED, Reason("service_type_not_assigned", message, deal))
        return
    service_type = service.service_type
    if facts.holds_type:
        message = f"{person} holds the service type {service_type}"
        yield check("service_type_assigned", True, service_type, message)
    else:
        message = f"{person} does not hold the service type {service_type}, which {deal} is restricted to"
        yield check("service_type_not_assigned", False, service_type, message)


def format_day(day: date | None) -> str:
    """Return "23 November 2026"."""
    return "" if day is None else f"{day.day} {day:%B %Y}"


# --- sets -----------------------------------------------------------------------------------------


def budget_conditions(on_date: Any, prefix: str = "") -> list[Q]:
    """Return the conditions that a budget is open on the day.

    `prefix` is the lookup path of the budget, such as "deal__".
    """
    return [
        Q((f"{prefix}date", None)) | Q((f"{prefix}date__lte", on_date)),
        Q((f"{prefix}end_date", None)) | Q((f"{prefix}end_date__gte", on_date)),
        Q((f"{prefix}closed_at", None)),
    ]


def restriction_conditions(prefix: str, assignees: Any, assigned: Any, holds_type: Any) -> list[Any]:
    """Return the conditions that the budget's restrictions let a person track.

    `prefix` is the lookup path of the budget. The others are querysets: the assignments of all people to the
    service, those of the person, and the person's assignments to the service's type.
    """
    return [
        Q((f"{prefix}person_restricted_tracking", False)) | ~Exists(assignees) | Exists(assigned),
        Q((f"{prefix}service_type_restricted_tracking", False)) | Exists(holds_type),
    ]


def trackable_by(
    services: models.QuerySet[Service], person: Any, on_date: Any, kind: Kind | None
) -> models.QuerySet[Service]:
    """Filter the services on which a person may track; without a kind, those with any kind.

    `person` is an id, or a reference to one in an outer query; `on_date` a date or an expression of one.
    """
    assigned = ServiceAssignment.objects.filter(service=OuterRef("pk"))
    # The services are of the person's projects anyway. Without this condition, a database may read the
    # assignments of all services.
    assignees = assigned.filter(service__deal__project__project_assignments__person=person)
    holders = ServiceTypeAssignment.objects.filter(service_type=OuterRef("service_type"))
    # A person has few projects, so the database starts with the budgets of these.
    deals = Deal.objects.filter(
        *budget_conditions(on_date),
        project__project_assignments__person=person,
        project__project_assignments__person__archived_at=None,
        project__archived_at=None,
    )
    return services.filter(
        *restriction_conditions(
            "deal__", assignees, assigned.filter(person=person), holders.filter(person=person)
        ),
        is_enabled(kind),
        deal__in=deals,
    )


def is_enabled(kind: Kind | None) -> Q:
    """Return the condition that a service takes the kind, or any."""
    return Q(*((f"{each}_tracking_enabled", True) for each in ([kind] if kind else Kind)), _connector=Q.OR)


def trackable_membership(on_date: date) -> models.Subquery:
    """Return a subquery for a membership that lets the person track.

    It is the id of a project assignment, or null if the person can't track time or log expenses on any
    service. The outer query is of active people. The subquery starts with the few projects of each person,
    which is fast for thousands of people. It isn't EXISTS, for which PostgreSQL would scan all services.
    """
    deal, service = "project__deals__", "project__deals__services"
    assigned = ServiceAssignment.objects.filter(service=OuterRef(service))
    holds_type = ServiceTypeAssignment.objects.filter(
        service_type=OuterRef(f"{service}__service_type"), person=OuterRef("person")
    )
    memberships = ProjectAssignment.objects.filter(
        *budget_conditions(on_date, deal),
        *restriction_conditions(deal, assigned, assigned.filter(person=OuterRef("person")), holds_type),
        Q((f"{service}__time_tracking_enabled", True)) | Q((f"{service}__expense_tracking_enabled", True)),
        project__archived_at=None,
        person=OuterRef("pk"),
    )
    return models.Subquery(memberships.order_by().values("pk")[:1])


def who_may_track(
    people: models.QuerySet[Person], services: Collection[int], on_date: date, kind: Kind
) -> models.QuerySet[Person]:
    """Filter the people who may track on one of the services (ids)."""
    selected = Service.objects.filter(pk__in=services)
    # `trackable_by()` requires membership, too. Members are few, so this saves the database from applying the
    # rule to all people.
    members = ProjectAssignment.objects.filter(project__deals__services__in=services).values("person")
    return people.filter(
        Exists(trackable_by(selected, OuterRef(OuterRef("pk")), on_date, kind)), pk__in=members
    )
