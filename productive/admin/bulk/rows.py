"""Bulk actions on the selected rows: archive, restore, delete."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import Any

from django.contrib import admin
from django.contrib.admin.options import ModelAdmin
from django.db import models
from django.db.models.deletion import Collector, ProtectedError, RestrictedError
from django.http import HttpRequest

from productive.admin.bulk.actions import BulkAction, Selection, counted
from productive.admin.forms import label_of
from productive.admin.preview import Consequences, Group, Line, Outcome, Preview
from productive.database.moments import Moment


def lines(texts: Iterable[str]) -> list[Line]:
    return [Line(text) for text in texts]


@dataclass(kw_only=True, eq=False)
class Stamp(BulkAction):
    """Set or clear the moment of a model: archive, close, revoke, reopen."""

    moment: Moment
    clears: bool = False
    # The queryset's method that writes it; by default, the action's name.
    method: str = ""
    line: Callable[[Any], str] = label_of
    # The consequence, where it is always the same.
    note: str = ""

    def is_allowed(self, model_admin: ModelAdmin[Any], request: HttpRequest) -> bool:
        return model_admin.has_change_permission(request)

    def plan(self, selection: Selection) -> tuple[list[Any], Preview]:
        rows, column = selection.rows(), self.moment.field
        done, already = self.moment.done, self.moment.done
        if self.clears:
            done, already = self.moment.undone, self.moment.unset
        changed = [row for row in rows if (getattr(row, column) is not None) == self.clears]
        skipped = [row for row in rows if (getattr(row, column) is not None) != self.clears]
        groups = [
            Group(f"Will be {done}", Outcome.CHANGED, lines(map(self.line, changed))),
            Group(f"Are {already} already, skipped", Outcome.UNCHANGED, lines(map(self.line, skipped))),
        ]
        what = counted(selection.model_admin.model, len(changed))
        consequences = Consequences([self.note]) if self.note else None
        return changed, Preview(groups, f"{self.title}: {what}", f"{what} {done}.", consequences)

    def write(self, rows: list[Any]) -> None:
        queryset = type(rows[0])._default_manager.filter(pk__in=[row.pk for row in rows])
        getattr(queryset, self.method or self.name)()


@dataclass(kw_only=True, eq=False)
class Delete(BulkAction):
    """Delete the rows, and with them what refers to them."""

    line: Callable[[Any], str] = label_of

    def is_allowed(self, model_admin: ModelAdmin[Any], request: HttpRequest) -> bool:
        return model_admin.has_delete_permission(request)

    def plan(self, selection: Selection) -> tuple[list[Any], Preview]:
        rows, model = selection.rows(), selection.model_admin.model
        blocked, numbers = what_goes_with(selection, rows)
        forbidden = [
            Line(str(other._meta.verbose_name_plural).capitalize(), ["you may not delete these"])
            for other in numbers
            if admin.site.is_registered(other)
            and not admin.site.get_model_admin(other).has_delete_permission(selection.request)
        ]
        if blocked or forbidden:
            needed, not_allowed = (
                "Nothing can be deleted, because these need what is selected",
                "Nothing can be deleted, because this would go with it",
            )
            groups = [
                Group(needed, Outcome.REFUSED, blocked),
                Group(not_allowed, Outcome.REFUSED, forbidden),
            ]
            return [], Preview(groups)
        goes = [Line(counted(other, number)) for other, number in numbers.items() if other is not model]
        groups = [
            Group("Will be deleted", Outcome.DELETED, lines(map(self.line, rows))),
            Group("And with them, for good", Outcome.DELETED, goes),
        ]
        what = counted(model, len(rows))
        return rows, Preview(groups, f"Delete {what}", f"{what} deleted.")

    def write(self, rows: list[Any]) -> None:
        type(rows[0])._default_manager.filter(pk__in=[row.pk for row in rows]).delete()


def what_goes_with(selection: Selection, rows: list[Any]) -> tuple[list[Line], dict[Any, int]]:
    """Return what prevents the deletion, and the number of rows by model.

    The selected rows are included.
    """
    if not rows:
        return [], {}
    collector = Collector(using=rows[0]._state.db, origin=rows[0])
    try:
        collector.collect(rows)
    except ProtectedError as error:
        return holders(selection, error.protected_objects), {}
    except RestrictedError as error:
        return holders(selection, error.restricted_objects), {}
    numbers: dict[Any, int] = {model: len(found) for model, found in collector.data.items()}
    for fast in collector.fast_deletes:
        numbers[fast.model] = numbers.get(fast.model, 0) + fast.count()
    return [], {model: number for model, number in numbers.items() if number and not model._meta.auto_created}


def holders(selection: Selection, held: Iterable[models.Model]) -> list[Line]:
    """Return a line for each record, in the order of its own list."""
    ids = defaultdict(list)
    for row in held:
        ids[type(row)].append(row.pk)
    found: list[Line] = []
    for model, pks in ids.items():
        name = str(model._meta.verbose_name).capitalize()
        rows = replace(selection, locks=False).read(admin.site.get_model_admin(model), pks)
        found += lines(f"{name} {label_of(row)}" for row in rows)
    return found


DELETE = Delete(name="delete_selected", title="Delete")
