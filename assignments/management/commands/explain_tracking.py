"""Explain whether a person may track on a service."""

from __future__ import annotations

from datetime import date
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from assignments.tracking import Kind, Outcome, decide, with_budget
from catalog.models import Service
from productive.accounts.models import Person
from productive.database.functions import AsciiUpper, ascii_upper


def day(text: str) -> date:
    # argparse shows the name of this function in its error: "invalid day value".
    return date.fromisoformat(text)


class Command(BaseCommand):
    help = "Print whether a person may track on a service, and the result of each check."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--person", required=True, metavar="EMAIL")
        parser.add_argument("--service", type=int, required=True, metavar="ID")
        parser.add_argument("--on", type=day, metavar="DATE", help="YYYY-MM-DD; by default today")
        parser.add_argument("--kind", choices=[*Kind], default=Kind.TIME)

    def handle(self, *, person: str, service: int, on: date | None, kind: str, **options: Any) -> None:
        found = with_budget(Service.objects.filter(pk=service)).select_related("organization").first()
        if found is None:
            raise CommandError(f"There is no service {service}.")
        owner = found.organization
        people = Person.objects.owned_by(owner).alias(address=AsciiUpper("email"))
        tracker = people.filter(address=ascii_upper(person)).first()
        if tracker is None:
            raise CommandError(f"No person of {owner} has the e-mail address {person}.")
        decision = decide(tracker, found, on or owner.today(), Kind(kind))
        style = self.style.SUCCESS if decision.allowed else self.style.ERROR
        self.stdout.write(style(str(decision)))
        for check in decision.checks:
            mark = {Outcome.PASSED: "✓", Outcome.FAILED: "✗", Outcome.SKIPPED: "·"}[check.outcome]
            self.stdout.write(f"  {mark} {check.reason.message}")
