"""The pages of the history: all changes, one change set, undo and restore."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db import models
from django.db.models import Q
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import path, reverse
from django.utils import timezone
from django.utils.text import capfirst

from productive.admin.changes.change_sets import change_sets, describe, recorded_admins, records, who
from productive.admin.changes.undo import Undo, target_of_record, targets_of_set
from productive.admin.forms import is_id
from productive.admin.preview import BusyError, Preview, Result, carry_out, respond
from productive.admin.theme import Select, TextInput

KINDS = [("", "Everything"), ("+", "Added"), ("~", "Changed"), ("-", "Deleted")]
# Records shown of one change set, and records undone at once.
MOST_SHOWN, MOST_UNDONE = 200, 5000


class ChangesForm(forms.Form):
    q = forms.CharField(label="What", required=False, max_length=255, widget=TextInput)
    who = forms.CharField(label="Who", required=False, max_length=255, widget=TextInput)
    model = forms.ChoiceField(label="Kind of record", required=False, widget=Select)
    kind = forms.ChoiceField(label="Change", required=False, choices=KINDS, widget=Select)
    since = forms.DateField(label="From", required=False, widget=TextInput({"type": "date"}))
    until = forms.DateField(label="To", required=False, widget=TextInput({"type": "date"}))

    def __init__(self, data: Any, admins: list[Any]) -> None:
        super().__init__(data)
        self.admins = {each.opts.label_lower: each for each in admins}
        names = [(label, capfirst(each.opts.verbose_name_plural)) for label, each in self.admins.items()]
        self.fields["model"].choices = [("", "All"), *sorted(names, key=lambda name: name[1])]  # type: ignore[attr-defined]

    def wanted(self) -> list[Any]:
        label = self.cleaned_data["model"]
        return [self.admins[label]] if label else [*self.admins.values()]

    def narrow(self, request: HttpRequest) -> Callable[[Any, models.QuerySet[Any]], models.QuerySet[Any]]:
        given = self.cleaned_data

        def narrowed(model_admin: Any, found: models.QuerySet[Any]) -> models.QuerySet[Any]:
            if given["q"]:
                found, _ = model_admin.get_search_results(request, found, given["q"])
            if given["who"]:
                by = Q(history_user__username__icontains=given["who"]) | Q(via__icontains=given["who"])
                found = found.filter(by)
            if given["kind"]:
                found = found.filter(history_type=given["kind"])
            if given["since"]:
                found = found.filter(history_date__gte=start_of(given["since"]))
            if given["until"] and given["until"] < date.max:
                found = found.filter(history_date__lt=start_of(given["until"] + timedelta(days=1)))
            return found

        return narrowed


def start_of(day: date) -> datetime:
    """Return the first moment of the day in the user's time zone, in UTC."""
    moment = timezone.make_aware(datetime.combine(day, time()))
    try:
        return moment.astimezone(UTC)
    except OverflowError:
        return moment.replace(tzinfo=UTC)


def may_see_changes(request: HttpRequest) -> bool:
    return bool(recorded_admins(request))


def changes(request: HttpRequest) -> HttpResponse:
    """List all changes that the user may view, newest first."""
    admins = recorded_admins(request)
    if not admins:
        raise PermissionDenied
    form = ChangesForm(request.GET, admins)
    context: dict[str, Any] = {"title": "Changes", "form": form, "sets": [], "narrowed": False}
    if form.is_valid():
        sets, cursor = change_sets(
            request, form.narrow(request), form.wanted(), parse_cursor(request.GET.get("after", ""))
        )
        query = {name: request.GET[name] for name in form.fields if request.GET.get(name)}
        context |= {"sets": sets, "narrowed": bool(query), "first_page": "after" not in request.GET}
        if cursor:
            moment, pk = cursor
            context["older"] = urlencode({**query, "after": f"{moment.isoformat()}_{pk}"})
        context["newest"] = urlencode(query)
    return page(request, "admin/changes.html", context)


def parse_cursor(text: str) -> tuple[datetime, UUID] | None:
    """Return where a page begins; None, the newest, if the text is invalid."""
    moment, _, pk = text.rpartition("_")
    try:
        return datetime.fromisoformat(moment).astimezone(UTC), UUID(pk)
    except (ValueError, OverflowError):
        return None


def of_set(request: HttpRequest, pk: UUID) -> list[Any]:
    """Return the records of the set that the user may view, oldest first.

    At most one more of a model than can be undone.
    """
    found = [
        record
        for each in recorded_admins(request)
        for record in records(each, request)
        .filter(change_set=pk)
        .order_by("history_date", "history_id")[: MOST_UNDONE + 1]
    ]
    return sorted(found, key=lambda record: (record.history_date, record.history_id))


def change_set(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Show one change set, with the differences."""
    found = of_set(request, pk)
    if not found:
        raise Http404
    context = {
        "title": "Change",
        "first": found[0],
        "who": who(found[0]),
        "entries": describe(request, found[:MOST_SHOWN]),
        "total": len(found),
        "most": MOST_SHOWN,
        "undo": reverse("admin:undo", args=[pk]),
    }
    return page(request, "admin/change_set.html", context)


def undo(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Preview and undo a change set."""
    found = of_set(request, pk)
    if not found:
        raise Http404
    page = {
        "title": "Undo",
        "intro": "Each of these becomes what it was before.",
        "back": reverse("admin:change_set", args=[pk]),
    }
    done = reverse("admin:changes")
    if len(found) > MOST_UNDONE:
        message = f"This is more than {MOST_UNDONE:,} changes: too many to undo at once."
        return respond(request, Result(Preview([], blocked=message)), done=done, page=page)
    return confirm(request, Undo(request, targets_of_set(request, found)), done, page)


def restore(request: HttpRequest, model: str, pk: int) -> HttpResponse:
    """Preview and restore the state of an object after this change."""
    admins = {each.opts.label_lower: each for each in recorded_admins(request)}
    if model not in admins or not is_id(str(pk)):
        raise Http404
    record = records(admins[model], request).filter(pk=pk).first()
    if record is None:
        raise Http404
    opts = admins[model].opts
    back = reverse(f"admin:{opts.app_label}_{opts.model_name}_history", args=[record.id])
    page = {"title": "Restore an earlier state", "intro": "It becomes what it was then.", "back": back}
    operation = Undo(request, [target_of_record(record)], "Restore", "Restored")
    return confirm(request, operation, back, page)


def confirm(request: HttpRequest, operation: Undo, done: str, page: dict[str, Any]) -> HttpResponse:
    agreed = request.POST.get("digest", "")
    try:
        result = carry_out(operation, agreed)
    except BusyError as error:
        messages.error(request, str(error))
        return HttpResponseRedirect(page["back"])
    return respond(request, result, done=done, page=page)


def page(request: HttpRequest, template: str, context: dict[str, Any]) -> HttpResponse:
    return TemplateResponse(request, template, {**admin.site.each_context(request), **context})


def urls(site: Any) -> list[Any]:
    return [
        path("changes/", site.admin_view(changes), name="changes"),
        path("changes/<uuid:pk>/", site.admin_view(change_set), name="change_set"),
        path("changes/<uuid:pk>/undo/", site.admin_view(undo), name="undo"),
        path("changes/<str:model>/<int:pk>/restore/", site.admin_view(restore), name="restore"),
    ]
