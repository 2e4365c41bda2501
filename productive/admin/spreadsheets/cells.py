"""The columns of a table in a file: how a field is written in a cell, and what a cell stands for.

A relation is written by a name, which a directory of one organization's records keeps unmistakable.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Sequence
from typing import Any, ClassVar

from django.db import models
from django.utils import timezone
from import_export.fields import Field

from productive.admin.forms import is_id

BY_ID = re.compile(r"#([0-9]+)")


def quoted(text: str) -> str:
    return f"“{text[:100]}…”" if len(text) > 100 else f"“{text}”"


def numbered(ids: Sequence[int]) -> str:
    """Ids as a file names them: #1, #2 or #3."""
    shown = [f"#{one}" for one in sorted(ids)[:10]]
    return f"{', '.join(shown[:-1])} or {shown[-1]}"


class Directory:
    """The records of one organization that a cell may name, each by a name that no other record has.

    A record without such a name is written #12, by its id, and may always be named so.
    """

    model: type[Any]
    # Its columns that are needed.
    fields: Sequence[str] = ()

    def __init__(self, organization: Any) -> None:
        self.by_id: dict[int, Any] = {}
        self.by_name: defaultdict[str, list[Any]] = defaultdict(list)
        self.written: dict[int, str] = {}
        for row in self.rows(organization):
            self.by_id[row.pk] = row
            for name in {self.folded(name) for name in self.names(row) if name}:
                self.by_name[name].append(row)

    def rows(self, organization: Any) -> models.QuerySet[Any]:
        """With no more than the names are made of, and what stands for a record in messages."""
        owned: models.QuerySet[Any] = self.model._default_manager.owned_by(organization)
        return owned.only("organization", *self.fields)

    @classmethod
    def names(cls, row: Any) -> list[str | None]:
        """The names of a record, the one to write first."""
        return [row.name]

    @staticmethod
    def folded(name: str) -> str:
        """What two spellings of one name have in common."""
        return name.strip()

    def named(self, name: str) -> list[Any]:
        return self.by_name.get(self.folded(name), [])

    def name_of(self, pk: int) -> str:
        if pk not in self.written:
            self.written[pk] = self.name_to_write(pk)
        return self.written[pk]

    def name_to_write(self, pk: int) -> str:
        for name in self.names(self.by_id[pk]) if pk in self.by_id else ():
            if name and not BY_ID.fullmatch(name.strip()) and len(self.named(name)) == 1:
                return name.strip()
        return f"#{pk}"

    def find(self, text: str) -> Any:
        """The record that the text names; a ValueError in plain words where there is not exactly one."""
        options = self.model._meta
        by_id = BY_ID.fullmatch(text)
        if by_id:
            row = self.by_id.get(int(by_id[1])) if is_id(by_id[1]) else None
            found = [] if row is None else [row]
        else:
            found = self.named(text)
        if not found:
            raise ValueError(f"There is no {options.verbose_name} {quoted(text)}.")
        if len(found) > 1:
            ids = numbered([row.pk for row in found])
            raise ValueError(
                f"{len(found)} {options.verbose_name_plural} are called {quoted(text)}: write {ids}."
            )
        return found[0]


class Text(Field):
    """A column of text. What is read as it was written changes nothing, whatever an empty cell stood for."""

    def __init__(self, attribute: str, heading: str, *, required: bool = False) -> None:
        super().__init__(attribute=attribute, column_name=heading)
        self.required = required
        # Set by the resource that the column is in.
        self.resource: Any = None

    def export(self, instance: Any, **kwargs: Any) -> str:
        return getattr(instance, self.attribute) or ""

    def parse(self, text: str, instance: Any) -> Any:
        """The value that a cell stands for; a ValueError, in plain words, if none."""
        return text or (None if instance._meta.get_field(self.attribute).null else "")

    def save(self, instance: Any, row: dict[str, str], is_m2m: bool = False, **kwargs: Any) -> None:
        text = row[self.column_name]
        if text != self.export(instance):
            setattr(instance, self.attribute, self.parse(text.strip(), instance))


class YesNo(Text):
    words: ClassVar[dict[str, bool | None]] = {
        "yes": True,
        "true": True,
        "1": True,
        "no": False,
        "false": False,
        "0": False,
        "": None,
    }

    def export(self, instance: Any, **kwargs: Any) -> str:
        return {True: "yes", False: "no", None: ""}[getattr(instance, self.attribute)]

    def parse(self, text: str, instance: Any) -> bool | None:
        try:
            return self.words[text.lower()]
        except KeyError:
            raise ValueError(f"{quoted(text)} is neither yes nor no.") from None


class Kept(Text):
    """A column that is written for the reader; a file can't change it."""

    reason = "can't be changed by a file"

    def save(self, instance: Any, row: dict[str, str], is_m2m: bool = False, **kwargs: Any) -> None:
        if row[self.column_name].strip() != self.export(instance):
            raise ValueError(self.reason)


class Archived(Kept):
    """The day, where the organization is, since which the record has been archived."""

    reason = "can't be changed by a file: archive and restore in the list"

    def export(self, instance: Any, **kwargs: Any) -> str:
        moment = getattr(instance, self.attribute)
        if moment is None:
            return ""
        zone = self.resource.organizations[instance.organization_id].zone
        return timezone.localdate(moment, zone).isoformat()


class Owner(Kept):
    """The id of the organization; an empty cell of a record that is there leaves it where it is."""

    def export(self, instance: Any, **kwargs: Any) -> str:
        return str(instance.organization_id)

    def save(self, instance: Any, row: dict[str, str], is_m2m: bool = False, **kwargs: Any) -> None:
        if row[self.column_name].strip() not in ("", self.export(instance)):
            raise ValueError(self.reason)


class Identifier(Kept):
    """The id, by which a row finds its record before any column is read."""

    def export(self, instance: Any, **kwargs: Any) -> str:
        return str(instance.pk or "")

    def save(self, instance: Any, row: dict[str, str], is_m2m: bool = False, **kwargs: Any) -> None:
        pass


class Reference(Text):
    """A related record of the same organization, by its name in a directory."""

    def __init__(self, attribute: str, heading: str, directory: type[Directory]) -> None:
        super().__init__(attribute, heading, required=True)
        self.directory = directory

    def directory_of(self, instance: Any) -> Directory:
        found: Directory = self.resource.directory(self.directory, instance.organization_id)
        return found

    def export(self, instance: Any, **kwargs: Any) -> str:
        pk = getattr(instance, f"{self.attribute}_id")
        return "" if pk is None else self.directory_of(instance).name_of(pk)

    def parse(self, text: str, instance: Any) -> Any:
        if not text:
            raise ValueError(instance._meta.get_field(self.attribute).error_messages["blank"])
        return self.directory_of(instance).find(text)

    def save(self, instance: Any, row: dict[str, str], is_m2m: bool = False, **kwargs: Any) -> None:
        text = row[self.column_name].strip()
        setattr(instance, self.attribute, self.parse(text, instance))
