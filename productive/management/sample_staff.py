"""Create the staff of the sample agency: its service types and the people who hold them.

An age is a number of days before today; a day in the future has a negative age. All draws come from one
random generator, so a seed always gives the same agency.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator, Sequence
from datetime import date, datetime, time, timedelta
from itertools import product
from random import Random
from typing import Any, NamedTuple, TypeVar

from django.utils.text import slugify

from assignments.models import ServiceTypeAssignment
from catalog.models import Service, ServiceType
from productive.accounts.models import Organization, Person
from productive.accounts.owned import OrganizationOwned
from productive.management import agency

FOUNDED, FIRST_HIRED, LAST_HIRED = 1830, 1800, 20
# People left, and service types were archived, in the last 150 days, so older work can refer to them.
LONG_AGO = 175

OFFERED = (agency.MANAGEMENT, *agency.DISCIPLINES)
DISCIPLINES_BY_NAME = {discipline.name: discipline for discipline in (*OFFERED, *agency.RETIRED_DISCIPLINES)}

T = TypeVar("T")
OwnedModel = TypeVar("OwnedModel", bound=OrganizationOwned)


def without_accents(text: str) -> str:
    decomposed = unicodedata.normalize("NFD", text)
    return "".join(letter for letter in decomposed if not unicodedata.combining(letter))


class Employee(NamedTuple):
    """A person, the age of the employment, and the usable service types."""

    person: Person
    age: int
    service_types: list[ServiceType]


class SampleStaff:
    """Create an organization with its service types and people."""

    def __init__(self, organization: Organization, random_seed: int) -> None:
        self.organization, self.today = organization, organization.today()
        self.random = Random(random_seed)  # noqa: S311
        self.staff: dict[str, list[Employee]] = {"lead": [], "maker": [], "former": [], "idle": []}

    def create_staff(self, people: int) -> None:
        self.organization.created_at = self.moment(FOUNDED)
        # Unlike save(), bulk_create() records no history; `seed` records it as of `created_at`.
        Organization.objects.bulk_create([self.organization])
        names = self.shuffled(agency.FIRST_NAMES, agency.LAST_NAMES)[:people]
        types = ServiceType.objects.bulk_create(self.service_types())
        self.manager_type, *self.maker_types = types[: len(OFFERED)]
        self.retired_types = types[len(OFFERED) :]
        staff = Person.objects.bulk_create(self.people(names))
        ServiceTypeAssignment.objects.bulk_create(self.service_type_assignments(staff))

    def shuffled(self, *words: Sequence[str]) -> list[tuple[str, ...]]:
        """Return all combinations of the words in random order."""
        combinations = list(product(*words))
        self.random.shuffle(combinations)
        return combinations

    def pick(self, options: Sequence[T]) -> T:
        # Not choice(), which would create a different agency from the one in the screenshots.
        return self.random.choices(options)[0]

    def between(self, first: int, last: int) -> int:
        return self.pick(range(first, last + 1))

    def day(self, age: int) -> date:
        return self.today - timedelta(days=age)

    def moment(self, age: int) -> datetime:
        """Return a random second of that day's office hours."""
        opening = datetime.combine(self.day(age), time(8), self.organization.zone)
        return opening + timedelta(seconds=self.pick(range(9 * 60 * 60)))

    def new(self, model: type[OwnedModel], *, age: int, **values: Any) -> OwnedModel:
        return model(organization=self.organization, **values, created_at=self.moment(age))

    def service_types(self) -> Iterator[ServiceType]:
        for name, discipline in DISCIPLINES_BY_NAME.items():
            age = FOUNDED - self.between(1, 20)
            row = self.new(ServiceType, name=name, description=discipline.description, age=age)
            if discipline not in OFFERED:
                row.archived_at = self.moment(self.between(60, 150))
            yield row

    def people(self, names: list[tuple[str, ...]]) -> Iterator[Person]:
        """Yield people, hired one by one. Every 7th has left.

        The last two have been added before, one of them without accents, the other with a private address.
        """
        names = [*names[:-2], names[1], names[2]]
        names[-2] = tuple(map(without_accents, names[-2]))
        for number, (first_name, last_name) in enumerate(names):
            domain = agency.EMAIL_DOMAIN if number < len(names) - 2 else agency.PRIVATE_DOMAIN
            mailbox = f"{slugify(first_name)}.{slugify(last_name)}@{domain}"
            age = FIRST_HIRED - (FIRST_HIRED - LAST_HIRED) * number // len(names)
            person = self.new(
                Person,
                first_name=first_name,
                last_name=last_name,
                email=None if number % 23 == 22 else mailbox,
                title=None if number % 16 == 15 else self.pick(OFFERED[number % len(OFFERED)].titles),
                age=age,
            )
            if number % 7 == 4 and age > 400:
                person.archived_at = self.moment(self.between(20, 150))
            yield person

    def service_type_assignments(self, staff: list[Person]) -> Iterator[ServiceTypeAssignment]:
        """Assign service types, and divide the staff by role.

        Every 12th person leads projects, and only has project management. Some also have an archived type.
        """
        for number, person in enumerate(staff):
            age, position = (self.today - person.created_at.date()).days, number % len(OFFERED)
            service_types = [self.manager_type]
            if position != 0:
                learned = self.random.sample(self.maker_types, self.between(2, 4))
                service_types = [*dict.fromkeys([self.maker_types[position - 1], *learned])]
            role = "idle" if number % 24 == 9 else "maker" if position else "lead"
            self.staff["former" if person.archived_at else role].append(Employee(person, age, service_types))
            if position != 0 and number % 3 == 1 and age > LONG_AGO + 10:
                service_types = [*service_types, self.pick(self.retired_types)]
            for service_type in service_types:
                since = age - self.between(1, 10)
                yield self.new(ServiceTypeAssignment, person=person, service_type=service_type, age=since)

    def choose(self, role: str, age: int, most: int) -> list[Employee]:
        """Return some of those who were employed on that day."""
        employed = [employee for employee in self.staff[role] if employee.age >= age]
        return self.random.sample(employed, min(len(employed), most))

    def add_duplicate_types(self) -> None:
        """Create service types that exist already, with a few of the other one's services and people.

        Only services of budgets that aren't restricted by service type change, so access stays the same.
        """
        for name, original in agency.DUPLICATES:
            duplicate = self.new(ServiceType, name=name, age=FOUNDED - 30)
            ServiceType.objects.bulk_create([duplicate])
            if (name, original) == agency.DUPLICATES[-1]:
                continue
            services = Service.objects.owned_by(self.organization).filter(
                service_type__name=original, deal__service_type_restricted_tracking=False
            )
            chosen = list(services.order_by("-created_at").values_list("pk", flat=True)[:3])
            services.filter(pk__in=chosen).update(service_type=duplicate)
            held = ServiceTypeAssignment.objects.owned_by(self.organization).filter(
                service_type__name=original, person__archived_at=None
            )
            people = [pair.person for pair in held.select_related("person").order_by("-created_at")[:2]]
            ServiceTypeAssignment.objects.bulk_create(
                self.new(ServiceTypeAssignment, person=person, service_type=duplicate, age=2)
                for person in people
            )
