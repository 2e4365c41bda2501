"""Tables, which define import and export of a model."""

from __future__ import annotations

from collections.abc import Generator, Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, TypeVar

from django.db import models

from productive.admin.spreadsheets.cells import Column, Directory, Owner

# Values in one query, or rows in one statement.
MAX_BATCH = 500

T = TypeVar("T")


def in_batches(values: Sequence[T]) -> Iterator[Sequence[T]]:
    """Yield up to MAX_BATCH values at a time."""
    for start in range(0, len(values), MAX_BATCH):
        yield values[start : start + MAX_BATCH]


@dataclass(frozen=True)
class RemovalScope:
    """Records that an import can remove: those that have an attribute of the records in the file.

    With `through`, those that have this attribute of the attribute.
    """

    attribute: str
    label: str
    through: str = ""

    @property
    def name(self) -> str:
        return f"{self.attribute}.{self.through}" if self.through else self.attribute or "all"

    def rows_beside(self, table: Table, records: Sequence[Any]) -> Iterator[models.QuerySet[Any]]:
        """Yield the records in the scope of those in the file, in batches."""
        rows = table.rows().filter(organization__in={record.organization_id for record in records})
        if not self.attribute:
            yield rows.active()  # type: ignore[attr-defined]
            return
        path, field = self.attribute, table.options.get_field(self.attribute)
        ids = sorted({getattr(record, field.attname) for record in records})
        for batch in in_batches(ids):
            wanted: Any = batch
            if self.through:
                path = f"{self.attribute}__{self.through}"
                targets = field.related_model._default_manager.filter(pk__in=batch)
                wanted = targets.order_by().values(self.through)
            yield rows.filter(**{f"{path}__in": wanted})


WHOLE_TABLE = RemovalScope("", "Archive them")


class Table:
    """Base class of tables, limited to some organizations' records."""

    model: type[Any]
    columns: Sequence[Column]
    # The fields of the model that intentionally have no column; a test checks that no other is missing.
    left_out: ClassVar[set[str]] = {"created_at"}
    # Help text of the import: how a row without an id is matched.
    key_help: ClassVar[str] = ""
    # A nullable field that is unique; in one import, records can exchange its values.
    exchangeable: ClassVar[str] = ""
    # What an import can remove: it deletes the records or, with `WHOLE_TABLE`, archives them.
    scopes: ClassVar[Sequence[RemovalScope]] = ()

    def __init__(self, organizations: Iterable[Any], *, shows_owner: bool) -> None:
        self.organizations = {one.pk: one for one in organizations}
        self.shows_owner = shows_owner
        # Whether the columns beside a reference are shown, which an import may not have.
        self.has_parts = True
        self.directories: dict[tuple[type[Directory], int], Directory] = {}

    @property
    def options(self) -> Any:
        return self.model._meta

    def rows(self) -> models.QuerySet[Any]:
        """Return all records that the user may see."""
        owned: models.QuerySet[Any] = self.model._default_manager.owned_by_any(self.organizations.values())
        return owned

    def directory(self, kind: type[Directory], organization_id: int) -> Directory:
        key = (kind, organization_id)
        if key not in self.directories:
            self.directories[key] = kind(self.organizations[organization_id])
        return self.directories[key]

    def use_columns(self, columns: Sequence[Column | None]) -> None:
        """Prepare for an import with these columns."""

    # --- For subclasses; `row` is the text of the cells by field name ---

    def prepare(self, row: dict[str, str]) -> dict[str, str]:
        """Return the row with cells that follow from others."""
        return row

    def row_key(self, row: Mapping[str, str], organization: Any) -> Hashable | None:
        """Return the key by which a row without an id matches a record, or None."""
        raise NotImplementedError

    def record_key(self, record: Any) -> Hashable | None:
        """Return the key of a record, or None."""
        raise NotImplementedError

    def find(self, organization: Any, keys: set[Any]) -> dict[Hashable, list[int]]:
        """Return the ids of the records by key.

        The number of queries per batch of keys is constant.
        """
        raise NotImplementedError

    def new_record(self, row: Mapping[str, str], organization: Any) -> Any:
        """Return a new record for the row, or raise ValidationError."""
        return self.model(organization=organization)

    # --- Export ---

    @property
    def exported(self) -> list[Column]:
        return [column for column in self.columns if self.shows_owner or not isinstance(column, Owner)]

    def headings(self) -> list[str]:
        return [column.heading for column in self.exported]

    def export(self, rows: models.QuerySet[Any]) -> Generator[list[str], None, None]:
        columns = self.exported
        for row in rows.iterator(chunk_size=2000):
            yield [column.text_of(row, self) for column in columns]


class NamedTable(Table):
    """A table whose rows match records by their names in a directory."""

    directory_class: ClassVar[type[Directory]]
    # The field with the name.
    name_field: ClassVar[str] = "name"

    def row_key(self, row: Mapping[str, str], organization: Any) -> Hashable | None:
        return self.directory_class.normalize(row[self.name_field]) or None

    def record_key(self, record: Any) -> Hashable | None:
        return self.directory_class.normalize(getattr(record, self.name_field) or "") or None

    def find(self, organization: Any, keys: set[Any]) -> dict[Hashable, list[int]]:
        directory = self.directory(self.directory_class, organization.pk)
        return {key: [row.pk for row in directory.find_all(str(key))] for key in keys}
