"""The first half of the seed: what the agency offers, and who works there."""

from __future__ import annotations

import json
from array import array
from bisect import bisect_right
from collections.abc import Iterable, Iterator
from itertools import chain, product
from operator import neg
from typing import NamedTuple

from django.utils.text import slugify

from assignments.models import Filter, ServiceTypeAssignment
from catalog.models import ServiceType
from productive.accounts.models import Person
from productive.management import agency
from productive.management.calendar import Calendar
from productive.management.loading import Loading, Row

PEOPLE = 48

FOUNDED, FIRST_HIRED, LAST_HIRED = 1830, 1800, 20
# Whoever left and whatever was retired went within the last 150 days: work that is older still knew them.
LONG_AGO = 175

OFFERED = (agency.MANAGEMENT, *agency.DISCIPLINES)
DISCIPLINES = (*OFFERED, *agency.RETIRED_DISCIPLINES)

SERVICE_TYPE = ("name", "description", "created_at", "archived_at")
PERSON = ("first_name", "last_name", "email", "title", "created_at", "archived_at")
HELD = ("person", "service_type", "created_at")
FILTER = ("name", "params", "created_at")


class Craft(NamedTuple):
    """A service type that is written already."""

    type_id: int
    discipline: agency.Discipline


class Colleague(NamedTuple):
    """A person who is written already, with those of their crafts that are still offered."""

    person_id: int
    crafts: list[Craft]


class Roster:
    """Colleagues from the first hired to the last, a few bytes each: there may be a million."""

    def __init__(self, offered: list[Craft]) -> None:
        self.offered = offered
        self.person_ids, self.ages = array("q"), array("h")
        # Everybody's crafts, as places in `offered`, and where each one's begin.
        self.places, self.starts = array("l"), array("l", [0])

    def add(self, person_id: int, age: int, places: Iterable[int] = ()) -> None:
        self.person_ids.append(person_id)
        self.ages.append(age)
        self.places.extend(places)
        self.starts.append(len(self.places))

    def count_hired(self, age: int) -> int:
        """How many of them were there on that day."""
        return bisect_right(self.ages, -age, key=neg)

    def __getitem__(self, number: int) -> Colleague:
        own = self.places[self.starts[number] : self.starts[number + 1]]
        return Colleague(self.person_ids[number], [self.offered[place] for place in own])


class Staff:
    """Writes service types, people and filters, and remembers who there is for the work to come."""

    def __init__(self, calendar: Calendar, loading: Loading, people: int) -> None:
        self.calendar, self.loading, self.people = calendar, loading, people
        self.random, self.moment = calendar.random, calendar.moment
        self.names = list(product(agency.FIRST_NAMES, agency.LAST_NAMES))
        self.random.shuffle(self.names)
        self.mailboxes = {
            first_or_last: slugify(first_or_last)
            for first_or_last in (*agency.FIRST_NAMES, *agency.LAST_NAMES)
        }
        # Fifteen service types, of which three are archived; a larger agency tells them apart by market.
        self.service_types = max(len(DISCIPLINES), people * len(DISCIPLINES) // PEOPLE)
        self.editions = self.service_types // len(DISCIPLINES)
        self.management: list[Craft] = []
        self.crafts: list[Craft] = []
        self.retired: list[Craft] = []
        self.leads, self.makers = Roster(self.management), Roster(self.crafts)
        self.former, self.benched = Roster(self.crafts), Roster(self.crafts)
        self.filter_ids = array("q")

    def write_service_types(self) -> None:
        rows = [self.make_service_type(number) for number in range(self.service_types)]
        for number, type_id in enumerate(self.loading.load_parents(ServiceType, SERVICE_TYPE, rows)):
            craft = Craft(type_id, DISCIPLINES[number % len(DISCIPLINES)])
            if craft.discipline in agency.RETIRED_DISCIPLINES:
                self.retired.append(craft)
            elif craft.discipline is agency.MANAGEMENT:
                self.management.append(craft)
            else:
                self.crafts.append(craft)

    def make_service_type(self, number: int) -> Row:
        edition, position = divmod(number, len(DISCIPLINES))
        discipline = DISCIPLINES[position]
        name = discipline.name
        if edition:
            again, market = divmod(edition - 1, len(agency.MARKETS))
            name += f": {agency.MARKETS[market]}" + (f" {again + 1}" if again else "")
        created_at = self.moment(FOUNDED - self.random.randint(1, 20))
        archived_at = None if position < len(OFFERED) else self.moment(self.random.randint(60, 150))
        return name, discipline.description, created_at, archived_at

    def write_people(self, numbers: range) -> None:
        rows = [self.make_person(number) for number in numbers]
        person_ids = self.loading.load_parents(Person, PERSON, rows)
        left = [row[-1] is not None for row in rows]
        held = chain.from_iterable(map(self.make_held, numbers, person_ids, left))
        self.loading.load(ServiceTypeAssignment, HELD, held)

    def hired(self, number: int) -> int:
        """One after the other, evenly over the years."""
        return FIRST_HIRED - (FIRST_HIRED - LAST_HIRED) * number // self.people

    def make_person(self, number: int) -> Row:
        """Every 7th of those who were there for long has left; a few have no e-mail address or no title."""
        namesakes, position = divmod(number, len(self.names))
        first_name, last_name = self.names[position]
        mailbox = f"{self.mailboxes[first_name]}.{self.mailboxes[last_name]}"
        if namesakes:
            mailbox += f"{namesakes + 1}"
        age = self.hired(number)
        has_left = number % 7 == 4 and age > 400
        return (
            first_name,
            last_name,
            None if number % 23 == 22 else f"{mailbox}@{agency.EMAIL_DOMAIN}",
            None if number % 16 == 15 else self.random.choice(OFFERED[number % len(OFFERED)].titles),
            self.moment(age),
            self.moment(self.random.randint(20, 150)) if has_left else None,
        )

    def make_held(self, number: int, person_id: int, has_left: bool) -> Iterator[Row]:
        """The service types that somebody holds, which also says what they are there for.

        Every 12th leads projects and holds project management alone, so every other type is one that they
        don't hold. Every 24th sits on the bench: only what was archived was theirs.
        """
        edition, position = number // len(OFFERED) % self.editions, number % len(OFFERED)
        age = self.hired(number)
        if position == 0:
            places, held = [edition], [self.management[edition]]
        else:
            places = self.learn(edition * len(agency.DISCIPLINES) + position - 1)
            held = [self.crafts[place] for place in places]
            if number % 3 == 1 and age > LONG_AGO + 10:
                held.append(self.random.choice(self.retired))
        if has_left:
            self.former.add(person_id, age)
        elif number % 24 == 9:
            self.benched.add(person_id, age)
        elif position == 0:
            self.leads.add(person_id, age, places)
        else:
            self.makers.add(person_id, age, places)
        for craft in held:
            yield person_id, craft.type_id, self.moment(age - self.random.randint(1, 10))

    def learn(self, own: int) -> list[int]:
        """Their own craft and some more, as places in the list of all."""
        more = self.random.sample(range(len(self.crafts)), self.random.randint(2, 4))
        return [own, *(place for place in more if place != own)]

    def write_filters(self) -> None:
        rows = []
        for number in range(max(len(agency.VIEWS), self.people // 4)):
            again, position = divmod(number, len(agency.VIEWS))
            view = agency.VIEWS[position]
            name = view.name + (f" ({again + 1})" if again else "")
            rows.append((name, json.dumps(view.params), self.moment(self.random.randint(800, 1700))))
        self.filter_ids.extend(self.loading.load_parents(Filter, FILTER, rows))
