"""Earlier states of objects, and differences between them in words."""

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


def verb(changed: Sequence[str], state: models.Model) -> str:
    moment = moment_of(type(state))
    if moment is not None and [*changed] == [moment.field]:
        return moment.done if getattr(state, moment.field) else moment.undone
    return "changed"


def records_before(found: Sequence[Any]) -> dict[tuple[type[Any], int], Any]:
    """Return the records to compare with, by record class and id."""
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
    """Return the object as it was right after the change, without a query.

    Fields that aren't recorded are empty.
    """
    names = [column.attname for column in record.tracked_fields]
    return record.instance_type(**{name: getattr(record, name) for name in names})


def differences(before: models.Model, now: models.Model, names: Iterable[str]) -> list[Difference]:
    """Describe what differs in these fields."""
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
    """Set the related objects: a row, its last name, or its kind and id."""
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
    """Return rows by id, or the last recorded names of deleted rows."""
    site: Any = admin.site
    model_admin = site.registry[model]
    rows: dict[int, Any] = model_admin.get_queryset(request).in_bulk(pks)
    if gone := pks - rows.keys():
        last = model_admin.get_history(request).filter(id__in=gone).order_by("history_id")
        rows |= {record.id: name_of(record) for record in last}
    return rows


def name_of(record: Any) -> str:
    """Return the name without related names, which may be deleted as well."""
    state = state_of(record)
    for column, pk in relations(state):
        column.set_cached_value(state, f"{column.related_model._meta.verbose_name} {pk}")
    return str(state)
