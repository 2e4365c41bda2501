"""Merge records into one: move everything that refers to them, and archive them.

The foreign keys of recorded models say what that is, so those of a new model are moved, too.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from django.core.exceptions import ValidationError
from django.db import models
from django.utils import timezone

from productive.database.history import is_recorded
from productive.database.validation import columns_in

# Rows that refer to the merged records. With the records themselves, undo can restore them at once.
MAX_MOVED = 4_900
TOO_MANY_MOVED = f"More than {MAX_MOVED:,} records refer to these: move some first, so that it can be undone"


@dataclass(frozen=True, slots=True)
class Move:
    """The rows of a model whose foreign key `name` changes.

    The `duplicates` are deleted, because the survivor has the same pair, or gets it from another row.
    """

    model: type[Any]
    name: str
    rows: list[Any] = field(default_factory=list)
    duplicates: list[Any] = field(default_factory=list)


class RecordMerge:
    """The plan of a merge into `survivor`.

    `values` are the values of columns that the survivor gets from the others.
    """

    def __init__(self, survivor: Any, others: Sequence[Any], values: Mapping[str, Any] | None = None) -> None:
        self.model: Any = type(survivor)
        self.survivor, self.others = survivor, others
        self.ids = {other.pk for other in others}
        self.values = self.changed_values(values or {})

    def changed_values(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """Return the values that differ. The survivor can't refer to itself or to a merged record."""
        wanted = dict(values)
        for relation in foreign_keys_to(self.model):
            if relation.model is self.model:
                value = wanted.get(relation.attname, getattr(self.survivor, relation.attname))
                if value in {self.survivor.pk, *self.ids}:
                    wanted[relation.attname] = None
        return {name: value for name, value in wanted.items() if value != getattr(self.survivor, name)}

    def moves(self) -> Iterator[Move]:
        """Yield what refers to the others. Raise ValidationError for more than MAX_MOVED rows."""
        total = 0
        for relation in foreign_keys_to(self.model):
            rows = relation.model._base_manager.filter(**{f"{relation.name}__in": self.ids}).order_by("pk")
            if relation.model is self.model:
                rows = rows.exclude(pk__in={self.survivor.pk, *self.ids})
            found = list(rows[: MAX_MOVED + 1 - total])
            total += len(found)
            if total > MAX_MOVED:
                raise ValidationError(TOO_MANY_MOVED)
            if found:
                duplicates = self.duplicates(relation, found)
                gone = {row.pk for row in duplicates}
                moved = [row for row in found if row.pk not in gone]
                yield Move(relation.model, relation.name, moved, duplicates)

    def duplicates(self, relation: models.ForeignKey[Any, Any], rows: Sequence[Any]) -> list[Any]:
        """Return the rows that would violate a unique constraint if all were moved."""
        found: dict[int, Any] = {}
        for columns in unique_columns(relation.model, relation):
            own = relation.model._base_manager.filter(**{relation.name: self.survivor.pk})
            taken = set(own.values_list(*columns))
            for row in rows:
                key = tuple(getattr(row, column) for column in columns)
                if None in key:
                    continue
                if key in taken:
                    found[row.pk] = row
                taken.add(key)
        return [*found.values()]

    def write(self, moves: Sequence[Move] | None = None) -> None:
        """Write the merge. Needs a transaction, with all records locked."""
        self.move(self.moves() if moves is None else moves)
        self.write_records()

    def move(self, moves: Iterable[Move]) -> None:
        """Write what refers to the other records."""
        for move in moves:
            manager = move.model._default_manager
            if move.duplicates:
                manager.filter(pk__in=[row.pk for row in move.duplicates]).delete()
            if move.rows:
                rows = manager.filter(pk__in=[row.pk for row in move.rows])
                rows.update_recorded(**{move.name: self.survivor.pk})

    def write_records(self) -> None:
        """Write the survivor's values, and archive the others."""
        released = self.released()
        for other in self.others:
            if columns := released[other.pk]:
                # Not the custom manager: a user that moves to the survivor stays signed in.
                self.model._base_manager.filter(pk=other.pk).update(**dict.fromkeys(columns))
        if self.values:
            self.model._default_manager.filter(pk=self.survivor.pk).update_recorded(**self.values)
        for other in self.others:
            archived_at = other.archived_at or timezone.now()
            self.model._default_manager.filter(pk=other.pk).update_recorded(
                merged_into=self.survivor.pk, archived_at=archived_at, **dict.fromkeys(released[other.pk])
            )

    def released(self) -> dict[int, list[str]]:
        """Return, by id, the unique columns whose value the survivor gets from the record."""
        found: dict[int, list[str]] = defaultdict(list)
        names = {column for columns in unique_columns(self.model) for column in columns} & self.values.keys()
        for other in self.others:
            found[other.pk] = [
                name
                for name in sorted(names)
                if self.values[name] is not None and getattr(other, name) == self.values[name]
            ]
        return found


@cache
def foreign_keys_to(model: Any) -> list[Any]:
    """Return the foreign keys of recorded models to this one."""
    return [
        relation.field
        for relation in model._meta.related_objects
        if isinstance(relation.field, models.ForeignKey) and is_recorded(relation.related_model)
    ]


@cache
def unique_columns(model: Any, relation: Any = None) -> list[tuple[str, ...]]:
    """Return the columns of each unique constraint, but those of the organization and the id.

    With a relation, return only constraints that include it, without its column.
    """
    found = []
    for constraint in model._meta.constraints:
        if isinstance(constraint, models.UniqueConstraint):
            columns = columns_in(model, constraint)
            if "id" not in columns and (relation is None or relation.attname in columns):
                rest = columns - {f"{model.owner}_id", getattr(relation, "attname", None)}
                found.append(tuple(sorted(rest)))
    return found
