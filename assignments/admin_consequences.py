"""Show in the admin's previews who gains or loses access.

The comparison is in `consequences.comparison`; this module has its texts. `admin.site.watch` applies it to
everything that the admin writes.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from itertools import groupby
from operator import attrgetter
from typing import Any

from django.http import HttpRequest
from django.template.defaultfilters import pluralize

from assignments.access_check import can_check_access
from assignments.consequences.affected_services import MAX_SERVICES, TooManyServicesError, matters
from assignments.consequences.comparison import AccessComparison, AccessDifference, Permit, record_ids
from assignments.missing_pairs import add_missing_pairs
from assignments.models import ServiceAssignment
from assignments.tracking import Decision, Kind
from catalog.models import Service
from productive.accounts.models import Person, User
from productive.admin.forms import label_of
from productive.admin.preview import Consequences, Group, Line, RecordOutcome, RelatedChange
from productive.admin.watch import Comparison, Watch
from productive.database.written_rows import WrittenRows

NOT_ALLOWED = "Only users who may view people and services see who gains or loses access."
UNCHANGED = "Nobody gains or loses access today."
TOO_MANY_SERVICES = (
    f"This affects more than {MAX_SERVICES:,} services, too many to show who gains or loses access."
)

# Why a user can't lock out themselves.
OWN_USER = "You can't deactivate or delete your own user. Somebody else can do it."
OWN_PERSON = "You can't archive or delete yourself: you would no longer see your organization's records."

# Assignments that a message names.
MAX_NOTICES = 3

# What somebody loses or gains on a service: all access, or one kind while they have the other.
ANY_KIND = "all"
LOSSES = {
    ANY_KIND: ("Lose access", "{who} {loses} access to {services}."),
    Kind.TIME: ("Can no longer track time", "{who} can no longer track time on {services}."),
    Kind.EXPENSE: ("Can no longer log expenses", "{who} can no longer log expenses on {services}."),
}
GAINS = {
    ANY_KIND: ("Gain access", "{who} {gains} access to {services}."),
    Kind.TIME: ("Can now track time", "{who} can now track time on {services}."),
    Kind.EXPENSE: ("Can now log expenses", "{who} can now log expenses on {services}."),
}

# Who → the services, in the order of both.
ByPerson = dict[int, list[int]]


class AccessWatch(Watch):
    """Compares who may track today.

    Users who may not view people and services don't see it, and save their forms without a confirmation: a
    preview without names would only be one more click.
    """

    def concerns(self, written: Sequence[WrittenRows]) -> bool:
        return any(map(matters, written))

    def compare(self, request: HttpRequest) -> Comparison:
        return DescribedComparison(request)

    def add_related(
        self, request: HttpRequest, written: Sequence[WrittenRows], included: Collection[str]
    ) -> Sequence[RelatedChange]:
        return add_missing_pairs(request, written, included)

    def refusal(self, request: HttpRequest, written: Sequence[WrittenRows]) -> str:
        """Refuse to lock out the user, who could not undo it."""
        for each in written:
            if each.model is User and any(
                row.id == request.user.pk and (each.history_type == "-" or not row.is_active)
                for row in each.rows
            ):
                return OWN_USER
            if each.model is Person and any(
                row.user_id == request.user.pk and (each.history_type == "-" or is_archived(each, row))
                for row in each.rows
            ):
                return OWN_PERSON
        return ""


def is_archived(written: WrittenRows, person: Any) -> bool:
    """Return whether the write archives the person, who may have been archived before."""
    is_written = written.columns is None or "archived_at" in written.columns
    return is_written and person.archived_at is not None


class DescribedComparison(Comparison):
    """Describes the difference, or why it can't be shown."""

    def __init__(self, request: HttpRequest) -> None:
        self.request = request
        self.access = AccessComparison()
        self.problem: Consequences | None = None

    def read_before(self, written: Sequence[WrittenRows]) -> None:
        self.read(self.access.read_before, written)

    def read_after(self, written: Sequence[WrittenRows]) -> None:
        self.read(self.access.read_after, written)

    def read(self, read: Callable[[Sequence[WrittenRows]], None], written: Sequence[WrittenRows]) -> None:
        if not can_check_access(self.request):
            self.problem = Consequences([NOT_ALLOWED])
        if self.problem is None:
            try:
                read(written)
            except TooManyServicesError:
                self.problem = Consequences([TOO_MANY_SERVICES], need_confirmation=True)

    def is_complete(self) -> bool:
        return self.problem is not None or self.access.is_complete()

    def consequences(self) -> Consequences:
        return self.problem or describe_difference(self.access.difference())


def describe_difference(difference: AccessDifference) -> Consequences:
    """Return sentences and groups, losses first."""
    unused = unused_group(difference)
    count = difference.unused.total
    notes = [f"{count:,} new assignment{pluralize(count, ' has,s have')} no effect today."] if count else []
    if not difference:
        lines = [f"{line.text}: {line.notes[0]}" for line in unused.lines[:MAX_NOTICES]]
        notice = " ".join([*notes, *lines, *(["…"] if count > MAX_NOTICES else [])])
        return Consequences([UNCHANGED, *notes], [unused], notice=notice, notes=row_notes(difference))
    order = {pk: number for number, pk in enumerate(difference.services)}
    losses = split_by_kind(difference.lost, difference.after.permits, order)
    gains = split_by_kind(difference.gained, difference.before.permits, order)
    labels = {pk: label_of(service) for pk, service in difference.services.items()}
    warnings, sentences = list(sentences_of(LOSSES, losses)), list(sentences_of(GAINS, gains))
    if not warnings and not sentences:
        sentences = [UNCHANGED]
    groups = [
        *people_groups(LOSSES, RecordOutcome.LOST, losses, difference),
        services_group(
            "Services that nobody can track on anymore", difference.closed, labels, RecordOutcome.LOST
        ),
        services_group(
            "Services that open to everybody on the project", difference.opened, labels, RecordOutcome.OPENED
        ),
        services_group(
            "Services that stay open to everybody on the project, because they have no assignees",
            difference.ignored,
            labels,
            RecordOutcome.OPENED,
        ),
        *people_groups(GAINS, RecordOutcome.AFFECTED, gains, difference),
        services_group("Services that are no longer open to everybody", difference.restricted, labels),
        services_group("Services that somebody can track on again", difference.reopened, labels),
        unused,
    ]
    return Consequences(
        [*sentences, *notes],
        [group for group in groups if group.lines],
        warnings,
        need_confirmation=True,
        fingerprint=fingerprint(difference, labels),
        notes=row_notes(difference),
    )


def split_by_kind(
    permits: Iterable[Permit], others: Collection[Permit], order: Mapping[int, int]
) -> dict[str, ByPerson]:
    """Split lost permits by what is left, or gained ones by what there was.

    `others` are the permits after the loss, or before the gain; `order` is that of the services.
    """
    has_other = {permit[:2] for permit in others}
    found: dict[str, dict[int, set[int]]] = defaultdict(lambda: defaultdict(set))
    for permit in permits:
        name = permit.kind if permit[:2] in has_other else ANY_KIND
        found[name][permit.person_id].add(permit.service_id)
    return {
        name: {person: sorted(services, key=order.__getitem__) for person, services in people.items()}
        for name, people in found.items()
    }


def sentences_of(texts: Mapping[str, tuple[str, str]], found: Mapping[str, ByPerson]) -> Iterator[str]:
    """Yield sentences, such as "1 person loses access to 2 services."."""
    for name, (_, text) in texts.items():
        if by_person := found.get(name):
            people, services = len(by_person), len(set().union(*by_person.values()))
            yield text.format(
                who="1 person" if people == 1 else f"{people:,} people",
                loses="loses" if people == 1 else "lose",
                gains="gains" if people == 1 else "gain",
                services="1 service" if services == 1 else f"{services:,} services",
            )


def people_groups(
    texts: Mapping[str, tuple[str, str]],
    outcome: RecordOutcome,
    found: Mapping[str, ByPerson],
    difference: AccessDifference,
) -> Iterator[Group]:
    """Yield groups with a line for each person, which names the services."""
    for name, (title, _) in texts.items():
        if by_person := found.get(name):
            lines = [
                Line(
                    label_of(person),
                    [names_by_budget(difference.services[pk] for pk in by_person[person_id])],
                )
                for person_id, person in difference.people.items()
                if person_id in by_person
            ]
            yield Group(title, outcome, lines)


def names_by_budget(services: Iterable[Service]) -> str:
    """Return "Design, QA · Website; Audit · Support", for services in the order of budgets."""
    return "; ".join(
        f"{', '.join(map(str, group))} · {label_of(deal)}"
        for deal, group in groupby(services, key=attrgetter("deal"))
    )


def services_group(
    title: str,
    services: Collection[int],
    labels: dict[int, str],
    outcome: RecordOutcome = RecordOutcome.AFFECTED,
) -> Group:
    return Group(title, outcome, [Line(labels[pk]) for pk in services])


def unused_group(difference: AccessDifference) -> Group:
    """Return the new service assignments that have no effect, with the reasons."""
    lines = [
        Line(f"{label_of(decision.person)} → {label_of(decision.service)}", [reasons_of(decision)])
        for decision in difference.unused.decisions
    ]
    return Group("New assignments without effect today", RecordOutcome.AFFECTED, lines)


def row_notes(difference: AccessDifference) -> list[tuple[str, tuple[int, int], str]]:
    """Return a note about each new service assignment that has no effect."""
    label = ServiceAssignment._meta.label_lower
    return [
        (label, (decision.person.pk, decision.service.pk), f"no effect today: {reasons_of(decision)}")
        for decision in difference.unused.decisions
    ]


def reasons_of(decision: Decision) -> str:
    return "; ".join(reason.message for reason in decision.reasons) + "."


def fingerprint(difference: AccessDifference, labels: dict[int, str]) -> str:
    """Return what identifies the difference; new people and services have no lasting id."""
    services, new_people = difference.before.services, record_ids(difference.written, Person, "+")

    def keys(permits: Iterable[Permit]) -> list[Any]:
        return sorted(
            [
                label_of(difference.people[p.person_id]) if p.person_id in new_people else str(p.person_id),
                p.kind,
                str(p.service_id) if p.service_id in services else labels[p.service_id],
            ]
            for p in permits
        )

    return json.dumps([keys(difference.lost), keys(difference.gained)])
