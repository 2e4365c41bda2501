"""Find out what one write does to access, with few queries.

`comparison` compares everything that a change affects, which takes longer than most writes. This is for
every write of the API: it finds only losses and what is easily mistaken, and reads nothing if the write
can't take access from anybody.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from datetime import date
from functools import cache, lru_cache
from typing import Any, NamedTuple

from django.db.models import DateField, F, OuterRef, Q, QuerySet, Value
from django.db.models.functions import Cast

from assignments.access import restricted_services, services_without_assignees
from assignments.consequences.affected_services import TRACKING_COLUMNS
from assignments.consequences.comparison import Permit
from assignments.models import ProjectAssignment, ServiceAssignment, ServiceTypeAssignment
from assignments.tracking import Kind, Reason, decide, trackable_by, with_budget
from catalog.models import Deal, Project, Service
from productive.accounts.models import Organization, Person
from productive.database.query_cache import CompiledQuery, padded
from productive.database.written_rows import WrittenRows

# Pairs of a service and a person on its project. Access isn't compared for more: 10,000 would add 80 ms to a
# write on SQLite, and more on PostgreSQL.
MAX_PAIRS = 2_000

Permits = frozenset[Permit]


class AffectedScope(NamedTuple):
    """The services on which a write can take access: all, or those whose `lookup` is one of `ids`.

    `person` is the id of the only person who can lose it. If `ends` is true, they lose all of it.
    """

    lookup: str
    ids: tuple[int, ...]
    person: int | None = None
    ends: bool = False


class WriteEffects:
    """The people who lose access by a write, the services that it opens, and why an assignment is unused.

        effects = WriteEffects(organization)
        with before_writes(effects.read_before):
            …  # write one record
        effects.read_after()

    It reads what is there after the commit, so that it sees a concurrent write, too.
    """

    def __init__(self, organization: Organization) -> None:
        self.organization = organization
        self.scope: AffectedScope | None = None
        self.before: Permits | None = frozenset()
        self.restricted: list[int] = []
        # A new or moved assignment to a service.
        self.assignment: ServiceAssignment | None = None
        # The ids of people; None if there are too many pairs to compare.
        self.losers: list[int] | None = []
        # The ids of services.
        self.opened: list[int] = []
        self.unused: Sequence[Reason] = ()

    def read_before(self, written: WrittenRows) -> None:
        """Read access before a record is written."""
        self.scope = scope_of(written)
        if self.scope is not None:
            self.before = permits_in(self.scope, self.today())
            self.restricted = services_left(written)
        is_moved = written.history_type == "~" and self.scope is not None
        if written.model is ServiceAssignment and (is_moved or written.history_type == "+"):
            (self.assignment,) = written.rows

    def read_after(self) -> None:
        if self.before is None:
            self.losers = None
        elif self.before and self.scope is not None:
            after = frozenset[Permit]() if self.scope.ends else permits_in(self.scope, self.today())
            lost = None if after is None else self.before - after
            self.losers = None if lost is None else sorted({permit.person_id for permit in lost})
        self.opened = services_without_assignees(self.restricted)
        if self.assignment is not None:
            self.unused = why_unused(self.assignment, self.today())

    def today(self) -> date:
        return self.organization.today()


def scope_of(written: WrittenRows) -> AffectedScope | None:
    """Return where the write of a record can take access, or None if it can't."""
    if not can_take_access(written):
        return None
    (row,), model, is_deletion = written.rows, written.model, written.history_type == "-"
    if model is Person:
        return AffectedScope("", (), row.pk, ends=True)
    if model is Project:
        return AffectedScope("deal__project", (row.pk,), ends=True)
    if model is Deal:
        return AffectedScope("deal", (row.pk,), ends=is_deletion or written.columns == {"closed_at"})
    if model is Service:
        return AffectedScope("pk", (row.pk,), ends=is_deletion)
    if written.history_type == "+":
        return AffectedScope("pk", (row.service_id,)) if is_first_assignee(row.service_id) else None
    return scope_of_assignment(row, is_deletion)


def can_take_access(written: WrittenRows) -> bool:
    """Return whether anybody can lose access, judged by the model and the changed columns."""
    read = TRACKING_COLUMNS.get(written.model)
    if read is None or written.model is Organization:
        return False
    if written.history_type == "+":
        return written.model is ServiceAssignment
    if written.history_type == "-" or written.columns is None:
        return True
    changed = read & written.columns
    # To restore a record or to open a budget takes nothing.
    return bool(changed) and not (
        changed <= {"archived_at", "closed_at"}
        and all(getattr(row, name) is None for row in written.rows for name in changed)
    )


def scope_of_assignment(row: Any, is_deletion: bool) -> AffectedScope | None:
    """Return where access is lost by deleting or moving an assignment."""
    model: Any = type(row)
    name, lookup = OTHER_RECORDS[model]
    new = row.person_id, getattr(row, f"{name}_id")
    old = new if is_deletion else saved_pair(model).rows(row.pk)[0]
    if not is_deletion and tuple(old) == new:
        return None
    person, other = old
    if model is not ServiceAssignment:
        return AffectedScope(lookup, (other,), person, ends=model is ProjectAssignment)
    # If it is moved, the new service may have been open to everyone.
    return AffectedScope(lookup, (other,), person) if is_deletion else AffectedScope(lookup, (other, new[1]))


# The other record of an assignment, and its lookup from a service.
OTHER_RECORDS: dict[Any, tuple[str, str]] = {
    ServiceAssignment: ("service", "pk"),
    ProjectAssignment: ("project", "deal__project"),
    ServiceTypeAssignment: ("service_type", "service_type"),
}


@cache
def saved_pair(model: Any) -> CompiledQuery:
    """Return the query for the ids of an assignment's person and other record."""
    name, _ = OTHER_RECORDS[model]
    return CompiledQuery(
        model, lambda pk: model.objects.filter(pk=pk).values_list("person_id", f"{name}_id"), 1
    )


FIRST_ASSIGNEE = CompiledQuery(
    Service,
    lambda pk: (
        Service.objects.filter(
            pk=pk, deal__person_restricted_tracking=True, deal__closed_at=None, service_assignments=None
        )
        .order_by()
        .values_list("pk")
    ),
    1,
)


def is_first_assignee(service: int) -> bool:
    """Return whether a new assignment of the service takes access from all others."""
    return bool(FIRST_ASSIGNEE.rows(service))


def services_left(written: WrittenRows) -> list[int]:
    """Return the ids of services on budgets restricted by person that an assignee may leave."""
    (row,) = written.rows
    if written.model is ServiceAssignment and written.history_type != "+":
        return restricted_services("pk", row.pk)
    if written.model is Person and written.history_type == "-":
        return restricted_services("person", row.pk)
    return []


def why_unused(assignment: ServiceAssignment, today: date) -> Sequence[Reason]:
    """Return the reasons why the assigned person still can't track, or none.

    Of time and expenses, they are those of the kind for which less is missing.
    """
    if permits_in(AffectedScope("pk", (assignment.service_id,), assignment.person_id), today):
        return ()
    for service in with_budget(Service.objects.filter(pk=assignment.service_id)):
        decisions = (decide(assignment.person, service, today, kind) for kind in Kind)
        return min((decision.reasons for decision in decisions), key=len)
    return ()  # The service has been deleted since.


def permits_in(scope: AffectedScope, today: date) -> Permits | None:
    """Return who may track on the services of a scope, or None for too many pairs.

    Of a person who loses all access, one permit is enough.
    """
    ids, day = padded(scope.ids), today.isoformat()
    if scope.person is not None:
        part = slice(0, 1) if scope.ends else None
        query = permits_query(scope.lookup, len(ids), of_person=True)
        found = query.rows(day, scope.person, *ids, part=part)
        rows: Iterable[Sequence[Any]] = ((pk, scope.person, *kinds) for pk, *kinds in found)
    elif pairs_query(scope.lookup, len(ids)).rows(*ids, part=slice(MAX_PAIRS, MAX_PAIRS + 1)):
        return None
    else:
        rows = permits_query(scope.lookup, len(ids), of_person=False).rows(day, *ids)
    return frozenset(
        Permit(person, pk, kind)
        for pk, person, *kinds in rows
        for kind, is_enabled in zip(Kind, kinds, strict=True)
        if is_enabled
    )


@lru_cache(maxsize=64)
def permits_query(lookup: str, count: int, *, of_person: bool) -> CompiledQuery:
    """Return the query for who may track on as many services, or records of the lookup.

    Its rows are the service, the person unless it is of one person, and whether each kind is enabled.
    """
    kinds = [f"{kind}_tracking_enabled" for kind in Kind]

    def build(today: str, *ids: int) -> Any:
        day = Cast(Value(today), DateField())
        if of_person:
            services = Service.objects.filter(among(lookup, ids[1:]))
            return trackable_by(services, ids[0], day, None).order_by().values_list("pk", *kinds)
        members: Any = Service.objects.filter(among(lookup, ids)).annotate(member=MEMBER)
        permitted: Any = trackable_by(members, OuterRef("member"), day, None)
        return permitted.order_by().values_list("pk", "member", *kinds)

    return CompiledQuery(Service, build, "", *range(count + of_person))


@lru_cache(maxsize=64)
def pairs_query(lookup: str, count: int) -> CompiledQuery:
    """Return the query for the pairs that `permits_query()` compares."""
    return CompiledQuery(
        Service, lambda *ids: pairs(Service.objects.filter(among(lookup, ids))), *range(count)
    )


def pairs(services: QuerySet[Service]) -> Any:
    """Return a row for each service and person on its project."""
    members = services.filter(deal__project__project_assignments__isnull=False)
    return members.order_by().values_list("pk")


def has_more_pairs(services: Collection[int], number: int) -> bool:
    return bool(pairs(Service.objects.filter(pk__in=services))[number : number + 1])


MEMBER = F("deal__project__project_assignments__person")


def among(lookup: str, ids: Sequence[int]) -> Q:
    return Q((f"{lookup}__in", ids)) if lookup else Q()
