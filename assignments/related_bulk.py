"""Bulk actions on services that change other records: budgets, projects and service types.

They repair services that nobody can track on, from the list of these services.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from django.contrib import admin
from django.contrib.admin.options import ModelAdmin
from django.db import models
from django.http import HttpRequest
from django.utils.text import capfirst

from assignments.models import ServiceAssignment
from productive.admin.bulk.actions import MAX_BULK_ROWS, BulkAction, Selection, TooManyError, quantity
from productive.admin.bulk.pairs import Pairing, validation_errors
from productive.admin.bulk.rows import Stamp, lines
from productive.admin.forms import label_of
from productive.admin.permissions import can_view
from productive.admin.preview import Difference, Group, Line, Preview, RecordOutcome, group_lines


@dataclass(kw_only=True, eq=False)
class OnRelated(BulkAction):
    """An action on the records that the selected rows refer to.

    `path` is the lookup from the rows to the records of the model `target`.
    """

    path: str
    target: type[models.Model]

    def is_allowed(self, model_admin: ModelAdmin[Any], request: HttpRequest) -> bool:
        related = admin.site.get_model_admin(self.target)
        return can_view(request, self.target) and super().is_allowed(related, request)

    def plan(self, selection: Selection) -> tuple[list[Any], Preview]:
        rows = selection.model_admin.get_queryset(selection.request).filter(pk__in=selection.selected)
        ids = rows.order_by().values_list(self.path, flat=True).distinct()
        related = admin.site.get_model_admin(self.target)
        return super().plan(replace(selection, model_admin=related, selected=list(ids)))


@dataclass(kw_only=True, eq=False)
class RelatedStamp(OnRelated, Stamp):
    """Set or clear a moment of the related records."""


@dataclass(kw_only=True, eq=False)
class RelatedPairing(OnRelated, Pairing):
    """Create pairs with the related records."""


@dataclass(kw_only=True, eq=False)
class AssigneesToProjects(Pairing):
    """Add the active assignees of the selected services to the projects of these.

    The user chooses nothing.
    """

    def __post_init__(self) -> None:
        super().__post_init__()
        self.choice = None

    def is_allowed(self, model_admin: ModelAdmin[Any], request: HttpRequest) -> bool:
        return can_view(request, ServiceAssignment) and super().is_allowed(model_admin, request)

    def pairs(self, selection: Selection) -> list[tuple[Any, Any]]:
        services = selection.model_admin.get_queryset(selection.request).filter(pk__in=selection.selected)
        found = ServiceAssignment.objects.filter(service__in=services.order_by().values("pk"))
        ids = list(
            found.filter(person__archived_at=None)
            .order_by()
            .values_list("service__deal__project", "person")
            .distinct()[: MAX_BULK_ROWS + 1]
        )
        if len(ids) > MAX_BULK_ROWS:
            raise TooManyError(f"At most {MAX_BULK_ROWS:,} pairs can be created at once: select fewer.")
        if not ids:
            return []
        wanted = set(ids)
        projects, people = (
            {row.pk: row for row in replace(selection, chosen=[*{*side}]).others(self.side(name))}
            for name, side in zip((self.selected, self.other), zip(*wanted, strict=True), strict=True)
        )
        return [
            (projects[project], people[person])
            for project in projects
            for person in people
            if (project, person) in wanted
        ]


@dataclass(kw_only=True, eq=False)
class SwitchOn(BulkAction):
    """Set a boolean field of the selected rows."""

    permission = "change"
    field_name: str

    def plan(self, selection: Selection) -> tuple[list[Any], Preview]:
        rows = selection.rows()
        changed = [row for row in rows if not getattr(row, self.field_name)]
        skipped = [row for row in rows if getattr(row, self.field_name)]
        groups = [
            Group("Will be switched on", RecordOutcome.CHANGED, lines(map(label_of, changed))),
            Group("Are already on, skipped", RecordOutcome.UNCHANGED, lines(map(label_of, skipped))),
        ]
        count = quantity(selection.model_admin.model, len(changed))
        return changed, Preview(groups, f"{self.title}: {count}", f"{count} switched on.")

    def write(self, rows: list[Any]) -> None:
        queryset = type(rows[0])._default_manager.filter(pk__in=[row.pk for row in rows])
        queryset.update_recorded(**{self.field_name: True})


@dataclass(kw_only=True, eq=False)
class ChangeRelation(BulkAction):
    """Set a foreign key of the selected rows to a record that the user chooses."""

    permission = "change"
    max_chosen = 1
    relation: Any

    def __post_init__(self) -> None:
        super().__post_init__()
        self.choice = self.relation.field

    def is_allowed(self, model_admin: ModelAdmin[Any], request: HttpRequest) -> bool:
        related = self.relation.field.related_model
        return can_view(request, related) and super().is_allowed(model_admin, request)

    def plan(self, selection: Selection) -> tuple[list[Any], Preview]:
        field = self.relation.field
        # None if it has just been deleted.
        chosen = next(iter(selection.others(field.related_model)), None)
        rows: list[Any] = []
        if chosen is None:
            return rows, Preview([])
        found: list[tuple[RecordOutcome, Line]] = []
        for row in selection.rows():
            before, label = getattr(row, field.name), label_of(row)
            if before == chosen:
                found.append((RecordOutcome.UNCHANGED, Line(label)))
                continue
            setattr(row, field.name, chosen)
            if reason := validation_errors(row):
                found.append((RecordOutcome.REJECTED, Line(label, [reason])))
                continue
            difference = Difference(capfirst(field.verbose_name), label_of(before), label_of(chosen))
            found.append((RecordOutcome.CHANGED, Line(label, differences=[difference])))
            rows.append(row)
        count = quantity(selection.model_admin.model, len(rows))
        return rows, Preview(group_lines(found), f"{self.title}: {count}", f"{count} changed.")

    def write(self, rows: list[Any]) -> None:
        name = self.relation.field.name
        queryset = type(rows[0])._default_manager.filter(pk__in=[row.pk for row in rows])
        queryset.update_recorded(**{name: getattr(rows[0], name).pk})
