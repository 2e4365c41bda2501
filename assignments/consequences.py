"""Compare who may track before and after a change of records.

Bulk actions show the differences in their previews.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import Any

from django.db.models import F, OuterRef, QuerySet
from django.http import HttpRequest

from assignments.access import Access, access_of
from assignments.access_check import can_check_access
from assignments.models import ProjectAssignment, ServiceAssignment, ServiceTypeAssignment
from assignments.tracking import Kind, trackable_by
from catalog.models import Deal, Project, Service
from productive.accounts.models import Person
from productive.admin.forms import label_of
from productive.admin.preview import Consequences, Group, Line, RecordOutcome, Watch

# Access isn't compared for more services.
MAX_SERVICES = 500
# A sentence names at most this many people.
MAX_NAMES = 10

SelectServices = Callable[[Sequence[Any]], QuerySet[Service]]

NOT_ALLOWED = "Only users who may view people and services see who gains or loses access."
UNCHANGED = "No one gains or loses access today."
TOO_MANY = (
    f"This affects more than {MAX_SERVICES} services, too many to show who gains or loses access."
    " Select fewer to see it."
)

STILL_NO_ACCESS = "still can't track on some of the services assigned here"

# The text for the new state of a service.
NEW_STATES = {
    Access.OPEN: "is open to everyone on the project",
    Access.OPEN_NOBODY_ASSIGNED: "opens to everyone on the project, because it has no assignees anymore",
    Access.RESTRICTED: "is restricted to its assignees",
    Access.RESTRICTED_TO_NOBODY: "no longer has an active person who may track",
}
FIRST_ASSIGNEES = "is restricted to its assignees: it had none, so everyone on the project could track"
ACTIVE_AGAIN = "has an active person who may track again"


@dataclass(frozen=True, slots=True)
class AccessSnapshot:
    """The state of services, and the people who may track on each today."""

    states: dict[int, Access]
    people: dict[int, set[int]]

    @classmethod
    def take(cls, ids: Collection[int]) -> AccessSnapshot:
        states = {pk: values["access"] for pk, values in access_of(ids).items()}
        return cls(states, people_by_service(ids))


def people_by_service(ids: Collection[int]) -> dict[int, set[int]]:
    """Return the ids of the people who may track time or log expenses today.

    It takes one query for the services, and two per date: today depends on the time zone.
    """
    services_by_date: dict[Any, list[int]] = defaultdict(list)
    for service in Service.objects.filter(pk__in=ids).select_related("organization"):
        services_by_date[service.organization.today()].append(service.pk)
    found: dict[int, set[int]] = defaultdict(set)
    for today, services in services_by_date.items():
        members: Any = Service.objects.filter(pk__in=services).annotate(
            member=F("deal__project__project_assignments__person")
        )
        for kind in Kind:
            trackable: Any = trackable_by(members, OuterRef("member"), today, kind).order_by()
            for service_id, person_id in trackable.values_list("pk", "member"):
                found[service_id].add(person_id)
    return found


def watch_access(select_services: SelectServices, *, assigns: bool = False) -> Watch:
    """Return a function that compares access before and after a change.

    `select_services` returns the services that a change of rows may affect. With `assigns`, the rows are
    service assignments, and the comparison names the people who can't track although they are assigned.
    """

    def watch(request: HttpRequest, rows: Sequence[Any]) -> Callable[[], Consequences]:
        if not can_check_access(request):
            return lambda: Consequences([NOT_ALLOWED])
        services = select_services(rows).order_by().values_list("pk", flat=True).distinct()
        ids = list(services[: MAX_SERVICES + 1])
        if len(ids) > MAX_SERVICES:
            return lambda: Consequences([TOO_MANY])
        if not ids:
            return lambda: Consequences([UNCHANGED])
        before, labels = AccessSnapshot.take(ids), labels_of(ids)
        return lambda: describe_changes(before, AccessSnapshot.take(ids), labels, rows if assigns else ())

    return watch


def labels_of(ids: Collection[int]) -> dict[int, str]:
    services = (
        Service.objects.filter(pk__in=ids)
        .select_related("deal__project")
        .order_by("deal__name", "name", "pk")
    )
    return {service.pk: label_of(service) for service in services}


def describe_changes(
    before: AccessSnapshot,
    after: AccessSnapshot,
    labels: dict[int, str],
    assigned: Sequence[ServiceAssignment],
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
    names = {person.pk: label_of(person) for person in people}
    lines = []
    for pk, label in labels.items():
        notes = [
            describe_state(before.states.get(pk), after.states.get(pk)),
            list_people("loses access", "lose access", lost[pk], names),
            list_people("gains access", "gain access", gained[pk], names),
        ]
        if any(notes):
            lines.append(Line(label, [". ".join(note for note in notes if note) + "."]))
    totals = (
        count_people("loses access to", "lose access to", lost),
        count_people("gains access to", "gain access to", gained),
    )
    sentences = [sentence for sentence in totals if sentence] or [UNCHANGED]
    if without_access:
        sentences.append(
            list_people(STILL_NO_ACCESS, STILL_NO_ACCESS, without_access, names)
            + ". The Access check says why."
        )
    return Consequences(sentences, [Group("Services that change", RecordOutcome.AFFECTED, lines)])


def describe_state(before: Access | None, after: Access | None) -> str:
    if before == after or before is None or after is None:
        return ""
    if after is Access.RESTRICTED and before is Access.OPEN_NOBODY_ASSIGNED:
        text = FIRST_ASSIGNEES
    elif after is Access.RESTRICTED and before is Access.RESTRICTED_TO_NOBODY:
        text = ACTIVE_AGAIN
    else:
        text = NEW_STATES[after]
    return text[0].upper() + text[1:]


def list_people(singular: str, plural: str, ids: set[int], names: dict[int, str]) -> str:
    """Return "3 people lose access: Ana, Bo, Cid", with MAX_NAMES at most."""
    if not ids:
        return ""
    # People who have been deleted are not in `names`.
    known = [name for pk, name in names.items() if pk in ids]
    if len(ids) == 1:
        return f"{known[0] if known else 'One person'} {singular}"
    more = len(ids) - len(known[:MAX_NAMES])
    listed = ", ".join(known[:MAX_NAMES]) + (f" and {more:,} more" if more else "")
    return f"{len(ids):,} people {plural}: {listed}"


def count_people(singular: str, plural: str, changes: dict[int, set[int]]) -> str:
    """Return a sentence, such as "1 person loses access to 2 services."."""
    services = [pk for pk, people in changes.items() if people]
    if not services:
        return ""
    people = set().union(*(changes[pk] for pk in services))
    who = f"1 person {singular}" if len(people) == 1 else f"{len(people):,} people {plural}"
    return f"{who} {'1 service' if len(services) == 1 else f'{len(services):,} services'}."


# --- services whose access a change may affect ----------------------------------------------------


def on_open_budgets() -> QuerySet[Service]:
    """Return the services of open budgets. On others, no one may track."""
    return Service.objects.filter(deal__closed_at=None)


def services_of_service_assignments(rows: Sequence[ServiceAssignment]) -> QuerySet[Service]:
    services = {row.service_id for row in rows}
    return on_open_budgets().filter(pk__in=services, deal__person_restricted_tracking=True)


def services_of_project_assignments(rows: Sequence[ProjectAssignment]) -> QuerySet[Service]:
    return on_open_budgets().filter(deal__project__in={row.project_id for row in rows})


def services_of_service_type_assignments(rows: Sequence[ServiceTypeAssignment]) -> QuerySet[Service]:
    types = {row.service_type_id for row in rows}
    return on_open_budgets().filter(service_type__in=types, deal__service_type_restricted_tracking=True)


def services_of_people(rows: Sequence[Person]) -> QuerySet[Service]:
    memberships = ProjectAssignment.objects.filter(person__in=[row.pk for row in rows])
    return on_open_budgets().filter(deal__project__in=memberships.values("project"))


def services_of_projects(rows: Sequence[Project]) -> QuerySet[Service]:
    return on_open_budgets().filter(deal__project__in=[row.pk for row in rows])


def services_of_deals(rows: Sequence[Deal]) -> QuerySet[Service]:
    return Service.objects.filter(deal__in=[row.pk for row in rows])


def services_themselves(rows: Sequence[Service]) -> QuerySet[Service]:
    return on_open_budgets().filter(pk__in=[row.pk for row in rows])
