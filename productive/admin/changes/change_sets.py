"""Read historical records as change sets, and describe them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from heapq import merge
from itertools import chain, groupby, islice
from operator import itemgetter
from typing import Any
from uuid import UUID

from django.contrib import admin
from django.contrib.auth import get_user_model
from django.db import models
from django.db.models import Count, OuterRef, Q, Subquery, Value
from django.db.models.functions import Coalesce
from django.http import HttpRequest
from django.urls import reverse

from productive.admin.changes.states import (
    differences,
    fill_relations,
    past_verb,
    recorded_state,
    records_before,
)
from productive.admin.forms import label_of
from productive.admin.preview import Difference
from productive.admin.urls import admin_url
from productive.database.history import history_of, is_recorded

# A page has up to SETS_PER_PAGE sets. To find them, read RECORDS records of each model up to ROUNDS times.
SETS_PER_PAGE, RECORDS, ROUNDS = 25, 60, 4
# Entries of one set in the list; its own page has all of them.
ENTRIES_SHOWN = 5
NEWEST_FIRST = ("-history_date", "-change_set", "-history_id")
# Of a historical record: its time, change set and id, and the place of its model in the list of admins.
EntryKey = tuple[datetime, UUID, int, int]
# The time and the id of the last set of a page.
SetCursor = tuple[datetime, UUID]
# Filters the records of a model admin.
Narrow = Callable[[Any, models.QuerySet[Any]], models.QuerySet[Any]]


@dataclass
class Entry:
    """One change of one object."""

    record: Any
    model_admin: Any
    # The label in lists, and str() of the object.
    label: str
    name: str
    verb: str
    differences: list[Difference] = field(default_factory=list)

    @property
    def kind(self) -> str:
        return str(self.model_admin.opts.verbose_name)

    @property
    def url(self) -> str:
        """Return the URL of the history, which exists for deleted objects too."""
        return admin_url(self.model_admin.model, "history", self.record.id)

    @property
    def restore_url(self) -> str:
        return reverse("admin:restore", args=[self.model_admin.opts.label_lower, self.record.history_id])

    @property
    def author(self) -> str:
        return author_of(self.record)


@dataclass
class ChangeSet:
    """The changes of one request or command."""

    pk: UUID
    entries: list[Entry]
    total: int

    @property
    def first(self) -> Any:
        return self.entries[0].record

    @property
    def author(self) -> str:
        return author_of(self.first)

    @property
    def more(self) -> int:
        return self.total - len(self.entries)


def author_of(record: Any) -> str:
    """Return the username or, for a change without a user, how it was made."""
    return str(record.author_name or record.via)


def recorded_admins(request: HttpRequest) -> list[Any]:
    """Return the admins of the recorded models that the user may view."""
    return [
        model_admin
        for model, model_admin in admin.site._registry.items()
        if is_recorded(model) and model_admin.has_view_permission(request)
    ]


def visible_records(model_admin: Any, request: HttpRequest) -> models.QuerySet[Any]:
    """Return the historical records that the user may view.

    Annotate them with `record_before`, the id of the object's previous record, and `author_name`, the
    username. That of a deleted user is in the history of users.
    """
    history = model_admin.get_history(request)
    earlier = history.model._default_manager.filter(id=OuterRef("id"), history_id__lt=OuterRef("history_id"))
    before = earlier.order_by("-history_id").values("history_id")[:1]
    name: str = get_user_model().USERNAME_FIELD
    deleted = deleted_users().filter(id=OuterRef("history_user_id")).values(name)[:1]
    return history.annotate(
        record_before=Subquery(before),
        author_name=Coalesce(f"history_user__{name}", Subquery(deleted)),
    )


def deleted_users() -> models.QuerySet[Any]:
    return history_of(get_user_model())._default_manager.filter(history_type="-")


def by_author(name: str) -> Q:
    """Return the condition for records whose author has this in the username."""
    lookup = f"{get_user_model().USERNAME_FIELD}__folded"
    deleted = deleted_users().filter(**{lookup: name}).values("id")
    return Q((f"history_user__{lookup}", name)) | Q(history_user__in=deleted) | Q(via__folded=name)


def change_sets(
    request: HttpRequest,
    narrow: Narrow,
    admins: Sequence[Any],
    cursor: SetCursor | None = None,
    page_size: int = SETS_PER_PAGE,
    rounds: int = ROUNDS,
) -> tuple[list[ChangeSet], SetCursor | None]:
    """Return a page of change sets, newest first, and the next cursor.

    The number of queries is constant. Most of the records that are compared aren't shown, so only their keys
    are read first.
    """
    keys = [
        narrow(each, each.get_history(request))
        .order_by(*NEWEST_FIRST)
        .values_list("history_date", "change_set", "history_id", Value(place))
        for place, each in enumerate(admins)
    ]
    found, cursor = find_sets(keys, cursor, page_size, rounds)
    totals = count_visible(request, found, narrow, admins)
    groups = read_records(request, [group[:ENTRIES_SHOWN] for group in found.values()], admins)
    entries = iter(build_entries(request, list(chain.from_iterable(groups))))
    return [
        ChangeSet(pk, list(islice(entries, len(group))), totals[pk])
        for pk, group in zip(found, groups, strict=True)
    ], cursor


def find_sets(
    keys: Sequence[models.QuerySet[Any, Any]], cursor: SetCursor | None, page_size: int, rounds: int
) -> tuple[dict[UUID, list[EntryKey]], SetCursor | None]:
    """Return the keys of a page of change sets by set, and the next cursor."""
    found: dict[UUID, list[EntryKey]] = {}
    for _ in range(rounds):
        streams = [list(before_cursor(queryset, cursor)[:RECORDS]) for queryset in keys]
        page = list(islice(merge(*streams, key=newest_first), RECORDS))
        for pk, group in groupby(page, key=itemgetter(1)):
            found.setdefault(pk, []).extend(group)
            # A set may come up more than once: other requests write records while a command runs.
            cursor = found[pk][-1][0], pk
            if len(found) == page_size:
                return found, cursor
        if len(page) < RECORDS:
            return found, None
    return found, cursor


def newest_first(key: EntryKey) -> tuple[float, int]:
    """Return the sort key for `merge`; each stream is sorted by it."""
    return -key[0].timestamp(), -key[1].int


def read_records(
    request: HttpRequest, groups: Sequence[Sequence[EntryKey]], admins: Sequence[Any]
) -> list[list[Any]]:
    """Return the records of the keys, without those that were deleted meanwhile; one query per model."""
    ids: dict[int, list[int]] = defaultdict(list)
    for _, _, pk, place in chain.from_iterable(groups):
        ids[place].append(pk)
    found = {place: visible_records(admins[place], request).in_bulk(pks) for place, pks in ids.items()}
    return [[found[place][pk] for _, _, pk, place in group if pk in found[place]] for group in groups]


def object_history(model_admin: Any, request: HttpRequest, object_id: str) -> dict[str, Any] | None:
    """Return the context for an object's history, or None without records."""
    queryset = visible_records(model_admin, request).filter(id=object_id)
    shown = list(queryset.order_by("-history_date", "-history_id")[: RECORDS + 1])
    if not shown:
        return None
    entries = build_entries(request, shown[:RECORDS])
    return {
        "title": f"History of {entries[0].label}",
        "entries": entries,
        "more": len(shown) > RECORDS,
        "object": model_admin.get_queryset(request).filter(pk=object_id).first(),
        "can_undo": model_admin.can_undo,
        # The search finds other models, such as assignments, only by the names of related objects.
        "searchable": model_admin.in_palette,
    }


def before_cursor(queryset: models.QuerySet[Any], cursor: SetCursor | None) -> models.QuerySet[Any]:
    """Return the records before the cursor, without those of its set."""
    if cursor is None:
        return queryset
    moment, pk = cursor
    older = Q(history_date__lt=moment) | Q(history_date=moment, change_set__lt=pk)
    return queryset.filter(older).exclude(change_set=pk)


def count_visible(
    request: HttpRequest,
    sets: Iterable[UUID],
    narrow: Narrow,
    admins: Sequence[Any],
) -> dict[UUID, int]:
    """Return the number of records of each set, over all models, in one query."""
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


def build_entries(request: HttpRequest, records: Sequence[Any]) -> list[Entry]:
    """Return an entry for each record; the number of queries is constant."""
    before = records_before(records)
    states = {id(record): recorded_state(record) for record in [*records, *before.values()]}
    fill_relations(request, [*states.values()])
    entries = []
    for record in records:
        earlier = before.get((type(record), record.record_before))
        state = states[id(record)]
        model_admin = admin.site.get_model_admin(type(state))
        entry = Entry(record, model_admin, label_of(state), str(state), "added")
        if record.history_type == "-":
            entry.verb = "deleted"
        elif record.history_type == "~":
            entry.verb = "changed"
            if earlier is not None:
                names = record.diff_against(earlier).changed_fields
                entry.verb = past_verb(names, state)
                entry.differences = differences(states[id(earlier)], state, names)
        entries.append(entry)
    return entries
