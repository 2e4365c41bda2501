"""Undo a change set, or restore an earlier state of one object."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import Any

from django.contrib import admin
from django.db import IntegrityError, transaction
from django.http import HttpRequest

from productive.admin.changes.reversals import Reversal, Target, needed_by_others, related_rows, reversal_of
from productive.admin.changes.states import fill_relations, records_before, state_of
from productive.admin.preview import WRITTEN, Operation, Outcome, Preview, grouped, summary
from productive.database.history import record

BATCH = 1000


class Undo(Operation):
    """Restore earlier states: "Undo" on the button, "Undone" when done."""

    def __init__(
        self, request: HttpRequest, targets: Sequence[Target], button: str = "Undo", done: str = "Undone"
    ) -> None:
        self.request, self.targets, self.button, self.done = request, targets, button, done

    def attempt(self, *, apply: bool) -> Preview:
        """Always write: what is possible depends on what was written before."""
        reversals = undo(self.request, self.targets)
        groups = grouped((reversal.outcome, reversal.line) for reversal in reversals)
        return Preview(groups, self.button, f"{self.done}: {summary(groups)}.")


def targets_of_set(request: HttpRequest, found: Sequence[Any]) -> list[Target]:
    """Return the objects of a change set as they were before it.

    The records are ordered, oldest first.
    """
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
    """Return the object with the state of the record, in all its fields."""
    site: Any = admin.site
    names = {column.name for column in kept.tracked_fields}
    return Target(site.registry[kept.instance_type], kept.id, state_of(kept), names)


def undo(request: HttpRequest, targets: Sequence[Target]) -> list[Reversal]:
    """Write the targets in any order that is possible.

    Needs a transaction. The number of queries per model is constant, but for one per row with unique fields.
    """
    fill_relations(request, [target.state for target in targets if target.state is not None])
    reversals: dict[int, Reversal] = {}
    waiting = dict(enumerate(targets))
    while waiting:
        groups: dict[Any, dict[int, Target]] = defaultdict(dict)
        for number, target in waiting.items():
            groups[target.model_admin][number] = target
        for model_admin, group in groups.items():
            reversals |= attempt(request, model_admin, group)
        refused = {
            number: target
            for number, target in waiting.items()
            if reversals[number].outcome is Outcome.REFUSED
        }
        if len(refused) == len(waiting):
            break
        # What prevented these may be gone now.
        waiting = refused
    return [reversals[number] for number in sorted(reversals)]


def attempt(request: HttpRequest, model_admin: Any, targets: dict[int, Target]) -> dict[int, Reversal]:
    """Lock and validate the objects of one model, and write the valid ones."""
    pks = [target.pk for target in targets.values()]
    rows = model_admin.get_queryset(request).select_for_update(of=("self",)).in_bulk(pks)
    needed = needed_by_others(model_admin.model, [t.pk for t in targets.values() if t.state is None])
    fill_relations(request, [*rows.values()])
    states = [target.state for target in targets.values() if target.state is not None]
    related = related_rows(request, [*states, *rows.values()])
    reversals = {
        number: reversal_of(request, target, rows.get(target.pk), related, needed.get(target.pk, ""))
        for number, target in targets.items()
    }
    write(model_admin.model, [each for each in reversals.values() if each.outcome in WRITTEN])
    return reversals


def write(model: Any, reversals: list[Reversal]) -> None:
    """Write the rows with one outcome at once, or one by one after a race."""
    alike: dict[Any, list[Reversal]] = defaultdict(list)
    for reversal in reversals:
        alike[reversal.outcome, reversal.fields].append(reversal)
    for (outcome, fields), some in alike.items():
        try:
            with transaction.atomic():
                write_rows(model, [reversal.row for reversal in some], outcome, fields)
        except IntegrityError:
            if len(some) > 1:
                for one in some:
                    write(model, [one])
            else:
                some[0].outcome, some[0].note = Outcome.REFUSED, "another user has just changed it"


def write_rows(model: Any, rows: list[Any], outcome: Outcome, fields: tuple[str, ...]) -> None:
    if outcome is Outcome.DELETED:
        model._default_manager.filter(pk__in=[row.pk for row in rows]).delete()
    elif outcome is Outcome.CREATED:
        model._default_manager.bulk_create(rows, batch_size=BATCH)
        record(model, rows, "+")
    else:
        model._default_manager.bulk_update(rows, fields, batch_size=BATCH)
        record(model, rows, "~")
