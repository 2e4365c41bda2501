"""Check that every row satisfies the constraints."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from productive.management.invariants import recount, violations


class Command(BaseCommand):
    help = "Check foreign keys, organizations, unique constraints and row counts. Exit with 1 on a violation."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--repair-counts",
            action="store_true",
            help="first correct wrong row counts and recreate missing triggers",
        )

    def handle(self, *, repair_counts: bool, **options: Any) -> None:
        for repaired in recount() if repair_counts else ():
            self.stdout.write(f"Repaired: {repaired}")
        found = 0
        for found, violation in enumerate(violations(), start=1):  # noqa: B007
            self.stdout.write(f"Wrong: {violation}")
        if found:
            raise CommandError(f"{found} constraints are violated.")
        self.stdout.write("All rows satisfy the constraints.")
