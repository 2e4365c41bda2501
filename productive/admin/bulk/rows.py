"""Bulk actions on the selected rows themselves: put away, take back, delete. Knows no model."""

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

from productive.admin.bulk.actions import Asked, BulkAction, Consequences, Group, Line, Plan, counted
from productive.admin.forms import label_of
from productive.database.moments import Moment


def lines(texts: Iterable[str]) -> list[Line]:
    return [Line(text) for text in texts]


@dataclass(frozen=True, kw_only=True, eq=False)
class Stamp(BulkAction):
    """Set the model's moment where it is null, or clear it: archive, close, revoke, and back."""

    moment: Moment
    clears: bool = False
    # The queryset's method that does it; by default, the action's name.
    method: str = ""
    line: Callable[[Any], str] = label_of
    # What it means where nothing has to be worked out.
    note: str = ""

    def is_allowed(self, model_admin: ModelAdmin[Any], request: HttpRequest) -> bool:
        return model_admin.has_change_permission(request)

    def plan(self, asked: Asked) -> Plan:
        rows = asked.rows()
        column = self.moment.field
        done, already = self.moment.done, self.moment.done
        if self.clears:
            done, already = self.moment.undone, self.moment.unset
        changed = [row for row in rows if (getattr(row, column) is not None) == self.clears]
        left = [row for row in rows if (getattr(row, column) is not None) != self.clears]
        groups = [
            Group(f"Will be {done}", lines(map(self.line, changed)), "done"),
            Group(f"Are {already} already, skipped", lines(map(self.line, left)), "skipped"),
        ]
        what = counted(asked.model_admin.model, len(changed))
        told = Consequences([self.note]) if self.note else None
        return Plan(changed, groups, f"{self.title}: {what}", f"{what} {done}.", told)

    def write(self, plan: Plan) -> None:
        rows = type(plan.rows[0])._default_manager.filter(pk__in=[row.pk for row in plan.rows])
        getattr(rows, self.method or self.name)()


@dataclass(frozen=True, kw_only=True, eq=False)
class Delete(BulkAction):
    """Deletes the rows, with what can't be without them."""

    variant = "danger"

    line: Callable[[Any], str] = label_of

    def is_allowed(self, model_admin: ModelAdmin[Any], request: HttpRequest) -> bool:
        return model_admin.has_delete_permission(request)

    def plan(self, asked: Asked) -> Plan:
        rows, model = asked.rows(), asked.model_admin.model
        blocked, taken = what_goes_with(asked, rows)
        forbidden = [
            Line(str(other._meta.verbose_name_plural).capitalize(), "you may not delete these")
            for other in taken
            if admin.site.is_registered(other)
            and not admin.site.get_model_admin(other).has_delete_permission(asked.request)
        ]
        what = counted(model, len(rows))
        if blocked or forbidden:
            groups = [
                Group("Nothing can be deleted, because these need what is selected", blocked, "refused"),
                Group("Nothing can be deleted, because this would go with it", forbidden, "refused"),
            ]
            return Plan([], groups, "", "")
        goes = [Line(counted(other, number)) for other, number in taken.items() if other is not model]
        groups = [
            Group("Will be deleted", lines(map(self.line, rows)), "gone"),
            Group("And with them, for good", goes, "gone"),
        ]
        return Plan(rows, groups, f"Delete {what}", f"{what} deleted.")

    def write(self, plan: Plan) -> None:
        type(plan.rows[0])._default_manager.filter(pk__in=[row.pk for row in plan.rows]).delete()


def what_goes_with(asked: Asked, rows: list[Any]) -> tuple[list[Line], dict[Any, int]]:
    """What keeps the rows from being deleted; and how many of each model go with them, they included."""
    if not rows:
        return [], {}
    collector = Collector(using=rows[0]._state.db, origin=rows[0])
    try:
        collector.collect(rows)
    except ProtectedError as error:
        return holders(asked, error.protected_objects), {}
    except RestrictedError as error:
        return holders(asked, error.restricted_objects), {}
    numbers: dict[Any, int] = {model: len(found) for model, found in collector.data.items()}
    for fast in collector.fast_deletes:
        numbers[fast.model] = numbers.get(fast.model, 0) + fast.count()
    return [], {model: number for model, number in numbers.items() if number and not model._meta.auto_created}


def holders(asked: Asked, held: Iterable[models.Model]) -> list[Line]:
    """What needs the rows, in the order and under the names of its own list."""
    ids = defaultdict(list)
    for row in held:
        ids[type(row)].append(row.pk)
    found: list[Line] = []
    for model, theirs in ids.items():
        name = str(model._meta.verbose_name).capitalize()
        rows = replace(asked, locked=False).read(admin.site.get_model_admin(model), theirs)
        found += lines(f"{name} {label_of(row)}" for row in rows)
    return found


DELETE = Delete(name="delete_selected", title="Delete")
