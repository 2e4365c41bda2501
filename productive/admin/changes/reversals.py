"""Reverse the change of an object: delete, recreate or restore it.

The model validates each row that is recreated or restored.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from copy import copy
from dataclasses import dataclass, field
from typing import Any, cast

from django.contrib import admin
from django.core.exceptions import NON_FIELD_ERRORS, ValidationError
from django.db import models
from django.http import HttpRequest
from django.utils.text import capfirst

from productive.admin.changes.states import differences, fill_relations, related_ids, set_foreign_keys
from productive.admin.forms import label_of
from productive.admin.preview import Difference, Line, RecordOutcome
from productive.database.moments import moment_of
from productive.database.recorded import Restoration


class NotPossibleError(Exception):
    """The change of an object can't be undone; the message is the reason."""


@dataclass
class Target:
    """An object, and the state to restore; None deletes the object."""

    model_admin: Any
    pk: int
    state: Any | None
    fields: set[str] = field(default_factory=set)
    # The state after the change. If the fields have other values, they were changed again.
    current_state: Any | None = None
    restoration: Restoration | None = None


@dataclass
class Reversal:
    """The row to write for one object, or the reason why it can't be written."""

    outcome: RecordOutcome
    row: Any | None = None
    fields: tuple[str, ...] = ()
    note: str = ""
    differences: Sequence[Difference] = ()
    # The model and the label of the object.
    kind: str = ""
    label: str = ""

    @property
    def line(self) -> Line:
        return Line(self.label, [self.note] if self.note else [], capfirst(self.kind), self.differences)


def reversal_of(
    request: HttpRequest, target: Target, row: Any | None, related: RowsById, needed_by: str
) -> Reversal:
    """Return the reversal of the object's change, which isn't written yet."""
    kind = str(target.model_admin.opts.verbose_name)
    labeled = target.state if row is None else row
    # The label of the row before it gets its earlier state.
    label = f"{kind} {target.pk}" if labeled is None else label_of(labeled)
    try:
        if target.state is None:
            reversal = deletion(request, target, row, needed_by)
        elif row is None:
            reversal = recreation(request, target, related)
        else:
            reversal = restoration(request, target, row, related)
    except NotPossibleError as reason:
        reversal = Reversal(RecordOutcome.REJECTED, note=str(reason))
    except ValidationError as error:
        reversal = Reversal(RecordOutcome.REJECTED, note=error_text(error))
    reversal.kind, reversal.label = kind, label
    return reversal


def deletion(request: HttpRequest, target: Target, row: Any, needed_by: str) -> Reversal:
    if row is None:
        return Reversal(RecordOutcome.UNCHANGED, note="already deleted")
    check_permission(target, target.model_admin.has_delete_permission(request, row), "delete")
    if needed_by:
        raise NotPossibleError(f"it has {needed_by} now")
    return Reversal(RecordOutcome.DELETED, row)


def recreation(request: HttpRequest, target: Target, related: RowsById) -> Reversal:
    # Copy the state, because the next attempt needs it unchanged if this one fails.
    row: Any = copy(target.state)
    check_permission(target, target.model_admin.has_add_permission(request), "add")
    for name in protected_fields(request, target):
        setattr(row, row._meta.get_field(name).attname, None)
    set_related(row, related)
    row._state.adding = True
    row.restoration = target.restoration
    row.clean_fields(exclude={column.name for column in row._meta.fields if column.is_relation})
    row.clean()
    # The id is free, because no row was found with it.
    row.validate_constraints(exclude={"id"})
    return Reversal(RecordOutcome.CREATED, row)


def restoration(request: HttpRequest, target: Target, row: Any, related: RowsById) -> Reversal:
    names = tuple(name for name in sorted(target.fields) if value_differs(name, row, target.state))
    if not names:
        return Reversal(RecordOutcome.UNCHANGED)
    check_permission(target, target.model_admin.has_change_permission(request, row), "change")
    if protected := set(names) & set(protected_fields(request, target)):
        raise NotPossibleError(f"only a superuser may change: {', '.join(sorted(protected))}")
    current = target.current_state
    if current is not None and any(value_differs(name, row, current) for name in names):
        raise NotPossibleError("it was changed again since")
    before, state = copy(row), cast(models.Model, target.state)
    for name in names:
        column = row._meta.get_field(name)
        setattr(row, column.attname, getattr(state, column.attname))
    row.restoration = target.restoration
    if any(row._meta.get_field(name).is_relation for name in names):
        set_related(row, related)
        fill_relations(request, [before])
    row.clean_fields(exclude={column.name for column in row._meta.fields} - {*names})
    row.clean()
    moment = moment_of(type(row))
    if moment is None or names != (moment.field,):  # no constraint depends on the moment
        row.validate_constraints(exclude={"id"})
    return Reversal(RecordOutcome.CHANGED, row, names, differences=differences(before, state, names))


RowsById = dict[tuple[Any, int], Any]


def related_rows(request: HttpRequest, states: Iterable[Any]) -> RowsById:
    """Return the related rows that the user may see, by model and id."""
    related: RowsById = {}
    for model, pks in related_ids(states).items():
        rows = admin.site.get_model_admin(model).get_queryset(request)
        if moment_of(model) is not None:
            # Lock the rows, so that no other request archives or closes them before the commit.
            rows = rows.select_for_update(of=("self",), no_key=True)
        related |= {(model, pk): row for pk, row in rows.in_bulk(pks).items()}
    return related


def set_related(row: Any, related: RowsById) -> None:
    """Set the related rows; raise NotPossibleError if one doesn't exist."""
    for column, pk in set_foreign_keys(row):
        found = related.get((column.related_model, pk))
        if found is None:
            raise NotPossibleError(f"its {column.verbose_name} doesn't exist anymore")
        column.set_cached_value(row, found)


def needed_by_others(model: Any, pks: list[int]) -> dict[int, str]:
    """Return, by id, the name of a model that a deletion would affect."""
    needed: dict[int, str] = {}
    for relation in model._meta.related_objects if pks else ():
        if relation.on_delete in (models.CASCADE, models.RESTRICT, models.PROTECT):
            name = relation.field.attname
            rows = relation.related_model._base_manager.filter(**{f"{name}__in": pks})
            plural = str(relation.related_model._meta.verbose_name_plural)
            needed |= dict.fromkeys(rows.order_by().values_list(name, flat=True).distinct(), plural)
    return needed


def check_permission(target: Target, has_permission: bool, verb: str) -> None:
    """Raise NotPossibleError unless the user may undo the change."""
    plural = target.model_admin.opts.verbose_name_plural
    if not target.model_admin.can_undo:
        raise NotPossibleError(f"{plural} can only be changed on their own pages")
    if not has_permission:
        raise NotPossibleError(f"you don't have permission to {verb} this, or any {plural}")


def protected_fields(request: HttpRequest, target: Target) -> Sequence[str]:
    user: Any = request.user
    fields: Sequence[str] = () if user.is_superuser else target.model_admin.superuser_fields
    return fields


def value_differs(name: str, row: Any, state: Any) -> bool:
    attname = row._meta.get_field(name).attname
    return bool(getattr(row, attname) != getattr(state, attname))


def error_text(error: ValidationError) -> str:
    if not hasattr(error, "error_dict"):
        return " ".join(error.messages)
    return "; ".join(
        " ".join(found) if name == NON_FIELD_ERRORS else f"{name.replace('_', ' ')}: {' '.join(found)}"
        for name, found in error.message_dict.items()
    )
