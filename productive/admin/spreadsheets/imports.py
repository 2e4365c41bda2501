"""Import a sheet: match and validate each row, then write all records."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Hashable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from django.contrib import admin
from django.core.exceptions import NON_FIELD_ERRORS, ValidationError
from django.db import models

from productive.admin.forms import SEPARATOR, label_of, label_with_status
from productive.admin.operations import Operation
from productive.admin.preview import Difference, Group, Line, Preview, RecordOutcome, group_lines, summary
from productive.admin.spreadsheets.cells import Beside, ReadOnly, Reference, id_list
from productive.admin.spreadsheets.comparison import clean, is_same, parse_id, quoted
from productive.admin.spreadsheets.files import Sheet, is_blank
from productive.admin.spreadsheets.headings import Match
from productive.admin.spreadsheets.tables import MAX_BATCH, Scope, Table
from productive.database.constraints import UniqueTogether
from productive.database.history import record as record_history
from productive.database.moments import moment_of

# Characters of a cell in the line of a rejected row.
MAX_SHOWN_CELL = 100

# The text of a row's cells, by field name.
Cells = Mapping[str, str]


@dataclass(slots=True)
class ImportedRow:
    """A row of the sheet, with the change of its record or the errors."""

    number: int
    cells: Sequence[str]
    outcome: RecordOutcome
    record: Any = None
    differences: Sequence[Difference] = ()
    errors: Sequence[str] = ()
    notes: Sequence[str] = ()

    @property
    def line(self) -> Line:
        is_rejected = self.outcome is RecordOutcome.REJECTED
        label = contents(self.cells) if is_rejected else label_with_status(self.record)
        return Line(label, self.errors or self.notes, f"Row {self.number}", self.differences)

    def reject(self, *errors: str) -> None:
        self.outcome, self.errors, self.differences = RecordOutcome.REJECTED, [*errors], ()


def contents(cells: Sequence[str]) -> str:
    """Return the cells of a row for its line in the preview."""
    return SEPARATOR.join(" ".join(cell.split())[:MAX_SHOWN_CELL] for cell in cells if not is_blank(cell))


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
        scope: Scope | None = None,
    ) -> None:
        self.table, self.sheet = table, sheet
        self.skips_errors, self.scope = skips_errors, scope
        # Of the file, and of the table, in whose order errors and differences are shown.
        self.file_columns = match.columns
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
        attributes = [column.attribute if column else "" for column in self.file_columns]
        texts = [
            self.table.prepare({name: cell for name, cell in zip(attributes, cells, strict=True) if name})
            for cells in self.sheet.rows
        ]
        self.table.use_columns(self.file_columns)
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
        ids = [record.pk for record in changed]
        for start in range(0, len(ids), MAX_BATCH):
            batch = self.table.rows().filter(pk__in=ids[start : start + MAX_BATCH])
            batch.update(**{self.table.exchangeable: None})

    @property
    def archives(self) -> bool:
        """Return whether records that the sheet doesn't have are archived, and not deleted."""
        return moment_of(self.table.model) is not None

    def find_removed(self, rows: Sequence[ImportedRow], scope: Scope, *, lock: bool) -> list[Any]:
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
        manager = self.table.model._default_manager
        for start in range(0, len(removed), MAX_BATCH):
            rows = manager.filter(pk__in=[record.pk for record in removed[start : start + MAX_BATCH]])
            _ = rows.archive() if self.archives else rows.delete()


class ExistingRecords:
    """The existing records that match the rows of a sheet, loaded in batches."""

    def __init__(self, table: Table, rows: Sequence[Cells], *, lock: bool) -> None:
        self.table = table
        self.freed: set[int] = set()
        self.by_id: dict[int, Any] = {}
        self.load({pk for row in rows if (pk := parse_id(row.get("id", "")))}, lock=lock)
        keys: defaultdict[int, set[Hashable]] = defaultdict(set)
        for row in rows:
            try:
                organization = self.organization_of(row)
                key = table.row_key(row, organization)
            except (ValueError, ValidationError):
                continue  # `Import.read` raises and reports the error again
            if key is not None:
                keys[organization.pk].add(key)
        self.ids = {
            (organization_id, key): ids
            for organization_id, row_keys in keys.items()
            for key, ids in table.find(table.organizations[organization_id], row_keys).items()
        }
        self.load({ids[0] for ids in self.ids.values() if len(ids) == 1} - self.by_id.keys(), lock=lock)

    def load(self, ids: set[int], *, lock: bool) -> None:
        rows = self.table.rows().select_for_update() if lock else self.table.rows()
        ordered = sorted(ids)
        for start in range(0, len(ordered), MAX_BATCH):
            batch = rows.filter(pk__in=ordered[start : start + MAX_BATCH]).order_by("pk")
            self.by_id |= {row.pk: row for row in batch}

    def organization_of(self, row: Cells) -> Any:
        """Return the organization of the row's record, or raise ValidationError."""
        organizations = self.table.organizations
        record = self.by_id.get(parse_id(row.get("id", "")) or 0)
        if record is not None:
            return organizations[record.organization_id]
        text = clean(row.get("organization", ""))
        if not text and len(organizations) == 1:
            return next(iter(organizations.values()))
        if not text:
            raise ValidationError({"organization": "Enter the ID of one of your organizations."})
        organization = organizations.get(parse_id(text) or 0)
        if organization is None:
            raise ValidationError({"organization": f"There is no organization {quoted(text)}."})
        return organization

    def find(self, row: Cells) -> Any | None:
        """Return the record with the row's id or key, or None for a new one."""
        options = self.table.options
        if text := clean(row.get("id", "")):
            record = self.by_id.get(parse_id(text) or 0)
            if record is None:
                raise ValidationError({"id": f"There is no {options.verbose_name} {quoted(text)}."})
            return record
        organization = self.organization_of(row)
        try:
            ids = self.ids.get((organization.pk, self.table.row_key(row, organization)), [])
        except ValueError:
            return None  # the column reports the error
        if len(ids) > 1:
            names = options.verbose_name_plural
            raise ValidationError(f"{len(ids)} {names} have this name: use the ID {id_list(ids)}.")
        return self.by_id.get(ids[0]) if ids else None

    def unique_key(self, record: Any, *, is_new: bool) -> Hashable | None:
        """Return the organization and the key, if two rows can't share it."""
        key = self.table.record_key(record)
        is_unique = any(isinstance(rule, UniqueTogether) for rule in self.table.options.constraints)
        return (record.organization_id, key) if key is not None and (is_new or is_unique) else None

    def find_freed(self, records: Sequence[Any]) -> set[int]:
        """Return the ids of the records whose exchangeable value changes, so that others can have it."""
        if not self.table.exchangeable:
            return set()
        return {
            record.pk
            for record in records
            if record.pk
            and record.pk not in self.ids.get((record.organization_id, self.table.record_key(record)), [])
        }

    def validate(self, record: Any, errors: dict[str, list[ValidationError]]) -> None:
        """Validate the record; `errors` are those of its columns."""
        # Skip the related records, because the directories found them in the organization.
        references = {column.attribute for column in self.table.columns if isinstance(column, Reference)}
        try:
            record.full_clean(
                exclude={*errors, "id", "organization", *references}, validate_constraints=False
            )
        except ValidationError as error:
            errors = error.update_error_dict(errors)
        if errors:
            raise ValidationError(errors)
        self.validate_unique(record)

    def validate_unique(self, record: Any) -> None:
        """Query for uniqueness only if another record had the key before the import, and keeps it."""
        ids = self.ids.get((record.organization_id, self.table.record_key(record)), [])
        is_taken = any(pk != record.pk and pk not in self.freed for pk in ids)
        for constraint in self.table.options.constraints:
            if not isinstance(constraint, models.UniqueConstraint) or (
                isinstance(constraint, UniqueTogether) and is_taken
            ):
                constraint.validate(type(record), record)
