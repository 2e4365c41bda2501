"""The page that merges records into one of them.

The user chooses the survivor and the value of each field in which the records differ, and sees a preview.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from copy import copy
from dataclasses import replace
from typing import Any
from urllib.parse import urlencode

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied, ValidationError
from django.db.models import Count
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.utils.text import capfirst

from productive.admin.bulk.actions import Selection, quantity
from productive.admin.changes.states import differences, fill_relations, value_text
from productive.admin.forms import is_id, label_of, label_with_status
from productive.admin.operations import (
    BusyError,
    Operation,
    Step,
    carry_out,
    posted_fields,
    posted_step,
    respond,
)
from productive.admin.preview import Difference, Group, Line, Preview, RecordOutcome
from productive.admin.urls import admin_url
from productive.database.moments import moment_of
from productive.database.record_merges import Move, RecordMerge, foreign_keys_to

# Records of one merge.
MAX_MERGED = 20
# Fields that the user doesn't choose.
FIXED_FIELDS = {"id", "organization", "created_at", "merged_into"}


def shown_value(record: Any, field: Any) -> str:
    """Return a field's value as text; of a moment, its state."""
    moment = moment_of(type(record))
    if moment is not None and field.name == moment.field:
        return capfirst(moment.word(record))
    return value_text(getattr(record, field.name))


def field_title(field: Any) -> str:
    moment = moment_of(field.model)
    return "Status" if moment is not None and field.name == moment.field else capfirst(field.verbose_name)


class MergeForm(forms.Form):
    """The choice of the survivor, and of the record from which it gets each field that differs."""

    def __init__(
        self, model_admin: Any, request: HttpRequest, records: Sequence[Any], data: Any = None
    ) -> None:
        super().__init__(data)
        self.uses = uses_of(records)
        self.records = sorted(records, key=self.rank)
        user: Any = request.user
        hidden = FIXED_FIELDS if user.is_superuser else FIXED_FIELDS | {*model_admin.superuser_fields}
        self.columns = [
            field
            for field in model_admin.model._meta.concrete_fields
            if not field.generated
            and field.name not in hidden
            and len({shown_value(record, field) for record in records}) > 1
        ]
        self.fields["survivor"] = self.choice("Keep", self.records[0])
        self.fields["survivor"].required = True
        for field in self.columns:
            filled = [one for one in self.records if getattr(one, field.attname) not in (None, "", [], {})]
            is_moment = field.name == getattr(moment_of(field.model), "field", "")
            default = self.records[0] if is_moment or not filled else filled[0]
            self.fields[self.name_of(field)] = self.choice(field_title(field), default)

    def rank(self, record: Any) -> tuple[Any, ...]:
        """Return the sort key that puts the best survivor first: active, most used, oldest."""
        moment = moment_of(type(record))
        is_inactive = moment is not None and getattr(record, moment.field) is not None
        return is_inactive, -self.uses[record.pk], record.pk

    def choice(self, label: str, initial: Any) -> forms.ChoiceField:
        choices = [(str(record.pk), label_of(record)) for record in self.records]
        return forms.ChoiceField(label=label, choices=choices, initial=str(initial.pk), required=False)

    @staticmethod
    def name_of(field: Any) -> str:
        return f"field-{field.name}"

    def rows(self) -> Iterator[dict[str, Any]]:
        """Yield, for the template, each field with the value of each record."""
        for field in [None, *self.columns]:
            bound = self["survivor" if field is None else self.name_of(field)]
            yield {
                "label": bound.label,
                "name": bound.html_name,
                "errors": bound.errors,
                "cells": [
                    {
                        "pk": record.pk,
                        "is_chosen": str(record.pk) == bound.value(),
                        "text": self.label(record) if field is None else shown_value(record, field),
                    }
                    for record in self.records
                ],
            }

    def label(self, record: Any) -> str:
        number = self.uses[record.pk]
        return f"{label_with_status(record)}, used {number:,} time{'' if number == 1 else 's'}"

    def values(self) -> dict[str, int]:
        """Return, by field, the id of the record whose value is chosen.

        There is none for a field that has come to differ since; the survivor keeps its value.
        """
        chosen = {field.name: self.cleaned_data[self.name_of(field)] for field in self.columns}
        return {name: int(pk) for name, pk in chosen.items() if pk}


def uses_of(records: Sequence[Any]) -> Counter[int]:
    """Return, by id, the number of records that refer to each."""
    uses: Counter[int] = Counter()
    ids = [record.pk for record in records]
    model: Any = type(records[0])
    for relation in foreign_keys_to(model):
        rows = relation.model._base_manager.filter(**{f"{relation.name}__in": ids}).order_by()
        uses.update(dict(rows.values_list(relation.attname).annotate(number=Count("pk"))))
    return uses


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


def merge_url(model: Any, ids: Sequence[int]) -> str:
    return f"{admin_url(model, 'merge')}?{urlencode([('id', pk) for pk in ids])}"


@admin.action(description="Merge…", permissions=["change"])
def merge_records(model_admin: Any, request: HttpRequest, queryset: Any) -> HttpResponse | None:
    """Open the page for the selected rows of a list."""
    ids = list(queryset.order_by().values_list("pk", flat=True)[: MAX_MERGED + 1])
    if not 2 <= len(ids) <= MAX_MERGED:
        model_admin.message_user(request, f"Select 2 to {MAX_MERGED} rows to merge.", messages.WARNING)
        return None
    return HttpResponseRedirect(merge_url(model_admin.model, ids))


def merge_view(model_admin: Any, request: HttpRequest) -> HttpResponse:
    """Choose the survivor and the fields, preview the merge, and make it."""
    if not model_admin.has_change_permission(request):
        raise PermissionDenied
    ids = [*dict.fromkeys(int(pk) for pk in request.GET.getlist("id") if is_id(pk))]
    selection = Selection(model_admin, request, ids[:MAX_MERGED])
    records, back = selection.rows(), model_admin.merge_back_url()
    reason = reason_against(records, 2) if request.method == "GET" or len(records) < 2 else ""
    if len(ids) > MAX_MERGED:
        reason = f"Merge at most {MAX_MERGED} records at once."
    if reason:
        messages.warning(request, reason)
        return HttpResponseRedirect(back)
    fill_relations(request, records)
    step = posted_step(request)
    form = MergeForm(model_admin, request, records, request.POST if step else None)
    plural = str(model_admin.opts.verbose_name_plural)
    context = {"title": f"Merge {plural}", "opts": model_admin.opts, "back": back}
    if step in (Step.PREVIEW, Step.APPLY) and form.is_valid():
        operation = RecordMerging(selection, int(form.cleaned_data["survivor"]), form.values())
        try:
            result = carry_out(request, operation)
        except BusyError as error:
            messages.warning(request, str(error))
            return HttpResponseRedirect(request.get_full_path())
        context |= {
            "intro": f"What refers to the other {plural} will refer to the one that is kept.",
            "fields": posted_fields(request),
            "choose": "Choose again",
            "back_label": model_admin.merge_back_label,
        }
        return respond(request, result, success_url=back, context=context)
    context |= {**admin.site.each_context(request), "form": form}
    return TemplateResponse(request, "admin/merge_records.html", context)
