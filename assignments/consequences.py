"""Compare who may track before and after a change."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import Any

from django.db.models import F, OuterRef, QuerySet
from django.http import HttpRequest

from assignments.access import Access, access_of
from assignments.access_check import may_check
from assignments.models import ProjectAssignment, ServiceAssignment, ServiceTypeAssignment
from assignments.tracking import Kind, trackable_by
from catalog.models import Deal, Project, Service
from productive.accounts.models import Person
from productive.admin.forms import label_of
from productive.admin.preview import Consequences, Group, Line, RecordOutcome, Watch

# For more services, access isn't compared.
MOST_SERVICES = 500
# People named who gain or lose access to one service.
MOST_NAMED = 10

Affected = Callable[[Sequence[Any]], QuerySet[Service]]

NOT_ALLOWED = "Only users who may view people and services see who gains or loses access."
UNCHANGED = "Nobody gains or loses access today."
TOO_MANY = (
    f"This affects more than {MOST_SERVICES} services, too many to show who gains or loses access."
    " Select fewer to see it."
)

STILL_NO_ACCESS = "still can't track on some of the services assigned here"

# By the new state of a service.
BECOMES = {
    Access.OPEN: "is open to everybody on the project",
    Access.OPEN_NOBODY_ASSIGNED: "opens to everybody on the project, because nobody is assigned anymore",
    Access.RESTRICTED: "is restricted to the people assigned",
    Access.RESTRICTED_TO_NOBODY: "has no active person left who may track",
}
FROM_NOBODY_ASSIGNED = (
    "is restricted to the people assigned: until now nobody was, so everybody on the project could track"
)
FROM_NOBODY = "has an active person again who may track"


@dataclass(frozen=True, slots=True)
class Situation:
    """The state of services, and the people who may track on each today."""

    states: dict[int, Access]
    people: dict[int, set[int]]

    @classmethod
    def of(cls, ids: Collection[int]) -> Situation:
        states = {pk: facts["access"] for pk, facts in access_of(ids).items()}
        return cls(states, who_may(ids))


def who_may(ids: Collection[int]) -> dict[int, set[int]]:
    """Return the people who may track time or log expenses, by service.

    The day is today; two queries per organization.
    """
    days: dict[Any, list[int]] = defaultdict(list)
    for service in Service.objects.filter(pk__in=ids).select_related("organization"):
        days[service.organization.today()].append(service.pk)
    found: dict[int, set[int]] = defaultdict(set)
    for today, services in days.items():
        members: Any = Service.objects.filter(pk__in=services).annotate(
            member=F("deal__project__project_assignments__person")
        )
        for kind in Kind:
            may: Any = trackable_by(members, OuterRef("member"), today, kind).order_by()
            for service_id, person_id in may.values_list("pk", "member"):
                found[service_id].add(person_id)
    return found


def on(affected: Affected, *, assigns: bool = False) -> Watch:
    """Watch the services that a change of rows may affect.

    With `assigns`, name the people who can't track although the change assigns them.
    """

    def look(request: HttpRequest, rows: Sequence[Any]) -> Callable[[], Consequences]:
        if not may_check(request):
            return lambda: Consequences([NOT_ALLOWED])
        ids = list(affected(rows).order_by().values_list("pk", flat=True).distinct()[: MOST_SERVICES + 1])
        if len(ids) > MOST_SERVICES:
            return lambda: Consequences([TOO_MANY])
        if not ids:
            return lambda: Consequences([UNCHANGED])
        before, labels = Situation.of(ids), labels_of(ids)
        return lambda: compare(before, Situation.of(ids), labels, rows if assigns else ())

    return look


def labels_of(ids: Collection[int]) -> dict[int, str]:
    services = (
        Service.objects.filter(pk__in=ids)
        .select_related("deal__project")
        .order_by("deal__name", "name", "pk")
    )
    return {service.pk: label_of(service) for service in services}


def compare(
    before: Situation, after: Situation, labels: dict[int, str], assigned: Sequence[ServiceAssignment]
) -> Consequences:
    lost = {pk: before.people.get(pk, set()) - after.people.get(pk, set()) for pk in labels}
    gained = {pk: after.people.get(pk, set()) - before.people.get(pk, set()) for pk in labels}
    without_access = {
        row.person_id
        for row in assigned
        if row.service_id in labels and row.person_id not in after.people.get(row.service_id, ())
    }
    affected = without_access.union(*lost.values(), *gained.values())
    people = Person.objects.filter(pk__in=affected).order_by("first_name", "last_name", "pk")
    names = {person.pk: str(person) for person in people}
    lines = []
    for pk, label in labels.items():
        notes = [
            state(before.states.get(pk), after.states.get(pk)),
            named("loses access", "lose access", lost[pk], names),
            named("gains access", "gain access", gained[pk], names),
        ]
        if any(notes):
            lines.append(Line(label, [". ".join(note for note in notes if note) + "."]))
    sentences = [
        sentence
        for sentence in (
            total("loses access to", "lose access to", lost),
            total("gains access to", "gain access to", gained),
        )
        if sentence
    ]
    sentences = sentences or [UNCHANGED]
    if without_access:
        sentences.append(
            named(STILL_NO_ACCESS, STILL_NO_ACCESS, without_access, names) + ". The Access check says why."
        )
    return Consequences(sentences, [Group("Services that change", RecordOutcome.AFFECTED, lines)])


def state(before: Access | None, after: Access | None) -> str:
    if before == after or before is None or after is None:
        return ""
    if after is Access.RESTRICTED and before is Access.OPEN_NOBODY_ASSIGNED:
        words = FROM_NOBODY_ASSIGNED
    elif after is Access.RESTRICTED and before is Access.RESTRICTED_TO_NOBODY:
        words = FROM_NOBODY
    else:
        words = BECOMES[after]
    return words[0].upper() + words[1:]


def named(one: str, several: str, ids: set[int], names: dict[int, str]) -> str:
    """Return "3 people lose access: Ana, Bo, Cid", up to MOST_NAMED names."""
    if not ids:
        return ""
    # Deleted people have no name anymore.
    known = [name for pk, name in names.items() if pk in ids]
    if len(ids) == 1:
        return f"{known[0] if known else 'One person'} {one}"
    more = len(ids) - len(known[:MOST_NAMED])
    listed = ", ".join(known[:MOST_NAMED]) + (f" and {more:,} more" if more else "")
    return f"{len(ids):,} people {several}: {listed}"


def total(one: str, several: str, changes: dict[int, set[int]]) -> str:
    services = [pk for pk, people in changes.items() if people]
    if not services:
        return ""
    people = set().union(*(changes[pk] for pk in services))
    who = f"1 person {one}" if len(people) == 1 else f"{len(people):,} people {several}"
    return f"{who} {'1 service' if len(services) == 1 else f'{len(services):,} services'}."


# --- which services a change may affect -----------------------------------------------------------


def in_use() -> QuerySet[Service]:
    """Return the services of open budgets; on closed ones nobody may track."""
    return Service.objects.filter(deal__closed_at=None)


def of_service_assignments(rows: Sequence[ServiceAssignment]) -> QuerySet[Service]:
    services = {row.service_id for row in rows}
    return in_use().filter(pk__in=services, deal__person_restricted_tracking=True)


def of_project_assignments(rows: Sequence[ProjectAssignment]) -> QuerySet[Service]:
    return in_use().filter(deal__project__in={row.project_id for row in rows})


def of_service_type_assignments(rows: Sequence[ServiceTypeAssignment]) -> QuerySet[Service]:
    types = {row.service_type_id for row in rows}
    return in_use().filter(service_type__in=types, deal__service_type_restricted_tracking=True)


def of_people(rows: Sequence[Person]) -> QuerySet[Service]:
    theirs = ProjectAssignment.objects.filter(person__in=[row.pk for row in rows])
    return in_use().filter(deal__project__in=theirs.values("project"))


def of_projects(rows: Sequence[Project]) -> QuerySet[Service]:
    return in_use().filter(deal__project__in=[row.pk for row in rows])


def of_deals(rows: Sequence[Deal]) -> QuerySet[Service]:
    return Service.objects.filter(deal__in=[row.pk for row in rows])
