"""Views of the history: all changes, one change set, undo and restore."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

from django import forms
from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.db import models
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.urls import path, reverse
from django.utils import timezone
from django.utils.text import capfirst

from productive.admin.changes.change_sets import (
    Narrow,
    SetCursor,
    author_of,
    build_entries,
    by_author,
    change_sets,
    recorded_admins,
    visible_records,
)
from productive.admin.changes.undo import Undo, target_of_record, targets_of_set
from productive.admin.days import LocalDayField
from productive.admin.filters import within_days
from productive.admin.forms import is_id
from productive.admin.operations import BusyError, Result, carry_out, respond
from productive.admin.pages import render_page
from productive.admin.preview import Preview
from productive.admin.theme import DateInput, Select, TextInput
from productive.admin.urls import admin_url

HISTORY_TYPES = [("", "All"), ("+", "Added"), ("~", "Changed"), ("-", "Deleted")]
# Records on the page of a change set, and records to undo at once.
MAX_SHOWN, MAX_UNDONE = 200, 5000


class ChangesForm(forms.Form):
    q = forms.CharField(label="What", required=False, max_length=255, widget=TextInput)
    who = forms.CharField(label="Who", required=False, max_length=255, widget=TextInput)
    model = forms.ChoiceField(label="Kind of record", required=False, widget=Select)
    kind = forms.ChoiceField(label="Change", required=False, choices=HISTORY_TYPES, widget=Select)
    since = LocalDayField(label="From", required=False, widget=DateInput)
    until = LocalDayField(label="To", required=False, widget=DateInput)

    def __init__(self, data: Any, admins: list[Any]) -> None:
        super().__init__(data)
        self.admins = {each.opts.label_lower: each for each in admins}
        names = [(label, capfirst(each.opts.verbose_name_plural)) for label, each in self.admins.items()]
        self.fields["model"].choices = [("", "All"), *sorted(names, key=lambda name: name[1])]  # type: ignore[attr-defined]

    def selected_admins(self) -> list[Any]:
        label = self.cleaned_data["model"]
        return [self.admins[label]] if label else [*self.admins.values()]

    def narrow(self, request: HttpRequest) -> Narrow:
        """Return a function that filters records by the other fields."""
        data, zone = self.cleaned_data, timezone.get_current_timezone()

        def narrow(model_admin: Any, queryset: models.QuerySet[Any]) -> models.QuerySet[Any]:
            if data["q"]:
                queryset, _ = model_admin.get_search_results(request, queryset, data["q"])
            if data["who"]:
                queryset = queryset.filter(by_author(data["who"]))
            if data["kind"]:
                queryset = queryset.filter(history_type=data["kind"])
            return queryset.filter(within_days("history_date", data["since"], data["until"], zone))

        return narrow


def changes_view(request: HttpRequest) -> HttpResponse:
    """List all changes that the user may view, newest first."""
    admins = recorded_admins(request)
    if not admins:
        raise PermissionDenied
    form = ChangesForm(request.GET, admins)
    context: dict[str, Any] = {"title": "Changes", "form": form, "sets": [], "narrowed": False}
    if form.is_valid():
        sets, cursor = change_sets(
            request, form.narrow(request), form.selected_admins(), parse_cursor(request.GET.get("after", ""))
        )
        query = {name: request.GET[name] for name in form.fields if request.GET.get(name)}
        context |= {"sets": sets, "narrowed": bool(query), "first_page": "after" not in request.GET}
        if cursor:
            moment, pk = cursor
            context["older"] = urlencode({**query, "after": f"{moment.isoformat()}_{pk}"})
        context["newest"] = urlencode(query)
    return render_page(request, "admin/changes.html", context)


def parse_cursor(text: str) -> SetCursor | None:
    """Return the cursor, or None (the first page) for invalid text."""
    moment, _, pk = text.rpartition("_")
    try:
        return datetime.fromisoformat(moment).astimezone(UTC), UUID(pk)
    except (ValueError, OverflowError):
        return None


def get_records_or_404(request: HttpRequest, pk: UUID) -> list[Any]:
    """Return the records of a change set that the user may view, oldest first.

    Raise Http404 if there are none. Of each model, return at most MAX_UNDONE + 1.
    """
    found = [
        record
        for each in recorded_admins(request)
        for record in visible_records(each, request)
        .filter(change_set=pk)
        .order_by("history_date", "history_id")[: MAX_UNDONE + 1]
    ]
    if not found:
        raise Http404
    return sorted(found, key=lambda record: (record.history_date, record.history_id))


def change_set_view(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Show one change set, with the differences."""
    records = get_records_or_404(request, pk)
    context = {
        "title": "Change",
        "first": records[0],
        "author": author_of(records[0]),
        "entries": build_entries(request, records[:MAX_SHOWN]),
        "total": len(records),
        "max_shown": MAX_SHOWN,
        "undo_url": reverse("admin:undo", args=[pk]),
    }
    return render_page(request, "admin/change_set.html", context)


def undo_view(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Preview and undo a change set."""
    records = get_records_or_404(request, pk)
    context = {
        "title": "Undo",
        "intro": "Each of these records is restored to its state before the change.",
        "back": reverse("admin:change_set", args=[pk]),
    }
    success_url = reverse("admin:changes")
    if len(records) > MAX_UNDONE:
        result = Result(Preview([], blocked=f"At most {MAX_UNDONE:,} changes can be undone at once."))
        return respond(request, result, success_url=success_url, context=context)
    return confirm(request, Undo(request, targets_of_set(records)), success_url, context)


def restore_view(request: HttpRequest, model: str, pk: int) -> HttpResponse:
    """Preview and restore the state of an object after this change."""
    admins = {each.opts.label_lower: each for each in recorded_admins(request)}
    if model not in admins or not is_id(str(pk)):
        raise Http404
    record = get_object_or_404(visible_records(admins[model], request), pk=pk)
    back = admin_url(admins[model].model, "history", record.id)
    context = {
        "title": "Restore an earlier state",
        "intro": "The record is restored to its state after that change.",
        "back": back,
    }
    operation = Undo(request, [target_of_record(record)], "Restore", "Restored")
    return confirm(request, operation, back, context)


def confirm(request: HttpRequest, operation: Undo, success_url: str, context: dict[str, Any]) -> HttpResponse:
    try:
        result = carry_out(request, operation)
    except BusyError as error:
        messages.error(request, str(error))
        return HttpResponseRedirect(context["back"])
    return respond(request, result, success_url=success_url, context=context)


def change_urls(site: Any) -> list[Any]:
    return [
        path("changes/", site.admin_view(changes_view), name="changes"),
        path("changes/<uuid:pk>/", site.admin_view(change_set_view), name="change_set"),
        path("changes/<uuid:pk>/undo/", site.admin_view(undo_view), name="undo"),
        path("changes/<str:model>/<int:pk>/restore/", site.admin_view(restore_view), name="restore"),
    ]
