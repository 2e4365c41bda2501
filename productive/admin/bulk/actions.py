"""Actions on many records: what one would do is shown first, then done as it was shown or not at all.

Knows no model. An action says what it asks for, makes a plan of (selected, chosen), and writes a plan; all
else, the pages, the limits, the locks and the races, is `BulkAction`'s.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from hashlib import sha256
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.contrib.admin.options import ModelAdmin
from django.contrib.admin.utils import model_ngettext
from django.db import IntegrityError, OperationalError, models, transaction
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.html import format_html

from productive.admin.forms import RecordsField, marked_label_of
from productive.database.history import current_change_set

# Rows or pairs that one action may have before it.
MOST = 20_000
# So many can be chosen by hand, and come back in one form together with a page of selected rows.
MOST_CHOSEN = 200
SHOWN = 100
MOST_FOUND = 50
NAMED = 5

BUSY = "Others are changing the same records at this moment. Nothing was changed: try again."


class Step(StrEnum):
    """Which button was pressed; none on the way from the list."""

    FIND = "find"
    CHOOSE = "choose"
    PREVIEW = "preview"
    APPLY = "apply"


class TooManyError(Exception):
    """What was asked is more than one action does; says how much that is."""


@dataclass(frozen=True, slots=True)
class Line:
    text: str
    note: str = ""


@dataclass(frozen=True, slots=True)
class Group:
    """Lines of a preview under one title; the page shows the first of them."""

    title: str
    lines: Sequence[Line] = ()
    # One of: done, gone, skipped, refused, told.
    tone: str = "told"

    @property
    def shown(self) -> Sequence[Line]:
        return self.lines[:SHOWN]

    @property
    def count(self) -> str:
        return f"{len(self.lines):,}"

    @property
    def hidden(self) -> str:
        return f"{len(self.lines) - SHOWN:,}" if len(self.lines) > SHOWN else ""


@dataclass(frozen=True, slots=True)
class Consequences:
    """What a change means beyond the rows that it changes: in a few sentences, and record by record."""

    sentences: Sequence[str]
    groups: Sequence[Group] = ()


# Looks before a change at what is to be written; what it returns looks again afterwards, and compares.
Watch = Callable[[HttpRequest, Sequence[Any]], Callable[[], Consequences]]


@dataclass(frozen=True)
class Plan:
    """What is to be written, how it reads, and what is said when it is done."""

    rows: Sequence[Any]
    groups: Sequence[Group]
    button: str
    done: str
    consequences: Consequences | None = None

    @property
    def is_settled(self) -> bool:
        """Whether nothing is left to do, and nothing is in the way of it."""
        return not self.rows and not any(group.lines for group in self.groups if group.tone == "refused")

    @property
    def digest(self) -> str:
        """Two previews that say the same have the same."""
        return sha256(repr((self.groups, self.consequences)).encode(errors="replace")).hexdigest()


@dataclass(frozen=True, slots=True)
class Asked:
    """One request of an action: in which list, for whom, and with which of the rows."""

    model_admin: ModelAdmin[Any]
    request: HttpRequest
    selected: list[int]
    chosen: list[int]
    # Whether the rows are about to be changed.
    locked: bool = False

    def rows(self) -> list[Any]:
        return self.read(self.model_admin, self.selected)

    def others(self, model: type[models.Model]) -> list[Any]:
        return self.read(admin.site.get_model_admin(model), self.chosen)

    def read(self, model_admin: Any, ids: list[int]) -> list[Any]:
        """What of these the user finds in the list, in its order and with what its labels show."""
        rows = model_admin.get_queryset(self.request).filter(pk__in=ids)
        if self.locked:
            # A statement of its own: a list may group, which can't be locked.
            own = model_admin.model._default_manager.filter(pk__in=rows.order_by().values("pk"))
            list(own.order_by("pk").select_for_update(of=("self",)).values_list("pk"))
        related = model_admin.get_list_select_related(self.request)
        if isinstance(related, list | tuple):
            rows = rows.select_related(*related)
        return list(rows.order_by(*model_admin.get_ordering(self.request), "pk"))


def counted(model: Any, number: int) -> str:
    return f"{number:,} {model_ngettext(model._meta, number)}"


@dataclass(frozen=True, kw_only=True, eq=False)
class BulkAction:
    """An admin action: from the list to a question if it has one, to a preview, and back to the list."""

    name: str
    title: str
    help: str = ""
    watch: Watch | None = None
    # The relation whose other end is chosen from; None for an action that asks nothing.
    asks: models.ForeignKey[Any, Any] | None = None

    # Of the button that does it.
    variant = "primary"

    def __post_init__(self) -> None:
        # By which Django knows an action, and lists it.
        object.__setattr__(self, "__name__", self.name)
        object.__setattr__(self, "short_description", f"{self.title}…")

    # --- what each kind of action says for itself ---

    def is_allowed(self, model_admin: ModelAdmin[Any], request: HttpRequest) -> bool:
        """Whether the user may do this to rows of this list at all."""
        raise NotImplementedError

    def plan(self, asked: Asked) -> Plan:
        raise NotImplementedError

    def write(self, plan: Plan) -> None:
        raise NotImplementedError

    def record(self, plan: Plan) -> None:
        """Leave in the history what `write` leaves out of it."""

    # --- the way from the list and back ---

    def __call__(
        self, model_admin: ModelAdmin[Any], request: HttpRequest, queryset: Any
    ) -> HttpResponse | None:
        selected = list(queryset.order_by().values_list("pk", flat=True)[: MOST + 1])
        if len(selected) > MOST:
            why = f"At most {MOST:,} rows can be changed in one go. Select fewer."
            model_admin.message_user(request, why, messages.WARNING)
            return None
        step = request.POST.get("step", "")
        expected = request.POST.get("plan", "") if step == Step.APPLY else ""
        asked = Asked(model_admin, request, selected, chosen=[], locked=bool(expected))
        form = None if self.asks is None else self.form(request, self.asks)
        if form is not None:
            if step not in (Step.PREVIEW, Step.APPLY) or not form.is_valid():
                return self.question(asked, form)
            asked = replace(asked, chosen=[row.pk for row in form.cleaned_data["chosen"]])
        try:
            plan, is_done = self.settle(asked, expected)
        except TooManyError as error:
            return self.refuse(asked, form, str(error))
        except (IntegrityError, OperationalError):
            return self.refuse(asked, form, BUSY)
        if is_done:
            look = reverse("admin:change_set", args=[current_change_set()])
            told = format_html(
                '{} <a class="font-semibold underline" href="{}">Look, or undo</a>', plan.done, look
            )
            model_admin.message_user(request, told, messages.SUCCESS)
            return None
        if expected and plan.is_settled:
            # As after a second click on the button: everything has just been done.
            model_admin.message_user(request, "Nothing was left to do.", messages.INFO)
            return None
        return self.preview(asked, plan, has_changed=bool(expected))

    def settle(self, asked: Asked, expected: str) -> tuple[Plan, bool]:
        """The plan, and whether it was carried out."""
        try:
            return self.attempt(asked, expected)
        except IntegrityError:
            # Somebody was faster. Looked at again, what they did is part of the plan.
            return self.attempt(asked, expected)

    def attempt(self, asked: Asked, expected: str) -> tuple[Plan, bool]:
        """Do it, see what it means, and take it back unless that is what was expected."""
        with transaction.atomic():
            plan = self.plan(asked)
            look_again = (
                self.watch(asked.request, plan.rows) if self.watch is not None and plan.rows else None
            )
            if plan.rows and (look_again or expected):
                self.write(plan)
            if look_again:
                plan = replace(plan, consequences=look_again())
            is_done = bool(plan.rows) and plan.digest == expected
            if is_done:
                self.record(plan)
            else:
                transaction.set_rollback(True)
        return plan, is_done

    # --- its pages ---

    def form(self, request: HttpRequest, relation: models.ForeignKey[Any, Any]) -> forms.Form:
        step = request.POST.get("step")
        ids = request.POST.getlist("chosen")
        form = forms.Form(
            {"chosen": ids} if step in (Step.PREVIEW, Step.APPLY) else None, initial={"chosen": ids}
        )
        related: Any = relation.related_model
        form.fields["chosen"] = RecordsField(
            admin.site.get_model_admin(related).get_queryset(request),
            relation=relation,
            most=MOST_CHOSEN,
            label=str(related._meta.verbose_name_plural).capitalize(),
            help_text=self.help,
        )
        return form

    def question(self, asked: Asked, form: forms.Form) -> HttpResponse:
        """Which records; without JavaScript they are searched for on the page itself."""
        request, term = asked.request, asked.request.POST.get("find", "").strip()
        found: list[tuple[int, str]] = []
        if term and self.asks is not None:
            related: Any = self.asks.related_model
            related_admin = admin.site.get_model_admin(related)
            rows, _ = related_admin.get_search_results(request, related_admin.get_queryset(request), term)
            ordered = rows.order_by(*related_admin.get_ordering(request), "pk")
            found = [(row.pk, marked_label_of(row)) for row in ordered[:MOST_FOUND]]
        named = [marked_label_of(row) for row in asked.read(asked.model_admin, asked.selected[:NAMED])]
        more = len(asked.selected) - len(named)
        context = {
            "form": form,
            "term": term,
            "found": found,
            "named": ", ".join(named) + (f" and {more:,} more" if more else ""),
            "media": form.media,
        }
        return self.page(asked, "admin/bulk_question.html", context)

    def preview(self, asked: Asked, plan: Plan, *, has_changed: bool) -> HttpResponse:
        context = {
            "plan": plan,
            "chosen": asked.chosen,
            "has_changed": has_changed,
            "can_choose": self.asks is not None,
            "variant": self.variant,
        }
        return self.page(asked, "admin/bulk_preview.html", context)

    def refuse(self, asked: Asked, form: forms.Form | None, why: str) -> HttpResponse | None:
        if form is None:
            asked.model_admin.message_user(asked.request, why, messages.WARNING)
            return None
        form.add_error(None, why)
        return self.question(asked, form)

    def page(self, asked: Asked, template: str, context: dict[str, Any]) -> HttpResponse:
        posted = asked.request.POST
        carried = [("action", self.name), ("select_across", posted.get("select_across", "0"))]
        carried += [(ACTION_CHECKBOX_NAME, pk) for pk in posted.getlist(ACTION_CHECKBOX_NAME)]
        shared = {
            **admin.site.each_context(asked.request),
            "title": self.title,
            "number": counted(asked.model_admin.model, len(asked.selected)),
            "opts": asked.model_admin.opts,
            "carried": carried,
            "back": asked.request.get_full_path(),
        }
        return TemplateResponse(asked.request, template, {**shared, **context})
