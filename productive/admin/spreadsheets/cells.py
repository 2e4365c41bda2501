"""Columns of a table, which convert between fields and cells.

Related records are written by name, or by id if the name is ambiguous.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Sequence
from typing import Any, ClassVar

from django.db import models
from django.utils import timezone

from productive.admin.forms import is_id
from productive.admin.spreadsheets.comparison import clean, is_same, parse_id_cell, quoted, tidy
from productive.database.text import fold

BY_ID = re.compile(r"#([0-9]+)")


def id_list(ids: Sequence[int]) -> str:
    """Return up to ten ids in the notation of a cell: #1, #2 or #3."""
    shown = [f"#{one}" for one in sorted(ids)[:10]]
    return f"{', '.join(shown[:-1])} or {shown[-1]}"


class Directory:
    """The records of one organization, by name and id.

    A cell has a unique name of the record or, if it has none, the id as #12. An import also finds records by
    their aliases, if no record has the name.
    """

    model: type[Any]
    # The fields that `names` reads.
    fields: Sequence[str] = ()
    # Whether a name also finds records whose name differs by case or accents only.
    ignores_accents = True

    def __init__(self, organization: Any) -> None:
        self.by_id: dict[int, Any] = {}
        self.by_name: defaultdict[str, list[Any]] = defaultdict(list)
        self.by_folded_name: defaultdict[str, list[Any]] = defaultdict(list)
        self.by_alias: defaultdict[str, list[Any]] = defaultdict(list)
        self.cached_names: dict[int, str] = {}
        for row in self.rows(organization):
            self.by_id[row.pk] = row
            names = {self.normalize(name) for name in self.names(row) if name}
            for name in names:
                self.by_name[name].append(row)
            for name in set(map(fold, names)):
                self.by_folded_name[name].append(row)
            for alias in {fold(alias) for alias in self.aliases(row) if alias}:
                self.by_alias[alias].append(row)

    def rows(self, organization: Any) -> models.QuerySet[Any]:
        """Return the organization's records with only these fields."""
        owned: models.QuerySet[Any] = self.model._default_manager.owned_by(organization)
        return owned.only("organization", *self.fields)

    @classmethod
    def names(cls, row: Any) -> list[str | None]:
        """Return the names of a record, in order of preference for export."""
        return [row.name]

    @classmethod
    def aliases(cls, row: Any) -> list[str | None]:
        """Return other names, which an export doesn't use."""
        return []

    @staticmethod
    def normalize(name: str) -> str:
        """Return the form in which names are compared first: with case and accents."""
        return tidy(name)

    def find_all(self, name: str) -> list[Any]:
        """Return the records with this name or, if there are none, those with its letters."""
        exact = self.by_name.get(self.normalize(name))
        return exact or (self.by_folded_name.get(fold(name), []) if self.ignores_accents else [])

    def name_of(self, pk: int) -> str:
        if pk not in self.cached_names:
            self.cached_names[pk] = self.unique_name(pk)
        return self.cached_names[pk]

    def unique_name(self, pk: int) -> str:
        for name in self.names(self.by_id[pk]) if pk in self.by_id else ():
            if name and not BY_ID.fullmatch(name.strip()) and len(self.find_all(name)) == 1:
                return name.strip()
        return f"#{pk}"

    def find(self, text: str) -> Any:
        """Return the record with this name or id, or raise ValueError."""
        options = self.model._meta
        by_id = BY_ID.fullmatch(text)
        if by_id:
            row = self.by_id.get(int(by_id[1])) if is_id(by_id[1]) else None
            found = [] if row is None else [row]
        else:
            found = self.find_all(text) or self.by_alias.get(fold(text), [])
        if not found:
            raise ValueError(f"There is no {options.verbose_name} {quoted(text)}.")
        if len(found) > 1:
            ids = id_list([row.pk for row in found])
            raise ValueError(
                f"{len(found)} {options.verbose_name_plural} have the name {quoted(text)}: use {ids}."
            )
        return found[0]


class Column:
    """Base class of columns."""

    required = False

    def __init__(self, attribute: str, heading: str, synonyms: Sequence[str] = ()) -> None:
        self.attribute, self.heading, self.synonyms = attribute, heading, synonyms

    def text_of(self, record: Any, table: Any) -> str:
        raise NotImplementedError

    def set(self, record: Any, text: str, table: Any) -> None:
        """Set the field from the text, or raise ValueError with the reason."""
        raise NotImplementedError


class Text(Column):
    """A column of text.

    An unchanged cell doesn't change the field, so that an empty one keeps both null and "", and one that a
    program has rewritten keeps 007.
    """

    def __init__(self, attribute: str, heading: str, *synonyms: str, required: bool = False) -> None:
        super().__init__(attribute, heading, synonyms)
        self.required = required

    def text_of(self, record: Any, table: Any) -> str:
        return getattr(record, self.attribute) or ""

    def value_of(self, record: Any, text: str) -> Any:
        field = record._meta.get_field(self.attribute)
        # Another spelling of the same text changes nothing.
        return field.to_python(text) or (None if field.null else "")

    def set(self, record: Any, text: str, table: Any) -> None:
        if not is_same(self.text_of(record, table), text):
            setattr(record, self.attribute, self.value_of(record, clean(text)))


class YesNo(Text):
    """A column of a boolean, which may be null."""

    words: ClassVar[dict[str, bool | None]] = {
        "yes": True,
        "true": True,
        "1": True,
        "no": False,
        "false": False,
        "0": False,
        "": None,
    }

    def text_of(self, record: Any, table: Any) -> str:
        return {True: "yes", False: "no", None: ""}[getattr(record, self.attribute)]

    def value_of(self, record: Any, text: str) -> bool | None:
        try:
            return self.words[text.lower().removesuffix(".0")]
        except KeyError:
            raise ValueError(f"{quoted(text)} is neither yes nor no.") from None


class ReadOnly(Column):
    """A column that an import can't change."""

    reason = "can't be changed by an import"

    def set(self, record: Any, text: str, table: Any) -> None:
        if not is_same(self.text_of(record, table), text):
            raise ValueError(self.reason)


class Archived(ReadOnly):
    """The day of archiving, in the organization's time zone."""

    reason = "can't be changed by an import; use the actions of the list"

    def __init__(self) -> None:
        super().__init__("archived_at", "Archived", ["Archived on", "Date archived"])

    def text_of(self, record: Any, table: Any) -> str:
        if record.archived_at is None:
            return ""
        zone = table.organizations[record.organization_id].zone
        return timezone.localdate(record.archived_at, zone).isoformat()


class Owner(ReadOnly):
    """The id of the organization; an empty cell is valid."""

    def __init__(self) -> None:
        super().__init__("organization", "Organization", ["Organisation", "Organization ID"])

    def text_of(self, record: Any, table: Any) -> str:
        return str(record.organization_id)

    def set(self, record: Any, text: str, table: Any) -> None:
        if clean(text) and parse_id_cell(text) != record.organization_id:
            raise ValueError(self.reason)


class Identifier(ReadOnly):
    """The id, which identifies the row's record."""

    def __init__(self) -> None:
        super().__init__("id", "ID")

    def text_of(self, record: Any, table: Any) -> str:
        return str(record.pk or "")

    def set(self, record: Any, text: str, table: Any) -> None:
        """Do nothing; the import has read the id already."""


class Reference(Column):
    """A column of a foreign key, written by the name in a directory."""

    def __init__(
        self,
        attribute: str,
        heading: str,
        directory: type[Directory],
        *synonyms: str,
        required: bool = True,
    ) -> None:
        super().__init__(attribute, heading, synonyms)
        self.directory, self.required = directory, required

    def row_of(self, record: Any, table: Any) -> Any | None:
        """Return the record's target from the directory, or None."""
        pk = getattr(record, f"{self.attribute}_id")
        directory = None if pk is None else table.directory(self.directory, record.organization_id)
        return directory and directory.by_id.get(pk)

    def text_of(self, record: Any, table: Any) -> str:
        pk = getattr(record, f"{self.attribute}_id")
        return "" if pk is None else table.directory(self.directory, record.organization_id).name_of(pk)

    def set(self, record: Any, text: str, table: Any) -> None:
        text = clean(text)
        if not text:
            if self.required:
                raise ValueError(record._meta.get_field(self.attribute).error_messages["blank"])
            setattr(record, self.attribute, None)
            return
        directory = table.directory(self.directory, record.organization_id)
        try:
            setattr(record, self.attribute, directory.find(text))
        except ValueError:
            # A program may have rewritten the name of the present target.
            if not (record.pk and self.is_same(record, text, table)):
                raise

    def is_same(self, record: Any, text: str, table: Any) -> bool:
        return is_same(self.text_of(record, table), text)


class Beside(ReadOnly):
    """A column that helps to read a reference, such as the name beside an address. An import ignores it."""

    def __init__(
        self, reference: Reference, part: str, heading: str, text: Callable[[Any], str] = str
    ) -> None:
        super().__init__(f"{reference.attribute}.{part}", heading)
        self.reference, self.text = reference, text

    def text_of(self, record: Any, table: Any) -> str:
        row = self.reference.row_of(record, table)
        return "" if row is None else self.text(row)

    def set(self, record: Any, text: str, table: Any) -> None:
        """Do nothing."""
