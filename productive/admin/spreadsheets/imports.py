"""Import a sheet: match and validate each row, then write all records."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Hashable, Sequence
from dataclasses import replace
from typing import Any

from django.contrib import admin
from django.core.exceptions import NON_FIELD_ERRORS, ValidationError

from productive.admin.forms import label_of
from productive.admin.operations import Operation
from productive.admin.preview import Difference, Group, Line, Preview, RecordOutcome, group_lines, summary
from productive.admin.spreadsheets.cells import Beside, ReadOnly, Reference
from productive.admin.spreadsheets.comparison import is_same
from productive.admin.spreadsheets.files import Sheet, is_blank
from productive.admin.spreadsheets.headings import Match
from productive.admin.spreadsheets.records import Cells, ExistingRecords, ImportedRow
from productive.admin.spreadsheets.tables import MAX_BATCH, RemovalScope, Table, in_batches
from productive.database.history import record as record_history
from productive.database.moments import moment_of


class Import(Operation):
    """Import all rows of a sheet or, if one has an error, none.

    With `skips_errors`, import the rows without errors. With a `scope`, remove the records in it that the
    sheet doesn't have.
    """

    def __init__(
        self,
        table: Table,
        sheet: Sheet,
        match: Match,
        *,
        skips_errors: bool = False,
        scope: RemovalScope | None = None,
    ) -> None:
        self.table, self.sheet, self.match = table, sheet, match
        self.skips_errors, self.scope = skips_errors, scope
        # In the order of the table, in which errors and differences are shown.
        self.columns = [column for column in table.columns if column in match.columns]
        self.rows: list[ImportedRow] = []
        # How many cells differ in columns that only help to read.
        self.ignored: Counter[str] = Counter()

    def attempt(self, *, apply: bool) -> Preview:
        self.rows = rows = self.read(lock=apply)
        groups = group_lines((row.outcome, row.line) for row in rows)  # the rejected ones first
        rejected = sum(row.outcome is RecordOutcome.REJECTED for row in rows)
        blocked, removed = self.reason_to_block(rejected), []
        if self.scope and not blocked:
            removed = self.find_removed(rows, self.scope, lock=apply)
        message = f"Imported: {summary(groups[1:])}."
        if removed:
            outcome = RecordOutcome.CHANGED if self.archives else RecordOutcome.DELETED
            verb = "archived" if self.archives else "deleted"
            lines = [Line(label_of(record)) for record in removed]
            groups.append(Group(f"Not in the file, will be {verb}", outcome, lines))
            message = f"{message[:-1]}, {len(removed):,} {verb}."
        preview = Preview(groups, "Import", message, blocked=blocked, removed=len(removed))
        if preview.can_apply:
            # First, so that a new record can take the place of a removed one.
            self.remove(removed)
            self.write(rows)
        return preview

    def reason_to_block(self, rejected: int) -> str:
        if not rejected:
            return ""
        count = f"{rejected:,} {'rows have' if rejected > 1 else 'row has'} errors"
        if self.skips_errors and self.scope:
            return f"{count}, so it isn't known which records aren't in the file, and none can be removed."
        return "" if self.skips_errors else f"{count}, so nothing can be imported."

    def describe(self, preview: Preview) -> Preview:
        """Add to the rows the notes about their records."""
        consequences = preview.consequences
        label = self.table.model._meta.label_lower
        all_notes = consequences.notes if consequences is not None else ()
        notes: dict[Any, str] = {key: text for model, key, text in all_notes if model == label}
        if not notes:
            return preview
        for row in self.rows:
            if row.record is not None and (note := notes.get(self.table.record_key(row.record))):
                row.notes = [*row.notes, note]
        described = group_lines((row.outcome, row.line) for row in self.rows)
        return replace(preview, groups=[*described, *preview.groups[len(described) :]])

    def read(self, *, lock: bool) -> list[ImportedRow]:
        """Return the rows. Reject a row with the same record as another."""
        attributes = [column.attribute if column else "" for column in self.match.columns]
        texts = [
            self.table.prepare({name: cell for name, cell in zip(attributes, cells, strict=True) if name})
            for cells in self.sheet.rows
        ]
        self.table.use_columns(self.match.columns)
        self.ignored.clear()
        existing = ExistingRecords(self.table, texts, lock=lock)
        rows, pending = [], []
        seen: dict[Hashable, int] = {}
        for number, cells, text in zip(self.sheet.numbers, self.sheet.rows, texts, strict=True):
            row = ImportedRow(number, cells, RecordOutcome.UNCHANGED)
            rows.append(row)
            try:
                errors = self.read_row(row, text, existing, seen)
            except ValidationError as error:
                row.reject(*self.messages_of(error))
            else:
                if errors or row.outcome is not RecordOutcome.UNCHANGED:
                    pending.append((row, errors))
        self.validate(pending, existing)
        return rows

    def read_row(
        self, row: ImportedRow, text: Cells, existing: ExistingRecords, seen: dict[Hashable, int]
    ) -> dict[str, list[ValidationError]]:
        """Set the record of the row, its outcome and differences. Return the errors of its columns."""
        record = existing.find(text)
        is_new = record is None
        if record is None:
            record = self.table.new_record(text, existing.organization_of(text))
        else:
            # Before the values are set, because both rows have the same instance.
            self.reject_repeated(record.pk, row.number, seen)
        before = self.texts_of(record)
        errors = self.set_values(record, text)
        if (key := existing.unique_key(record, is_new=is_new)) is not None:
            self.reject_repeated(key, row.number, seen)
        after = self.texts_of(record)
        if is_new:
            row.outcome, before = RecordOutcome.CREATED, [""] * len(before)
        elif before != after:
            row.outcome = RecordOutcome.CHANGED
        row.record = record
        row.differences = [
            Difference(column.heading, old, new)
            for column, old, new in zip(self.columns, before, after, strict=True)
            if old != new
        ]
        changed = {one.field for one in row.differences}
        if row.outcome is not RecordOutcome.UNCHANGED:
            row.notes = self.inactive_targets(record, changed)
        for column, shown in zip(self.columns, before, strict=True):
            if isinstance(column, Beside) and column.reference.heading not in changed:
                cell = text[column.attribute]
                self.ignored[column.heading] += not (is_blank(cell) or is_same(shown, cell))
        return errors

    @property
    def notes(self) -> list[str]:
        """Return sentences about cells that differ and aren't imported."""
        return [
            f"{heading} differs in {count:,} row{'s' if count > 1 else ''}. "
            "This column only helps to read, and isn't imported."
            for heading, count in self.ignored.items()
            if count
        ]

    def reject_repeated(self, identity: Hashable, number: int, seen: dict[Hashable, int]) -> None:
        first = seen.setdefault(identity, number)
        if first != number:
            raise ValidationError(f"Row {first} has the same {self.table.options.verbose_name}.")

    def inactive_targets(self, record: Any, changed: Collection[str]) -> list[str]:
        """Return notes about archived records that the row refers to."""
        return [
            f"{column.heading} is archived"
            for column in self.columns
            if isinstance(column, Reference)
            and column.heading in changed
            and getattr(column.row_of(record, self.table), "archived_at", None)
        ]

    def validate(
        self,
        pending: Sequence[tuple[ImportedRow, dict[str, list[ValidationError]]]],
        existing: ExistingRecords,
    ) -> None:
        """Reject the rows whose records are invalid, given what the other rows change."""
        existing.freed = existing.find_freed([row.record for row, _ in pending])
        for row, errors in pending:
            try:
                existing.validate(row.record, errors)
            except ValidationError as error:
                row.reject(*self.messages_of(error))
        # A rejected row keeps its value, so that another row can't have it.
        while rejected := existing.freed & {
            row.record.pk for row, _ in pending if row.outcome is RecordOutcome.REJECTED
        }:
            existing.freed -= rejected
            for row, _ in pending:
                if row.outcome is not RecordOutcome.REJECTED:
                    try:
                        existing.validate_unique(row.record)
                    except ValidationError as error:
                        row.reject(*self.messages_of(error))

    def texts_of(self, record: Any) -> list[str]:
        return [column.text_of(record, self.table) for column in self.columns]

    def set_values(self, record: Any, row: Cells) -> dict[str, list[ValidationError]]:
        """Set the fields of the record, and return the errors by field name."""
        errors: dict[str, list[ValidationError]] = {}
        for column in self.columns:
            try:
                column.set(record, row[column.attribute], self.table)
            except ValueError as error:
                errors[column.attribute] = [ValidationError(str(error), code="invalid")]
        return errors

    def messages_of(self, error: ValidationError) -> list[str]:
        """Return the messages, each with the heading of its column."""
        if not hasattr(error, "error_dict"):
            return error.messages
        headings = {column.attribute: column.heading for column in self.table.columns}
        return [
            message if name == NON_FIELD_ERRORS else f"{headings.get(name, name)}: {message}"
            for name, messages in error.message_dict.items()
            for message in messages
        ]

    # --- Writing ---

    def write(self, rows: Sequence[ImportedRow]) -> None:
        model = self.table.model
        new = [row.record for row in rows if row.outcome is RecordOutcome.CREATED]
        changed = [row.record for row in rows if row.outcome is RecordOutcome.CHANGED]
        # Only the columns whose text differs, so that unchanged ones have no consequences.
        differing = [row.differences for row in rows if row.outcome is RecordOutcome.CHANGED]
        headings = {difference.field for differences in differing for difference in differences}
        names = [
            column.attribute
            for column in self.columns
            if column.heading in headings and not isinstance(column, ReadOnly)
        ]
        if self.table.exchangeable in names:
            self.free_values(changed)
        if names:
            model._default_manager.bulk_update(changed, names, batch_size=MAX_BATCH)
        model._default_manager.bulk_create(new, batch_size=MAX_BATCH)
        record_history(model, new, "+")
        record_history(model, changed, "~", names)

    def free_values(self, changed: Sequence[Any]) -> None:
        """Clear values that records exchange, because databases check each row of an UPDATE by itself."""
        for batch in in_batches([record.pk for record in changed]):
            self.table.rows().filter(pk__in=batch).update(**{self.table.exchangeable: None})

    @property
    def archives(self) -> bool:
        """Return whether records that the sheet doesn't have are archived, and not deleted."""
        return moment_of(self.table.model) is not None

    def find_removed(self, rows: Sequence[ImportedRow], scope: RemovalScope, *, lock: bool) -> list[Any]:
        """Return the records in the scope that no row of the sheet has."""
        kept = {row.record.pk for row in rows}
        removed: dict[int, Any] = {}
        # What the labels show.
        model_admin: Any = admin.site.get_model_admin(self.table.model)
        for found in scope.rows_beside(self.table, [row.record for row in rows]):
            locked = found.select_for_update(of=("self",)) if lock else found
            labeled = locked.select_related(*model_admin.list_select_related)
            removed |= {row.pk: row for row in labeled if row.pk not in kept}
        return sorted(removed.values(), key=lambda record: record.pk)

    def remove(self, removed: Sequence[Any]) -> None:
        for batch in in_batches([record.pk for record in removed]):
            rows = self.table.model._default_manager.filter(pk__in=batch)
            _ = rows.archive() if self.archives else rows.delete()
