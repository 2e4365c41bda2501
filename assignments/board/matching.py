"""Find the people whom a pasted text names: a list, or the text of an e-mail."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from typing import Any

from django.contrib import admin
from django.http import HttpRequest

from assignments.board.rows import people_of
from productive.accounts.models import Person
from productive.admin.bulk.actions import MAX_FOUND
from productive.admin.bulk.pasted import MAX_PASTED, Matches, match_pasted, words_of
from productive.admin.forms import label_with_status

# Characters around a word in a sentence.
AROUND_NAMES = "\"'“”„()[]<>,;:.!?·*-"


@dataclass
class Named:
    """The active people whom a text names, in its order, and the entries that don't name one of them."""

    people: list[int] = field(default_factory=list)
    unknown: list[str] = field(default_factory=list)
    # The people whom an entry could mean, as choices.
    ambiguous: dict[str, list[tuple[int, str]]] = field(default_factory=dict)
    archived: list[str] = field(default_factory=list)

    @property
    def unmatched(self) -> str:
        """Return the entries that the field keeps for correction."""
        return "\n".join([*self.ambiguous, *self.unknown])


class PeopleOfOrganization:
    """The admin of people, limited to a board's organization, for `match_pasted`."""

    def __init__(self, organization: Any) -> None:
        self.organization = organization
        self.admin: Any = admin.site.get_model_admin(Person)

    def get_queryset(self, request: HttpRequest) -> Any:
        return self.admin.get_queryset(request).filter(organization=self.organization)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.admin, name)


def find_named(request: HttpRequest, organization: Any, text: str, chosen: Collection[int]) -> Named:
    """Return the people whom the text names, after those that were chosen for ambiguous entries.

    Entries are matched as in bulk actions. One that is unknown may be a sentence that has names in it.
    """
    # Of a longer text, the rest stays in the field.
    end = len(text) if len(text) <= MAX_PASTED else text.rfind("\n", 0, MAX_PASTED) + 1 or MAX_PASTED
    matches = match_pasted(text[:end], PeopleOfOrganization(organization), request)
    if matches.unknown:
        add_mentioned(matches, people_of(request, organization))
    matches.resolve({str(pk) for pk in chosen})
    active = [row.pk for row in matches.found if row.archived_at is None]
    return Named(
        list(dict.fromkeys([*chosen, *active])),
        [*matches.unknown, *text[end:].splitlines()],
        {
            entry: [(row.pk, label_with_status(row)) for row in rows[:MAX_FOUND]]
            for entry, rows in matches.ambiguous.items()
        },
        [label_with_status(row) for row in matches.found if row.archived_at is not None],
    )


def add_mentioned(matches: Matches, people: Iterable[Any]) -> None:
    """Find full names and addresses in the unknown entries: "Ana Horvat and ivo@agency.example, please"."""
    by_name: dict[tuple[str, ...], list[Any]] = defaultdict(list)
    for person in people:
        by_name[tuple(words_in(str(person)))].append(person)
        if person.email:
            by_name[tuple(words_in(person.email))].append(person)
    longest = max(map(len, by_name), default=0)
    unknown = []
    for entry in matches.unknown:
        words = words_in(entry)
        names = dict.fromkeys(
            tuple(words[start:end])
            for end in range(len(words) + 1)
            for start in range(max(0, end - longest), end)
        )
        found = [name for name in names if name in by_name]
        for name in found:
            if len(by_name[name]) == 1:
                matches.found += by_name[name]
            else:
                matches.ambiguous[" ".join(name)] = by_name[name]
        unknown += [] if found else [entry]
    matches.unknown = unknown
    matches.found = list(dict.fromkeys(matches.found))


def words_in(text: str) -> list[str]:
    """Return the words of a text in its order, as the search of a list compares them."""
    return [found for word in text.split() for found in words_of(word.strip(AROUND_NAMES))]
