"""Base classes of bulk actions, which change the selected rows of a list.

The user may choose other records for them, sees a preview, and applies it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar

from django import forms
from django.contrib import admin, messages
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.contrib.admin.options import ModelAdmin
from django.contrib.admin.utils import model_ngettext
from django.db import models
from django.http import HttpRequest, HttpResponse

from productive.admin.bulk.pasted import MAX_PASTED, Matches, match_pasted
from productive.admin.forms import RecordsField, label_with_status
from productive.admin.operations import BusyError, Operation, Step, carry_out, posted_step, respond
from productive.admin.pages import render_page
from productive.admin.preview import Preview

# Rows or pairs of one action.
MAX_BULK_ROWS = 20_000
# Records to choose in one form, which also has hidden fields for a page of selected rows.
MAX_CHOSEN = 200
# On the page of the choice: search results, names of selected rows, and unmatched entries in a message.
MAX_FOUND, MAX_NAMES, MAX_UNMATCHED = 50, 5, 20


class TooManyError(Exception):
    """The action would change more rows than MAX_BULK_ROWS."""


@dataclass(frozen=True, slots=True)
class Selection:
    """The selected rows of a list, and the records chosen for them."""

    model_admin: ModelAdmin[Any]
    request: HttpRequest
    selected: Sequence[int]
    chosen: Sequence[int] = ()
    # Whether to lock the rows, because they will be changed.
    locks: bool = False

    def rows(self) -> list[Any]:
        return self.read(self.model_admin, self.selected)

    def others(self, model: type[models.Model]) -> list[Any]:
        return self.read(admin.site.get_model_admin(model), self.chosen)

    def read(self, model_admin: Any, ids: Sequence[int]) -> list[Any]:
        """Return the rows that the user may see, in the order of their list."""
        rows = model_admin.get_queryset(self.request).filter(pk__in=ids)
        if self.locks:
            # Lock in a separate query, because the admin's queryset may aggregate.
            unordered = model_admin.model._default_manager.filter(pk__in=rows.order_by().values("pk"))
            list(unordered.order_by("pk").select_for_update(of=("self",)).values_list("pk"))
        related = model_admin.get_list_select_related(self.request)
        if isinstance(related, list | tuple):
            rows = rows.select_related(*related)
        return list(rows.order_by(*model_admin.get_ordering(self.request), "pk"))


class ChoiceForm(forms.Form):
    """The choice of records: from an autocomplete, or from pasted text."""

    pasted = forms.CharField(required=False, max_length=MAX_PASTED, widget=forms.Textarea({"rows": 3}))

    def __init__(self, *args: Any, matches: Matches, chosen: RecordsField, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields = {"chosen": chosen, **self.fields}
        self.matches = matches

    def clean_pasted(self) -> str:
        """Reject entries that don't name one record; the field keeps them for correction."""
        if self.matches.ambiguous:
            self.add_error("pasted", f"Several have this name: {shorten(self.matches.ambiguous)}")
        if self.matches.unknown:
            self.add_error("pasted", f"Not found: {shorten(self.matches.unknown)}")
        return ""

    def candidates(self) -> dict[str, list[tuple[int, str]]]:
        """Return the records that each ambiguous entry could mean, as choices."""
        return {
            entry: [(row.pk, label_with_status(row)) for row in rows[:MAX_FOUND]]
            for entry, rows in self.matches.ambiguous.items()
        }


def shorten(entries: Iterable[str]) -> str:
    """Return the entries as text, at most MAX_UNMATCHED of them."""
    entries = list(entries)
    more = len(entries) - MAX_UNMATCHED
    return "; ".join(entries[:MAX_UNMATCHED]) + (f" and {more:,} more" if more > 0 else "")


def quantity(model: Any, number: int) -> str:
    """Return "1 person" or "2,000 people"."""
    return f"{number:,} {model_ngettext(model._meta, number)}"


@dataclass(kw_only=True, eq=False)
class BulkAction:
    """An admin action with a preview and an optional choice of records."""

    # The permission that the action requires: "add", "change" or "delete".
    permission: ClassVar[str]
    # Records to choose in its form.
    max_chosen: ClassVar[int] = MAX_CHOSEN
    # A template would call an action, because it is callable.
    do_not_call_in_templates: ClassVar[bool] = True

    name: str
    title: str
    help: str = ""
    # The relation to the records to choose from; None for an action without a choice.
    choice: models.ForeignKey[Any, Any] | None = field(default=None, init=False)

    def __post_init__(self) -> None:
        # The attributes that Django reads from a callable in `actions`.
        self.__name__ = self.name
        self.short_description = f"{self.title}…"

    def is_allowed(self, model_admin: ModelAdmin[Any], request: HttpRequest) -> bool:
        """Return whether the user may use the action in this list."""
        return bool(getattr(model_admin, f"has_{self.permission}_permission")(request))

    # --- For subclasses ---

    def plan(self, selection: Selection) -> tuple[list[Any], Preview]:
        """Return the rows to write, and the preview without consequences."""
        raise NotImplementedError

    def write(self, rows: list[Any]) -> None:
        """Write the planned rows, and their historical records."""
        raise NotImplementedError

    # --- Requests ---

    def __call__(
        self, model_admin: ModelAdmin[Any], request: HttpRequest, queryset: Any
    ) -> HttpResponse | None:
        selected = list(queryset.order_by().values_list("pk", flat=True)[: MAX_BULK_ROWS + 1])
        if len(selected) > MAX_BULK_ROWS:
            message = f"At most {MAX_BULK_ROWS:,} rows can be changed at once. Select fewer."
            model_admin.message_user(request, message, messages.WARNING)
            return None
        step = posted_step(request)
        selection = Selection(model_admin, request, selected)
        form = None if self.choice is None else self.form(request, self.choice)
        if form is not None:
            if step not in (Step.PREVIEW, Step.APPLY) or not form.is_valid():
                return self.choose(selection, form)
            selection = replace(selection, chosen=[row.pk for row in form.cleaned_data["chosen"]])
        try:
            result = carry_out(request, BulkOperation(self, selection))
        except (TooManyError, BusyError) as error:
            return self.show_error(selection, form, str(error))
        context = self.context(selection)
        context["fields"] += [("chosen", pk) for pk in selection.chosen]
        context["choose"] = "Choose again" if form is not None else ""
        return respond(request, result, success_url=context["back"], context=context)

    def form(self, request: HttpRequest, relation: models.ForeignKey[Any, Any]) -> ChoiceForm:
        """Return the form, with the records that a pasted text names among the chosen ones."""
        step = posted_step(request)
        ids = request.POST.getlist("chosen")
        model_admin = admin.site.get_model_admin(relation.related_model)
        text = request.POST.get("pasted", "")
        is_too_long = len(text) > MAX_PASTED
        matches = match_pasted("" if is_too_long else text, model_admin, request)
        matches.resolve(ids)
        ids += [pk for row in matches.found if (pk := str(row.pk)) not in ids]
        values = {"chosen": ids, "pasted": text if is_too_long else "\n".join(matches.unmatched)}
        is_complete = step in (Step.PREVIEW, Step.APPLY)
        return ChoiceForm(
            values if is_complete or values["pasted"] else None,
            initial=values,
            matches=matches,
            chosen=RecordsField(
                model_admin.get_queryset(request),
                relation=relation,
                max_choices=self.max_chosen,
                label=str(model_admin.opts.verbose_name_plural).capitalize(),
                help_text=self.help,
                required=is_complete,
            ),
        )

    def choose(self, selection: Selection, form: ChoiceForm) -> HttpResponse:
        """Show the form for the choice; its search works without JavaScript."""
        request, term = selection.request, selection.request.POST.get("find", "").strip()
        found: list[tuple[int, str]] = []
        if term and self.choice is not None:
            related: Any = self.choice.related_model
            related_admin = admin.site.get_model_admin(related)
            queryset, _ = related_admin.get_search_results(request, related_admin.get_queryset(request), term)
            ordered = queryset.order_by(*related_admin.get_ordering(request), "pk")
            found = [(row.pk, label_with_status(row)) for row in ordered[:MAX_FOUND]]
        rows = selection.read(selection.model_admin, selection.selected[:MAX_NAMES])
        names = [label_with_status(row) for row in rows]
        more = len(selection.selected) - len(names)
        context = {
            **self.context(selection),
            "form": form,
            "term": term,
            "found": found,
            "names": ", ".join(names) + (f" and {more:,} more" if more else ""),
            "media": form.media,
        }
        return render_page(request, "admin/bulk_choice.html", context)

    def show_error(self, selection: Selection, form: ChoiceForm | None, message: str) -> HttpResponse | None:
        if form is None:
            selection.model_admin.message_user(selection.request, message, messages.WARNING)
            return None
        form.add_error(None, message)
        return self.choose(selection, form)

    def context(self, selection: Selection) -> dict[str, Any]:
        posted = selection.request.POST
        fields: list[tuple[str, Any]] = [
            ("action", self.name),
            ("select_across", posted.get("select_across", "0")),
            *((ACTION_CHECKBOX_NAME, pk) for pk in posted.getlist(ACTION_CHECKBOX_NAME)),
        ]
        number = quantity(selection.model_admin.model, len(selection.selected))
        return {
            "title": self.title,
            "intro": f"{number} selected.",
            "number": number,
            "opts": selection.model_admin.opts,
            "fields": fields,
            "back": selection.request.get_full_path(),
            "back_label": "Back to the list",
        }


class BulkOperation(Operation):
    """The operation of a bulk action on a selection."""

    def __init__(self, action: BulkAction, selection: Selection) -> None:
        self.action, self.selection = action, selection

    def attempt(self, *, apply: bool) -> Preview:
        rows, preview = self.action.plan(replace(self.selection, locks=apply))
        if rows:
            self.write(rows)
        return preview

    def write(self, rows: list[Any]) -> None:
        self.action.write(rows)
