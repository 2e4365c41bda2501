"""Create an organization, to which all other records belong."""

from __future__ import annotations

from typing import Any

from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError, CommandParser

from productive.accounts.models import Organization


def format_errors(error: ValidationError) -> str:
    """Return the errors of `full_clean()` as "time_zone: …; name: …"."""
    return "; ".join(
        f"{field}: {message}" for field, messages in error.message_dict.items() for message in messages
    )


class Command(BaseCommand):
    help = "Create an organization and print its id."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("name")
        parser.add_argument("--time-zone", default="UTC", help="IANA name, such as Europe/Zagreb")

    def handle(self, *, name: str, time_zone: str, **options: Any) -> None:
        organization = Organization(name=name.strip(), time_zone=time_zone)
        try:
            organization.full_clean()
        except ValidationError as error:
            raise CommandError(format_errors(error)) from None
        organization.save()
        self.stdout.write(str(organization.pk))
