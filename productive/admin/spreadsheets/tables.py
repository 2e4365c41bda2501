"""A model as a table: its columns, and how a row finds its record."""

from __future__ import annotations

from collections.abc import Generator, Hashable, Iterable, Mapping, Sequence
from typing import Any, ClassVar

from django.db import models

from productive.admin.spreadsheets.cells import Column, Directory, Owner

# Ids or rows in one statement.
BATCH = 500


class Table:
    """The table of a model, limited to records of the given organizations."""

    model: type[Any]
    columns: Sequence[Column]
    # The fields of the model that have no column, by intention.
    left_out: ClassVar[set[str]] = {"created_at"}
    # How a row without an id finds its record, for the page of the import.
    key_help: ClassVar[str] = ""

    def __init__(self, organizations: Iterable[Any], *, shows_owner: bool) -> None:
        self.organizations = {one.pk: one for one in organizations}
        self.shows_owner = shows_owner
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

    # --- For subclasses; `row` holds the text of the file's cells by the names of the fields ---

    def row_key(self, row: Mapping[str, str], organization: Any) -> Hashable | None:
        """Return what identifies a row without an id; None if nothing does."""
        raise NotImplementedError

    def record_key(self, record: Any) -> Hashable | None:
        """Return the same of a record."""
        raise NotImplementedError

    def find(self, organization: Any, keys: set[Any]) -> dict[Hashable, list[int]]:
        """Return the ids of the records with each key.

        The number of queries per batch is constant.
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
    """A table whose records are identified by their names in a directory."""

    directory_class: ClassVar[type[Directory]]
    # The field that holds the name.
    name_field: ClassVar[str] = "name"

    def row_key(self, row: Mapping[str, str], organization: Any) -> Hashable | None:
        return self.directory_class.folded(row[self.name_field]) or None

    def record_key(self, record: Any) -> Hashable | None:
        return self.directory_class.folded(getattr(record, self.name_field) or "") or None

    def find(self, organization: Any, keys: set[Any]) -> dict[Hashable, list[int]]:
        directory = self.directory(self.directory_class, organization.pk)
        return {key: [row.pk for row in directory.by_name.get(key, [])] for key in keys}
