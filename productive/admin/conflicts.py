"""Save a form merged with concurrent changes; in a conflict, let the user choose."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from django.contrib import admin, messages
from django.contrib.admin.utils import unquote
from django.core.exceptions import FieldDoesNotExist, ValidationError
from django.forms import BoundField
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect

from productive.admin.changes.change_sets import Entry, build_entries, visible_records
from productive.admin.changes.states import value_text
from productive.admin.form_merge import (
    MERGED,
    MINE,
    SHOWN,
    THEIRS,
    Conflict,
    FormMerge,
    PageValues,
    Values,
    differs,
    editable,
    field_values,
    load,
    sign_values,
    value_of,
)
from productive.admin.forms import label_of
from productive.admin.operations import posted_fields
from productive.admin.pages import render_page
from productive.admin.preview import Difference
from productive.database.history import is_recorded

# The latest records of a model that are searched for the changes.
MAX_RECORDS = 1000


@dataclass(frozen=True, slots=True)
class Answer:
    """A radio button, with its values as text."""

    value: str
    title: str
    text: str = ""
    differences: Sequence[Difference] = ()


@dataclass(frozen=True, slots=True)
class ConflictQuestion:
    """A conflict as the page shows it."""

    name: str
    title: str
    # The change by somebody else; None if the history doesn't have it.
    entry: Entry | None
    answers: Sequence[Answer]


def save_merged(
    model_admin: Any, request: HttpRequest, object_id: str | None, save: Callable[[], HttpResponse]
) -> HttpResponse:
    """Merge the posted form, and save it if it has no conflicts."""
    record = None
    if object_id is not None and "" in load(request.POST.get(SHOWN, "")):
        record = model_admin.get_object(request, unquote(object_id))
    if record is None or not model_admin.has_change_permission(request, record):
        return save()
    merge = FormMerge(request)
    form = model_admin.get_form(request, record, change=True)(request.POST, instance=record)
    formsets, inlines = model_admin._create_formsets(request, record, change=True)
    allowed = [inline.has_change_permission(request, record) for inline in inlines]
    merge.merge(form, zip(formsets, allowed, strict=True))
    request.POST = merge.data  # type: ignore[assignment]
    if merge.conflicts:
        return show_conflicts(model_admin, request, record, merge.conflicts)
    response = save()
    if MERGED in merge.data and isinstance(response, HttpResponseRedirect):
        messages.info(request, "Somebody else has changed this record, too. Both changes are saved.")
    return response


def show_conflicts(
    model_admin: Any, request: HttpRequest, record: Any, conflicts: Sequence[Conflict]
) -> HttpResponse:
    """Ask the user to choose between the values."""
    entries = latest_changes(request, conflicts)
    seen: PageValues = defaultdict(dict)
    for conflict in conflicts:
        seen[conflict.key] |= conflict.current
    context = {
        "title": f"Save {model_admin.opts.verbose_name}",
        "opts": model_admin.opts,
        "label": label_of(record),
        "questions": [question(conflict, entries.get(conflict.name)) for conflict in conflicts],
        "fields": posted_fields(request),
        "seen": sign_values(seen),
    }
    return render_page(request, "admin/conflicts.html", context)


def question(conflict: Conflict, entry: Entry | None) -> ConflictQuestion:
    form, bound = conflict.form, conflict.bound
    if form.instance.pk is not None:
        row = label_of(form.instance)
    else:
        row = entry.label if entry else f"{form.instance._meta.verbose_name} {conflict.pk}"
    author = entry.author if entry else "somebody else"
    if bound is not None:
        title = f"{row}: {bound.label}" if conflict.key else str(bound.label)
        answers = [
            Answer(MINE, "Your value", field_text(bound)),
            Answer(THEIRS, f"Saved by {author}", field_text(bound, conflict.current)),
        ]
    elif form.instance.pk is None:
        title = row
        is_deleted = entry is None or entry.record.history_type == "-"
        answers = [
            Answer(MINE, "Add it again, with your changes", differences=row_differences(conflict, form)),
            Answer(THEIRS, "Leave it deleted" if is_deleted else "Leave it where it is now"),
        ]
    else:
        title = row
        answers = [
            Answer(MINE, "Delete it"),
            Answer(THEIRS, f"Keep it as changed by {author}", differences=row_differences(conflict)),
        ]
    return ConflictQuestion(conflict.name, title, entry, answers)


def row_differences(conflict: Conflict, posted: Any = None) -> list[Difference]:
    """Return what changed in the row since the form was shown: the posted or the current values."""
    found = []
    for bound in editable(conflict.form):
        if bound.name not in conflict.shown:
            continue
        current = field_values(bound)
        earlier = {name: conflict.shown.get(name, []) for name in current}
        if differs(bound, earlier) if posted else current != earlier:
            now = field_text(bound) if posted else field_text(bound, current)
            found.append(Difference(str(bound.label), field_text(bound, earlier), now))
    return found


def field_text(bound: BoundField, values: Values | None = None) -> str:
    """Return the posted value, or these values, as text."""
    data = bound.data if values is None else value_of(bound.field.widget, bound, values)
    try:
        value = bound.field.clean(data)
    except ValidationError:
        value = data
    if isinstance(value, str | list | dict) or not hasattr(value, "__iter__"):
        return value_text(value)
    return ", ".join(value_text(each) for each in value) or value_text(None)


def latest_changes(request: HttpRequest, conflicts: Sequence[Conflict]) -> dict[str, Entry]:
    """Return the change that each conflict is with, by the name of the conflict."""
    by_model: dict[Any, list[Conflict]] = defaultdict(list)
    for conflict in conflicts:
        by_model[type(conflict.form.instance)].append(conflict)
    found: dict[str, Any] = {}
    for model, group in by_model.items():
        model_admin = admin.site._registry.get(model)
        if model_admin is not None and is_recorded(model) and model_admin.has_view_permission(request):
            ids = {conflict.pk for conflict in group}
            newest = visible_records(model_admin, request).filter(id__in=ids).order_by("-history_id")
            records: dict[int, list[Any]] = defaultdict(list)
            for record in newest[:MAX_RECORDS]:
                records[record.id].append(record)
            for conflict in group:
                if (record := latest_change(records[conflict.pk], conflict.bound)) is not None:
                    found[conflict.name] = record
    return dict(zip(found, build_entries(request, [*found.values()]), strict=True))


def latest_change(records: Sequence[Any], bound: BoundField | None) -> Any:
    """Return the newest of the object's records that changed the field, or None."""
    if bound is None:
        return records[0] if records else None
    try:
        name = records[0].instance_type._meta.get_field(bound.name).attname if records else ""
    except FieldDoesNotExist:
        return None
    changes = (now for now, before in pairwise(records) if getattr(now, name) != getattr(before, name))
    return next(changes, None)
