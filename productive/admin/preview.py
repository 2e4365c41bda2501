"""The preview of an operation: what it does to records, and its consequences."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import cached_property
from hashlib import sha256
from typing import Any

# Lines of a group on the page; its count includes the others.
MAX_LINES = 300
# Of these, written rows beyond so many are folded, at the end of their group.
MAX_UNFOLDED = 50
# If an operation has consequences, longer groups of written rows are folded, so that these are visible.
MAX_OPEN_LINES = 10
# If an operation deletes, archives or closes more records, the user confirms their number by typing it.
MAX_UNTYPED = 20


class RecordOutcome(StrEnum):
    """What an operation does to a record."""

    REJECTED = "rejected"
    CREATED = "created"
    CHANGED = "changed"
    DELETED = "deleted"
    UNCHANGED = "unchanged"
    # Not written, but affected by what is written: in general, or by losing access or opening to everybody.
    AFFECTED = "affected"
    LOST = "lost"
    OPENED = "opened"


WRITTEN_OUTCOMES = {RecordOutcome.CREATED, RecordOutcome.CHANGED, RecordOutcome.DELETED}

TITLES = {
    RecordOutcome.REJECTED: "Can't be done",
    RecordOutcome.CREATED: "Will be created",
    RecordOutcome.CHANGED: "Will be changed",
    RecordOutcome.DELETED: "Will be deleted",
    RecordOutcome.UNCHANGED: "Unchanged",
}


@dataclass(frozen=True, slots=True)
class Difference:
    """A field's value before and after, as text."""

    field: str
    before: str
    after: str


@dataclass(frozen=True, slots=True)
class Line:
    """A record in a preview, with notes such as the reason of a rejection."""

    text: str
    notes: Sequence[str] = ()
    # The model of the record, or the row of a file.
    prefix: str = ""
    differences: Sequence[Difference] = ()


@dataclass(frozen=True, slots=True)
class Group:
    """The lines with one outcome, under a title."""

    title: str
    outcome: RecordOutcome
    lines: Sequence[Line] = ()

    @property
    def shown(self) -> Sequence[Line]:
        return self.lines[:MAX_LINES]

    @property
    def first_folded(self) -> int:
        """Return the number of the first folded line; reasons and effects are never folded."""
        return (MAX_UNFOLDED if self.outcome in WRITTEN_OUTCOMES else MAX_LINES) + 1

    @property
    def count(self) -> str:
        return f"{len(self.lines):,}"

    @property
    def is_long(self) -> bool:
        return len(self.lines) > MAX_OPEN_LINES

    @property
    def folds(self) -> bool:
        """Return whether the lines are folded if there are many, because nothing is done."""
        return self.outcome is RecordOutcome.UNCHANGED

    @property
    def hidden(self) -> str:
        return f"{len(self.lines) - MAX_LINES:,}" if len(self.lines) > MAX_LINES else ""


def group_lines(lines: Iterable[tuple[RecordOutcome, Line]]) -> list[Group]:
    """Group lines by outcome, in the order of `TITLES`."""
    by_outcome: defaultdict[RecordOutcome, list[Line]] = defaultdict(list)
    for outcome, line in lines:
        by_outcome[outcome].append(line)
    return [Group(title, outcome, by_outcome[outcome]) for outcome, title in TITLES.items()]


@dataclass(frozen=True, slots=True)
class Consequences:
    """The effects of an operation beyond the rows that it writes."""

    sentences: Sequence[str]
    groups: Sequence[Group] = ()
    # Sentences about losses, which come first.
    warnings: Sequence[str] = ()
    # Whether a form must be confirmed before it is saved.
    need_confirmation: bool = False
    # What a form that needs no confirmation says once it is saved.
    notice: str = ""
    # Identifies the effects, even if records have the same names. It isn't shown.
    fingerprint: str = ""
    # Notes about new rows: the model's label, the key by which an import finds the row, and the text.
    notes: Sequence[tuple[str, tuple[int, int], str]] = ()


@dataclass(frozen=True, slots=True)
class RelatedChange:
    """A change of related records that the user can include in the operation."""

    # Identifies it in requests.
    name: str
    label: str
    lines: Sequence[Line]
    is_included: bool = False

    @property
    def group(self) -> Group:
        return Group(self.label, RecordOutcome.CREATED, self.lines)


@dataclass(frozen=True, slots=True)
class Question:
    """What the user may want to do instead of saving a form: open another record, or run an action on it.

    `action` has the name of a bulk action, the URL of its list, and the id of the record.
    """

    text: str
    url: str
    action: tuple[str, str, int] | None = None


@dataclass(frozen=True)
class Preview:
    """The result of an attempt, with the texts of button and message."""

    groups: Sequence[Group]
    button: str = ""
    message: str = ""
    consequences: Consequences | None = None
    # The reason why nothing can be applied, even if some lines could be.
    blocked: str = ""
    # The number of records that are deleted, archived or closed, including related ones.
    removed: int = 0
    related: Sequence[RelatedChange] = ()
    questions: Sequence[Question] = ()

    @cached_property
    def digest(self) -> str:
        """Return a hash of everything that the preview shows.

        The notes aren't part of it: the lines have those that are shown, and the keys of the others contain
        the ids of new rows, which PostgreSQL doesn't use again after a rollback.
        """
        consequences = self.consequences and replace(self.consequences, notes=())
        shown = [self.groups, consequences, *self.related, *self.questions]
        text = json.dumps(shown, default=slot_values)
        return sha256(text.encode()).hexdigest()

    def count(self, outcome: RecordOutcome) -> int:
        return sum(len(group.lines) for group in self.groups if group.outcome is outcome)

    @property
    def can_apply(self) -> bool:
        return not self.blocked and any(map(self.count, WRITTEN_OUTCOMES))

    @property
    def is_done(self) -> bool:
        """Return whether nothing is left to do, and nothing was rejected."""
        return not (self.blocked or self.can_apply or self.count(RecordOutcome.REJECTED))

    @property
    def folds(self) -> bool:
        """Return whether long groups are folded, below the consequences."""
        return self.consequences is not None and self.consequences.need_confirmation

    @property
    def is_large(self) -> bool:
        """Return whether the user must type the number of records to confirm it."""
        return self.removed > MAX_UNTYPED

    @property
    def is_destructive(self) -> bool:
        return self.is_large or self.count(RecordOutcome.DELETED) > 0


def slot_values(value: Any) -> list[Any]:
    """Serialize one of the dataclasses above for the digest."""
    return [getattr(value, name) for name in value.__slots__]


def summary(groups: Sequence[Group]) -> str:
    """Return counts, the rejected last: "2 created, 1 rejected"."""
    ordered = sorted(groups, key=lambda group: group.outcome is RecordOutcome.REJECTED)
    return ", ".join(f"{group.count} {group.outcome}" for group in ordered if group.lines)
