"""The first half of the seed: the calendar, what the agency offers, and who works there."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable
from datetime import date, datetime, time, timedelta
from itertools import product
from random import Random
from typing import Any, NamedTuple, TypeVar

from django.db import models
from django.utils.text import slugify

from assignments.models import Filter, ServiceTypeAssignment
from catalog.models import ServiceType
from productive.accounts.models import Organization, Person
from productive.management import agency

PEOPLE = 48

# Every age is in days before today, so a day to come has a negative one.
FOUNDED, FIRST_HIRED, LAST_HIRED = 1830, 1800, 20
# Whoever left and whatever was retired went within the last 150 days: work that is older still knew them.
LONG_AGO = 175

OFFERED = (agency.MANAGEMENT, *agency.DISCIPLINES)
DISCIPLINES = (*OFFERED, *agency.RETIRED_DISCIPLINES)

M = TypeVar("M", bound=models.Model)


class Craft(NamedTuple):
    """A service type that is saved already."""

    type_id: int
    discipline: agency.Discipline


class Colleague(NamedTuple):
    """A person who is saved already."""

    person_id: int
    age: int
    crafts: list[Craft]


def save(model: type[M], rows: Iterable[M]) -> list[M]:
    return model._default_manager.bulk_create(rows, batch_size=1000)


def count_hired(colleagues: list[Colleague], age: int) -> int:
    """How many of them were there on that day; the list runs from the first hired to the last."""
    return bisect_right(colleagues, -age, key=lambda colleague: -colleague.age)


class Calendar:
    """The days and office hours of an organization, and the one random generator for everything."""

    def __init__(self, organization: Organization, random_seed: int) -> None:
        self.today, self.zone = organization.today(), organization.zone
        # Repeatable is the point, and nothing of it is a secret.
        self.random = Random(random_seed)  # noqa: S311

    def day(self, age: int) -> date:
        return self.today - timedelta(days=age)

    def moment(self, age: int) -> datetime:
        at = time(self.random.randint(8, 16), self.random.randrange(60), self.random.randrange(60))
        return datetime.combine(self.day(age), at, tzinfo=self.zone)

    def maybe(self, *values: Any) -> Any:
        """One of them, or None more often than any."""
        return self.random.choice((None, None, *values))


class Staff:
    """Writes service types, people and filters, and remembers who there is for the work to come."""

    def __init__(self, organization: Organization, calendar: Calendar, people: int) -> None:
        self.organization, self.calendar, self.people = organization, calendar, people
        self.random, self.moment = calendar.random, calendar.moment
        self.names = list(product(agency.FIRST_NAMES, agency.LAST_NAMES))
        self.random.shuffle(self.names)
        self.management: list[Craft] = []
        self.crafts: list[Craft] = []
        self.retired: list[Craft] = []
        self.leads: list[Colleague] = []
        self.makers: list[Colleague] = []
        self.former: list[Colleague] = []
        self.benched: list[Colleague] = []
        self.filter_ids: list[int] = []

    def write_service_types(self) -> None:
        """Fifteen, of which three are archived; more of both kinds, by market, in a larger agency."""
        total = max(len(DISCIPLINES), self.people * len(DISCIPLINES) // PEOPLE)
        rows = save(ServiceType, map(self.make_service_type, range(total)))
        for number, row in enumerate(rows):
            craft = Craft(row.pk, DISCIPLINES[number % len(DISCIPLINES)])
            if row.archived_at is not None:
                self.retired.append(craft)
            elif craft.discipline is agency.MANAGEMENT:
                self.management.append(craft)
            else:
                self.crafts.append(craft)

    def make_service_type(self, number: int) -> ServiceType:
        edition, position = divmod(number, len(DISCIPLINES))
        discipline = DISCIPLINES[position]
        name = discipline.name
        if edition:
            again, market = divmod(edition - 1, len(agency.MARKETS))
            name += f": {agency.MARKETS[market]}" + (f" {again + 1}" if again else "")
        return ServiceType(
            organization=self.organization,
            name=name,
            description=discipline.description,
            created_at=self.moment(FOUNDED - self.random.randint(1, 20)),
            archived_at=None if discipline in OFFERED else self.moment(self.random.randint(60, 150)),
        )

    def write_people(self, numbers: range) -> None:
        """Every 12th leads projects; every 24th sits on the bench: only what was archived was theirs."""
        people = save(Person, map(self.make_person, numbers))
        colleagues = []
        for number, person in zip(numbers, people, strict=True):
            colleague = Colleague(person.pk, self.hired(number), self.learn(number))
            colleagues.append(colleague)
            if person.archived_at is not None:
                self.former.append(colleague)
            elif number % 24 == 9:
                self.benched.append(colleague)
            elif number % 12 == 0:
                self.leads.append(colleague)
            else:
                self.makers.append(colleague)
        save(
            ServiceTypeAssignment,
            (
                ServiceTypeAssignment(
                    organization=self.organization,
                    person_id=colleague.person_id,
                    service_type_id=craft.type_id,
                    created_at=self.moment(colleague.age - self.random.randint(1, 10)),
                )
                for colleague in colleagues
                for craft in colleague.crafts
            ),
        )

    def hired(self, number: int) -> int:
        """One after the other, evenly over the years."""
        return FIRST_HIRED - (FIRST_HIRED - LAST_HIRED) * number // self.people

    def make_person(self, number: int) -> Person:
        """Every 7th of those who were there for long has left; a few have no e-mail address or no title."""
        namesakes, position = divmod(number, len(self.names))
        first_name, last_name = self.names[position]
        mailbox = f"{slugify(first_name)}.{slugify(last_name)}" + (f"{namesakes + 1}" if namesakes else "")
        age = self.hired(number)
        has_left = number % 7 == 4 and age > 400
        title = self.random.choice(OFFERED[number % len(OFFERED)].titles)
        return Person(
            organization=self.organization,
            first_name=first_name,
            last_name=last_name,
            email=None if number % 23 == 22 else f"{mailbox}@{agency.EMAIL_DOMAIN}",
            title=None if number % 16 == 15 else title,
            created_at=self.moment(age),
            archived_at=self.moment(self.random.randint(20, 150)) if has_left else None,
        )

    def learn(self, number: int) -> list[Craft]:
        """Leads hold project management alone, so every other type is one that they don't hold."""
        position = number % len(OFFERED)
        if position == 0:
            return self.management[:1]
        own = self.crafts[position - 1]
        crafts = [own]
        for craft in self.random.sample(self.crafts, self.random.randint(2, 4)):
            if craft != own:
                crafts.append(craft)
        if number % 3 == 1 and self.hired(number) > LONG_AGO + 10:
            crafts.append(self.random.choice(self.retired))
        return crafts

    def write_filters(self) -> None:
        rows = []
        for number in range(max(len(agency.VIEWS), self.people // 4)):
            again, position = divmod(number, len(agency.VIEWS))
            view = agency.VIEWS[position]
            rows.append(
                Filter(
                    organization=self.organization,
                    name=view.name + (f" ({again + 1})" if again else ""),
                    params=view.params,
                    created_at=self.moment(self.random.randint(800, 1700)),
                )
            )
        self.filter_ids = [row.pk for row in save(Filter, rows)]
