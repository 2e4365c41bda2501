"""Import a sheet: match and validate each row, then write all records."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from django.core.exceptions import NON_FIELD_ERRORS, ValidationError
from django.db import models

from productive.admin.forms import is_id, label_of
from productive.admin.operations import Operation
from productive.admin.preview import Difference, Line, Preview, RecordOutcome, group_lines, summary
from productive.admin.spreadsheets.cells import Column, ReadOnly, Reference, id_list, quoted
from productive.admin.spreadsheets.files import Sheet
from productive.admin.spreadsheets.tables import MAX_BATCH, Table
from productive.database.constraints import UniqueTogether
from productive.database.history import record as record_history

BLOCKED = "Some rows have errors, so nothing can be imported. Correct them and choose the file again."

# The text of a row's cells, by field name.
Cells = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class ImportedRow:
    """A row of the sheet, with the change of its record or the errors."""

    number: int
    outcome: RecordOutcome
    record: Any = None
    differences: Sequence[Difference] = ()
    errors: Sequence[str] = ()

    @property
    def line(self) -> Line:
        label = "" if self.record is None else label_of(self.record)
        return Line(label, self.errors, f"Row {self.number}", self.differences)


class Import(Operation):
    """Import all rows of a sheet or, if one has an error, none."""

    def __init__(self, table: Table, sheet: Sheet) -> None:
        self.table, self.sheet = table, sheet
        self.attributes = [column.attribute for column in match_columns(table, sheet.headings)]
        # In the order of the table, in which errors and differences are shown.
        self.columns = [column for column in table.columns if column.attribute in self.attributes]

    def attempt(self, *, apply: bool) -> Preview:
        self.rows = rows = list(self.read(lock=apply))
        groups = group_lines((row.outcome, row.line) for row in rows)
        has_errors = any(row.outcome is RecordOutcome.REJECTED for row in rows)
        blocked = BLOCKED if has_errors else ""
        preview = Preview(groups, "Import", f"Imported: {summary(groups)}.", blocked=blocked)
        if preview.can_apply:
            self.write(rows)
        return preview

    def describe(self, preview: Preview) -> Preview:
        """Add to the rows the notes about their records."""
        consequences = preview.consequences
        label = self.table.model._meta.label_lower
        all_notes = consequences.notes if consequences is not None else ()
        notes: dict[Any, str] = {key: text for model, key, text in all_notes if model == label}
        if not notes:
            return preview
        lines = []
        for row in self.rows:
            note = notes.get(self.table.record_key(row.record)) if row.record is not None else None
            lines.append((row.outcome, replace(row.line, notes=[note]) if note else row.line))
        return replace(preview, groups=group_lines(lines))

    def read(self, *, lock: bool) -> Iterator[ImportedRow]:
        """Yield the rows. Reject a row with the same record as another."""
        rows = [dict(zip(self.attributes, cells, strict=True)) for cells in self.sheet.rows]
        records = ExistingRecords(self.table, rows, lock=lock)
        seen: dict[Hashable, int] = {}
        for number, row in zip(self.sheet.numbers, rows, strict=True):
            try:
                record = records.find(row)
                is_new = record is None
                if record is None:
                    record = self.table.new_record(row, records.organization_of(row))
                before = self.texts_of(record)
                errors = self.set_values(record, row)
                for identity in records.identities(record, is_new=is_new):
                    first = seen.setdefault(identity, number)
                    if first != number:
                        name = self.table.options.verbose_name
                        raise ValidationError(f"Row {first} has the same {name}.")
                after = self.texts_of(record)
                if errors or is_new or before != after:
                    records.validate(record, errors)
            except ValidationError as error:
                yield ImportedRow(number, RecordOutcome.REJECTED, errors=self.messages_of(error))
                continue
            if is_new:
                outcome, before = RecordOutcome.CREATED, [""] * len(before)
            else:
                outcome = RecordOutcome.UNCHANGED if before == after else RecordOutcome.CHANGED
            differences = [
                Difference(column.heading, old, new)
                for column, old, new in zip(self.columns, before, after, strict=True)
                if old != new
            ]
            yield ImportedRow(number, outcome, record, differences)

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

    def write(self, rows: Sequence[ImportedRow]) -> None:
        model = self.table.model
        new = [row.record for row in rows if row.outcome is RecordOutcome.CREATED]
        changed = [row.record for row in rows if row.outcome is RecordOutcome.CHANGED]
        model._default_manager.bulk_create(new, batch_size=MAX_BATCH)
        if changed:
            fields = [column.attribute for column in self.columns if not isinstance(column, ReadOnly)]
            model._default_manager.bulk_update(changed, fields, batch_size=MAX_BATCH)
        record_history(model, new, "+")
        # Only the columns whose text differs, so that unchanged ones have no consequences.
        differing = [row.differences for row in rows if row.outcome is RecordOutcome.CHANGED]
        headings = {difference.field for differences in differing for difference in differences}
        names = [column.attribute for column in self.columns if column.heading in headings]
        record_history(model, changed, "~", names)


def match_columns(table: Table, headings: Sequence[str]) -> list[Column]:
    """Return the columns with these headings, ignoring case.

    Raise ValidationError for unknown, repeated and missing headings.
    """
    known = {column.heading.casefold(): column for column in table.columns}
    found = [heading.casefold() for heading in headings]
    unknown = [quoted(heading) for heading in headings if heading.casefold() not in known]
    repeated = sorted({known[one].heading for one in found if one in known and found.count(one) > 1})
    missing = [one.heading for name, one in known.items() if one.required and name not in found]
    problems = [
        f"{problem}: {', '.join(names)}."
        for problem, names in [
            ("Unknown columns", unknown),
            ("Repeated columns", repeated),
            ("Missing columns", missing),
        ]
        if names
    ]
    if problems:
        allowed = ", ".join(column.heading for column in table.columns)
        raise ValidationError([*problems, f"Valid columns: {allowed}."])
    return [known[heading] for heading in found]


class ExistingRecords:
    """The existing records that match the rows of a sheet, loaded in batches."""

    def __init__(self, table: Table, rows: Sequence[Cells], *, lock: bool) -> None:
        self.table = table
        self.by_id: dict[int, Any] = {}
        self.load({int(text) for row in rows if is_id(text := row.get("id", "").strip())}, lock=lock)
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
        record = self.by_id.get(int(text)) if is_id(text := row.get("id", "").strip()) else None
        if record is not None:
            return organizations[record.organization_id]
        text = row.get("organization", "").strip()
        if not text and len(organizations) == 1:
            return next(iter(organizations.values()))
        if not text:
            raise ValidationError({"organization": "Enter the ID of one of your organizations."})
        if not is_id(text) or int(text) not in organizations:
            raise ValidationError({"organization": f"There is no organization {quoted(text)}."})
        return organizations[int(text)]

    def find(self, row: Cells) -> Any | None:
        """Return the record with the row's id or key, or None for a new one."""
        options = self.table.options
        if text := row.get("id", "").strip():
            record = self.by_id.get(int(text)) if is_id(text) else None
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

    def identities(self, record: Any, *, is_new: bool) -> Iterator[Hashable]:
        """Yield what two rows can't share: the id, and the key if it is unique."""
        if record.pk:
            yield record.pk
        key = self.table.record_key(record)
        is_unique = any(isinstance(rule, UniqueTogether) for rule in self.table.options.constraints)
        if key is not None and (is_new or is_unique):
            yield record.organization_id, key

    def validate(self, record: Any, errors: dict[str, list[ValidationError]]) -> None:
        """Validate the record; `errors` are those of its columns.

        Query for uniqueness only if another record had the key before the import.
        """
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
        ids = self.ids.get((record.organization_id, self.table.record_key(record)), [])
        is_taken = any(pk != record.pk for pk in ids)
        for constraint in self.table.options.constraints:
            if not isinstance(constraint, models.UniqueConstraint) or (
                isinstance(constraint, UniqueTogether) and is_taken
            ):
                constraint.validate(type(record), record)
