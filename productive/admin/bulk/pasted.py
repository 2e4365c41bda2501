"""Match pasted text with records: names, labels or e-mail addresses."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from typing import Any

from django.db.models import Model
from django.http import HttpRequest

from productive.admin.forms import SEPARATOR, label_of, label_with_status
from productive.database.text import AROUND_WORDS, fold

# Characters of pasted text, and its entries. Each entry takes a query; further ones stay unknown.
MAX_PASTED = 20_000
MAX_ENTRIES = 200
# Search results that are compared with an entry.
MAX_CANDIDATES = 200

# The parts of a line, separated by commas, semicolons or tabs outside of quotes.
ENTRY = re.compile(r'(?:"[^"]*"|[^,;\t])+')
# "Ana Horvat <ana@agency.example>", as mail programs copy it.
ADDRESS = re.compile(r'(?:"[^"]*"|[^<>",;]*)\s*<([^<>@\s]+@[^<>@\s]+)>')


@dataclass(slots=True)
class Matches:
    """The records that the entries of a text name, and the entries that don't name one record."""

    found: list[Any] = field(default_factory=list)
    # The records that an entry could mean.
    ambiguous: dict[str, list[Any]] = field(default_factory=dict)
    unknown: list[str] = field(default_factory=list)

    @property
    def unmatched(self) -> list[str]:
        return [*self.ambiguous, *self.unknown]

    def resolve(self, ids: Collection[str]) -> None:
        """Remove ambiguous entries of which the user has chosen a record."""
        self.ambiguous = {
            entry: rows
            for entry, rows in self.ambiguous.items()
            if not any(str(row.pk) in ids for row in rows)
        }


def match_pasted(text: str, model_admin: Any, request: HttpRequest) -> Matches:
    """Return the records that the user may see and that the entries name.

    A line is an entry, or has several, separated by commas, semicolons or tabs. An entry names a record if
    it has the same words as its label, its text or a value that the list's search finds, in any case and
    order: "Horvat, Ana" names Ana Horvat. Active records take precedence over inactive ones.
    """
    matches, number = Matches(), 0
    for line in filter(None, map(str.strip, text.splitlines())):
        if number < MAX_ENTRIES and (named := records_named(line, model_admin, request)):
            number += 1
            add(matches, line, named)
            continue
        for entry in filter(None, map(str.strip, ENTRY.findall(line))):
            number += 1
            add(matches, entry, records_named(entry, model_admin, request) if number <= MAX_ENTRIES else [])
    matches.found = list(dict.fromkeys(matches.found))
    return matches


def add(matches: Matches, entry: str, named: list[Any]) -> None:
    match named:
        case []:
            matches.unknown.append(entry)
        case [record]:
            matches.found.append(record)
        case _:
            matches.ambiguous[entry] = named


def records_named(entry: str, model_admin: Any, request: HttpRequest) -> list[Any]:
    """Return the records that the entry names, only active ones if there are any."""
    if address := ADDRESS.fullmatch(entry):
        entry = address[1]
    _, status = model_admin.inactive
    wanted = words_of(entry.removesuffix(f"({status})"))
    if not wanted:
        return []
    rows, _ = model_admin.get_search_results(request, model_admin.get_queryset(request), " ".join(wanted))
    candidates = rows.order_by(*model_admin.get_ordering(request), "pk")[:MAX_CANDIDATES]
    named = [row for row in candidates if wanted in map(words_of, names_of(row, model_admin, request))]
    return [row for row in named if label_with_status(row) == label_of(row)] or named


def names_of(record: Model, model_admin: Any, request: HttpRequest) -> Iterator[str]:
    """Yield the texts that name a record: its label, without the last parts too, and its own values.

    The values are those that the list's search finds.
    """
    parts = label_of(record).split(SEPARATOR)
    yield from (SEPARATOR.join(parts[:number]) for number in range(len(parts), 0, -1))
    yield str(record)
    for name in model_admin.get_search_fields(request):
        if "__" not in name:
            yield str(getattr(record, name) or "")


def words_of(text: str) -> list[str]:
    """Return the words in alphabetical order, as the search of a list compares them."""
    words = (word.strip(AROUND_WORDS) for word in fold(text).split())
    return sorted(filter(None, words))
