"""Preview operations on records, and apply them once confirmed.

Bulk actions, imports and undo use it. A preview attempts the operation, describes the result, and rolls back.
Once the user confirms the digest of the preview, a second attempt is committed if its digest is the same.
The applied changes are one change set, which can be undone.
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

# Lines of a group on the page; its count includes the others.
MAX_LINES = 300


class RecordOutcome(StrEnum):
    """What an operation does to a record."""

    REJECTED = "rejected"
    CREATED = "created"
    CHANGED = "changed"
    DELETED = "deleted"
    UNCHANGED = "unchanged"
    # Not written, but affected by what is written.
    AFFECTED = "affected"


WRITTEN_OUTCOMES = {RecordOutcome.CREATED, RecordOutcome.CHANGED, RecordOutcome.DELETED}

TITLES = {
    RecordOutcome.REJECTED: "Can't be done",
    RecordOutcome.CREATED: "Will be created",
    RecordOutcome.CHANGED: "Will be changed",
    RecordOutcome.DELETED: "Will be deleted",
    RecordOutcome.UNCHANGED: "Unchanged",
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
    def count(self) -> str:
        return f"{len(self.lines):,}"

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


# Reads the state before rows are written, and returns a function that compares it with the state after.
Watch = Callable[[HttpRequest, Sequence[Any]], Callable[[], Consequences]]


@dataclass(frozen=True)
class Preview:
    """The result of an attempt, with the texts of button and message."""

    groups: Sequence[Group]
    button: str = ""
    message: str = ""
    consequences: Consequences | None = None
    # The reason why nothing can be applied, even if some lines could be.
    blocked: str = ""

    @cached_property
    def digest(self) -> str:
        """Return a hash of everything that the preview shows."""
        text = json.dumps([self.groups, self.consequences], default=slot_values)
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
    def deletes(self) -> bool:
        return self.count(RecordOutcome.DELETED) > 0


def slot_values(value: Any) -> list[Any]:
    """Serialize one of the dataclasses above for the digest."""
    return [getattr(value, name) for name in value.__slots__]


def summary(groups: Sequence[Group]) -> str:
    """Return counts, the rejected last: "2 created, 1 rejected"."""
    ordered = sorted(groups, key=lambda group: group.outcome is RecordOutcome.REJECTED)
    return ", ".join(f"{group.count} {group.outcome}" for group in ordered if group.lines)


class Operation:
    """Base class of operations that the user confirms before they are applied."""

    # Whether the preview must write to find out the result. Its transaction is rolled back.
    writes_to_preview = True

    def attempt(self, *, apply: bool) -> Preview:
        """Write the rows, and return the preview.

        With `apply`, lock the rows before reading them. Without it, write only what the preview needs.
        """
        raise NotImplementedError

    def record(self) -> None:
        """Create the historical records that `attempt` doesn't create."""


@dataclass(frozen=True, slots=True)
class Result:
    """The result of `carry_out`."""

    preview: Preview
    is_applied: bool = False
    # Whether the user confirmed a preview that is out of date.
    is_stale: bool = False


def carry_out(operation: Operation, digest: str = "") -> Result:
    """Apply the operation if its digest is this one; otherwise preview it.

    Raise BusyError if other requests lock the rows for too long, or write conflicting rows twice.
    """
    try:
        try:
            return attempt(operation, digest)
        except IntegrityError:
            # Another request was faster. The second attempt sees what it wrote.
            return attempt(operation, digest)
    except (IntegrityError, OperationalError) as error:
        raise BusyError from error


def attempt(operation: Operation, digest: str) -> Result:
    """Attempt the operation, and roll back unless the digest matches."""
    if not digest and not operation.writes_to_preview:
        return Result(operation.attempt(apply=False))
    with transaction.atomic():
        preview = operation.attempt(apply=bool(digest))
        is_applied = preview.can_apply and preview.digest == digest
        if is_applied:
            operation.record()
        else:
            transaction.set_rollback(True)
    return Result(preview, is_applied, is_stale=bool(digest) and not is_applied)


def respond(
    request: HttpRequest, result: Result, *, success_url: str, context: Mapping[str, Any]
) -> HttpResponse:
    """Show the preview, or redirect to `success_url` if nothing is left to do.

    `context` has the other variables of the template: `title`, `intro` and `back` (a URL); optionally
    `opts`, `back_label`, `action` (the form's URL), `fields` (its hidden fields) and `choose` (the label of
    a button to change the choice).
    """
    preview = result.preview
    if result.is_applied:
        url = reverse("admin:change_set", args=[current_change_set()])
        link = '{} <a class="font-semibold underline" href="{}">View or undo</a>'
        messages.success(request, format_html(link, preview.message, url))
        return HttpResponseRedirect(success_url)
    if result.is_stale and preview.is_done:
        # For example, after a second click on the button.
        messages.info(request, "There was nothing left to do.")
        return HttpResponseRedirect(success_url)
    shared = {**admin.site.each_context(request), "preview": preview, "is_stale": result.is_stale}
    return TemplateResponse(request, "admin/preview.html", {**shared, **context})
