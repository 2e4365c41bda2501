"""Preview an operation on records, and apply it if it still does the same.

Bulk actions, imports and undo share it: attempt the operation, show what it does, and roll it back. Once the
user confirms the digest of that preview, attempt it again, and keep it if the digest is the same. What is
applied is one change set, which can be undone. Knows no model.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property
from hashlib import sha256
from typing import Any

from django.contrib import admin, messages
from django.db import IntegrityError, OperationalError, transaction
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.html import format_html

from productive.database.history import current_change_set

# Lines of a group that the page shows; the others are in its count.
SHOWN = 300


class Outcome(StrEnum):
    """What becomes of a record."""

    REFUSED = "refused"
    CREATED = "created"
    CHANGED = "changed"
    DELETED = "deleted"
    UNCHANGED = "unchanged"
    # Not written itself, but what applies to it changes.
    AFFECTED = "affected"


WRITTEN = {Outcome.CREATED, Outcome.CHANGED, Outcome.DELETED}

TITLES = {
    Outcome.REFUSED: "Can't be done",
    Outcome.CREATED: "Will be created",
    Outcome.CHANGED: "Will be changed",
    Outcome.DELETED: "Will be deleted",
    Outcome.UNCHANGED: "Unchanged",
}


class BusyError(Exception):
    """Other requests are writing the same records."""

    def __str__(self) -> str:
        return "Other users are changing the same records right now. Nothing was changed: try again."


@dataclass(frozen=True, slots=True)
class Difference:
    """A field's value before and after, as text."""

    field: str
    before: str
    after: str


@dataclass(frozen=True, slots=True)
class Line:
    """A record in a preview, with the reasons or notes that belong to it."""

    text: str
    notes: Sequence[str] = ()
    # What stands before the text: the kind of record, or the row of a file.
    prefix: str = ""
    differences: Sequence[Difference] = ()


@dataclass(frozen=True, slots=True)
class Group:
    """The lines with one outcome, under a title."""

    title: str
    outcome: Outcome
    lines: Sequence[Line] = ()

    @property
    def shown(self) -> Sequence[Line]:
        return self.lines[:SHOWN]

    @property
    def count(self) -> str:
        return f"{len(self.lines):,}"

    @property
    def hidden(self) -> str:
        return f"{len(self.lines) - SHOWN:,}" if len(self.lines) > SHOWN else ""


def grouped(lines: Iterable[tuple[Outcome, Line]]) -> list[Group]:
    """Group lines by outcome, in the order of `TITLES`."""
    by_outcome: defaultdict[Outcome, list[Line]] = defaultdict(list)
    for outcome, line in lines:
        by_outcome[outcome].append(line)
    return [Group(title, outcome, by_outcome[outcome]) for outcome, title in TITLES.items()]


@dataclass(frozen=True, slots=True)
class Consequences:
    """What an operation means beyond the rows that it writes."""

    sentences: Sequence[str]
    groups: Sequence[Group] = ()


# Looks at the state before rows are written; the returned function compares it with the state afterwards.
Watch = Callable[[HttpRequest, Sequence[Any]], Callable[[], Consequences]]


@dataclass(frozen=True)
class Preview:
    """What an operation does, its button, and the message once applied."""

    groups: Sequence[Group]
    button: str = ""
    message: str = ""
    consequences: Consequences | None = None
    # Why the operation can't be applied, even if some lines could be.
    blocked: str = ""

    @cached_property
    def digest(self) -> str:
        """Identify what the preview shows."""
        shown = json.dumps([self.groups, self.consequences], default=fields_of)
        return sha256(shown.encode()).hexdigest()

    def count(self, outcome: Outcome) -> int:
        return sum(len(group.lines) for group in self.groups if group.outcome is outcome)

    @property
    def can_apply(self) -> bool:
        return not self.blocked and any(map(self.count, WRITTEN))

    @property
    def is_done(self) -> bool:
        """Whether nothing is left to do, and nothing was refused."""
        return not (self.blocked or self.can_apply or self.count(Outcome.REFUSED))

    @property
    def deletes(self) -> bool:
        return self.count(Outcome.DELETED) > 0


def fields_of(value: Any) -> list[Any]:
    """Serialize one of the dataclasses above for the digest."""
    return [getattr(value, name) for name in value.__slots__]


def summary(groups: Sequence[Group]) -> str:
    """Return the counts of the groups, what failed last: "2 created, 1 refused"."""
    ordered = sorted(groups, key=lambda group: group.outcome is Outcome.REFUSED)
    return ", ".join(f"{group.count} {group.outcome}" for group in ordered if group.lines)


class Operation:
    """Something that a user confirms before it is applied."""

    # Whether even the preview has to write, to find out what happens then. Its transaction is rolled back.
    writes_to_preview = True

    def attempt(self, *, apply: bool) -> Preview:
        """Write the operation, and return its preview.

        With `apply`, lock the rows before reading them. Without, write only what the preview needs.
        """
        raise NotImplementedError

    def record(self) -> None:
        """Record in the history what `attempt` wrote without recording it."""


@dataclass(frozen=True, slots=True)
class Result:
    """What came of an operation: its preview, and whether it was applied."""

    preview: Preview
    is_applied: bool = False
    # Whether the user confirmed a preview that is out of date.
    is_stale: bool = False


def carry_out(operation: Operation, agreed: str = "") -> Result:
    """Apply the operation if its digest is `agreed`; otherwise preview it.

    Raise BusyError if other requests lock the rows for too long, or write them again and again.
    """
    try:
        try:
            return attempt(operation, agreed)
        except IntegrityError:
            # Another request was faster. The second attempt sees what it wrote.
            return attempt(operation, agreed)
    except (IntegrityError, OperationalError) as error:
        raise BusyError from error


def attempt(operation: Operation, agreed: str) -> Result:
    """Attempt the operation, and roll it back unless this was agreed."""
    if not agreed and not operation.writes_to_preview:
        return Result(operation.attempt(apply=False))
    with transaction.atomic():
        preview = operation.attempt(apply=bool(agreed))
        is_applied = preview.can_apply and preview.digest == agreed
        if is_applied:
            operation.record()
        else:
            transaction.set_rollback(True)
    return Result(preview, is_applied, is_stale=bool(agreed) and not is_applied)


def respond(request: HttpRequest, result: Result, *, done: str, page: Mapping[str, Any]) -> HttpResponse:
    """Show the preview, or redirect to `done` if nothing is left to do.

    `page` has the other variables of the template: `title`, `intro` and `back` (an address); optionally
    `opts`, `back_label`, `action` (of the form), `fields` (its hidden ones) and `choose` (the label of a
    button that leads back to a choice).
    """
    preview = result.preview
    if result.is_applied:
        undo = reverse("admin:change_set", args=[current_change_set()])
        link = '{} <a class="font-semibold underline" href="{}">View or undo</a>'
        messages.success(request, format_html(link, preview.message, undo))
        return HttpResponseRedirect(done)
    if result.is_stale and preview.is_done:
        # As after a second click on the button.
        messages.info(request, "There was nothing left to do.")
        return HttpResponseRedirect(done)
    context = {**admin.site.each_context(request), "preview": preview, "is_stale": result.is_stale, **page}
    return TemplateResponse(request, "admin/preview.html", context)
