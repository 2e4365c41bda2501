"""Preview operations on records, and apply them once confirmed.

All pages of the admin that write records use it: forms, deletions, bulk actions, imports and undo. A preview
attempts the operation, describes the result, and rolls back. Once the user confirms the digest of the
preview, a second attempt is committed if its digest is the same. The applied changes are one change set,
which can be undone.

What an operation changes beyond its own rows is found by `admin.site.watch`, for every operation.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any
from uuid import NAMESPACE_URL, uuid4, uuid5

from django.contrib import admin, messages
from django.contrib.auth import get_user_model
from django.db import IntegrityError, OperationalError, transaction
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils.html import format_html

from productive.admin.form_merge import CHOICE, SEEN
from productive.admin.pages import render_page
from productive.admin.preview import Preview
from productive.admin.watch import Watch
from productive.database.current_request import current_state
from productive.database.history import current_change_set, history_of, is_recorded
from productive.database.written_rows import WrittenRows, collect_written_rows

# The fields of these pages that don't belong to the form.
OWN_FIELDS = {
    "csrfmiddlewaretoken",
    "digest",
    "step",
    "_exclude",
    "_include",
    "_included",
    "_number",
    "_preview",
    SEEN,
}


class Step(StrEnum):
    """The button of a form. A request from a list or a record's page has none."""

    FIND = "find"
    MATCH = "match"
    CHOOSE = "choose"
    PREVIEW = "preview"
    SKIP = "skip"
    APPLY = "apply"


class BusyError(Exception):
    """Other requests are writing the same records."""

    def __str__(self) -> str:
        return "Other users are changing the same records right now. Nothing was changed: try again."


class Operation:
    """Base class of operations that the user confirms before they are applied."""

    # Whether each preview must be confirmed, or only one with consequences that need it.
    always_confirmed = True

    def attempt(self, *, apply: bool) -> Preview:
        """Write the rows, and return the preview without consequences.

        It can be called several times; each earlier attempt was rolled back. With `apply`, lock the rows
        before reading them.
        """
        raise NotImplementedError

    def needs_confirmation(self, preview: Preview) -> bool:
        consequences = preview.consequences
        return self.always_confirmed or (consequences is not None and consequences.need_confirmation)

    def describe(self, preview: Preview) -> Preview:
        """Add to a preview that needs confirmation; the rows are written."""
        return preview


@dataclass(frozen=True, slots=True)
class Result:
    """The result of `carry_out`."""

    preview: Preview
    is_applied: bool = False
    # Whether the user confirmed a preview that is out of date, or didn't type its number of records.
    is_stale: bool = False
    is_untyped: bool = False
    # Whether this confirmation was sent before, and applied.
    is_repeated: bool = False
    # Whether the history has the change, so that it can be viewed.
    is_recorded: bool = True


def carry_out(request: HttpRequest, operation: Operation) -> Result:
    """Apply the operation if the request confirms it; otherwise preview it.

    Raise BusyError if other requests lock the rows for too long, or write conflicting rows twice.
    """
    try:
        try:
            return attempt(request, operation)
        except IntegrityError:
            # Another request was faster. The second attempt sees what it wrote.
            return attempt(request, operation)
    except (IntegrityError, OperationalError) as error:
        raise BusyError from error


def attempt(request: HttpRequest, operation: Operation) -> Result:
    """Attempt the operation; roll back unless it is confirmed or needn't be."""
    digest = posted_digest(request)
    with transaction.atomic():
        if digest and is_repeated(request):
            return Result(Preview([]), is_repeated=True)
        with collect_written_rows() as written:
            preview = attempt_with_consequences(request, operation, apply=bool(digest))
        needs_confirmation = bool(preview.blocked) or operation.needs_confirmation(preview)
        if needs_confirmation:
            preview = operation.describe(preview)
        is_current = preview.can_apply and preview.digest == digest
        is_untyped = is_current and preview.is_large and posted_number(request) != preview.removed
        is_applied = not needs_confirmation or (is_current and not is_untyped)
        if not is_applied:
            transaction.set_rollback(True)
    is_stale = bool(digest) and not is_current and not is_applied
    return Result(preview, is_applied, is_stale, is_untyped, is_recorded=bool(written))


def posted_step(request: HttpRequest) -> str:
    """Return the step of the request. The buttons of related changes lead to a new preview."""
    if not {"_include", "_exclude"}.isdisjoint(request.POST):
        return Step.PREVIEW
    return request.POST.get("step", "")


def posted_digest(request: HttpRequest) -> str:
    """Return the digest of the preview that the request confirms, or ""."""
    return request.POST.get("digest", "") if posted_step(request) in ("", Step.APPLY) else ""


def posted_number(request: HttpRequest) -> int | None:
    """Return the number that the user typed to confirm, with or without separators: 1,776."""
    text = re.sub(r"[\s,.']", "", request.POST.get("_number", ""))
    return int(text) if re.fullmatch("[0-9]{1,9}", text) else None


def attempt_with_consequences(request: HttpRequest, operation: Operation, *, apply: bool) -> Preview:
    """Attempt the operation, and find its consequences.

    Which rows it writes is known only once they are written. If the rows have consequences, roll back to read
    the state before. Then write them again, unless this is only a preview.
    """
    watch: Watch = admin.site.watch  # type: ignore[attr-defined]
    comparison = watch.compare(request)
    stays_written = apply or not operation.always_confirmed
    with transaction.atomic(), collect_written_rows(is_trial=operation.always_confirmed) as written:
        preview = attempt_allowed(request, operation, written, apply=apply)
        is_concerned = watch.concerns(written)
        if not is_concerned and not (apply and operation.always_confirmed):
            return preview
        if is_concerned and not stays_written:
            comparison.read_after(written)
        transaction.set_rollback(True)
    if is_concerned:
        comparison.read_before(written)
    if stays_written or not comparison.is_complete():
        with collect_written_rows() as written:
            preview = attempt_allowed(request, operation, written, apply=apply)
        if is_concerned:
            comparison.read_after(written)
    return replace(preview, consequences=comparison.consequences()) if is_concerned else preview


def attempt_allowed(
    request: HttpRequest, operation: Operation, written: Sequence[WrittenRows], *, apply: bool
) -> Preview:
    """Attempt the operation with the related changes that the user included.

    Block the preview if the user may not write the rows.
    """
    watch: Watch = admin.site.watch  # type: ignore[attr-defined]
    preview = operation.attempt(apply=apply)
    related = watch.add_related(request, [*written], included_changes(request))
    refusal = watch.refusal(request, written)
    return replace(preview, related=related, blocked=refusal or preview.blocked)


def included_changes(request: HttpRequest) -> set[str]:
    """Return the names of the related changes to include, after one of their buttons, too."""
    included = {*request.POST.getlist("_included"), *request.POST.getlist("_include")}
    return included.difference(request.POST.getlist("_exclude"))


def is_repeated(request: HttpRequest) -> bool:
    """Return whether the preview that the request confirms was applied before.

    The page of each preview has an id, from which that of the change set follows. The user is part of it, so
    that nobody can add to the change set of somebody else.
    """
    if not request.POST.get("_preview"):
        return False
    # A second click waits until the first request has committed.
    list(get_user_model()._default_manager.select_for_update(no_key=True).filter(pk=request.user.pk))
    pk = current_state().change_set = uuid5(NAMESPACE_URL, f"{request.user.pk} {request.POST['_preview']!a}")
    return any(
        history_of(model)._default_manager.filter(change_set=pk).exists()
        for model in admin.site._registry
        if is_recorded(model)
    )


def posted_fields(request: HttpRequest) -> list[tuple[str, Any]]:
    """Return the fields of the form that a preview, or the page with conflicts, sends again."""
    return [
        (name, value)
        for name, values in request.POST.lists()
        if name not in OWN_FIELDS and not name.startswith(CHOICE)
        for value in values
    ]


def respond(
    request: HttpRequest,
    result: Result,
    *,
    success_url: str,
    context: Mapping[str, Any],
    template: str = "admin/preview.html",
) -> HttpResponse:
    """Show the preview, or redirect to `success_url` if nothing is left to do.

    `context` has the other variables of the template: `title` and `intro`; optionally `opts`, `back` (a URL),
    `back_label`, `action` (the form's URL), `fields` (its hidden fields) and `choose` (the label of a button
    to change the choice).
    """
    preview = result.preview
    if result.is_applied or result.is_repeated:
        message = "This has been done already." if result.is_repeated else preview.message
        messages.success(request, with_undo_link(message) if result.is_recorded else message)
        return HttpResponseRedirect(success_url)
    if result.is_stale and preview.is_done:
        # For example, if another user has done the same.
        messages.info(request, "There was nothing left to do.")
        return HttpResponseRedirect(success_url)
    shared = {
        "preview": preview,
        "is_stale": result.is_stale,
        "is_untyped": result.is_untyped,
        "preview_id": str(uuid4()),
    }
    return render_page(request, template, {**shared, **context})


def with_undo_link(message: str) -> str:
    """Return the message with a link to the change set of the request."""
    url = reverse("admin:change_set", args=[current_change_set()])
    return format_html('{} <a class="font-semibold underline" href="{}">View or undo</a>', message, url)
