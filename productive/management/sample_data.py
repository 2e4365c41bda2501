"""Create a realistic agency with every outcome of the tracking rule.

`sample_staff` explains ages. All draws come from one random generator, in the order of the methods.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, time
from itertools import product
from typing import NamedTuple

from django.utils.text import slugify

from assignments.models import Filter, ProjectAssignment, ServiceAssignment
from catalog.models import Company, Deal, Project, Service, ServiceType
from productive.management import agency
from productive.management.sample_staff import DISCIPLINES_BY_NAME, LONG_AGO, Employee, SampleStaff

FIRST_STARTED, LAST_STARTED = 720, 30

# By person, by service type. Budget n has restrictions n % 4 and schedule n % 9. So the first four budgets
# have all pairs of restrictions and are open today, and the first nine have all schedules.
RESTRICTION_CHOICES = ((False, False), (True, False), (False, True), (True, True))
BEGUN = 1
# Settings of a project's page; most people have none.
PREFERENCES = ({"tasks": {"group_by": "status"}}, {"budgets": {"show_closed": True}})
PAGE = ("tasks_layout_id", "preferences", "watched")
PAGES = list(product((None, None, 1, 2, 3), (None, None, *PREFERENCES), (None, None, True, False)))

# The ages of the start, the end and the closing.
Schedule = tuple[int | None, int | None, int | None]


class Team(NamedTuple):
    """A project and its members.

    `former` members have left the agency; `idle` people are only on archived projects.
    """

    project: Project
    age: int
    lead: Employee
    makers: list[Employee]
    former: list[Employee]
    idle: list[Employee]


class Budget(NamedTuple):
    """A budget, the `number`th of the agency."""

    deal: Deal
    age: int
    number: int
    team: Team


class SampleAgency(SampleStaff):
    """Create an organization with all its records."""

    def create(self, people: int, projects: int) -> None:
        self.create_staff(people)
        self.filters = Filter.objects.bulk_create(self.saved_filters())
        titles = self.shuffled(agency.CLIENTS, agency.PRODUCTS)[:projects]
        companies = {name: self.company(name) for name in dict.fromkeys(client for client, _ in titles)}
        Company.objects.bulk_create(companies.values())
        teams = [
            self.team(f"{client} {product}", companies[client], number, projects)
            for number, (client, product) in enumerate(titles)
        ]
        Project.objects.bulk_create(team.project for team in teams)
        ProjectAssignment.objects.bulk_create(self.project_assignments(teams))
        budgets = list(self.budgets(teams))
        Deal.objects.bulk_create(budget.deal for budget in budgets)
        services = [(budget, list(self.services(budget))) for budget in budgets]
        Service.objects.bulk_create(service for _, of_budget in services for service in of_budget)
        ServiceAssignment.objects.bulk_create(self.service_assignments(services))
        self.add_duplicate_types()

    def saved_filters(self) -> Iterator[Filter]:
        for name, params in agency.FILTERS.items():
            yield self.new(Filter, name=name, params=params, age=self.between(800, 1700))

    def company(self, name: str) -> Company:
        """Return a client, without a draw, so that the other records stay the same."""
        return Company(
            organization=self.organization,
            name=name,
            billing_name=f"{name} Ltd.",
            domain=f"{slugify(name)}.example",
            created_at=datetime.combine(self.day(FIRST_STARTED), time(8), self.organization.zone),
        )

    def team(self, name: str, company: Company, number: int, projects: int) -> Team:
        """Create a project with people of its first day; archive every 8th."""
        age = FIRST_STARTED - (FIRST_STARTED - LAST_STARTED) * number // projects
        project = self.new(Project, name=name, company=company, age=age)
        project.project_number = f"{project.created_at.year}-{number + 1:03}"
        if number % 8 == 5:
            project.archived_at = self.moment(self.between(5, 12))
        leads = [employee for employee in self.staff["lead"] if employee.age >= age]
        lead = leads[number % len(leads)]
        project.project_manager = lead.person
        return Team(
            project,
            age,
            lead=lead,
            makers=self.choose("maker", age, self.between(5, 9)),
            former=self.choose("former", age, 1) if age > LONG_AGO else [],
            idle=self.choose("idle", age, 1) if project.archived_at else [],
        )

    def project_assignments(self, teams: list[Team]) -> Iterator[ProjectAssignment]:
        ids = [saved_filter.pk for saved_filter in self.filters]
        for team in teams:
            for employee in (team.lead, *team.makers, *team.former, *team.idle):
                favorite = self.pick(ids)
                default = favorite if employee is team.lead else self.pick((None, None, favorite))
                yield self.new(
                    ProjectAssignment,
                    project=team.project,
                    person=employee.person,
                    default_filter_id=default,
                    budgets_filter_id=self.pick((None, None, self.pick(ids))),
                    **dict(zip(PAGE, self.pick(PAGES), strict=True)),
                    age=team.age - self.between(1, 2),
                )

    def budgets(self, teams: list[Team]) -> Iterator[Budget]:
        """Yield budgets: one for each project, and some others for support."""
        sold = []
        for number, team in enumerate(teams):
            sold.append((team, team.age - 1, ""))
            if number % 5 in (0, 3):
                sold.append((team, team.age * 2 // 3, "Support "))
        for number, (team, age, addition) in enumerate(sold):
            # The budgets of archived projects are open, as if they had been forgotten.
            start, end, closed = self.schedules(age)[BEGUN if team.project.archived_at else number % 9]
            by_person, by_service_type = RESTRICTION_CHOICES[number % len(RESTRICTION_CHOICES)]
            deal = self.new(
                Deal,
                project=team.project,
                responsible=team.lead.person,
                creator=team.lead.person,
                name=f"{team.project.name} {addition}{self.day(age if start is None else start).year}",
                date=None if start is None else self.day(start),
                end_date=None if end is None else self.day(end),
                closed_at=None if closed is None else self.moment(closed),
                person_restricted_tracking=by_person,
                service_type_restricted_tracking=by_service_type,
                age=age,
            )
            yield Budget(deal, age, number, team)

    def schedules(self, age: int) -> list[Schedule]:
        """Return possible schedules of a budget that was created `age` days ago."""
        between = self.between
        running: Schedule = (age, -between(30, 300), None)
        until: Schedule = (None, -between(30, 300), None)
        upcoming: Schedule = (-between(10, 60), -between(100, 300), None)
        ended: Schedule = (age, between(2, age // 2), None)
        closed_early: Schedule = (age, -between(30, 300), between(5, 12))
        closed_late: Schedule = (age, age * 2 // 5, age * 2 // 5 - between(1, 3))
        begun, undated = (age, None, None), (None, None, None)
        return [running, begun, undated, running, closed_early, upcoming, ended, until, closed_late]

    def services(self, budget: Budget) -> Iterator[Service]:
        """Yield services: the first is the lead's, the others are the makers'.

        On an unrestricted budget, tracking is switched off on the next three: time, expenses, both.
        """
        unrestricted = not any(RESTRICTION_CHOICES[budget.number % len(RESTRICTION_CHOICES)])
        total = self.between(4, 6)
        sold: set[str] = set()
        for position in range(total):
            service_type = self.service_type(budget, position, last=position == total - 1)
            offer = DISCIPLINES_BY_NAME[service_type.name].services
            if unrestricted and position == 1:
                service_type, offer = self.manager_type, agency.EXPENSES
            name = self.pick([name for name in offer if name not in sold] or [f"{offer[0]} {position + 1}"])
            sold.add(name)
            yield self.new(
                Service,
                deal=budget.deal,
                service_type=service_type,
                name=name,
                time_tracking_enabled=not (unrestricted and position in (1, 3)),
                expense_tracking_enabled=not (unrestricted and position in (2, 3)),
                age=budget.age - 1,
            )

    def service_type(self, budget: Budget, position: int, *, last: bool) -> ServiceType:
        """Return a service type of a member, sometimes an archived one."""
        if position == 0:
            return self.manager_type
        if last and budget.number % 3 == 0 and budget.age > LONG_AGO:
            return self.pick(self.retired_types)
        return self.pick(self.pick(budget.team.makers).service_types)

    def service_assignments(
        self, services: list[tuple[Budget, list[Service]]]
    ) -> Iterator[ServiceAssignment]:
        for budget, of_budget in services:
            for position, service in enumerate(of_budget):
                for employee in self.assignees(budget, position):
                    age = budget.age - 1 - self.between(1, 3)
                    yield self.new(ServiceAssignment, service=service, person=employee.person, age=age)

    def assignees(self, budget: Budget, position: int) -> list[Employee]:
        """Return the lead for the first service, else a random choice.

        Restricted by person, the second service has no assignees, and the third only people who have left.
        """
        team, former = budget.team, budget.team.former if budget.age > LONG_AGO else []
        if position == 0:
            return [team.lead]
        if budget.deal.person_restricted_tracking:
            if position == 1:
                return []
            if position == 2 and former:
                return former
        elif self.random.random() < 0.5:
            return []
        return self.random.sample([team.lead, *team.makers, *former], self.between(1, 4))
