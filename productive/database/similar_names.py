"""Find names that probably mean the same.

Two names are alike if they differ only in case, accents, punctuation, plural, the order of words, or one
letter of a long word, or if one abbreviates the other: "QA", "Q.A." and "Quality assurance".

Names are never compared in pairs: each has keys, and those that share a key are alike. 3,000 names take 50 ms
of processor time, 80,000 people 600 ms.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from typing import NamedTuple, TypeVar

from productive.database.text import fold

K = TypeVar("K", bound=Hashable)

WORD = re.compile(r"[^\W_]+")
# Within a word, these don't separate: "Q.A.", "don't".
JOINED = re.compile("[.'\u2019]")
IGNORED_WORDS = frozenset({"a", "an", "and", "for", "of", "the"})
# Usual abbreviations of one word. Those of several words are found by their initials.
ABBREVIATED = {
    "admin": "administration",
    "dev": "development",
    "mgmt": "management",
    "mgt": "management",
    "mktg": "marketing",
    "ops": "operations",
}
# One letter can differ in words of this length. In shorter ones, it makes another word.
MIN_TYPO_LENGTH = 6
# The length of initials, such as "QA". One letter, as in "Plan B", is no abbreviation.
MIN_INITIALS, MAX_INITIALS = 2, 5


class NameKeys(NamedTuple):
    """What is compared of a name."""

    # The folded words in alphabetical order, in the singular and without abbreviations.
    words: tuple[str, ...]
    # All words as one: "Front-end" is "Frontend".
    joined: str
    # The first letters, if the name has several words, and the name if it may be such letters, or "".
    initials: str
    abbreviation: str


@lru_cache(maxsize=20_000)
def name_keys(name: str) -> NameKeys:
    found = WORD.findall(JOINED.sub("", fold(name)))
    are_letters = all(len(word) == 1 for word in found)
    kept = [word for word in found if are_letters or word not in IGNORED_WORDS] or found
    words = [singular(ABBREVIATED.get(word, word)) for word in kept]
    letters = "".join(kept) if are_letters or len(kept) == 1 else ""
    return NameKeys(
        words=tuple(sorted(words)),
        joined="".join(words),
        initials="" if letters else "".join(word[0] for word in kept),
        abbreviation=letters if MIN_INITIALS <= len(letters) <= MAX_INITIALS and letters.isalpha() else "",
    )


def singular(word: str) -> str:
    """Return an English word without the ending of the plural."""
    if len(word) < 4 or not word.endswith("s") or word.endswith(("ss", "us", "is")):
        return word
    if word.endswith("ies") and len(word) > 4:
        return f"{word[:-3]}y"
    if word.endswith(("sses", "shes", "ches", "xes")):
        return word[:-2]
    return word[:-1]


def typos(word: str) -> set[str]:
    """Return the word, and the word without each of its letters but the first.

    Two words that differ by one letter, too many, missing, wrong or swapped, have one of these in common.
    """
    if len(word) < MIN_TYPO_LENGTH or not word.isalpha():
        return {word}
    return {word, *(word[:place] + word[place + 1 :] for place in range(1, len(word)))}


def are_alike(one: str, other: str) -> bool:
    a, b = name_keys(one), name_keys(other)
    if not a.words or not b.words:
        return False
    if a.words == b.words or a.joined == b.joined:
        return True
    if a.abbreviation and a.abbreviation == b.initials:
        return True
    if b.abbreviation and b.abbreviation == a.initials:
        return True
    # Checked first, because most names differ in more than one word.
    is_near = len(a.words) == len(b.words) and len({*a.words} - {*b.words}) <= 1
    return is_near and not typo_keys(a).isdisjoint(typo_keys(b))


def typo_keys(keys: NameKeys) -> set[tuple[str, ...]]:
    """Return the words with each variant of `typos()` of one of them; it comes last."""
    found: set[tuple[str, ...]] = set()
    for place, word in enumerate(keys.words):
        if len(word) >= MIN_TYPO_LENGTH - 1:
            others = keys.words[:place] + keys.words[place + 1 :]
            found.update((*others, variant) for variant in typos(word))
    return found


def group_alike(names: Mapping[K, str]) -> list[list[K]]:
    """Return groups of keys whose names are alike, in the order of the mapping.

    A group can have names that are only alike to a third one.
    """
    groups = Groups[K]()
    by_key: dict[Hashable, K] = {}
    by_initials: dict[str, list[K]] = defaultdict(list)
    abbreviations: list[tuple[str, K]] = []
    for item, name in names.items():
        keys = name_keys(name)
        if not keys.words:
            continue
        if keys.initials:
            by_initials[keys.initials].append(item)
        if keys.abbreviation:
            abbreviations.append((keys.abbreviation, item))
        for key in ("words", keys.words), ("joined", keys.joined), *typo_keys(keys):
            groups.join(by_key.setdefault(key, item), item)
    for abbreviation, item in abbreviations:
        for other in by_initials[abbreviation]:
            groups.join(item, other)
    return groups.of(names)


class Groups(dict[K, K]):
    """Sets of items that are joined two by two; each item has another one of its set, or itself."""

    def root(self, item: K) -> K:
        while (parent := self.get(item, item)) != item:
            self[item] = item = self.get(parent, parent)
        return item

    def join(self, one: K, other: K) -> None:
        if one != other:
            self[self.root(other)] = self.root(one)

    def of(self, items: Iterable[K]) -> list[list[K]]:
        """Return the sets with more than one item."""
        found: dict[K, list[K]] = defaultdict(list)
        for item in items:
            found[self.root(item)].append(item)
        return [group for group in found.values() if len(group) > 1]


class PersonName(NamedTuple):
    first_name: str
    last_name: str
    email: str | None


def group_people(people: Mapping[K, PersonName]) -> list[list[K]]:
    """Return groups of people with the same name in any order, or with similar addresses.

    Addresses are similar if they differ only in case, accents, punctuation or a part after "+". With
    different domains, the people must have a word of their names in common.
    """
    groups = Groups[K]()
    by_key: dict[Hashable, K] = {}
    for item, person in people.items():
        for key in person_keys(person):
            groups.join(by_key.setdefault(key, item), item)
    return groups.of(people)


def person_keys(person: PersonName) -> Iterator[tuple[str, ...]]:
    words = sorted(WORD.findall(JOINED.sub("", fold(f"{person.first_name} {person.last_name}"))))
    if words:
        yield ("name", *words)
    local, _, domain = fold(person.email or "").partition("@")
    mailbox = "".join(WORD.findall(local.partition("+")[0]))
    if mailbox:
        yield "address", mailbox, domain
        # Not words such as "ana": "info@" and "ana@" exist at many companies.
        if len(mailbox) >= MIN_TYPO_LENGTH:
            for word in words:
                yield "mailbox", mailbox, word


def alike(name: str, names: Sequence[tuple[K, str]]) -> list[K]:
    """Return the keys of the names that are alike to one name."""
    return [key for key, other in names if are_alike(name, other)]
