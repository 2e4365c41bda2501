"""The operation that merges records into one of them, and its preview."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
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
        model, survivor = self.merge.model, self.merge.survivor
        name, count = label_of(survivor), quantity(model, len(self.others))
        model_admin: Any = self.selection.model_admin
        groups: list[Group] = [
            *model_admin.merge_warnings(self.request, self.merge),
            Group(
                f"Will be archived, and merged into {name}",
                RecordOutcome.CHANGED,
                [Line(label_with_status(other)) for other in self.others],
            ),
        ]
        if changes := self.survivor_changes():
            groups.append(Group("Will be changed", RecordOutcome.CHANGED, [Line(name, differences=changes)]))
        moved: Counter[Any] = Counter()
        duplicates = 0
        for move in moves:
            moved[move.model] += len(move.rows)
            duplicates += len(move.duplicates)
            plural = capfirst(str(move.model._meta.verbose_name_plural))
            field = move.model._meta.get_field(move.name)
            title = f"{plural} that were merged into these before"
            if move.name != "merged_into":
                title = f"{plural} whose {field.verbose_name} will be {name}"
            groups += [
                Group(title, RecordOutcome.CHANGED, self.lines(move.model, move.rows)),
                Group(
                    f"{plural} that exist twice, so one is deleted",
                    RecordOutcome.DELETED,
                    self.lines(move.model, move.duplicates),
                ),
            ]
        parts = [quantity(each, number) for each, number in moved.items() if number]
        message = f"{count} merged into “{name}”."
        if parts:
            message += f" Moved: {', '.join(parts)}."
        if duplicates:
            message += f" Deleted because they existed twice: {duplicates:,}."
        return Preview(
            [group for group in groups if group.lines],
            f"Merge {count}",
            message,
            blocked=self.missing_permission(moves),
            removed=duplicates + len(self.others),
        )

    def survivor_changes(self) -> list[Difference]:
        before, after = self.merge.survivor, copy(self.merge.survivor)
        names = [
            field.name
            for field in self.merge.model._meta.concrete_fields
            if field.attname in self.merge.values
        ]
        for name in names:
            field = self.merge.model._meta.get_field(name)
            setattr(after, field.attname, self.merge.values[field.attname])
        fill_relations(self.request, [before, after])
        return differences(before, after, names)

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


def reason_against(records: Any, number: int) -> str:
    """Return why the records can't be merged, or ""."""
    found = [*records]
    if len(found) < max(number, 2):
        return "Choose at least two records. Some of them may have been deleted."
    if len({record.organization_id for record in found}) > 1:
        return "Records of different organizations can't be merged."
    merged = [label_of(record) for record in found if record.merged_into_id is not None]
    if merged:
        return f"Already merged into another record: {', '.join(merged)}."
    return ""
