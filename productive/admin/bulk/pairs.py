"""Bulk actions on pairs: of each selected row with each of those that are chosen. Knows no model."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from django.contrib import admin
from django.contrib.admin.options import ModelAdmin
from django.core.exceptions import ValidationError
from django.db import models
from django.http import HttpRequest

from productive.admin.bulk.actions import MOST, Asked, BulkAction, Group, Line, Plan, TooManyError, counted
from productive.admin.forms import marked_label_of
from productive.database.history import record


def refusal(instance: models.Model) -> str:
    """What the model has against the row, in its own words, or "". Uniqueness is asked of all at once."""
    try:
        instance.clean()
        for _, constraints in instance.get_constraints():
            for constraint in constraints:
                if not isinstance(constraint, models.UniqueConstraint):
                    constraint.validate(type(instance), instance)
    except ValidationError as error:
        if not hasattr(error, "error_dict"):
            return " ".join(error.messages)
        names = {name: instance._meta.get_field(name).verbose_name for name in error.message_dict}  # type: ignore[union-attr]
        return " ".join(
            f"{names[name]} {said}" for name, all_said in error.message_dict.items() for said in all_said
        )
    return ""


@dataclass(frozen=True, kw_only=True, eq=False)
class PairAction(BulkAction):
    """On the pairs of each selected row with each of those that are chosen.

    `told` says what was done, of {mine} and {theirs}: "Assigned {mine} to {theirs}".
    """

    model: type[Any]
    mine: str
    theirs: str
    told: str
    # Whether the partners are those of other records like the selected, which are asked for instead.
    copies: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        asked_for = self.mine if self.copies else self.theirs
        object.__setattr__(self, "asks", self.model._meta.get_field(asked_for))

    def is_allowed(self, model_admin: ModelAdmin[Any], request: HttpRequest) -> bool:
        pair_admin = admin.site.get_model_admin(self.model)
        sides = [admin.site.get_model_admin(self.side(name)) for name in (self.mine, self.theirs)]
        return self.may_write(pair_admin, request) and all(
            side.has_view_permission(request) for side in sides
        )

    def may_write(self, pair_admin: ModelAdmin[Any], request: HttpRequest) -> bool:
        raise NotImplementedError

    def side(self, name: str) -> type[Any]:
        related: type[Any] = self.model._meta.get_field(name).related_model
        return related

    def partners(self, asked: Asked) -> list[Any]:
        if not self.copies:
            return asked.others(self.side(self.theirs))
        model_admin = admin.site.get_model_admin(self.side(self.theirs))
        pairs = self.model._default_manager.filter(**{f"{self.mine}__in": asked.chosen})
        rows: Any = model_admin.get_queryset(asked.request).filter(
            pk__in=pairs.order_by().values(self.theirs)
        )
        ids = list(rows.active().order_by().values_list("pk", flat=True).distinct()[: MOST + 1])
        return replace(asked, chosen=ids).others(self.side(self.theirs))

    def pairs(self, asked: Asked) -> list[tuple[Any, Any]]:
        rows, partners = asked.rows(), self.partners(asked)
        if len(rows) * len(partners) > MOST:
            mine, theirs = (
                counted(self.side(self.mine), len(rows)),
                counted(self.side(self.theirs), len(partners)),
            )
            raise TooManyError(
                f"{mine} and {theirs} make {len(rows) * len(partners):,} pairs."
                f" At most {MOST:,} can be changed in one go: take fewer."
            )
        return [(row, partner) for row in rows for partner in partners]

    def existing(self, pairs: list[tuple[Any, Any]]) -> dict[tuple[int, int], Any]:
        """By the ids of both sides, those that there are."""
        mine, theirs = {row.pk for row, _ in pairs}, {partner.pk for _, partner in pairs}
        found = self.model._default_manager.filter(**{f"{self.mine}__in": mine, f"{self.theirs}__in": theirs})
        return {
            (getattr(pair, f"{self.mine}_id"), getattr(pair, f"{self.theirs}_id")): pair for pair in found
        }

    def line_of(self) -> Callable[[Any, Any], Line]:
        """Both sides in the order in which the model names them; each label is made once."""
        labels: dict[Any, str] = {}
        names = [column.name for column in self.model._meta.fields]
        swapped = names.index(self.mine) > names.index(self.theirs)

        def line(row: Any, partner: Any, note: str = "") -> Line:
            first, second = (partner, row) if swapped else (row, partner)
            for side in (first, second):
                if side not in labels:
                    labels[side] = marked_label_of(side)
            return Line(f"{labels[first]} → {labels[second]}", note)

        return line

    def sentence(self, pairs: list[tuple[Any, Any]]) -> str:
        mine, theirs = {row.pk for row, _ in pairs}, {partner.pk for _, partner in pairs}
        return self.told.format(
            mine=counted(self.side(self.mine), len(mine)), theirs=counted(self.side(self.theirs), len(theirs))
        )


@dataclass(frozen=True, kw_only=True, eq=False)
class Pairing(PairAction):
    """Makes the pairs that are missing."""

    def may_write(self, pair_admin: ModelAdmin[Any], request: HttpRequest) -> bool:
        return pair_admin.has_add_permission(request)

    def plan(self, asked: Asked) -> Plan:
        pairs = self.pairs(asked)
        known, line = self.existing(pairs), self.line_of()
        new: list[Any] = []
        told: dict[str, list[Line]] = defaultdict(list)
        made: list[tuple[Any, Any]] = []
        for row, partner in pairs:
            if (row.pk, partner.pk) in known:
                told["skipped"].append(line(row, partner))
                continue
            instance = self.model(
                organization_id=row.organization_id, **{self.mine: row, self.theirs: partner}
            )
            if why := refusal(instance):
                told["refused"].append(replace(line(row, partner), note=why))
                continue
            new.append(instance)
            made.append((row, partner))
            told["done"].append(line(row, partner))
        what = counted(self.model, len(new)).split(maxsplit=1)
        done = f"{self.sentence(made)}: {what[0]} new {what[1]}"
        if told["skipped"]:
            done += f", {len(told['skipped']):,} existed already"
        if told["refused"]:
            done += f", {len(told['refused']):,} could not be made"
        groups = [
            Group("Will be created", told["done"], "done"),
            Group("Exist already, skipped", told["skipped"], "skipped"),
            Group("Can't be done", told["refused"], "refused"),
        ]
        return Plan(new, groups, f"Create {counted(self.model, len(new))}", f"{done}.")

    def write(self, plan: Plan) -> None:
        self.model._default_manager.bulk_create(plan.rows)

    def record(self, plan: Plan) -> None:
        record(self.model, plan.rows, "+")


@dataclass(frozen=True, kw_only=True, eq=False)
class Unpairing(PairAction):
    """Takes away the pairs that there are."""

    variant = "danger"

    def may_write(self, pair_admin: ModelAdmin[Any], request: HttpRequest) -> bool:
        return pair_admin.has_delete_permission(request)

    def plan(self, asked: Asked) -> Plan:
        pairs = self.pairs(asked)
        known, line = self.existing(pairs), self.line_of()
        there = [(row, partner) for row, partner in pairs if (row.pk, partner.pk) in known]
        missing = [line(row, partner) for row, partner in pairs if (row.pk, partner.pk) not in known]
        removed = [known[row.pk, partner.pk] for row, partner in there]
        groups = [
            Group("Will be removed", [line(row, partner) for row, partner in there], "gone"),
            Group("Don't exist, skipped", missing, "skipped"),
        ]
        what = counted(self.model, len(removed))
        return Plan(removed, groups, f"Remove {what}", f"{self.sentence(there)}: {what} removed.")

    def write(self, plan: Plan) -> None:
        self.model._default_manager.filter(pk__in=[row.pk for row in plan.rows]).delete()
