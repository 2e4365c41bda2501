"""The staged changes of a board, as an operation of the admin."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from django.contrib import admin
from django.db.models import BigIntegerField
from django.http import HttpRequest
from django.utils.formats import date_format
from django.utils.timezone import localtime

from assignments.board.boards import Board, organization_of
from assignments.board.cells import Pair
from productive.accounts.models import Person
from productive.admin.bulk.actions import Selection, quantity
from productive.admin.bulk.pairs import validation_errors
from productive.admin.changes.change_sets import author_of, visible_records
from productive.admin.forms import is_id
from productive.admin.operations import Operation
from productive.admin.preview import Group, Line, Preview, RecordOutcome

MAX_CHANGES = 20_000

MINUS = "\N{MINUS SIGN}"

WILL_BE_ADDED = "Will be added"
WILL_BE_REMOVED = "Will be removed"
DONE = "Already done, skipped"
CONFLICT = "Somebody else has changed these in the meantime: they stay as they are"
REJECTED = "Can't be done"
OUTCOME_OF_GROUP = {
    REJECTED: RecordOutcome.REJECTED,
    CONFLICT: RecordOutcome.UNCHANGED,
    WILL_BE_ADDED: RecordOutcome.CREATED,
    WILL_BE_REMOVED: RecordOutcome.DELETED,
    DONE: RecordOutcome.UNCHANGED,
}


class StagedChange(NamedTuple):
    """A staged cell: whether the person shall be assigned, and the assignment that the page showed.

    `seen` is the id of that assignment, or 0.
    """

    person_id: int
    column_id: int
    is_assigned: bool
    seen: int


class UnreadableError(Exception):
    """The request has no changes that the page can have sent."""


def parse_changes(text: str) -> list[StagedChange]:
    """Return the changes of a JSON list, or raise UnreadableError."""
    try:
        rows = json.loads(text)
    except (ValueError, RecursionError):
        raise UnreadableError from None
    if not isinstance(rows, list) or len(rows) > MAX_CHANGES:
        raise UnreadableError
    found = {}
    for row in rows:
        match row:
            case [int(person), int(column), int(is_assigned), int(seen)]:
                change = StagedChange(person, column, bool(is_assigned), seen)
            case _:
                raise UnreadableError
        if min(person, column) < 1 or seen < 0 or max(person, column, seen) > BigIntegerField.MAX_BIGINT:
            raise UnreadableError
        found[person, column] = change
    return list(found.values())


def dump_changes(changes: Iterable[StagedChange]) -> str:
    rows = [[*change[:2], int(change.is_assigned), change.seen] for change in changes]
    return json.dumps(rows, separators=(",", ":"))


def changes_of_form(rows: Iterable[str], columns: str, checked: Iterable[str]) -> list[StagedChange]:
    """Return what was changed in a form of checkboxes, or raise UnreadableError.

    `rows` are the hidden fields of the rows, "12:3=501,7=502": the person, and their assignments by column.
    `columns` are the ids of the columns that the form shows, and `checked` the values "12-3" of the cells.
    """
    shown = [parse_number(pk) for pk in columns.split(",") if pk]
    cells = set(checked)
    changes = []
    for row in rows:
        person, _, assigned = row.partition(":")
        seen = {
            parse_number(column): parse_number(pk)
            for column, _, pk in (pair.partition("=") for pair in assigned.split(",") if pair)
        }
        for column in shown:
            is_assigned = f"{person}-{column}" in cells
            if is_assigned != (column in seen):
                changes.append(StagedChange(parse_number(person), column, is_assigned, seen.get(column, 0)))
    if len(changes) > MAX_CHANGES:
        raise UnreadableError
    return changes


def parse_number(text: str) -> int:
    if not is_id(text):
        raise UnreadableError
    return int(text)


class BoardChange(Operation):
    """Add and remove the assignments of the staged cells.

    A cell whose assignment is no longer the one that the page showed stays as it is, and the preview names
    who has changed it.
    """

    def __init__(
        self, request: HttpRequest, board: Board, owner: Any, changes: Sequence[StagedChange]
    ) -> None:
        self.request, self.board, self.changes = request, board, changes
        self.organization_id = organization_of(owner).pk
        self.may_add, self.may_remove = board.may_add(request), board.may_remove(request)

    def attempt(self, *, apply: bool) -> Preview:
        people, columns = self.records(apply=apply)
        known = [c for c in self.changes if c.person_id in people and c.column_id in columns]
        pairs = [(people[c.person_id], columns[c.column_id]) for c in known]
        current = self.board.add.existing(pairs) if pairs else {}
        line = self.board.add.line_factory()
        lines: dict[str, list[Line]] = defaultdict(list)
        new: list[Any] = []
        removed: list[Any] = []
        skipped: list[tuple[str, StagedChange, tuple[Any, Any]]] = []
        for change, pair in zip(known, pairs, strict=True):
            assignment = current.get(change[:2])
            if (assignment is not None) == change.is_assigned:
                skipped.append((DONE, change, pair))
            elif (0 if assignment is None else assignment.pk) != change.seen:
                skipped.append((CONFLICT, change, pair))
            elif change.is_assigned:
                row = self.new_assignment(*pair)
                reason = validation_errors(row) if self.may_add else "you don't have permission to add these"
                lines[REJECTED if reason else WILL_BE_ADDED].append(line(*pair, *filter(None, [reason])))
                new += [] if reason else [row]
            elif self.may_remove:
                lines[WILL_BE_REMOVED].append(line(*pair))
                removed.append(assignment)
            else:
                lines[REJECTED].append(line(*pair, "you don't have permission to remove these"))
        authors = self.authors(change for _, change, _ in skipped)
        for title, change, pair in skipped:
            intent = "you add it" if change.is_assigned else "you remove it"
            author = authors.get(change[:2], "somebody else has changed it")
            lines[title].append(line(*pair, *([intent] if title == CONFLICT else []), author))
        if missing := len(self.changes) - len(known):
            name = self.board.column._meta.verbose_name_plural
            lines[REJECTED].append(Line(f"{missing:,} of people or {name} that no longer exist"))
        self.write(new, removed)
        return self.preview(lines, len(new), len(removed))

    def new_assignment(self, person: Person, column: Any) -> Any:
        sides = {"person": person, self.board.relation: column}
        return self.board.pair(organization_id=person.organization_id, **sides)

    def records(self, *, apply: bool) -> tuple[Mapping[int, Any], Mapping[int, Any]]:
        """Return the people and the columns' records that the user may see, by id."""
        people = list(dict.fromkeys(change.person_id for change in self.changes))
        columns = list(dict.fromkeys(change.column_id for change in self.changes))
        person_admin = admin.site.get_model_admin(Person)
        selection = Selection(person_admin, self.request, people, columns, locks=apply)
        found = [
            {row.pk: row for row in rows if row.organization_id == self.organization_id}
            for rows in (selection.rows(), selection.others(self.board.column))
        ]
        return found[0], found[1]

    def authors(self, changes: Iterable[StagedChange]) -> dict[Pair, str]:
        """Return who has changed these cells last, and when. It takes a query if there are any."""
        pairs = {change[:2] for change in changes}
        if not pairs:
            return {}
        name = self.board.relation
        history = visible_records(admin.site.get_model_admin(self.board.pair), self.request).filter(
            **{
                "person_id__in": {person for person, _ in pairs},
                f"{name}_id__in": {column for _, column in pairs},
            }
        )
        verbs = {"+": "added", "-": "removed", "~": "changed"}
        found = {}
        for record in history.order_by("history_date", "history_id"):
            moment = date_format(localtime(record.history_date), "j F Y, H:i")
            text = f"{author_of(record)} {verbs[record.history_type]} it on {moment}"
            found[record.person_id, getattr(record, f"{name}_id")] = text
        return {pair: text for pair, text in found.items() if pair in pairs}

    def write(self, new: list[Any], removed: list[Any]) -> None:
        if removed:
            self.board.remove.write(removed)
        if new:
            self.board.add.write(new)

    def preview(self, lines: Mapping[str, list[Line]], new: int, removed: int) -> Preview:
        groups = [
            Group(title, outcome, lines[title])
            for title, outcome in OUTCOME_OF_GROUP.items()
            if title in lines
        ]
        counts = [f"{sign}{count:,}" for sign, count in (("+", new), (MINUS, removed)) if count]
        button = f"Apply {' '.join(counts)}"
        done = [f"{quantity(self.board.pair, new)} added"] if new else []
        done += [f"{quantity(self.board.pair, removed)} removed"] if removed else []
        return Preview(groups, button, f"{', '.join(done)}.".capitalize(), removed=removed)
