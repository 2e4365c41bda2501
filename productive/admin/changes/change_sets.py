"""Describe changes for the list, one change set and one object."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from heapq import merge
from itertools import groupby, islice
from typing import Any
from uuid import UUID

from django.contrib import admin
from django.db import models
from django.db.models import Count, OuterRef, Q, Subquery
from django.http import HttpRequest
from django.urls import reverse

from productive.admin.changes.states import differences, fill_relations, records_before, state_of, verb
from productive.admin.forms import label_of
from productive.admin.preview import Difference
from productive.database.history import is_recorded

# A page of the list has this many sets; it reads this many records of each model, this many times.
SETS, RECORDS, ROUNDS = 25, 60, 4
# Entries of one set in the list; the others are on its own page.
SHOWN = 5
NEWEST_FIRST = ("-history_date", "-change_set", "-history_id")


@dataclass
class Entry:
    """One change of one object."""

    record: Any
    model_admin: Any
    # Its label in lists, and its own name.
    label: str
    name: str
    verb: str
    differences: list[Difference] = field(default_factory=list)

    @property
    def kind(self) -> str:
        return str(self.model_admin.opts.verbose_name)

    @property
    def url(self) -> str:
        """Return the address of the history, which outlives the object."""
        opts = self.model_admin.opts
        return reverse(f"admin:{opts.app_label}_{opts.model_name}_history", args=[self.record.id])

    @property
    def restore_url(self) -> str:
        return reverse("admin:restore", args=[self.model_admin.opts.label_lower, self.record.history_id])

    @property
    def who(self) -> str:
        return who(self.record)


@dataclass
class ChangeSet:
    """What one request or command changed."""

    pk: UUID
    entries: list[Entry]
    total: int

    @property
    def first(self) -> Any:
        return self.entries[0].record

    @property
    def who(self) -> str:
        return who(self.first)

    @property
    def more(self) -> int:
        return self.total - len(self.entries)


def who(record: Any) -> str:
    """Return the user's name or, without a user, how the change was made."""
    return record.history_user.get_username() if record.history_user else record.via


def recorded_admins(request: HttpRequest) -> list[Any]:
    """Return the admins of the recorded models that the user may view."""
    site: Any = admin.site
    return [
        model_admin
        for model, model_admin in site.registry.items()
        if is_recorded(model) and model_admin.has_view_permission(request)
    ]


def records(model_admin: Any, request: HttpRequest) -> models.QuerySet[Any]:
    """Return the records that the user may view.

    `record_before` is the id of the object's previous record.
    """
    history = model_admin.get_history(request)
    earlier = history.model._default_manager.filter(id=OuterRef("id"), history_id__lt=OuterRef("history_id"))
    before = earlier.order_by("-history_id").values("history_id")[:1]
    return history.select_related("history_user").annotate(record_before=Subquery(before))


def change_sets(
    request: HttpRequest,
    narrow: Callable[[Any, models.QuerySet[Any]], models.QuerySet[Any]],
    admins: Sequence[Any],
    cursor: tuple[datetime, UUID] | None = None,
    most: int = SETS,
) -> tuple[list[ChangeSet], tuple[datetime, UUID] | None]:
    """Return a page of change sets, newest first, and the next cursor.

    The number of queries is constant.
    """
    found: dict[UUID, list[Any]] = {}
    for _ in range(ROUNDS):
        streams = [
            list(after(narrow(each, records(each, request)), cursor).order_by(*NEWEST_FIRST)[:RECORDS])
            for each in admins
        ]
        page = list(islice(merge(*streams, key=newest_first), RECORDS))
        for pk, group in groupby(page, key=lambda record: record.change_set):
            found.setdefault(pk, []).extend(group)
            # A command may take long: records of other sets lie between its own, so its set comes again.
            cursor = found[pk][-1].history_date, pk
            if len(found) == most:
                break
        if len(page) < RECORDS and len(found) < most:
            cursor = None
            break
        if len(found) == most:
            break
    totals = sizes(request, found, narrow, admins)
    entries = iter(describe(request, [record for group in found.values() for record in group[:SHOWN]]))
    return [
        ChangeSet(pk, list(islice(entries, min(len(group), SHOWN))), totals[pk])
        for pk, group in found.items()
    ], cursor


def newest_first(record: Any) -> tuple[float, int]:
    """Return the key for `merge`; the streams are in this order already."""
    return -record.history_date.timestamp(), -record.change_set.int


def object_history(model_admin: Any, request: HttpRequest, object_id: str) -> dict[str, Any] | None:
    """Return the context for an object's history, or None for no object."""
    found = records(model_admin, request).filter(id=object_id).order_by("-history_date", "-history_id")
    shown = list(found[: RECORDS + 1])
    if not shown:
        return None
    entries = describe(request, shown[:RECORDS])
    return {
        "title": f"History of {entries[0].label}",
        "entries": entries,
        "more": len(shown) > RECORDS,
        "object": model_admin.get_queryset(request).filter(pk=object_id).first(),
        "can_undo": model_admin.can_undo,
        # Pairs are found by the names of their two sides.
        "searchable": model_admin.in_palette,
    }


def after(found: models.QuerySet[Any], cursor: tuple[datetime, UUID] | None) -> models.QuerySet[Any]:
    """Return the records after the last set of a page.

    The other records of that set are on its own page.
    """
    if cursor is None:
        return found
    moment, pk = cursor
    older = Q(history_date__lt=moment) | Q(history_date=moment, change_set__lt=pk)
    return found.filter(older).exclude(change_set=pk)


def sizes(
    request: HttpRequest,
    sets: Iterable[UUID],
    narrow: Callable[[Any, models.QuerySet[Any]], models.QuerySet[Any]],
    admins: Sequence[Any],
) -> dict[UUID, int]:
    """Return how many records each set has, over all models, in one query."""
    counts = [
        narrow(each, each.get_history(request))
        .filter(change_set__in=list(sets))
        .order_by()
        .values("change_set")
        .annotate(n=Count("history_id"))
        .values_list("change_set", "n")
        for each in admins
    ]
    totals: dict[UUID, int] = defaultdict(int)
    if counts:
        for pk, n in counts[0].union(*counts[1:], all=True):
            totals[pk] += n
    return totals


def describe(request: HttpRequest, found: Sequence[Any]) -> list[Entry]:
    """Describe each record in words; the number of queries is constant."""
    site: Any = admin.site
    before = records_before(found)
    states = {id(record): state_of(record) for record in [*found, *before.values()]}
    fill_relations(request, [*states.values()])
    entries = []
    for record in found:
        earlier = before.get((type(record), record.record_before))
        state = states[id(record)]
        entry = Entry(record, site.registry[type(state)], label_of(state), str(state), "added")
        if record.history_type == "-":
            entry.verb = "deleted"
        elif record.history_type == "~":
            entry.verb = "changed"
            if earlier is not None:
                names = record.diff_against(earlier).changed_fields
                entry.verb = verb(names, state)
                entry.differences = differences(states[id(earlier)], state, names)
        entries.append(entry)
    return entries
