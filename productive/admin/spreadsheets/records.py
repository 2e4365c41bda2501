"""The rows of an import, and the existing records that they change."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.core.exceptions import ValidationError
from django.db import models

from productive.admin.forms import SEPARATOR, label_with_status
from productive.admin.preview import Difference, Line, RecordOutcome
from productive.admin.spreadsheets.cells import Reference, id_list
from productive.admin.spreadsheets.comparison import clean, parse_id_cell, quoted
from productive.admin.spreadsheets.files import is_blank
from productive.admin.spreadsheets.tables import Table, in_batches
from productive.database.constraints import UniqueTogether, unique_together

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


class ExistingRecords:
    """The existing records that match the rows of a sheet, loaded in batches."""

    def __init__(self, table: Table, rows: Sequence[Cells], *, lock: bool) -> None:
        self.table = table
        self.freed: set[int] = set()
        self.by_id: dict[int, Any] = {}
        self.load({pk for row in rows if (pk := parse_id_cell(row.get("id", "")))}, lock=lock)
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
        for batch in in_batches(sorted(ids)):
            self.by_id |= {row.pk: row for row in rows.filter(pk__in=batch).order_by("pk")}

    def organization_of(self, row: Cells) -> Any:
        """Return the organization of the row's record, or raise ValidationError."""
        organizations = self.table.organizations
        record = self.by_id.get(parse_id_cell(row.get("id", "")) or 0)
        if record is not None:
            return organizations[record.organization_id]
        text = clean(row.get("organization", ""))
        if not text and len(organizations) == 1:
            return next(iter(organizations.values()))
        if not text:
            raise ValidationError({"organization": "Enter the ID of one of your organizations."})
        organization = organizations.get(parse_id_cell(text) or 0)
        if organization is None:
            raise ValidationError({"organization": f"There is no organization {quoted(text)}."})
        return organization

    def find(self, row: Cells) -> Any | None:
        """Return the record with the row's id or key, or None for a new one."""
        options = self.table.options
        if text := clean(row.get("id", "")):
            record = self.by_id.get(parse_id_cell(text) or 0)
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
        if key is None or not (is_new or unique_together(self.table.model)):
            return None
        return record.organization_id, key

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
