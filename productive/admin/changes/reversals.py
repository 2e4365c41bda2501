"""Reverse the change of one object: delete it, recreate it, or restore values.

The model validates each row.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from copy import copy
from dataclasses import dataclass, field
from typing import Any, cast

from django.contrib import admin
from django.core.exceptions import NON_FIELD_ERRORS, ValidationError
from django.db import models
from django.http import HttpRequest
from django.utils.text import capfirst

from productive.admin.changes.states import differences, fill_relations, relations
from productive.admin.forms import label_of
from productive.admin.preview import Difference, Line, Outcome
from productive.database.moments import moment_of


class NotPossibleError(Exception):
    """The reason why a change of an object can't be undone."""


@dataclass
class Target:
    """An object, and its state to restore; None deletes it."""

    model_admin: Any
    pk: int
    state: Any | None
    fields: set[str] = field(default_factory=set)
    # The state whose values the fields must still have; otherwise they were changed again.
    unless: Any | None = None


@dataclass
class Reversal:
    """What becomes of one object: the row to write, or why not."""

    outcome: Outcome
    row: Any | None = None
    fields: tuple[str, ...] = ()
    note: str = ""
    differences: Sequence[Difference] = ()
    # The object in the preview.
    kind: str = ""
    label: str = ""

    @property
    def line(self) -> Line:
        return Line(self.label, [self.note] if self.note else [], capfirst(self.kind), self.differences)


def reversal_of(
    request: HttpRequest, target: Target, row: Any | None, related: Related, needed_by: str
) -> Reversal:
    """Return what reverses the change of the object, to be written."""
    kind = str(target.model_admin.opts.verbose_name)
    shown = target.state if row is None else row
    # Before the row gets its earlier state.
    label = f"{kind} {target.pk}" if shown is None else label_of(shown)
    try:
        if target.state is None:
            reversal = deletion(request, target, row, needed_by)
        elif row is None:
            reversal = recreation(request, target, related)
        else:
            reversal = restoration(request, target, row, related)
    except NotPossibleError as reason:
        reversal = Reversal(Outcome.REFUSED, note=str(reason))
    except ValidationError as error:
        reversal = Reversal(Outcome.REFUSED, note=in_words(error))
    reversal.kind, reversal.label = kind, label
    return reversal


def deletion(request: HttpRequest, target: Target, row: Any, needed_by: str) -> Reversal:
    if row is None:
        return Reversal(Outcome.UNCHANGED, note="already deleted")
    check(target, target.model_admin.has_delete_permission(request, row), "delete")
    if needed_by:
        raise NotPossibleError(f"it has {needed_by} now")
    return Reversal(Outcome.DELETED, row)


def recreation(request: HttpRequest, target: Target, related: Related) -> Reversal:
    # A copy: if this isn't possible yet, the state keeps the names that stand for missing records.
    row: Any = copy(target.state)
    check(target, target.model_admin.has_add_permission(request), "add")
    for name in hidden_fields(request, target):
        setattr(row, row._meta.get_field(name).attname, None)
    join(row, related)
    row._state.adding = True
    row.clean_fields(exclude={column.name for column in row._meta.fields if column.is_relation})
    row.clean()
    # Its id is free: no row was found under it.
    row.validate_constraints(exclude={"id"})
    return Reversal(Outcome.CREATED, row)


def restoration(request: HttpRequest, target: Target, row: Any, related: Related) -> Reversal:
    names = tuple(name for name in sorted(target.fields) if differs(name, row, target.state))
    if not names:
        return Reversal(Outcome.UNCHANGED)
    check(target, target.model_admin.has_change_permission(request, row), "change")
    if hidden := set(names) & set(hidden_fields(request, target)):
        raise NotPossibleError(f"only a superuser may change: {', '.join(sorted(hidden))}")
    if target.unless is not None and any(differs(name, row, target.unless) for name in names):
        raise NotPossibleError("it was changed again since")
    before, state = copy(row), cast(models.Model, target.state)
    for name in names:
        column = row._meta.get_field(name)
        setattr(row, column.attname, getattr(state, column.attname))
    if any(row._meta.get_field(name).is_relation for name in names):
        join(row, related)
        fill_relations(request, [before])
    row.clean_fields(exclude={column.name for column in row._meta.fields} - {*names})
    row.clean()
    moment = moment_of(type(row))
    if moment is None or names != (moment.field,):  # no constraint reads it
        row.validate_constraints(exclude={"id"})
    return Reversal(Outcome.CHANGED, row, names, differences=differences(before, state, names))


Related = dict[tuple[Any, int], Any]


def related_rows(request: HttpRequest, states: Iterable[Any]) -> Related:
    """Return the related rows that the user may see, by model and id."""
    site: Any = admin.site
    wanted: dict[Any, set[int]] = defaultdict(set)
    for state in states:
        for column, pk in relations(state):
            wanted[column.related_model].add(pk)
    related: Related = {}
    for model, pks in wanted.items():
        rows = site.registry[model].get_queryset(request)
        if moment_of(model) is not None:
            # Locked, so that they aren't archived or closed before they are used.
            rows = rows.select_for_update(of=("self",), no_key=True)
        related |= {(model, pk): row for pk, row in rows.in_bulk(pks).items()}
    return related


def join(row: Any, related: Related) -> None:
    """Set the related rows; raise NotPossibleError if one doesn't exist."""
    for column, pk in relations(row):
        found = related.get((column.related_model, pk))
        if found is None:
            raise NotPossibleError(f"its {column.verbose_name} doesn't exist anymore")
        column.set_cached_value(row, found)


def needed_by_others(model: Any, pks: list[int]) -> dict[int, str]:
    """Return, by id, a kind of records that a deletion would affect."""
    needed: dict[int, str] = {}
    for relation in model._meta.related_objects if pks else ():
        if relation.on_delete in (models.CASCADE, models.RESTRICT, models.PROTECT):
            name = relation.field.attname
            rows = relation.related_model._base_manager.filter(**{f"{name}__in": pks})
            kinds = str(relation.related_model._meta.verbose_name_plural)
            needed |= dict.fromkeys(rows.order_by().values_list(name, flat=True).distinct(), kinds)
    return needed


def check(target: Target, permitted: bool, right: str) -> None:
    kinds = target.model_admin.opts.verbose_name_plural
    if not target.model_admin.can_undo:
        raise NotPossibleError(f"{kinds} can be changed on their own pages only")
    if not permitted:
        raise NotPossibleError(f"you may not {right} this, or any {kinds}")


def hidden_fields(request: HttpRequest, target: Target) -> Sequence[str]:
    user: Any = request.user
    fields: Sequence[str] = () if user.is_superuser else target.model_admin.superuser_fields
    return fields


def differs(name: str, row: Any, state: Any) -> bool:
    attname = row._meta.get_field(name).attname
    return bool(getattr(row, attname) != getattr(state, attname))


def in_words(error: ValidationError) -> str:
    if not hasattr(error, "error_dict"):
        return " ".join(error.messages)
    return "; ".join(
        " ".join(found) if name == NON_FIELD_ERRORS else f"{name.replace('_', ' ')}: {' '.join(found)}"
        for name, found in error.message_dict.items()
    )
