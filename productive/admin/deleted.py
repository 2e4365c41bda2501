"""Respond to a form whose record was deleted while it was open: show and keep what was typed."""

from __future__ import annotations

from typing import Any

from django.contrib.admin.utils import unquote
from django.forms.formsets import INITIAL_FORM_COUNT, TOTAL_FORM_COUNT
from django.http import HttpRequest, HttpResponse

from productive.admin.changes.change_sets import build_entries, visible_records
from productive.admin.conflicts import field_text
from productive.admin.form_merge import editable
from productive.admin.forms import is_id
from productive.admin.operations import posted_fields
from productive.admin.pages import render_page
from productive.admin.urls import admin_url
from productive.database.history import is_recorded


def show_deleted(model_admin: Any, request: HttpRequest, object_id: str) -> HttpResponse | None:
    """Return a page with the typed values, or None if the user can't see the record in the history."""
    pk = unquote(object_id)
    if not (is_recorded(model_admin.model) and model_admin.has_change_permission(request) and is_id(pk)):
        return None
    record = visible_records(model_admin, request).filter(id=pk).order_by("history_id").last()
    if record is None or not model_admin.has_view_permission(request):
        return None
    form = model_admin.get_form(request, change=False)(request.POST)
    fields = posted_fields(request)
    context = {
        "title": f"Save {model_admin.opts.verbose_name}",
        "opts": model_admin.opts,
        "entry": build_entries(request, [record])[0],
        "typed": [(bound.label, field_text(bound)) for bound in editable(form)],
        "fields": fields,
        "can_restore": model_admin.can_undo and model_admin.has_add_permission(request),
        "add_url": admin_url(model_admin.model, "add") if model_admin.has_add_permission(request) else "",
        "new_fields": [*new_record_fields(fields)],
    }
    return render_page(request, "admin/deleted.html", context)


def new_record_fields(fields: list[tuple[str, Any]]) -> list[tuple[str, Any]]:
    """Return the fields for the form of a new record: without lines, which belong to the deleted one."""
    counts = (TOTAL_FORM_COUNT, INITIAL_FORM_COUNT)
    lines = [(name, 0) for name, _ in fields if name.endswith(counts)]
    return [*lines, *((name, value) for name, value in fields if "-" not in name and name[0] != "_")]
