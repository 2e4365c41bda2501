"""Undo a change set, or restore an earlier state of one object."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from copy import copy
from dataclasses import replace
from typing import Any

from django.contrib import admin
from django.db import IntegrityError, transaction
from django.http import HttpRequest

from productive.admin.changes.reversals import Reversal, Target, needed_by_others, related_rows, reversal_of
from productive.admin.changes.states import fill_relations, recorded_state, records_before
from productive.admin.operations import Operation
from productive.admin.preview import WRITTEN_OUTCOMES, Preview, RecordOutcome, group_lines, summary
from productive.database.constraints import unique_together
from productive.database.history import ENTRIES_PER_INSERT, record
from productive.database.recorded import Restoration


class Undo(Operation):
    """Restore earlier states of objects.

    `button` is the label of the button, `done` the beginning of the message.
    """

    def __init__(
        self, request: HttpRequest, targets: Sequence[Target], button: str = "Undo", done: str = "Undone"
    ) -> None:
        self.request, self.targets, self.button, self.done = request, targets, button, done

    def attempt(self, *, apply: bool) -> Preview:
        reversals = undo(self.request, self.targets)
        groups = group_lines((reversal.outcome, reversal.line) for reversal in reversals)
        preview = Preview(groups, self.button, f"{self.done}: {summary(groups)}.")
        return replace(preview, removed=preview.count(RecordOutcome.DELETED))


def targets_of_set(records: Sequence[Any]) -> list[Target]:
    """Return the objects of a change set as they were before it.

    The records must be in order, oldest first.
    """
    before = records_before(records)
    first: dict[Any, Any] = {}
    last: dict[Any, Any] = {}
    for each in records:
        key = (each.instance_type, each.id)
        first.setdefault(key, each)
        last[key] = each
    targets = []
    for (model, pk), each in first.items():
        restoration = Restoration(each.history_date, frozenset(first))
        target = Target(admin.site.get_model_admin(model), pk, None, restoration=restoration)
        earlier = before.get((type(each), each.record_before))
        if each.history_type != "+":
            # The record of a deletion has the last state.
            target.state = recorded_state(earlier or each)
        if each.history_type == "~" and earlier is not None and last[model, pk].history_type != "-":
            target.fields = {*last[model, pk].diff_against(earlier).changed_fields}
            target.current_state = recorded_state(last[model, pk])
        targets.append(target)
    return targets


def target_of_record(historical: Any) -> Target:
    """Return the object with the state of the historical record."""
    model_admin = admin.site.get_model_admin(historical.instance_type)
    names = {column.name for column in historical.tracked_fields}
    return Target(model_admin, historical.id, recorded_state(historical), names)


def undo(request: HttpRequest, targets: Sequence[Target]) -> list[Reversal]:
    """Write the targets in any order that is possible. Needs a transaction.

    The number of queries per model is constant, plus one per row with unique fields.
    """
    fill_relations(request, [target.state for target in targets if target.state is not None])
    reversals: dict[int, Reversal] = {}
    remaining = dict(enumerate(targets))
    while remaining:
        groups: dict[Any, dict[int, Target]] = defaultdict(dict)
        for number, target in remaining.items():
            groups[target.model_admin][number] = target
        for model_admin, group in groups.items():
            reversals |= reverse_model(request, model_admin, group)
        rejected = {
            number: target
            for number, target in remaining.items()
            if reversals[number].outcome is RecordOutcome.REJECTED
        }
        if len(rejected) == len(remaining):
            break
        # Other rows may have prevented these, and are reversed now.
        remaining = rejected
    return [reversals[number] for number in sorted(reversals)]


def reverse_model(request: HttpRequest, model_admin: Any, targets: dict[int, Target]) -> dict[int, Reversal]:
    """Lock and validate the objects of one model, and write the valid ones."""
    if exchanged := exchanged_fields(model_admin.model, targets.values()):
        try:
            with transaction.atomic():
                return reverse_rows(request, model_admin, targets, exchanged)
        except IntegrityError:
            pass  # an object keeps a value that another one would have
    return reverse_rows(request, model_admin, targets)


def exchanged_fields(model: Any, targets: Iterable[Target]) -> list[str]:
    """Return the unique fields that several targets change, so that they can exchange the values."""
    changed = Counter(name for target in targets for name in target.fields)
    unique = [rule.blame for rule in unique_together(model)]
    fields = [model._meta.get_field(name) for name in unique if changed[name] > 1]
    return [field.name for field in fields if field.null and not field.is_relation]


def reverse_rows(
    request: HttpRequest, model_admin: Any, targets: dict[int, Target], exchanged: Sequence[str] = ()
) -> dict[int, Reversal]:
    """Validate and write the objects, which give up the values of the exchanged fields first."""
    model, pks = model_admin.model, [target.pk for target in targets.values()]
    rows = model_admin.get_queryset(request).select_for_update(of=("self",)).in_bulk(pks)
    kept = {pk: copy(row) for pk, row in rows.items()} if exchanged else {}
    if exchanged:
        model._default_manager.filter(pk__in=rows).update(**dict.fromkeys(exchanged))
    needed = needed_by_others(model, [t.pk for t in targets.values() if t.state is None])
    fill_relations(request, [*rows.values()])
    states = [target.state for target in targets.values() if target.state is not None]
    related = related_rows(request, [*states, *rows.values()])
    reversals = {
        number: reversal_of(request, target, rows.get(target.pk), related, needed.get(target.pk, ""))
        for number, target in targets.items()
    }
    written = [each for each in reversals.values() if each.outcome in WRITTEN_OUTCOMES]
    write_reversals(model, written)
    for name in exchanged:
        changed = {each.row.pk for each in written if each.row is not None and name in each.fields}
        model._default_manager.bulk_update([row for pk, row in kept.items() if pk not in changed], [name])
    return reversals


def write_reversals(model: Any, reversals: list[Reversal]) -> None:
    """Write rows with the same outcome at once; after an error, one by one."""
    groups: dict[Any, list[Reversal]] = defaultdict(list)
    for reversal in reversals:
        groups[reversal.outcome, reversal.fields].append(reversal)
    for (outcome, fields), group in groups.items():
        try:
            with transaction.atomic():
                write_rows(model, [reversal.row for reversal in group], outcome, fields)
        except IntegrityError:
            if len(group) > 1:
                for one in group:
                    write_reversals(model, [one])
            else:
                group[0].outcome, group[0].note = RecordOutcome.REJECTED, "another user has just changed it"


def write_rows(model: Any, rows: list[Any], outcome: RecordOutcome, fields: tuple[str, ...]) -> None:
    if outcome is RecordOutcome.DELETED:
        model._default_manager.filter(pk__in=[row.pk for row in rows]).delete()
    elif outcome is RecordOutcome.CREATED:
        model._default_manager.bulk_create(rows, batch_size=ENTRIES_PER_INSERT)
        record(model, rows, "+")
    else:
        model._default_manager.bulk_update(rows, fields, batch_size=ENTRIES_PER_INSERT)
        record(model, rows, "~", fields)
