"""Bulk actions on the selected rows: set or clear a moment, or delete."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import Any

from django.contrib import admin
from django.db import models
from django.db.models.deletion import Collector, ProtectedError, RestrictedError

from productive.admin.bulk.actions import BulkAction, Selection, quantity
from productive.admin.forms import label_of
from productive.admin.preview import Consequences, Group, Line, Preview, RecordOutcome
from productive.database.moments import Moment, moment_of


def lines(texts: Iterable[str]) -> list[Line]:
    return [Line(text) for text in texts]


@dataclass(kw_only=True, eq=False)
class Stamp(BulkAction):
    """An action that sets or clears a moment: archive, restore, close."""

    permission = "change"
    moment: Moment
    clears: bool = False
    # The queryset's method that writes the moment; by default, the action's name.
    method: str = ""
    # A fixed text about the consequences.
    note: str = ""

    def changes(self, row: Any) -> bool:
        return (getattr(row, self.moment.field) is not None) == self.clears and not self.rejection(row)

    def rejection(self, row: Any) -> str:
        """Return why the moment of the row can't change, or ""."""
        return ""

    def plan(self, selection: Selection) -> tuple[list[Any], Preview]:
        selected = selection.rows()
        rejected = {row.pk: reason for row in selected if (reason := self.rejection(row))}
        rows = [row for row in selected if row.pk not in rejected]
        done, already = self.moment.done, self.moment.done
        if self.clears:
            done, already = self.moment.undone, self.moment.unset
        changed = [row for row in rows if self.changes(row)]
        skipped = [row for row in rows if not self.changes(row)]
        groups = [
            Group(f"Will be {done}", RecordOutcome.CHANGED, lines(map(label_of, changed))),
            Group(f"Are already {already}, skipped", RecordOutcome.UNCHANGED, lines(map(label_of, skipped))),
            Group(
                "Can't be done",
                RecordOutcome.REJECTED,
                [Line(label_of(row), [rejected[row.pk]]) for row in selected if row.pk in rejected],
            ),
        ]
        count = quantity(selection.model_admin.model, len(changed))
        consequences = Consequences([self.note]) if self.note else None
        removed = 0 if self.clears else len(changed)
        return changed, Preview(
            groups, f"{self.title}: {count}", f"{count} {done}.", consequences, removed=removed
        )

    def write(self, rows: list[Any]) -> None:
        queryset = type(rows[0])._default_manager.filter(pk__in=[row.pk for row in rows])
        getattr(queryset, self.method or self.name)()


@dataclass(kw_only=True, eq=False)
class Delete(BulkAction):
    """An action that deletes the rows."""

    permission = "delete"
    line: Callable[[Any], str] = label_of

    def plan(self, selection: Selection) -> tuple[list[Any], Preview]:
        rows, model = selection.rows(), selection.model_admin.model
        blocked, counts = collect_related(selection, rows)
        reason = "you don't have permission to delete these"
        forbidden = [
            Line(str(other._meta.verbose_name_plural).capitalize(), [reason])
            for other in counts
            if admin.site.is_registered(other)
            and not admin.site.get_model_admin(other).has_delete_permission(selection.request)
        ]
        if blocked or forbidden:
            needed = "Nothing can be deleted, because these records need the selected ones"
            not_allowed = "Nothing can be deleted, because it would also delete these records"
            groups = [
                Group(needed, RecordOutcome.REJECTED, blocked),
                Group(not_allowed, RecordOutcome.REJECTED, forbidden),
            ]
            moment, name = moment_of(model), str(model._meta.verbose_name_plural)
            hint = ""
            if blocked and moment is not None:
                hint = f"{name.capitalize()} in use can't be deleted. You can {moment.verbs[0]} them instead."
            return [], Preview(groups, blocked=hint)
        related = [Line(quantity(other, count)) for other, count in counts.items() if other is not model]
        groups = [
            Group("Will be deleted", RecordOutcome.DELETED, lines(map(self.line, rows))),
            Group("Related records that will be deleted", RecordOutcome.DELETED, related),
        ]
        count = quantity(model, len(rows))
        return rows, Preview(groups, f"Delete {count}", f"{count} deleted.", removed=sum(counts.values()))

    def write(self, rows: list[Any]) -> None:
        type(rows[0])._default_manager.filter(pk__in=[row.pk for row in rows]).delete()


def collect_related(selection: Selection, rows: list[Any]) -> tuple[list[Line], dict[Any, int]]:
    """Return what blocks the deletion, and the number of rows by model."""
    if not rows:
        return [], {}
    collector = Collector(using=rows[0]._state.db, origin=rows[0])
    try:
        collector.collect(rows)
    except ProtectedError as error:
        return blocking_lines(selection, error.protected_objects), {}
    except RestrictedError as error:
        return blocking_lines(selection, error.restricted_objects), {}
    counts: dict[Any, int] = {model: len(instances) for model, instances in collector.data.items()}
    for queryset in collector.fast_deletes:
        counts[queryset.model] = counts.get(queryset.model, 0) + queryset.count()
    return [], {model: count for model, count in counts.items() if count and not model._meta.auto_created}


def blocking_lines(selection: Selection, objects: Iterable[models.Model]) -> list[Line]:
    """Return lines of the objects that the user may see, in list order."""
    ids = defaultdict(list)
    for row in objects:
        ids[type(row)].append(row.pk)
    found: list[Line] = []
    for model, pks in ids.items():
        name = str(model._meta.verbose_name).capitalize()
        rows = replace(selection, locks=False).read(admin.site.get_model_admin(model), pks)
        found += lines(f"{name} {label_of(row)}" for row in rows)
    return found


DELETE = Delete(name="delete_selected", title="Delete")
