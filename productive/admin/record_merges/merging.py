"""The operation that merges records into one of them, and its preview."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence
from copy import copy
from dataclasses import replace
from typing import Any

from django.contrib import admin
from django.core.exceptions import ValidationError
from django.http import HttpRequest
from django.utils.text import capfirst

from productive.admin.bulk.actions import Selection, quantity
from productive.admin.changes.states import differences, fill_relations
from productive.admin.forms import label_of, label_with_status
from productive.admin.operations import Operation
from productive.admin.preview import Difference, Group, Line, Preview, RecordOutcome
from productive.database.record_merges import Move, RecordMerge


class RecordMerging(Operation):
    """Merge the records into the survivor, with the chosen values."""

    def __init__(self, selection: Selection, survivor: int, values: dict[str, int]) -> None:
        self.selection, self.survivor_id, self.values = selection, survivor, values

    @property
    def request(self) -> HttpRequest:
        return self.selection.request

    def attempt(self, *, apply: bool) -> Preview:
        selection = self.selection
        records = {row.pk: row for row in replace(selection, locks=apply).rows()}
        if reason := reason_against(records.values(), len(selection.selected)):
            return Preview([], blocked=reason)
        survivor = records.pop(self.survivor_id)
        self.others = [*records.values()]
        records[survivor.pk] = survivor
        fields = {name: survivor._meta.get_field(name) for name in self.values}
        values = {
            fields[name].attname: getattr(records[pk], fields[name].attname)
            for name, pk in self.values.items()
        }
        self.merge = RecordMerge(survivor, self.others, values)
        try:
            moves = [*self.merge.moves()]
        except ValidationError as error:
            return Preview([], blocked=" ".join(error.messages))
        preview = self.describe_merge(moves)
        if not preview.blocked:
            self.merge.write(moves)
        return preview

    def describe_merge(self, moves: Sequence[Move]) -> Preview:
        """Return the preview. The rows must not be written yet."""
        count = quantity(self.merge.model, len(self.others))
        model_admin: Any = self.selection.model_admin
        groups: list[Group] = [
            *model_admin.merge_warnings(self.request, self.merge),
            *self.record_groups(),
            *(group for move in moves for group in self.move_groups(move)),
        ]
        return Preview(
            [group for group in groups if group.lines],
            f"Merge {count}",
            self.message(count, moves),
            blocked=self.missing_permission(moves),
            removed=len(self.others) + sum(len(move.duplicates) for move in moves),
        )

    def message(self, count: str, moves: Sequence[Move]) -> str:
        """Return the message once the records are merged."""
        moved: Counter[Any] = Counter()
        for move in moves:
            moved[move.model] += len(move.rows)
        parts = [quantity(model, number) for model, number in moved.items() if number]
        message = f"{count} merged into “{label_of(self.merge.survivor)}”."
        if parts:
            message += f" Moved: {', '.join(parts)}."
        if duplicates := sum(len(move.duplicates) for move in moves):
            message += f" Deleted because they existed twice: {duplicates:,}."
        return message

    def record_groups(self) -> list[Group]:
        """Return what happens to the records that are merged."""
        name, changes = label_of(self.merge.survivor), self.survivor_changes()
        archived = [Line(label_with_status(other)) for other in self.others]
        changed = [Line(name, differences=changes)] if changes else []
        return [
            Group(f"Will be archived, and merged into {name}", RecordOutcome.CHANGED, archived),
            Group("Will be changed", RecordOutcome.CHANGED, changed),
        ]

    def move_groups(self, move: Move) -> list[Group]:
        """Return what happens to the records that refer to them."""
        options = move.model._meta
        plural = capfirst(str(options.verbose_name_plural))
        if move.name == "merged_into":
            title = f"{plural} that were merged into these before"
        else:
            field, name = options.get_field(move.name), label_of(self.merge.survivor)
            title = f"{plural} whose {field.verbose_name} will be {name}"
        return [
            Group(title, RecordOutcome.CHANGED, self.lines(move.model, move.rows)),
            Group(
                f"{plural} that exist twice, so one is deleted",
                RecordOutcome.DELETED,
                self.lines(move.model, move.duplicates),
            ),
        ]

    def survivor_changes(self) -> list[Difference]:
        before, after, values = self.merge.survivor, copy(self.merge.survivor), self.merge.values
        fields = [field for field in self.merge.model._meta.concrete_fields if field.attname in values]
        for field in fields:
            setattr(after, field.attname, values[field.attname])
        fill_relations(self.request, [before, after])
        return differences(before, after, [field.name for field in fields])

    def lines(self, model: Any, rows: Sequence[Any]) -> list[Line]:
        """Return the labels of the rows. Those that the user may not see have none."""
        if not rows or not admin.site.is_registered(model):
            return [Line(str(row)) for row in rows]
        model_admin = admin.site.get_model_admin(model)
        shown = Selection(model_admin, self.request, [row.pk for row in rows]).rows()
        return [Line(label_of(row)) for row in shown]

    def missing_permission(self, moves: Sequence[Move]) -> str:
        """Return why the user may not write what is moved, or ""."""
        for move in moves:
            plural = move.model._meta.verbose_name_plural
            model_admin: Any = admin.site.get_model_admin(move.model)
            if not model_admin.has_change_permission(self.request):
                return f"You don't have permission to change {plural}, which refer to these records."
            if move.duplicates and not model_admin.has_delete_permission(self.request):
                return f"You don't have permission to delete {plural} that both records have."
        return ""


def reason_against(records: Collection[Any], number: int) -> str:
    """Return why the records can't be merged, or ""."""
    if len(records) < max(number, 2):
        return "Choose at least two records. Some of them may have been deleted."
    if len({record.organization_id for record in records}) > 1:
        return "Records of different organizations can't be merged."
    merged = [label_of(record) for record in records if record.merged_into_id is not None]
    if merged:
        return f"Already merged into another record: {', '.join(merged)}."
    return ""
