"""One believable agency in an organization of its own: to look at, to try things on, to measure with."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from datetime import UTC, datetime
from time import perf_counter
from typing import Any

from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import transaction
from django.db.models import F

from assignments.models import Filter, ProjectAssignment, ServiceAssignment, ServiceTypeAssignment
from catalog.models import Deal, Project, Service, ServiceType
from productive.accounts.management.commands.create_organization import format_errors
from productive.accounts.models import Organization, OrganizationOwned, Person
from productive.database.history import change_set, history_of, record_rows
from productive.management import agency
from productive.management.calendar import Calendar
from productive.management.engagements import Work
from productive.management.loading import Loading, refresh_statistics, room_for_many
from productive.management.rebuilding import rebuilt
from productive.management.staffing import FOUNDED, PEOPLE, Staff

PROJECTS = 25
# Fewer would not show every case of the tracking rule.
LEAST_PEOPLE, LEAST_PROJECTS = 20, 6
# Of services and of the project together, for `--assignments`.
ASSIGNMENTS_A_PROJECT = 18.2
# Rows in memory stay those of one batch, however large the agency; a batch has about 90,000 of a kind.
PEOPLE_AT_ONCE, PROJECTS_AT_ONCE = 20_000, 10_000
# From so many projects on, indexes are rather built once than kept up row by row.
LARGE = 5000

KINDS: tuple[type[OrganizationOwned], ...] = (
    Person,
    ServiceType,
    ServiceTypeAssignment,
    Filter,
    Project,
    ProjectAssignment,
    Deal,
    Service,
    ServiceAssignment,
)
# With the tables of their history.
RECORDED: tuple[Any, ...] = (*KINDS, *map(history_of, KINDS))


def batches(total: int, size: int) -> Iterator[range]:
    for first in range(0, total, size):
        yield range(first, min(first + size, total))


class Command(BaseCommand):
    help = (
        "Create an agency with people, projects, budgets, services and assignments, in one transaction. "
        "The same options give the same agency on the same day; an organization that exists is left alone."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--organization-name", default=agency.NAME, metavar="NAME")
        parser.add_argument("--people", type=int, default=PEOPLE, metavar="N")
        parser.add_argument("--projects", type=int, default=PROJECTS, metavar="N")
        size = parser.add_mutually_exclusive_group()
        size.add_argument("--scale", type=int, default=1, metavar="N", help="times people and projects")
        size.add_argument(
            "--assignments",
            type=int,
            metavar="N",
            help="times people and projects, so that about N are assigned to projects and services together",
        )
        parser.add_argument("--random-seed", type=int, default=1, metavar="N", help="another agency for each")

    def handle(
        self,
        *,
        organization_name: str,
        people: int,
        projects: int,
        scale: int,
        assignments: int | None,
        random_seed: int,
        **options: Any,
    ) -> None:
        if assignments is not None and people > 0 and projects > 0:
            wanted = round(assignments / ASSIGNMENTS_A_PROJECT)
            people, projects = people * wanted // projects, wanted
        if people < LEAST_PEOPLE or projects < LEAST_PROJECTS or scale < 1:
            raise CommandError(
                f"At least --people {LEAST_PEOPLE} --projects {LEAST_PROJECTS} --scale 1, "
                "or --assignments 200: a smaller agency cannot show every case."
            )
        organization = Organization(name=organization_name.strip(), time_zone=agency.TIME_ZONE)
        try:
            organization.full_clean()
        except ValidationError as error:
            raise CommandError(format_errors(error)) from None
        begun = perf_counter()
        with transaction.atomic(), change_set():
            there = Organization.objects.filter(name=organization.name).first()
            if there is None:
                loading = self.write_agency(organization, people * scale, projects * scale, random_seed)
        if there is not None:
            self.stdout.write(f"{there} exists already (organization {there.pk}): nothing was changed.")
            return
        self.summarize(organization, loading, perf_counter() - begun)
        refresh_statistics(RECORDED)

    def write_agency(
        self, organization: Organization, people: int, projects: int, random_seed: int
    ) -> Loading:
        calendar = Calendar(organization, random_seed)
        organization.created_at = datetime.fromisoformat(calendar.moment(FOUNDED)).replace(tzinfo=UTC)
        # Without the record of a save(), which would be of today.
        Organization.objects.bulk_create([organization])
        loading = Loading(organization)
        with ExitStack() as stack:
            stack.enter_context(room_for_many())
            if projects >= LARGE:
                stack.enter_context(rebuilt(RECORDED))
            staff = Staff(calendar, loading, people)
            staff.write_service_types()
            for numbers in batches(people, PEOPLE_AT_ONCE):
                staff.write_people(numbers)
                self.report("people", numbers.stop, people)
            staff.write_filters()
            work = Work(calendar, loading, staff, projects)
            for numbers in batches(projects, PROJECTS_AT_ONCE):
                work.write_projects(numbers)
                self.report("projects", numbers.stop, projects)
            self.record(organization)
        return loading

    def record(self, organization: Organization) -> None:
        """The first record of every row, at the moment when it is said to have been made."""
        kinds: tuple[Any, ...] = (Organization, *KINDS)
        for kind in kinds:
            record_rows(kind.objects.owned_by(organization), "+", date=F("created_at"))

    def report(self, kind: str, done: int, total: int) -> None:
        """One line that counts up for somebody who watches; a log gets nothing."""
        if self.stderr.isatty():
            ending = "\n" if done == total else ""
            # No failure, so not in the colour of one.
            self.stderr.write(f"\r{kind}: {done:,} of {total:,}", str, ending)

    def summarize(self, organization: Organization, loading: Loading, seconds: float) -> None:
        self.stdout.write(f"{organization} (organization {organization.pk})")
        for kind in KINDS:
            self.stdout.write(f"{loading.counts[kind]:>9,} {kind._meta.verbose_name_plural}")
        total = loading.counts.total()
        self.stdout.write(f"{total:>9,} rows in {seconds:,.1f} s, {total / seconds:,.0f} a second")
