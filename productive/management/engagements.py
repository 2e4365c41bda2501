"""The second half of the seed: projects, their budgets and services, and who is assigned to them."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain, count, product
from typing import NamedTuple

from assignments.models import ProjectAssignment, ServiceAssignment
from catalog.models import Deal, Project, Service
from productive.accounts.models import Organization
from productive.management import agency
from productive.management.staffing import (
    LONG_AGO,
    OFFERED,
    Calendar,
    Colleague,
    Craft,
    Staff,
    count_hired,
    save,
)

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


class Engagement(NamedTuple):
    """A project with its team: one who leads it, those who do the work, those who no longer can."""

    project: Project
    age: int
    lead: Colleague
    makers: list[Colleague]
    former: list[Colleague]
    benched: list[Colleague]


class Sale(NamedTuple):
    """A budget of an engagement, the `number`th of the agency."""

    deal: Deal
    age: int
    number: int
    engagement: Engagement


class Work:
    """Writes projects and all that hangs on them, a batch of projects at a time."""

    def __init__(self, organization: Organization, calendar: Calendar, staff: Staff, projects: int) -> None:
        self.organization, self.calendar, self.staff, self.projects = organization, calendar, staff, projects
        self.random, self.moment, self.maybe = calendar.random, calendar.moment, calendar.maybe
        self.names = list(product(agency.CLIENTS, agency.UNDERTAKINGS))
        self.random.shuffle(self.names)
        self.deal_numbers = count()

    def write_projects(self, numbers: range) -> None:
        engagements = [self.make_engagement(number) for number in numbers]
        save(Project, (engagement.project for engagement in engagements))
        save(ProjectAssignment, chain.from_iterable(map(self.make_members, engagements)))
        sales = list(chain.from_iterable(map(self.make_sales, numbers, engagements)))
        save(Deal, (sale.deal for sale in sales))
        services = [list(self.make_services(sale)) for sale in sales]
        save(Service, chain.from_iterable(services))
        save(ServiceAssignment, chain.from_iterable(map(self.make_assignments, sales, services)))

    def make_engagement(self, number: int) -> Engagement:
        """Begun one after the other, by people who were there on that day. Every 8th is archived."""
        age = FIRST_BEGUN - (FIRST_BEGUN - LAST_BEGUN) * number // self.projects
        again, position = divmod(number, len(self.names))
        created_at = self.moment(age)
        archived = number % 8 == 5
        project = Project(
            organization=self.organization,
            name=" ".join(self.names[position]) + (f" {again + 1}" if again else ""),
            project_number=f"{created_at:%Y}-{number + 1:03}",
            created_at=created_at,
            archived_at=self.moment(self.random.randint(5, 12)) if archived else None,
        )
        staff = self.staff
        return Engagement(
            project,
            age,
            lead=staff.leads[number % count_hired(staff.leads, age)],
            makers=self.choose(staff.makers, age, self.random.randint(5, 9)),
            former=self.choose(staff.former, age, 1) if age > LONG_AGO else [],
            benched=self.choose(staff.benched, age, 1) if archived else [],
        )

    def choose(self, colleagues: list[Colleague], age: int, most: int) -> list[Colleague]:
        """Some of those who were there on that day. No copy of the list: there may be tens of thousands."""
        there = count_hired(colleagues, age)
        return [colleagues[index] for index in self.random.sample(range(there), min(there, most))]

    def make_members(self, engagement: Engagement) -> Iterator[ProjectAssignment]:
        lead, makers, former, benched = engagement[2:]
        for colleague in (lead, *makers, *former, *benched):
            favorite = self.random.choice(self.staff.filter_ids)
            yield ProjectAssignment(
                organization=self.organization,
                person_id=colleague.person_id,
                project=engagement.project,
                default_filter_id=favorite if colleague is lead else self.maybe(favorite),
                budgets_filter_id=self.maybe(self.random.choice(self.staff.filter_ids)),
                tasks_layout_id=self.maybe(1, 2, 3),
                preferences=self.maybe({"tasks": {"group_by": "status"}}, {"budgets": {"show_closed": True}}),
                watched=self.maybe(True, False),
                created_at=self.moment(engagement.age - self.random.randint(1, 2)),
            )

    def make_sales(self, number: int, engagement: Engagement) -> Iterator[Sale]:
        """One budget, and on two projects of five a second one for what comes after."""
        yield self.make_sale(engagement, engagement.age - 1, "")
        if number % 5 in (0, 3):
            yield self.make_sale(engagement, engagement.age * 2 // 3, "Support ")

    def make_sale(self, engagement: Engagement, age: int, addition: str) -> Sale:
        number = next(self.deal_numbers)
        # The budgets of archived projects are those that somebody forgot to close.
        schedule = SCHEDULES[number % 9] if engagement.project.archived_at is None else "begun"
        start, end, closed = self.plan(schedule, age)
        day, moment = self.calendar.day, self.moment
        by_person, by_service_type = RESTRICTIONS[number % 4]
        deal = Deal(
            organization=self.organization,
            project=engagement.project,
            name=f"{engagement.project.name} {addition}{day(age if start is None else start).year}",
            date=None if start is None else day(start),
            end_date=None if end is None else day(end),
            closed_at=None if closed is None else moment(closed),
            person_restricted_tracking=by_person,
            service_type_restricted_tracking=by_service_type,
            created_at=moment(age),
        )
        return Sale(deal, age, number, engagement)

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

    def make_services(self, sale: Sale) -> Iterator[Service]:
        """The lead's first, then the makers'. On an unrestricted budget tracking is off on the next three:
        time on the first, expenses on the second, both on the third."""
        unrestricted = sale.number % 4 == 0
        total = self.random.randint(4, 6)
        sold: set[str] = set()
        for position in range(total):
            craft = self.choose_craft(sale, position, last=position == total - 1)
            offer = craft.discipline.services
            if unrestricted and position == 1:
                craft, offer = self.staff.management[0], agency.EXPENSES
            unsold = [name for name in offer if name not in sold] or [f"{offer[0]} {position + 1}"]
            name = self.random.choice(unsold)
            sold.add(name)
            yield Service(
                organization=self.organization,
                deal=sale.deal,
                service_type_id=craft.type_id,
                name=name,
                time_tracking_enabled=not (unrestricted and position in (1, 3)),
                expense_tracking_enabled=not (unrestricted and position in (2, 3)),
                created_at=self.moment(sale.age - 1),
            )

    def choose_craft(self, sale: Sale, position: int, *, last: bool) -> Craft:
        """One that somebody of the team holds; on old budgets the last is sometimes one since retired."""
        if position == 0:
            return self.staff.management[0]
        if last and sale.number % 3 == 0 and sale.age > LONG_AGO:
            return self.random.choice(self.staff.retired)
        maker = self.random.choice(sale.engagement.makers)
        return self.random.choice([craft for craft in maker.crafts if craft.discipline in OFFERED])

    def make_assignments(self, sale: Sale, services: list[Service]) -> Iterator[ServiceAssignment]:
        for position, service in enumerate(services):
            for colleague in self.choose_assignees(sale, position):
                yield ServiceAssignment(
                    organization=self.organization,
                    person_id=colleague.person_id,
                    service=service,
                    created_at=self.moment(sale.age - 1 - self.random.randint(1, 3)),
                )

    def choose_assignees(self, sale: Sale, position: int) -> list[Colleague]:
        """The lead on the first. Restricted by person: nobody on the second, whoever left on the third."""
        engagement = sale.engagement
        former = engagement.former if sale.age > LONG_AGO else []
        if position == 0:
            return [engagement.lead]
        if sale.deal.person_restricted_tracking:
            if position == 1:
                return []
            if position == 2 and former:
                return former
        elif self.random.random() < 0.5:
            return []
        team = [engagement.lead, *engagement.makers, *former]
        return self.random.sample(team, self.random.randint(1, 4))
