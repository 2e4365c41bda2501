"""Whether the rules that the database keeps hold for every row that it has."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from productive.management.invariants import recount, violations


class Command(BaseCommand):
    help = "Check links, organizations, unique pairs and kept numbers of all rows. Exit 1 where any is wrong."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--repair-counts",
            action="store_true",
            help="first count rows again where a count is wrong or a trigger missing",
        )

    def handle(self, *, repair_counts: bool, **options: Any) -> None:
        for mended in recount() if repair_counts else ():
            self.stdout.write(f"Mended: {mended}")
        found = 0
        for found, violation in enumerate(violations(), start=1):  # noqa: B007
            self.stdout.write(f"Wrong: {violation}")
        if found:
            raise CommandError(f"{found} of the rules that every row must keep are broken.")
        self.stdout.write("Every row keeps the rules.")
