"""Compare who may track before and after a change, whichever records it writes.

    comparison = AccessComparison()
    comparison.read_before(written)
    …  # write
    comparison.read_after(written)
    difference = comparison.difference()

`written` are the rows that the change writes. If these aren't known before it, write first and roll back, as
`productive.admin.operations` does.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from functools import cached_property
from typing import Any, NamedTuple

from django.db.models import F, OuterRef

from assignments.access import Access, access_of
from assignments.consequences.affected_services import affected_services
from assignments.models import ServiceAssignment
from assignments.tracking import Decision, Kind, decide_all, trackable_by, with_budget
from catalog.models import Service
from productive.accounts.models import Person
from productive.database.query_cache import MAX_COMPILED_IDS
from productive.database.text import sort_key
from productive.database.written_rows import WrittenRows

# Reasons aren't computed for more assignments.
MAX_EXPLAINED = 300
# Services of one query. One query for 3,000 services takes five times as long as three for 1,000.
PERMITS_PER_QUERY = 1_000

OPEN_STATES = (Access.OPEN, Access.OPEN_NOBODY_ASSIGNED)


class Permit(NamedTuple):
    """The fact that a person may track time or log expenses on a service today."""

    person_id: int
    service_id: int
    kind: Kind


@dataclass(frozen=True, slots=True)
class AccessSnapshot:
    """Who may track on some services today.

    `states` leaves out services of closed or ended budgets and of archived projects: whatever their
    restrictions are, nobody may track on them.
    """

    services: dict[int, Service]
    states: dict[int, Access]
    permits: frozenset[Permit]

    @classmethod
    def take(cls, ids: Collection[int]) -> AccessSnapshot:
        """Read the state of the services with these ids.

        It takes one query for the services, one for their states, and two per date: today depends on the
        time zone. Of many services, the states and permits are read in parts.
        """
        rows = Service.objects.filter(pk__in=ids).select_related("deal__project", "organization")
        services = {service.pk: service for service in rows.order_by("deal__name_key", "name_key", "pk")}
        by_date: dict[date, list[int]] = defaultdict(list)
        for service in services.values():
            by_date[service.organization.today()].append(service.pk)
        permits = frozenset(
            permit
            for today, pks in by_date.items()
            for part in parts(pks, PERMITS_PER_QUERY)
            for permit in find_permits(part, today)
        )
        usable = [pk for today, pks in by_date.items() for pk in pks if is_usable(services[pk], today)]
        states = {
            pk: values["access"]
            for part in parts(usable, MAX_COMPILED_IDS)
            for pk, values in access_of(part).items()
        }
        return cls(services, states, permits)


def parts(ids: Sequence[int], size: int) -> Iterator[Sequence[int]]:
    return (ids[start : start + size] for start in range(0, len(ids), size))


def is_usable(service: Service, today: date) -> bool:
    deal = service.deal
    is_over = deal.closed_at is not None or (deal.end_date is not None and deal.end_date < today)
    return not is_over and deal.project.archived_at is None


def find_permits(services: Collection[int], today: date) -> Iterator[Permit]:
    """Yield who may track on the services on that day; one query for each kind."""
    members: Any = Service.objects.filter(pk__in=services).annotate(
        member=F("deal__project__project_assignments__person")
    )
    for kind in Kind:
        trackable: Any = trackable_by(members, OuterRef("member"), today, kind).order_by()
        for service_id, person_id in trackable.values_list("pk", "member"):
            yield Permit(person_id, service_id, kind)


class UnusedAssignments(NamedTuple):
    """New service assignments that have no effect: their number, and why of up to MAX_EXPLAINED."""

    total: int
    decisions: Sequence[Decision]

    @classmethod
    def find(cls, written: Sequence[WrittenRows], permits: Collection[Permit]) -> UnusedAssignments:
        """Find them while they are written; `permits` are those of their services.

        Of time and expenses, explain the kind for which less is missing.
        """
        allowed = {permit[:2] for permit in permits}
        new = [each.rows for each in written if each.model is ServiceAssignment and each.history_type != "-"]
        pairs = sorted({(row.person_id, row.service_id) for rows in new for row in rows} - allowed)
        explained = pairs[:MAX_EXPLAINED]
        people = Person.objects.in_bulk({person for person, _ in explained})
        rows = Service.objects.filter(pk__in={service for _, service in explained})
        services = with_budget(rows).select_related("organization").in_bulk()
        by_date: dict[date, list[tuple[Person, Service]]] = defaultdict(list)
        for person, service in explained:
            if person not in people or service not in services:
                continue  # It has been deleted since.
            by_date[services[service].organization.today()].append((people[person], services[service]))
        decisions = [
            min(of_kinds, key=lambda decision: len(decision.reasons))
            for today, found in by_date.items()
            for of_kinds in zip(*(decide_all(found, today, kind) for kind in Kind), strict=True)
        ]
        return cls(len(pairs), decisions)


@dataclass(frozen=True)
class AccessDifference:
    """The difference between two snapshots of the same services.

    A service that was deleted is only in `before`, one that was created only in `after`.
    """

    before: AccessSnapshot
    after: AccessSnapshot
    written: Sequence[WrittenRows]
    unused: UnusedAssignments

    def __bool__(self) -> bool:
        return bool(self.lost or self.gained or self.changed_states)

    @cached_property
    def lost(self) -> frozenset[Permit]:
        return self.before.permits - self.after.permits

    @cached_property
    def gained(self) -> frozenset[Permit]:
        return self.after.permits - self.before.permits

    @cached_property
    def services(self) -> dict[int, Service]:
        """All services, those with new values first."""
        return {**self.after.services, **self.before.services, **self.after.services}

    @cached_property
    def people(self) -> dict[int, Person]:
        """The people who lose or gain access, by name; also new and deleted ones.

        Their names are the new ones, whether they are written at the moment or not.
        """
        ids = {permit.person_id for permit in self.lost | self.gained}
        people = Person.objects.in_bulk(ids)
        for each in self.written:
            for row in each.rows if each.model is Person else ():
                if row.id in ids:
                    names = {name: getattr(row, name) for name in ("first_name", "last_name", "email")}
                    people[row.id] = Person(pk=row.id, **names)
        # Sorted here, so that the order is the same before and after a deletion.
        ordered = sorted(
            people.values(),
            key=lambda person: (*map(sort_key, (person.first_name, person.last_name)), person.pk),
        )
        return {person.pk: person for person in ordered}

    @cached_property
    def changed_states(self) -> dict[int, tuple[Access, Access]]:
        """The state before and after, of services whose state changes."""
        before, after = self.before.states, self.after.states
        return {
            pk: (before[pk], after[pk])
            for pk in self.services
            if pk in before and pk in after and before[pk] != after[pk]
        }

    @cached_property
    def closed(self) -> list[int]:
        """The services that nobody may track on anymore."""
        had, has = ({permit.service_id for permit in each.permits} for each in (self.before, self.after))
        return [
            pk
            for pk in self.before.services
            if pk in self.after.services
            and pk not in has
            and (pk in had or self.turns_to(pk, Access.RESTRICTED_TO_NOBODY))
        ]

    @cached_property
    def reopened(self) -> list[int]:
        """The services that somebody may track on again."""
        had, has = ({permit.service_id for permit in each.permits} for each in (self.before, self.after))
        return [pk for pk in self.before.services if pk in has - had]

    @cached_property
    def opened(self) -> list[int]:
        """The services that open to everybody on the project."""
        return [
            pk
            for pk, (before, after) in self.changed_states.items()
            if after in OPEN_STATES and before not in OPEN_STATES
        ]

    @cached_property
    def ignored(self) -> list[int]:
        """The services whose new restriction is ignored: they have no assignees."""
        return [
            pk
            for pk, states in self.changed_states.items()
            if states == (Access.OPEN, Access.OPEN_NOBODY_ASSIGNED)
        ]

    @cached_property
    def restricted(self) -> list[int]:
        """The services that were open to everybody on the project."""
        return [
            pk
            for pk, (before, after) in self.changed_states.items()
            if after is Access.RESTRICTED and before in OPEN_STATES
        ]

    def turns_to(self, pk: int, state: Access) -> bool:
        return self.changed_states.get(pk, (None, None))[1] is state


class AccessComparison:
    """Compare access before and after a change, read in any order."""

    def __init__(self) -> None:
        self.before = self.after = AccessSnapshot({}, {}, frozenset())
        self.written: Sequence[WrittenRows] = ()
        self.unused = UnusedAssignments(0, ())

    def read_before(self, written: Sequence[WrittenRows]) -> None:
        """Read access while the change isn't written."""
        self.before = AccessSnapshot.take(affected_services(written) | self.after.services.keys())

    def read_after(self, written: Sequence[WrittenRows]) -> None:
        """Read access while the change is written.

        New rows can have other ids than for `read_before`.
        """
        self.written = written
        ids = record_ids(written, Service, "+") | self.before.services.keys()
        self.after = AccessSnapshot.take(ids if self.before.services else ids | affected_services(written))
        self.unused = UnusedAssignments.find(written, self.after.permits)

    def is_complete(self) -> bool:
        """Return whether all remaining services were read after the change, too.

        If the change moves an assignment, the service from which it was moved is known only before.
        """
        deleted = record_ids(self.written, Service, "-")
        return self.before.services.keys() - deleted <= self.after.services.keys()

    def difference(self) -> AccessDifference:
        return AccessDifference(self.before, self.after, self.written, self.unused)


def record_ids(written: Sequence[WrittenRows], model: type[Any], history_type: str) -> set[int]:
    """Return the ids of the model's records that were created ("+") or deleted ("-")."""
    found = [each.rows for each in written if each.model is model and each.history_type == history_type]
    return {row.id for rows in found for row in rows}
