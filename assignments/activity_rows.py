"""Read the entries of activities, and write them as columns."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import datetime
from functools import cache
from typing import Any
from zoneinfo import ZoneInfo

from django.db import models
from django.db.models import Case, F, OuterRef, Subquery, When

from assignments.activities import (
    BY_CODE,
    BY_HISTORY,
    BY_MODEL,
    CODES,
    EVENT_OF_CHANGE,
    ActivityKey,
    Item,
    Position,
    type_name,
)
from productive.database.history import comparable, history_of
from productive.database.owned_rows import compared
from productive.jsonapi.serializers import ModelSerializer


def read_entries(keys: Sequence[ActivityKey], organization: models.Model) -> list[Any]:
    """Return the entries with these keys, in their order; one query for each model.

    They are annotated with `previous`, the id of the object's entry before, and `deleted_at`, which is null
    unless the object is deleted now.
    """
    found: dict[ActivityKey, Any] = {}
    for code, ids in grouped((key.code, key.history_id) for key in keys).items():
        item = BY_CODE[code]
        same = item.history._default_manager.filter(id=OuterRef("id"))
        same = same.order_by("-history_date", "-history_id")
        place = ("history_date", "history_id")
        earlier = same.filter(compared(place, "<", [OuterRef(column) for column in place]))
        latest = same.annotate(deleted_at=Case(When(history_type="-", then=F("history_date"))))
        rows = item.history._default_manager.order_by().annotate(
            previous=Subquery(earlier.values("history_id")[:1]),
            deleted_at=Subquery(latest.values("deleted_at")[:1]),
        )
        # Not in the query: SQLite may choose the index of the organization, and read all its entries.
        own = (row for row in rows.filter(pk__in=ids) if row.organization_id == organization.pk)
        found |= {ActivityKey(row.pk, code): row for row in own}
    return [found[key] for key in keys if key in found]


def position(entry: Any) -> Position:
    return Position(entry.history_date, entry.history_id, BY_HISTORY[type(entry)].code)


def previous_entries(changed: Iterable[Any]) -> dict[tuple[Any, int], Any]:
    """Return the entries before those of changed objects, by class and id."""
    ids = grouped((type(entry), entry.previous) for entry in changed if entry.previous is not None)
    return {
        (history, pk): entry
        for history, pks in ids.items()
        for pk, entry in history._default_manager.order_by().in_bulk(pks).items()
    }


def grouped(pairs: Iterable[tuple[Any, Any]]) -> dict[Any, set[Any]]:
    groups: dict[Any, set[Any]] = defaultdict(set)
    for key, value in pairs:
        groups[key].add(value)
    return groups


def changeset(
    entry: Any, previous: Any, fields: Sequence[models.Field[Any, Any]], zone: ZoneInfo
) -> list[dict[str, list[Any]]]:
    """Return the changed fields as `{name: [before, after]}`; all that aren't null if created or deleted."""
    if entry.history_type == "~" and previous is None:
        return []
    before = None if entry.history_type == "+" else entry if entry.history_type == "-" else previous
    after = None if entry.history_type == "-" else entry
    changes = []
    for field in fields:
        values = [None if one is None else getattr(one, field.attname) for one in (before, after)]
        old, new = (None if value is None else comparable(field, value) for value in values)
        if old != new:
            changes.append({field.attname: [in_zone(value, zone) for value in values]})
    return changes


def in_zone(value: Any, zone: ZoneInfo) -> Any:
    return value.astimezone(zone).isoformat(timespec="milliseconds") if isinstance(value, datetime) else value


# --- Names ----------------------------------------------------------------------------------------


class RelatedRecords:
    """The records that items belong to and are named after, without a query for each.

    A deleted record is as its last entry was.
    """

    def __init__(self, found: Sequence[Any], organization: models.Model) -> None:
        ids: dict[Any, set[Any]] = grouped(
            (field.related_model, getattr(entry, field.attname))
            for entry in found
            for field in links(BY_HISTORY[type(entry)])
        )
        self.rows = {model: read_related(model, pks - {None}, organization) for model, pks in ids.items()}

    def name(self, entry: Any) -> str:
        state = recorded(entry)
        for field in links(BY_HISTORY[type(entry)]):
            field.set_cached_value(state, self.rows[field.related_model].get(getattr(entry, field.attname)))
        return str(state)

    def parent_and_root(self, entry: Any) -> tuple[Any, Any]:
        """Return the record that the item belongs to, and the one to which that belongs; None if unknown."""
        first, *others = BY_HISTORY[type(entry)].parents or (None,)
        if first is None:
            return None, None
        field = type(entry).instance_type._meta.get_field(first)
        parent = root = self.rows[field.related_model].get(getattr(entry, field.attname))
        for name in others:
            # A deleted record has no related records in memory.
            root = None if root is None or root._state.adding else getattr(root, name)
        return parent, root


def links(item: Item) -> list[Any]:
    """Return the foreign keys to the record that the item belongs to, and of an assignment to its person."""
    assigned = ("person",) if item.model.__name__.endswith("Assignment") else ()
    return [item.model._meta.get_field(name) for name in (*item.parents[:1], *assigned)]


def read_related(model: Any, pks: set[int], organization: models.Model) -> dict[int, Any]:
    item = BY_MODEL[model]
    rows = model.objects.owned_by(organization)
    path = "__".join(item.parents)
    found: dict[int, Any] = (rows.select_related(path) if path else rows).in_bulk(pks)
    if missing := pks - found.keys():
        for entry in item.history._default_manager.filter(id__in=missing).order_by("history_id"):
            if entry.organization_id == organization.pk:
                found[entry.id] = recorded(entry)
    return found


def recorded(entry: Any) -> Any:
    """Return the object as it was after the change, without its related objects."""
    names = [field.attname for field in entry.tracked_fields]
    return entry.instance_type(**{name: getattr(entry, name) for name in names})


# --- Columns --------------------------------------------------------------------------------------


def activity_columns(entry: Any, before: Any, related: RelatedRecords, zone: ZoneInfo) -> dict[str, Any]:
    item = BY_HISTORY[type(entry)]
    parent, root = related.parent_and_root(entry)
    deal, company, person = (
        getattr(entry, item.column(name) or "", None) for name in ("deal", "company", "person")
    )
    return {
        "pk": entry.history_id * CODES + item.code,
        "event": EVENT_OF_CHANGE[entry.history_type],
        "changeset": changeset(entry, before, recorded_fields(item.model), zone),
        "item_id": entry.id,
        "item_type": item.type,
        "item_name": related.name(entry),
        "item_deleted_at": entry.deleted_at,
        **{f"parent_{name}": value for name, value in identify(parent).items()},
        **{f"root_{name}": value for name, value in identify(root).items()},
        "deal_is_budget": deal is not None,
        "deal_id": deal,
        "company_id": company,
        "person_id": person,
        "created_at": entry.history_date,
        "made_by_automation": False,
    }


def identify(record: Any) -> dict[str, Any]:
    return {} if record is None else {"id": record.pk, "type": type_name(type(record)), "name": str(record)}


@cache
def recorded_fields(model: Any) -> list[Any]:
    """Return the recorded fields that the resource has, too, without the organization."""
    names = ModelSerializer.by_model[model].Meta.fields
    fields = [field for field in history_of(model).tracked_fields if field.name in names]
    return [field for field in fields if field.name not in ("organization", "created_at")]
