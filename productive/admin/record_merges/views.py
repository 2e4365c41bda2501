"""The page that merges records into one of them, and the action that opens it.

The user chooses the record to keep and the value of each field in which the records differ, and sees a
preview.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from urllib.parse import urlencode

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect

from productive.admin.bulk.actions import Selection
from productive.admin.changes.states import fill_relations
from productive.admin.forms import is_id
from productive.admin.operations import BusyError, Step, carry_out, posted_fields, posted_step, respond
from productive.admin.pages import render_page
from productive.admin.record_merges.forms import MergeForm
from productive.admin.record_merges.merging import RecordMerging, reason_against
from productive.admin.urls import admin_url

# Records of one merge.
MAX_MERGED = 20


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
            "intro": f"Records that refer to the other {plural} will refer to the one that is kept.",
            "fields": posted_fields(request),
            "choose": "Choose again",
            "back_label": model_admin.merge_back_label,
        }
        return respond(request, result, success_url=back, context=context)
    return render_page(request, "admin/merge_records.html", {**context, "form": form})
