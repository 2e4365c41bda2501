"""The second half of the seed: projects, their budgets and services, and who is assigned to them."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from itertools import chain, count, islice, product
from typing import NamedTuple

from assignments.models import ProjectAssignment, ServiceAssignment
from catalog.models import Deal, Project, Service
from productive.management import agency
from productive.management.calendar import Calendar
from productive.management.loading import Loading, Row
from productive.management.staffing import LONG_AGO, Colleague, Craft, Roster, Staff

FIRST_BEGUN, LAST_BEGUN = 720, 30

# Budget n has schedule n % 9 and restrictions n % 4. So the first nine have every schedule, and the first
# four have every restriction on a budget that is open today.
SCHEDULES = (
    "running",
    "begun",
    "undated",
    "running",
    "closed early",
    "upcoming",
    "ended",
    "until",
    "closed after its end",
)
# By person, by service type.
RESTRICTIONS = ((False, False), (True, False), (False, True), (True, True))


PROJECT = ("name", "project_number", "created_at", "archived_at")
MEMBER = (
    "project",
    "person",
    "default_filter_id",
    "budgets_filter_id",
    "tasks_layout_id",
    "preferences",
    "watched",
    "created_at",
)
DEAL = (
    "project",
    "name",
    "budget",
    "date",
    "end_date",
    "closed_at",
    "person_restricted_tracking",
    "service_type_restricted_tracking",
    "created_at",
)
SERVICE = ("deal", "service_type", "name", "time_tracking_enabled", "expense_tracking_enabled", "created_at")
ASSIGNEE = ("service", "person", "created_at")


def often_none(*values: object) -> tuple[object, ...]:
    """To choose from: None more often than any."""
    return None, None, *values


# What somebody made of a project's page: the layout of its tasks, their preferences, whether they watch it.
HABITS = list(
    product(
        often_none(1, 2, 3),
        often_none(*map(json.dumps, ({"tasks": {"group_by": "status"}}, {"budgets": {"show_closed": True}}))),
        often_none(True, False),
    )
)


class Engagement(NamedTuple):
    """A project with its team: one who leads it, those who do the work, those who no longer can."""

    project: Row
    age: int
    archived: bool
    lead: Colleague
    makers: list[Colleague]
    former: list[Colleague]
    benched: list[Colleague]


class Sale(NamedTuple):
    """A budget of an engagement, the `number`th of the agency."""

    deal: Row
    age: int
    number: int
    person_restricted: bool
    engagement: Engagement


class Work:
    """Writes projects and all that hangs on them, a batch of projects at a time."""

    def __init__(self, calendar: Calendar, loading: Loading, staff: Staff, projects: int) -> None:
        self.calendar, self.loading, self.staff, self.projects = calendar, loading, staff, projects
        self.random, self.moment = calendar.random, calendar.moment
        self.names = [" ".join(words) for words in product(agency.CLIENTS, agency.UNDERTAKINGS)]
        self.random.shuffle(self.names)
        self.deal_numbers = count()

    def write_projects(self, numbers: range) -> None:
        load, load_parents = self.loading.load, self.loading.load_parents
        engagements = [self.make_engagement(number) for number in numbers]
        project_ids = load_parents(Project, PROJECT, [engagement.project for engagement in engagements])
        load(
            ProjectAssignment,
            MEMBER,
            chain.from_iterable(map(self.make_members, project_ids, engagements)),
        )
        sales = list(chain.from_iterable(map(self.make_sales, numbers, project_ids, engagements)))
        deal_ids = load_parents(Deal, DEAL, [sale.deal for sale in sales])
        services = [list(self.make_services(*numbered)) for numbered in zip(deal_ids, sales, strict=True)]
        service_ids = iter(load_parents(Service, SERVICE, list(chain.from_iterable(services))))
        totals = map(len, services)
        load(
            ServiceAssignment,
            ASSIGNEE,
            chain.from_iterable(
                self.make_assignees(sale, islice(service_ids, total))
                for sale, total in zip(sales, totals, strict=True)
            ),
        )

    def make_engagement(self, number: int) -> Engagement:
        """Begun one after the other, by people who were there on that day. Every 8th is archived."""
        age = FIRST_BEGUN - (FIRST_BEGUN - LAST_BEGUN) * number // self.projects
        again, position = divmod(number, len(self.names))
        created_at = self.moment(age)
        archived = number % 8 == 5
        project = (
            self.names[position] + (f" {again + 1}" if again else ""),
            f"{created_at[:4]}-{number + 1:03}",
            created_at,
            self.moment(self.random.randint(5, 12)) if archived else None,
        )
        staff = self.staff
        return Engagement(
            project,
            age,
            archived,
            lead=staff.leads[number % staff.leads.count_hired(age)],
            makers=self.choose(staff.makers, age, self.random.randint(5, 9)),
            former=self.choose(staff.former, age, 1) if age > LONG_AGO else [],
            benched=self.choose(staff.benched, age, 1) if archived else [],
        )

    def choose(self, roster: Roster, age: int, most: int) -> list[Colleague]:
        """Some of those who were there on that day."""
        there = roster.count_hired(age)
        return [roster[number] for number in self.random.sample(range(there), min(there, most))]

    def make_members(self, project_id: int, engagement: Engagement) -> Iterator[Row]:
        choice, filter_ids = self.random.choice, self.staff.filter_ids
        lead = engagement.lead
        for colleague in (lead, *engagement.makers, *engagement.former, *engagement.benched):
            favorite = choice(filter_ids)
            yield (
                project_id,
                colleague.person_id,
                favorite if colleague is lead else choice((None, None, favorite)),
                choice((None, None, choice(filter_ids))),
                *choice(HABITS),
                self.moment(engagement.age - self.random.randint(1, 2)),
            )

    def make_sales(self, number: int, project_id: int, engagement: Engagement) -> Iterator[Sale]:
        """One budget, and on two projects of five a second one for what comes after."""
        yield self.make_sale(project_id, engagement, engagement.age - 1, "")
        if number % 5 in (0, 3):
            yield self.make_sale(project_id, engagement, engagement.age * 2 // 3, "Support ")

    def make_sale(self, project_id: int, engagement: Engagement, age: int, addition: str) -> Sale:
        number = next(self.deal_numbers)
        # The budgets of archived projects are those that somebody forgot to close.
        schedule = "begun" if engagement.archived else SCHEDULES[number % 9]
        start, end, closed = self.plan(schedule, age)
        day, moment = self.calendar.day, self.moment
        by_person, by_service_type = RESTRICTIONS[number % 4]
        deal = (
            project_id,
            f"{engagement.project[0]} {addition}{day(age if start is None else start).year}",
            True,
            None if start is None else day(start).isoformat(),
            None if end is None else day(end).isoformat(),
            None if closed is None else moment(closed),
            by_person,
            by_service_type,
            moment(age),
        )
        return Sale(deal, age, number, by_person, engagement)

    def plan(self, schedule: str, age: int) -> tuple[int | None, int | None, int | None]:
        """When a budget that was made `age` days ago starts, when it ends, and when it was closed."""
        between = self.random.randint
        plans: dict[str, tuple[int | None, int | None, int | None]] = {
            "running": (age, -between(30, 300), None),
            "begun": (age, None, None),
            "undated": (None, None, None),
            "until": (None, -between(30, 300), None),
            "upcoming": (-between(10, 60), -between(100, 300), None),
            "ended": (age, between(2, age // 2), None),
            "closed early": (age, -between(30, 300), between(5, 12)),
            "closed after its end": (age, age * 2 // 5, age * 2 // 5 - between(1, 3)),
        }
        return plans[schedule]

    def make_services(self, deal_id: int, sale: Sale) -> Iterator[Row]:
        """The lead's first, then the makers'. On an unrestricted budget tracking is off on the next three:
        time on the first, expenses on the second, both on the third."""
        unrestricted = sale.number % 4 == 0
        total = self.random.randint(4, 6)
        sold: set[str] = set()
        for position in range(total):
            craft = self.choose_craft(sale, position, last=position == total - 1)
            offer = craft.discipline.services
            if unrestricted and position == 1:
                craft, offer = sale.engagement.lead.crafts[0], agency.EXPENSES
            unsold = [name for name in offer if name not in sold] or [f"{offer[0]} {position + 1}"]
            name = self.random.choice(unsold)
            sold.add(name)
            yield (
                deal_id,
                craft.type_id,
                name,
                not (unrestricted and position in (1, 3)),
                not (unrestricted and position in (2, 3)),
                self.moment(sale.age - 1),
            )

    def choose_craft(self, sale: Sale, position: int, *, last: bool) -> Craft:
        """One that somebody of the team holds; on old budgets the last is sometimes one since retired."""
        engagement = sale.engagement
        if position == 0:
            return engagement.lead.crafts[0]
        if last and sale.number % 3 == 0 and sale.age > LONG_AGO:
            return self.random.choice(self.staff.retired)
        return self.random.choice(self.random.choice(engagement.makers).crafts)

    def make_assignees(self, sale: Sale, service_ids: Iterable[int]) -> Iterator[Row]:
        for position, service_id in enumerate(service_ids):
            for colleague in self.choose_assignees(sale, position):
                yield service_id, colleague.person_id, self.moment(sale.age - 1 - self.random.randint(1, 3))

    def choose_assignees(self, sale: Sale, position: int) -> list[Colleague]:
        """The lead on the first. Restricted by person: nobody on the second, whoever left on the third."""
        engagement = sale.engagement
        former = engagement.former if sale.age > LONG_AGO else []
        if position == 0:
            return [engagement.lead]
        if sale.person_restricted:
            if position == 1:
                return []
            if position == 2 and former:
                return former
        elif self.random.random() < 0.5:
            return []
        team = [engagement.lead, *engagement.makers, *former]
        return self.random.sample(team, self.random.randint(1, 4))
