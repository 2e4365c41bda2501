"""Create the sample agency of `demo` in an organization of its own."""

from __future__ import annotations

from typing import Any

from django.core.exceptions import ValidationError
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import transaction
from django.db.models import F

from assignments.models import Filter, ProjectAssignment, ServiceAssignment, ServiceTypeAssignment
from catalog.models import Company, Deal, Project, Service, ServiceType
from productive.accounts.management.commands.create_organization import format_errors
from productive.accounts.models import Organization, Person
from productive.database.history import change_set, record_rows
from productive.management import agency
from productive.management.sample_data import SampleAgency

MODELS: tuple[Any, ...] = (
    Person, ServiceType, ServiceTypeAssignment, Filter, Company, Project, ProjectAssignment, Deal, Service,
    ServiceAssignment,
)  # fmt: skip
# With fewer, outcomes of the tracking rule are missing; for more, there are not enough names.
PEOPLE_COUNTS, PROJECT_COUNTS = range(20, 1001), range(6, 481)


class Command(BaseCommand):
    help = (
        "Create a realistic agency with people, projects, budgets, services and assignments. The same "
        "options give the same agency on the same day; an existing organization is not changed."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--organization-name", default=agency.NAME, metavar="NAME")
        parser.add_argument("--people", type=int, default=48, metavar="N", help="20 to 1,000; default 48")
        parser.add_argument("--projects", type=int, default=25, metavar="N", help="6 to 480; default 25")
        parser.add_argument("--random-seed", type=int, default=1, metavar="N", help="another agency for each")

    def handle(
        self, *, organization_name: str, people: int, projects: int, random_seed: int, **options: Any
    ) -> None:
        if people not in PEOPLE_COUNTS or projects not in PROJECT_COUNTS:
            raise CommandError("--people must be from 20 to 1,000, --projects from 6 to 480.")
        organization = Organization(
            name=organization_name.strip(), time_zone=agency.AGENCY_TIME_ZONE, day_order="dmy"
        )
        try:
            organization.full_clean()
        except ValidationError as error:
            raise CommandError(format_errors(error)) from None
        with transaction.atomic(), change_set():
            if existing := Organization.objects.filter(name=organization.name).first():
                self.stdout.write(
                    f"{existing} already exists (organization {existing.pk}): nothing was changed."
                )
                return
            SampleAgency(organization, random_seed).create(people, projects)
            for model in (Organization, *MODELS):
                record_rows(model.objects.owned_by(organization), "+", date=F("created_at"))
        self.stdout.write(f"{organization} (organization {organization.pk})")
        for model in MODELS:
            count = model.objects.owned_by(organization).count()
            self.stdout.write(f"{count:>9,} {model._meta.verbose_name_plural}")
        call_command("refresh_statistics")
