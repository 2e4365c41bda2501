"""Save or delete one record on its page, after a preview if this has consequences."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from django.contrib import admin, messages
from django.contrib.admin.options import IS_POPUP_VAR
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect

from productive.admin.bulk.actions import BulkAction, BulkOperation, Selection
from productive.admin.bulk.rows import DELETE, Delete
from productive.admin.changes.change_sets import build_entries, visible_records
from productive.admin.forms import label_of
from productive.admin.operations import Operation, Step, attempt, posted_fields, respond, with_undo_link
from productive.admin.preview import Line, Preview, RecordOutcome, group_lines
from productive.admin.urls import admin_url
from productive.database.history import current_change_set
from productive.database.written_rows import WrittenRows, collect_written_rows

OUTCOME_OF_CHANGE = {"+": RecordOutcome.CREATED, "~": RecordOutcome.CHANGED, "-": RecordOutcome.DELETED}


class UnsavedForm:
    """A mixin for a form that is shown again as it was filled in."""

    def is_valid(self) -> bool:
        """Validate the form, but never save it."""
        super().is_valid()  # type: ignore[misc]
        return False


class FormSave(Operation):
    """Save a form with its inlines, as Django's view does.

    It needs a confirmation only if it has consequences, or if related changes can be included. Otherwise, or
    if the form has errors, the response is Django's.
    """

    always_confirmed = False
    response: HttpResponse
    written: Sequence[WrittenRows]

    def __init__(self, model_admin: Any, request: HttpRequest, save: Callable[[], HttpResponse]) -> None:
        self.model_admin, self.request, self.save = model_admin, request, save
        self.message_count = len(queued_messages(request))

    def attempt(self, *, apply: bool) -> Preview:
        self.discard_messages()
        with collect_written_rows() as self.written:
            self.response = self.save()
        questions = self.model_admin.questions(self.request, self.written)
        return Preview([], button="Save anyway" if questions else "Save", questions=questions)

    def needs_confirmation(self, preview: Preview) -> bool:
        """Return True also for a preview that the browser restores, unless the form has errors."""
        is_restored = self.request.POST.get("step") == Step.PREVIEW
        return (
            bool(preview.related or preview.questions)
            or super().needs_confirmation(preview)
            or (is_restored and isinstance(self.response, HttpResponseRedirect))
        )

    def messages(self) -> list[Any]:
        """Return the messages of the last attempt."""
        return queued_messages(self.request)[self.message_count :]

    def discard_messages(self) -> None:
        """Discard the messages of an attempt that was rolled back."""
        del queued_messages(self.request)[self.message_count :]

    def describe(self, preview: Preview) -> Preview:
        """Add the records that are written."""
        written: dict[Any, set[int]] = defaultdict(set)
        for each in self.written:
            written[each.model].update(row.id for row in each.rows)
        # Without the related changes, which are described already.
        records = [
            record
            for model in written
            if admin.site.is_registered(model)
            for record in visible_records(admin.site.get_model_admin(model), self.request)
            .filter(change_set=current_change_set(), id__in=written[model])
            .order_by("history_id")
        ]
        lines = []
        for entry in build_entries(self.request, records):
            # A verb such as "archived" describes the change already, and its time isn't known yet.
            differences = entry.differences if entry.verb == "changed" else ()
            notes = [] if entry.verb in ("added", "changed", "deleted") else [entry.verb]
            line = Line(entry.label, notes, entry.kind.capitalize(), differences)
            lines.append((OUTCOME_OF_CHANGE[entry.record.history_type], line))
        groups = group_lines(lines)
        removed = sum(len(group.lines) for group in groups if group.outcome is RecordOutcome.DELETED)
        return replace(preview, groups=groups, removed=removed)


def queued_messages(request: HttpRequest) -> list[Any]:
    """Return the messages that were added in this request."""
    # Django has no public way to remove a message.
    storage: Any = messages.get_messages(request)
    queued: list[Any] = storage._queued_messages
    return queued


class RecordDeletion(BulkOperation):
    """Delete one record on its page, with an entry in Django's log."""

    def __init__(self, action: BulkAction, selection: Selection, label: str) -> None:
        super().__init__(action, selection)
        self.message = f"The {selection.model_admin.opts.verbose_name} “{label}” was deleted successfully."

    def attempt(self, *, apply: bool) -> Preview:
        return replace(super().attempt(apply=apply), message=self.message)

    def write(self, rows: list[Any]) -> None:
        model_admin: Any = self.selection.model_admin
        model_admin.log_deletions(self.selection.request, rows)
        super().write(rows)


def save_form(model_admin: Any, request: HttpRequest, save: Callable[[], HttpResponse]) -> HttpResponse:
    """Return the response of `save`, or the preview if it must be confirmed."""
    operation = FormSave(model_admin, request, save)
    result = attempt(request, operation)
    if result.is_applied:
        consequences = result.preview.consequences
        if consequences is not None and consequences.notice:
            messages.warning(request, consequences.notice)
        if operation.needs_confirmation(result.preview):
            for message in operation.messages():
                message.message = with_undo_link(message.message)
        return operation.response
    operation.discard_messages()
    context = {
        "title": f"Save {model_admin.opts.verbose_name}",
        "intro": intro_of(result.preview),
        "opts": model_admin.opts,
        "fields": posted_fields(request),
        "choose": "Back to the form",
    }
    return respond(request, result, success_url=admin_url(model_admin.model, "changelist"), context=context)


def intro_of(preview: Preview) -> str:
    consequences = preview.consequences
    if consequences is not None and consequences.need_confirmation:
        return "Saving this changes who has access."
    if preview.questions:
        return "There are records with a similar name."
    if preview.related:
        return "Some of the new assignments have no effect yet."
    return "This is what saving changes."


def delete_record(model_admin: Any, request: HttpRequest, record: Any) -> HttpResponse:
    """Preview the deletion of the record, or delete it."""
    action = next((one for one in model_admin.actions or () if isinstance(one, Delete)), DELETE)
    label, pk = label_of(record), record.pk
    operation = RecordDeletion(action, Selection(model_admin, request, [pk]), label)
    result = attempt(request, operation)
    if result.is_applied and IS_POPUP_VAR in request.POST:
        return model_admin.response_delete(request, label, pk)
    context = {
        "title": f"{action.title} {model_admin.opts.verbose_name}",
        "intro": f"This deletes {label}.",
        "opts": model_admin.opts,
        "fields": [(IS_POPUP_VAR, 1)] if IS_POPUP_VAR in request.GET else [],
        "back": admin_url(model_admin.model, "change", pk),
    }
    return respond(request, result, success_url=admin_url(model_admin.model, "changelist"), context=context)
