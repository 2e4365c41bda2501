"""What was changed, by whom: the change list, the page of one change set, the history of one object."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from heapq import merge
from itertools import groupby, islice
from typing import Any
from uuid import UUID

from django.contrib import admin
from django.db import models
from django.db.models import Count, ForeignKey, OuterRef, Q, Subquery
from django.http import HttpRequest
from django.urls import reverse
from django.utils import timezone
from django.utils.formats import localize
from django.utils.text import capfirst

from productive.admin.forms import label_of
from productive.database.history import is_recorded
from productive.database.moments import moment_of

# A page of the list reads this many records of each model at most, and as often as this to find sets enough.
RECORDS, SETS, ROUNDS = 60, 25, 4
# Of one set, in the list; more are on the set's own page.
SHOWN = 5
NEWEST_FIRST = ("-history_date", "-change_set", "-history_id")


@dataclass(frozen=True)
class Difference:
    """A field's value before a change and after it, in words."""

    field: str
    before: str
    after: str


@dataclass
class Entry:
    """One change of one object."""

    record: Any
    model_admin: Any
    # What stands for it among others, and what it is called.
    label: str
    name: str
    verb: str
    differences: list[Difference] = field(default_factory=list)

    @property
    def kind(self) -> str:
        return str(self.model_admin.opts.verbose_name)

    @property
    def url(self) -> str:
        """The history of the object, which outlives it."""
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
    """The user's name; where nobody was signed in, the door that the change came through."""
    return record.history_user.get_username() if record.history_user else record.via


def recorded_admins(request: HttpRequest) -> list[Any]:
    """The admins of what is recorded and what the user may see."""
    site: Any = admin.site
    return [
        model_admin
        for model, model_admin in site.registry.items()
        if is_recorded(model) and model_admin.has_view_permission(request)
    ]


def records(model_admin: Any, request: HttpRequest) -> models.QuerySet[Any]:
    """The records that the user may see, each with the id of the object's record before it."""
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
    """A page of change sets, newest first, and where the next one begins. A constant number of queries."""
    found: dict[UUID, list[Any]] = {}
    for _ in range(ROUNDS):
        streams = [
            list(after(narrow(each, records(each, request)), cursor).order_by(*NEWEST_FIRST)[:RECORDS])
            for each in admins
        ]
        page = list(islice(merge(*streams, key=newest_first), RECORDS))
        for pk, group in groupby(page, key=lambda record: record.change_set):
            found.setdefault(pk, []).extend(group)
            # A command may take long: others' changes stand between its own, and its set comes again.
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
    """What `merge` orders by; the streams are in this order already."""
    return -record.history_date.timestamp(), -record.change_set.int


def object_history(model_admin: Any, request: HttpRequest, object_id: str) -> dict[str, Any] | None:
    """What the page of an object's history shows; None where there is no such object for the user."""
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
        "can_be_taken_back": model_admin.can_be_taken_back,
        # Pairs are found by the names of what they join.
        "searchable": model_admin.in_palette,
    }


def after(found: models.QuerySet[Any], cursor: tuple[datetime, UUID] | None) -> models.QuerySet[Any]:
    """Those that follow the last set of a page. The rest of that set is on its own page."""
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
    """How many records each set has, over all models. One query."""
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
    """Each record in words. A constant number of queries, however many there are."""
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


def verb(changed: Sequence[str], state: models.Model) -> str:
    moment = moment_of(type(state))
    if moment is not None and [*changed] == [moment.field]:
        return moment.done if getattr(state, moment.field) else moment.undone
    return "changed"


def records_before(found: Sequence[Any]) -> dict[tuple[type[Any], int], Any]:
    """By record class and id, the records that the changes among these are compared with."""
    wanted: dict[type[Any], set[int]] = defaultdict(set)
    for record in found:
        if record.history_type == "~" and record.record_before is not None:
            wanted[type(record)].add(record.record_before)
    return {
        (history, pk): record
        for history, pks in wanted.items()
        for pk, record in history._default_manager.in_bulk(pks).items()
    }


def state_of(record: Any) -> Any:
    """The object as it was right after the change; what isn't recorded is empty. No query."""
    names = [column.attname for column in record.tracked_fields]
    return record.instance_type(**{name: getattr(record, name) for name in names})


def differences(before: models.Model, now: models.Model, names: Iterable[str]) -> list[Difference]:
    """What differs in these fields, in words."""
    fields: list[Any] = [before._meta.get_field(name) for name in names]
    return [
        Difference(capfirst(str(each.verbose_name)), in_words(before, each), in_words(now, each))
        for each in fields
    ]


def in_words(state: Any, column: Any) -> str:
    value = getattr(state, column.name)
    if value is None or value == "":
        return "empty"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, datetime):
        return str(localize(timezone.localtime(value)))
    if isinstance(value, date):
        return str(localize(value))
    if isinstance(value, dict | list):
        return json.dumps(value, ensure_ascii=False)
    return label_of(value) if isinstance(value, models.Model) else str(value)


def relations(state: Any) -> Iterator[tuple[Any, int]]:
    for column in state._meta.concrete_fields:
        if isinstance(column, ForeignKey) and getattr(state, column.attname) is not None:
            yield column, getattr(state, column.attname)


def fill_relations(request: HttpRequest, states: Sequence[Any]) -> None:
    """Join to them what they refer to: as it is now, or was at last, or just its number."""
    wanted: dict[Any, set[int]] = defaultdict(set)
    for state in states:
        for column, pk in relations(state):
            wanted[column.related_model].add(pk)
    found = {model: referred(request, model, pks) for model, pks in wanted.items()}
    for state in states:
        for column, pk in relations(state):
            name = f"{column.related_model._meta.verbose_name} {pk}"
            column.set_cached_value(state, found[column.related_model].get(pk, name))


def referred(request: HttpRequest, model: Any, pks: set[int]) -> dict[int, Any]:
    """Rows of the model, or where they are gone the text that was last recorded of them."""
    site: Any = admin.site
    model_admin = site.registry[model]
    rows: dict[int, Any] = model_admin.get_queryset(request).in_bulk(pks)
    if gone := pks - rows.keys():
        last = model_admin.get_history(request).filter(id__in=gone).order_by("history_id")
        rows |= {record.id: name_of(record) for record in last}
    return rows


def name_of(record: Any) -> str:
    """Its own name, without those of what it refers to: they may be gone as well."""
    state = state_of(record)
    for column, pk in relations(state):
        column.set_cached_value(state, f"{column.related_model._meta.verbose_name} {pk}")
    return str(state)
