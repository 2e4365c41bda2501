"""A model as a table in a file: how a row finds its record, and what a file would change.

A table lists columns and says how its rows are told apart. What belongs to no organization of the user
does not exist here, as everywhere.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Generator, Hashable, Iterable
from typing import Any, ClassVar

from django.core.exceptions import NON_FIELD_ERRORS, ValidationError
from django.db import models
from import_export.resources import ModelResource
from import_export.results import RowResult

from productive.admin.forms import is_id
from productive.admin.spreadsheets.cells import Directory, Kept, Owner, Reference, Text, numbered, quoted
from productive.admin.spreadsheets.files import Sheet
from productive.admin.spreadsheets.plans import Line, Plan
from productive.database.constraints import UniqueTogether

# Ids or rows that one statement asks for.
BATCH = 500


class Table(ModelResource):
    """A resource of the given organizations' records, which asks the database for many rows at once."""

    # Told on the page of the import.
    key_help: ClassVar[str] = ""

    fields: dict[str, Any]

    class Meta:
        skip_diff = True  # copies every record; `before` below is all that is needed
        use_bulk = True
        report_skipped = True
        store_instance = True

    def __init__(self, organizations: Iterable[Any], *, shows_owner: bool) -> None:
        super().__init__()
        # The columns stand in the order in which they are declared, not in the model's.
        declared = self.fields
        self.fields = {name: declared[name] for name in self._meta.fields}
        self.organizations = {one.pk: one for one in organizations}
        self.shows_owner = shows_owner
        self.directories: dict[tuple[type[Directory], int], Directory] = {}
        for column in self.fields.values():
            column.resource = self

    @property
    def options(self) -> Any:
        return self._meta.model._meta

    def rows(self) -> models.QuerySet[Any]:
        """All that the user may see."""
        owned: models.QuerySet[Any] = self._meta.model._default_manager.owned_by_any(
            self.organizations.values()
        )
        return owned

    def directory(self, kind: type[Directory], organization_id: int) -> Directory:
        asked = (kind, organization_id)
        if asked not in self.directories:
            self.directories[asked] = kind(self.organizations[organization_id])
        return self.directories[asked]

    # --- What each table says of itself ---

    def row_key(self, row: dict[str, str], organization: Any) -> Hashable | None:
        """What tells a row without an id from others; None if the row doesn't say."""
        raise NotImplementedError

    def record_key(self, record: Any) -> Hashable | None:
        """The same of a record."""
        raise NotImplementedError

    def find(self, organization: Any, keys: set[Hashable]) -> dict[Hashable, list[int]]:
        """The ids of the records that have each of the keys; a fixed number of queries a batch."""
        raise NotImplementedError

    # --- Export ---

    def columns(self) -> list[Text]:
        return [
            column for column in self.fields.values() if self.shows_owner or not isinstance(column, Owner)
        ]

    def headers(self) -> list[str]:
        return [column.column_name for column in self.columns()]

    def written(self, rows: models.QuerySet[Any]) -> Generator[list[str], None, None]:
        columns = self.columns()
        for row in rows.iterator(chunk_size=2000):
            yield [column.export(row) for column in columns]

    # --- Import ---

    def plan(self, sheet: Sheet, *, lock: bool = False) -> Plan:
        """What the sheet would do. `create_instances` and `update_instances` then hold what to write."""
        self.check_headers(sheet)
        self.numbers, self.present = sheet.numbers, set(sheet.headers)
        self.seen: dict[Hashable, int] = {}
        self.prepare([dict(zip(sheet.headers, row, strict=True)) for row in sheet], lock=lock)
        self.create_instances.clear()
        self.update_instances.clear()
        result = self.import_data_inner(
            sheet, dry_run=True, raise_errors=False, using_transactions=False, collect_failed_rows=False
        )
        for error in (*result.base_errors, *(error for row in result.error_rows for error in row.errors)):
            # A row that can't be is invalid; anything else is a fault, or the database's, and not the row's.
            raise error.error
        invalid = iter(result.invalid_rows)
        return Plan(
            [
                self.line(number, row, next(invalid) if row.is_invalid() else None)
                for number, row in zip(sheet.numbers, result.rows, strict=True)
            ]
        )

    def line(self, number: int, row: Any, invalid: Any) -> Line:
        if invalid is not None:
            return Line(number, "error", errors=self.explained(invalid.error_dict))
        status = {RowResult.IMPORT_TYPE_NEW: "new", RowResult.IMPORT_TYPE_SKIP: "unchanged"}
        return Line(number, status.get(row.import_type, "changed"), row.object_repr, row.changes)

    def explained(self, errors: dict[str, list[str]]) -> list[str]:
        """The model's words, each under the heading that it blames."""
        headings = {column.attribute: column.column_name for column in self.fields.values()}
        return [
            message if name == NON_FIELD_ERRORS else f"{headings.get(name, name)}: {message}"
            for name, messages in errors.items()
            for message in messages
        ]

    def check_headers(self, sheet: Sheet) -> None:
        """Take headings in any case; a ValidationError names those unknown, missing or twice there."""
        known = {column.column_name.casefold(): column for column in self.fields.values()}
        found = [heading.casefold() for heading in sheet.headers]
        unknown = [quoted(heading) for heading in sheet.headers if heading.casefold() not in known]
        twice = sorted({known[one].column_name for one in found if one in known and found.count(one) > 1})
        missing = [one.column_name for name, one in known.items() if one.required and name not in found]
        problems = [
            f"{said}: {', '.join(names)}."
            for said, names in [
                ("Unknown columns", unknown),
                ("Columns that are there twice", twice),
                ("Missing columns", missing),
            ]
            if names
        ]
        if problems:
            allowed = ", ".join(one.column_name for one in known.values())
            raise ValidationError([*problems, f"The columns can be: {allowed}."])
        sheet.headers = [known[heading].column_name for heading in found]

    def prepare(self, rows: list[dict[str, str]], *, lock: bool) -> None:
        """Look up, in batches, all records that the rows mean."""
        ids = {int(text) for row in rows if is_id(text := row.get("ID", "").strip())}
        self.records = self.load(ids, lock=lock)
        asked: defaultdict[int, set[Hashable]] = defaultdict(set)
        for row in rows:
            try:
                organization = self.organization_of(row)
                key = self.row_key(row, organization)
            except (ValueError, ValidationError):
                continue  # its own turn will come, and then it is told
            if key is not None:
                asked[organization.pk].add(key)
        self.found = {
            (pk, key): ids
            for pk, keys in asked.items()
            for key, ids in self.find(self.organizations[pk], keys).items()
        }
        single = {ids[0] for ids in self.found.values() if len(ids) == 1}
        self.records |= self.load(single - self.records.keys(), lock=lock)

    def load(self, ids: set[int], *, lock: bool) -> dict[int, Any]:
        rows = self.rows().select_for_update() if lock else self.rows()
        ordered = sorted(ids)
        return {
            row.pk: row
            for start in range(0, len(ordered), BATCH)
            for row in rows.filter(pk__in=ordered[start : start + BATCH]).order_by("pk")
        }

    def organization_of(self, row: dict[str, str]) -> Any:
        """Where the row's record is, or is to be made."""
        record = self.records.get(int(text)) if is_id(text := row.get("ID", "").strip()) else None
        if record is not None:
            return self.organizations[record.organization_id]
        text = row.get("Organization", "").strip()
        if not text and len(self.organizations) == 1:
            return next(iter(self.organizations.values()))
        if not text:
            raise ValidationError({"organization": "Write the id of one of your organizations."})
        if not is_id(text) or int(text) not in self.organizations:
            raise ValidationError({"organization": f"There is no organization {quoted(text)}."})
        return self.organizations[int(text)]

    # The steps of a row, in the order in which the library takes them.

    def get_instance(self, instance_loader: Any, row: dict[str, str]) -> Any:
        """The record that the row means by its id, or else by its key; None if it is a new one."""
        name = self.options.verbose_name
        if text := row.get("ID", "").strip():
            record = self.records.get(int(text)) if is_id(text) else None
            if record is None:
                raise ValidationError({"id": f"There is no {name} {quoted(text)}."})
            return record
        organization = self.organization_of(row)
        try:
            ids = self.found.get((organization.pk, self.row_key(row, organization)), [])
        except ValueError:
            return None  # a column that can't be read; it will tell
        if len(ids) > 1:
            raise ValidationError(
                f"{len(ids)} {self.options.verbose_name_plural} are called so: give the ID, {numbered(ids)}."
            )
        return self.records.get(ids[0]) if ids else None

    def init_instance(self, row: Any = None) -> Any:
        return self._meta.model(organization=self.organization_of(row))

    def after_init_instance(self, instance: Any, new: bool, row: Any, **kwargs: Any) -> None:
        self.number = self.numbers[kwargs["row_number"] - 1]
        self.is_new = new
        self.before = [column.export(instance) for column in self.read_columns()]

    def read_columns(self) -> list[Text]:
        return [column for column in self.fields.values() if column.column_name in self.present]

    def skip_row(self, instance: Any, original: Any, row: Any, import_validation_errors: Any = None) -> bool:
        self.refuse_second(instance)
        self.after = [column.export(instance) for column in self.read_columns()]
        return not self.is_new and not import_validation_errors and self.before == self.after

    def refuse_second(self, instance: Any) -> None:
        """Two rows of one file may not mean one record, nor make one twice."""
        marks: list[Hashable] = [instance.pk] if instance.pk else []
        key = self.record_key(instance)
        if key is not None and (self.is_new or self.keeps_keys_unique()):
            marks.append((instance.organization_id, key))
        for mark in marks:
            first = self.seen.setdefault(mark, self.number)
            if first != self.number:
                raise ValidationError(f"This is the {self.options.verbose_name} of row {first} again.")

    def keeps_keys_unique(self) -> bool:
        return any(isinstance(constraint, UniqueTogether) for constraint in self.options.constraints)

    def validate_instance(
        self, instance: Any, import_validation_errors: Any = None, validate_unique: bool = True
    ) -> None:
        """Ask the model. Only where another record has the row's key is the database asked as well."""
        errors = dict(import_validation_errors or {})
        try:
            instance.full_clean(exclude={*errors, "id", *self.looked_up()}, validate_constraints=False)
        except ValidationError as error:
            errors = error.update_error_dict(errors)
        if errors:
            raise ValidationError(errors)
        for constraint in self.options.constraints:
            if not isinstance(constraint, models.UniqueConstraint) or (
                isinstance(constraint, UniqueTogether) and self.is_taken(instance)
            ):
                constraint.validate(type(instance), instance)

    def looked_up(self) -> set[str]:
        """Relations that were found among the organization's own records: nothing is left to ask."""
        return {
            "organization",
            *(column.attribute for column in self.fields.values() if isinstance(column, Reference)),
        }

    def is_taken(self, instance: Any) -> bool:
        holders = self.found.get((instance.organization_id, self.record_key(instance)), [])
        return any(holder != instance.pk for holder in holders)

    def after_import_row(self, row: Any, row_result: Any, **kwargs: Any) -> None:
        headings = [column.column_name for column in self.read_columns()]
        before = [""] * len(headings) if self.is_new else self.before
        row_result.changes = [
            change for change in zip(headings, before, self.after, strict=True) if change[1] != change[2]
        ]

    def changed_fields(self) -> list[str]:
        return [column.attribute for column in self.read_columns() if not isinstance(column, Kept)]


class NamedTable(Table):
    """A table whose records are known by the names that a directory has for them."""

    directory_class: ClassVar[type[Directory]]
    # The field that such a name is in.
    name_field: ClassVar[str] = "name"

    def row_key(self, row: dict[str, str], organization: Any) -> Hashable | None:
        return self.directory_class.folded(row[self.fields[self.name_field].column_name]) or None

    def record_key(self, record: Any) -> Hashable | None:
        return self.directory_class.folded(getattr(record, self.name_field) or "") or None

    def find(self, organization: Any, keys: set[Any]) -> dict[Hashable, list[int]]:
        directory = self.directory(self.directory_class, organization.pk)
        return {key: [row.pk for row in directory.by_name.get(key, [])] for key in keys}
