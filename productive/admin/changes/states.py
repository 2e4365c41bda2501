"""Earlier states of objects, and the differences between them as text."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from datetime import date, datetime
from typing import Any

from django.contrib import admin
from django.db import models
from django.db.models import ForeignKey
from django.http import HttpRequest
from django.utils import timezone
from django.utils.formats import localize
from django.utils.text import capfirst

from productive.admin.forms import label_of
from productive.admin.preview import Difference
from productive.database.moments import moment_of


def past_verb(changed: Sequence[str], state: models.Model) -> str:
    """Return the verb for a change, such as "changed" or "archived"."""
    moment = moment_of(type(state))
    if moment is not None and [*changed] == [moment.field]:
        return moment.done if getattr(state, moment.field) else moment.undone
    return "changed"


def records_before(records: Sequence[Any]) -> dict[tuple[type[Any], int], Any]:
    """Return the previous records of changed objects, by class and id."""
    ids: dict[type[Any], set[int]] = defaultdict(set)
    for record in records:
        if record.history_type == "~" and record.record_before is not None:
            ids[type(record)].add(record.record_before)
    return {
        (history, pk): record
        for history, pks in ids.items()
        for pk, record in history._default_manager.in_bulk(pks).items()
    }


def recorded_state(record: Any) -> Any:
    """Return the object as it was after the change, without a query.

    Fields that aren't recorded are empty.
    """
    names = [column.attname for column in record.tracked_fields]
    return record.instance_type(**{name: getattr(record, name) for name in names})


def differences(before: models.Model, now: models.Model, names: Iterable[str]) -> list[Difference]:
    """Return the values of these fields before and after."""
    fields: list[Any] = [before._meta.get_field(name) for name in names]
    return [
        Difference(capfirst(str(each.verbose_name)), display_value(before, each), display_value(now, each))
        for each in fields
    ]


def display_value(state: Any, column: Any) -> str:
    return value_text(getattr(state, column.name))


def value_text(value: Any) -> str:
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


def set_foreign_keys(state: Any) -> Iterator[tuple[Any, int]]:
    """Yield the foreign keys that are set, with their values."""
    for column in state._meta.concrete_fields:
        if isinstance(column, ForeignKey) and getattr(state, column.attname) is not None:
            yield column, getattr(state, column.attname)


def related_ids(states: Iterable[Any]) -> dict[Any, set[int]]:
    """Return the ids of the related objects, by model."""
    ids: dict[Any, set[int]] = defaultdict(set)
    for state in states:
        for column, pk in set_foreign_keys(state):
            ids[column.related_model].add(pk)
    return ids


def fill_relations(request: HttpRequest, states: Sequence[Any]) -> None:
    """Set the related objects, without a query for each.

    A deleted row is replaced by its last recorded name, or by its model and id.
    """
    found = {model: rows_or_names(request, model, pks) for model, pks in related_ids(states).items()}
    for state in states:
        for column, pk in set_foreign_keys(state):
            name = f"{column.related_model._meta.verbose_name} {pk}"
            column.set_cached_value(state, found[column.related_model].get(pk, name))


def rows_or_names(request: HttpRequest, model: Any, pks: set[int]) -> dict[int, Any]:
    """Return, by id, the row or the last recorded name of a deleted row."""
    model_admin: Any = admin.site.get_model_admin(model)
    found: dict[int, Any] = model_admin.get_queryset(request).in_bulk(pks)
    if deleted := pks - found.keys():
        records = model_admin.get_history(request).filter(id__in=deleted).order_by("history_id")
        found |= {record.id: recorded_name(record) for record in records}
    return found


def recorded_name(record: Any) -> str:
    """Return the label of the object, with related objects as ids.

    These may be deleted as well.
    """
    state = recorded_state(record)
    for column, pk in set_foreign_keys(state):
        column.set_cached_value(state, f"{column.related_model._meta.verbose_name} {pk}")
    return label_of(state)
