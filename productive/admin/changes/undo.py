"""Taking changes back: a whole change set, or one object to an earlier state. The model judges each step."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from copy import copy
from dataclasses import dataclass, field
from typing import Any, cast

from django.contrib import admin
from django.core.exceptions import NON_FIELD_ERRORS, ValidationError
from django.db import IntegrityError, models, transaction
from django.http import HttpRequest

from productive.admin.changes.change_sets import (
    Difference,
    differences,
    fill_relations,
    records_before,
    relations,
    state_of,
)
from productive.admin.forms import label_of
from productive.database.history import record
from productive.database.moments import moment_of

DONE, NOTHING, IMPOSSIBLE = "done", "nothing", "impossible"
BATCH = 1000


class NotPossibleError(Exception):
    """Why an object can't be taken back, in plain words."""


@dataclass
class Target:
    """An object, and the state that it is to have: `state` in these fields, or none at all."""

    model_admin: Any
    pk: int
    state: Any | None
    fields: set[str] = field(default_factory=set)
    # What the fields must still be, or else somebody changed them since.
    unless: Any | None = None


@dataclass
class Step:
    """What was done, or would be, to one object."""

    kind: str
    label: str
    outcome: str
    said: str
    differences: list[Difference] = field(default_factory=list)


def targets_of_set(request: HttpRequest, found: Sequence[Any]) -> list[Target]:
    """From the records of a change set, oldest first: each object as it was before."""
    site: Any = admin.site
    before = records_before(found)
    first: dict[Any, Any] = {}
    last: dict[Any, Any] = {}
    for each in found:
        key = (each.instance_type, each.id)
        first.setdefault(key, each)
        last[key] = each
    targets = []
    for (model, pk), each in first.items():
        target = Target(site.registry[model], pk, None)
        earlier = before.get((type(each), each.record_before))
        if each.history_type != "+":
            # The record of a deletion holds the last state.
            target.state = state_of(earlier or each)
        if each.history_type == "~" and earlier is not None and last[model, pk].history_type != "-":
            target.fields = {*last[model, pk].diff_against(earlier).changed_fields}
            target.unless = state_of(last[model, pk])
        targets.append(target)
    return targets


def target_of_record(kept: Any) -> Target:
    """The object as the record has it, in all its fields."""
    site: Any = admin.site
    names = {column.name for column in kept.tracked_fields}
    return Target(site.registry[kept.instance_type], kept.id, state_of(kept), names)


def take_back(request: HttpRequest, targets: Sequence[Target]) -> list[Step]:
    """Do what can be done, in whatever order it can be, within the caller's transaction.

    A constant number of queries for each model, but for what must be unique: one more for each object.
    """
    fill_relations(request, [target.state for target in targets if target.state is not None])
    steps: dict[int, Step] = {}
    waiting = dict(enumerate(targets))
    while waiting:
        groups: dict[Any, dict[int, Target]] = defaultdict(dict)
        for number, target in waiting.items():
            groups[target.model_admin][number] = target
        for model_admin, group in groups.items():
            steps |= attempt(request, model_admin, group)
        left = {number: target for number, target in waiting.items() if steps[number].outcome == IMPOSSIBLE}
        if len(left) == len(waiting):
            break
        # What was in the way of these may be gone now.
        waiting = left
    return [steps[number] for number in sorted(steps)]


def attempt(request: HttpRequest, model_admin: Any, targets: dict[int, Target]) -> dict[int, Step]:
    """Judge each object of one model, then write those that may be; all are locked from here on."""
    pks = [target.pk for target in targets.values()]
    rows = model_admin.get_queryset(request).select_for_update(of=("self",)).in_bulk(pks)
    needed = needed_by_others(model_admin.model, [t.pk for t in targets.values() if t.state is None])
    fill_relations(request, [*rows.values()])
    states = [target.state for target in targets.values() if target.state is not None]
    related = related_rows(request, [*states, *rows.values()])
    steps, writes = {}, []
    for number, target in targets.items():
        row = rows.get(target.pk)
        shown = target.state if row is None else row
        name = f"{model_admin.opts.verbose_name} {target.pk}" if shown is None else label_of(shown)
        step = steps[number] = Step(str(model_admin.opts.verbose_name), name, DONE, "")
        try:
            if target.state is None:
                write = deletion(request, target, row, needed.get(target.pk, ""))
            elif row is None:
                write = remaking(request, target, related)
            else:
                write = reversal(request, target, row, related, step)
        except NotPossibleError as reason:
            step.outcome, step.said = IMPOSSIBLE, str(reason)
        except ValidationError as error:
            step.outcome, step.said = IMPOSSIBLE, in_words(error)
        else:
            step.said = write.said
            if write.row is None:
                step.outcome = NOTHING
            else:
                writes.append((step, write))
    carry_out(model_admin.model, writes)
    return steps


@dataclass
class Write:
    """What is to be done to a row: "+" insert it, "~" update these fields, "-" delete it."""

    said: str
    row: Any | None = None
    kind: str = ""
    fields: tuple[str, ...] = ()


def carry_out(model: Any, writes: list[tuple[Step, Write]]) -> None:
    """All of a kind at once; one by one where that meets what another request wrote at this moment."""
    by_kind: dict[Any, list[tuple[Step, Write]]] = defaultdict(list)
    for step, write in writes:
        by_kind[write.kind, write.fields].append((step, write))
    for (kind, fields), some in by_kind.items():
        try:
            with transaction.atomic():
                write_rows(model, [write.row for _, write in some], kind, fields)
        except IntegrityError:
            if len(some) > 1:
                for one in some:
                    carry_out(model, [one])
            else:
                some[0][0].outcome = IMPOSSIBLE
                some[0][0].said = "somebody else changed it at this very moment"


def write_rows(model: Any, rows: list[Any], kind: str, fields: tuple[str, ...]) -> None:
    if kind == "-":
        model._default_manager.filter(pk__in=[row.pk for row in rows]).delete()
        return
    if kind == "+":
        model._default_manager.bulk_create(rows, batch_size=BATCH)
    else:
        model._default_manager.bulk_update(rows, fields, batch_size=BATCH)
    record(model, rows, kind)


def deletion(request: HttpRequest, target: Target, row: Any, needed_by: str) -> Write:
    if row is None:
        return Write("is gone already")
    check(target, target.model_admin.has_delete_permission(request, row), "delete")
    if needed_by:
        raise NotPossibleError(f"by now it has {needed_by}")
    return Write("deleted", row, "-")


def remaking(request: HttpRequest, target: Target, related: Related) -> Write:
    # A copy: the state keeps the words that stand for what is gone, if this isn't possible yet.
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
    return Write("made again", row, "+")


def reversal(request: HttpRequest, target: Target, row: Any, related: Related, step: Step) -> Write:
    names = tuple(name for name in sorted(target.fields) if differs(name, row, target.state))
    if not names:
        return Write("is so already")
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
    step.differences = differences(before, state, names)
    row.clean_fields(exclude={column.name for column in row._meta.fields} - {*names})
    row.clean()
    moment = moment_of(type(row))
    if moment is None or names != (moment.field,):  # no constraint is about it
        row.validate_constraints(exclude={"id"})
    return Write("changed back", row, "~", names)


Related = dict[tuple[Any, int], Any]


def related_rows(request: HttpRequest, states: Iterable[Any]) -> Related:
    """What the states refer to and the user may see, by model and id."""
    site: Any = admin.site
    wanted: dict[Any, set[int]] = defaultdict(set)
    for state in states:
        for column, pk in relations(state):
            wanted[column.related_model].add(pk)
    related: Related = {}
    for model, pks in wanted.items():
        rows = site.registry[model].get_queryset(request)
        if moment_of(model) is not None:
            # So that nobody archives or closes meanwhile what is about to be used.
            rows = rows.select_for_update(of=("self",), no_key=True)
        related |= {(model, pk): row for pk, row in rows.in_bulk(pks).items()}
    return related


def join(row: Any, related: Related) -> None:
    """Give it the rows that it refers to. Raise NotPossibleError where one is gone."""
    for column, pk in relations(row):
        found = related.get((column.related_model, pk))
        if found is None:
            raise NotPossibleError(f"its {column.verbose_name} is gone")
        column.set_cached_value(row, found)


def needed_by_others(model: Any, pks: list[int]) -> dict[int, str]:
    """By id, what can't be without these rows, or would go with them."""
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
    if not target.model_admin.can_be_taken_back:
        raise NotPossibleError(f"{kinds} are changed on their own pages only")
    if not permitted:
        raise NotPossibleError(f"you may not {right} this, or {kinds} at all")


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
        " ".join(said) if name == NON_FIELD_ERRORS else f"{name.replace('_', ' ')}: {' '.join(said)}"
        for name, said in error.message_dict.items()
    )
