"""Bulk actions that create or delete pairs of records."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from django.contrib import admin
from django.contrib.admin.options import ModelAdmin
from django.core.exceptions import ValidationError
from django.db import models
from django.http import HttpRequest

from productive.admin.bulk.actions import MAX_BULK_ROWS, BulkAction, Selection, TooManyError, quantity
from productive.admin.forms import label_with_status
from productive.admin.preview import Group, Line, Preview, RecordOutcome
from productive.database.history import record


def validation_errors(instance: models.Model) -> str:
    """Return the model's errors as text, or "".

    `PairAction.existing` checks uniqueness, for all pairs at once.
    """
    try:
        instance.clean()
        for _, constraints in instance.get_constraints():
            for constraint in constraints:
                if not isinstance(constraint, models.UniqueConstraint):
                    constraint.validate(type(instance), instance)
    except ValidationError as error:
        if not hasattr(error, "error_dict"):
            return " ".join(error.messages)
        names = {name: instance._meta.get_field(name).verbose_name for name in error.message_dict}  # type: ignore[union-attr]
        return " ".join(
            f"{names[name]} {text}" for name, messages in error.message_dict.items() for text in messages
        )
    return ""


@dataclass(kw_only=True, eq=False)
class PairAction(BulkAction):
    """An action on the rows that join selected and chosen records.

    `selected` and `other` are the two foreign keys of the model, and placeholders of `message` for the
    number of records: "Assigned {selected} to {other}".
    """

    model: type[Any]
    selected: str
    other: str
    message: str
    # Whether the user chooses records of the selected rows' model, whose pairs are copied.
    copies: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        self.choice = self.model._meta.get_field(self.selected if self.copies else self.other)

    def is_allowed(self, model_admin: ModelAdmin[Any], request: HttpRequest) -> bool:
        """Require permission to view both sides, too."""
        sides = [admin.site.get_model_admin(self.side(name)) for name in (self.selected, self.other)]
        return super().is_allowed(admin.site.get_model_admin(self.model), request) and all(
            side.has_view_permission(request) for side in sides
        )

    def side(self, name: str) -> type[Any]:
        related: type[Any] = self.model._meta.get_field(name).related_model
        return related

    def others(self, selection: Selection) -> list[Any]:
        if not self.copies:
            return selection.others(self.side(self.other))
        model_admin = admin.site.get_model_admin(self.side(self.other))
        pairs = self.model._default_manager.filter(**{f"{self.selected}__in": selection.chosen})
        rows: Any = model_admin.get_queryset(selection.request).filter(
            pk__in=pairs.order_by().values(self.other)
        )
        ids = list(rows.active().order_by().values_list("pk", flat=True).distinct()[: MAX_BULK_ROWS + 1])
        return replace(selection, chosen=ids).others(self.side(self.other))

    def pairs(self, selection: Selection) -> list[tuple[Any, Any]]:
        rows, others = selection.rows(), self.others(selection)
        if len(rows) * len(others) > MAX_BULK_ROWS:
            raise TooManyError(
                f"{quantity(self.side(self.selected), len(rows))} and"
                f" {quantity(self.side(self.other), len(others))} make {len(rows) * len(others):,} pairs."
                f" At most {MAX_BULK_ROWS:,} can be changed at once: choose fewer."
            )
        return [(row, other) for row in rows for other in others]

    def existing(self, pairs: list[tuple[Any, Any]]) -> dict[tuple[int, int], Any]:
        """Return the rows that exist, by the ids of both sides."""
        ids, other_ids = {row.pk for row, _ in pairs}, {other.pk for _, other in pairs}
        found = self.model._default_manager.filter(
            **{f"{self.selected}__in": ids, f"{self.other}__in": other_ids}
        )
        return {
            (getattr(pair, f"{self.selected}_id"), getattr(pair, f"{self.other}_id")): pair for pair in found
        }

    def line_factory(self) -> Callable[..., Line]:
        """Return a function for lines, which gets each record's label only once."""
        labels: dict[Any, str] = {}
        names = [column.name for column in self.model._meta.fields]
        is_reversed = names.index(self.selected) > names.index(self.other)

        def line(row: Any, other: Any, *notes: str) -> Line:
            first, second = (other, row) if is_reversed else (row, other)
            for side in (first, second):
                if side not in labels:
                    labels[side] = label_with_status(side)
            return Line(f"{labels[first]} → {labels[second]}", notes)

        return line

    def sentence(self, pairs: list[tuple[Any, Any]]) -> str:
        rows, others = {row.pk for row, _ in pairs}, {other.pk for _, other in pairs}
        return self.message.format(
            selected=quantity(self.side(self.selected), len(rows)),
            other=quantity(self.side(self.other), len(others)),
        )


@dataclass(kw_only=True, eq=False)
class Pairing(PairAction):
    """An action that creates the pairs that don't exist."""

    permission = "add"

    def plan(self, selection: Selection) -> tuple[list[Any], Preview]:
        pairs = self.pairs(selection)
        known, line = self.existing(pairs), self.line_factory()
        lines: dict[RecordOutcome, list[Line]] = defaultdict(list)
        rows: list[Any] = []
        new: list[tuple[Any, Any]] = []
        for row, other in pairs:
            if (row.pk, other.pk) in known:
                lines[RecordOutcome.UNCHANGED].append(line(row, other))
                continue
            instance = self.model(
                organization_id=row.organization_id, **{self.selected: row, self.other: other}
            )
            if reason := validation_errors(instance):
                lines[RecordOutcome.REJECTED].append(line(row, other, reason))
                continue
            rows.append(instance)
            new.append((row, other))
            lines[RecordOutcome.CREATED].append(line(row, other))
        number, name = quantity(self.model, len(rows)).split(maxsplit=1)
        message = f"{self.sentence(new)}: {number} new {name}"
        if existing := lines[RecordOutcome.UNCHANGED]:
            message += f", {len(existing):,} already existed"
        if rejected := lines[RecordOutcome.REJECTED]:
            message += f", {len(rejected):,} could not be created"
        groups = [
            Group("Will be created", RecordOutcome.CREATED, lines[RecordOutcome.CREATED]),
            Group("Already exist, skipped", RecordOutcome.UNCHANGED, existing),
            Group("Can't be done", RecordOutcome.REJECTED, rejected),
        ]
        return rows, Preview(groups, f"Create {number} {name}", f"{message}.")

    def write(self, rows: list[Any]) -> None:
        self.model._default_manager.bulk_create(rows)
        record(self.model, rows, "+")


@dataclass(kw_only=True, eq=False)
class Unpairing(PairAction):
    """An action that deletes the pairs that exist."""

    permission = "delete"

    def plan(self, selection: Selection) -> tuple[list[Any], Preview]:
        pairs = self.pairs(selection)
        known, line = self.existing(pairs), self.line_factory()
        existing = [pair for pair in pairs if (pair[0].pk, pair[1].pk) in known]
        missing = [pair for pair in pairs if (pair[0].pk, pair[1].pk) not in known]
        groups = [
            Group("Will be removed", RecordOutcome.DELETED, [line(*pair) for pair in existing]),
            Group("Don't exist, skipped", RecordOutcome.UNCHANGED, [line(*pair) for pair in missing]),
        ]
        rows = [known[row.pk, other.pk] for row, other in existing]
        count = quantity(self.model, len(rows))
        message = f"{self.sentence(existing)}: {count} removed."
        return rows, Preview(groups, f"Remove {count}", message, removed=len(rows))

    def write(self, rows: list[Any]) -> None:
        self.model._default_manager.filter(pk__in=[row.pk for row in rows]).delete()
