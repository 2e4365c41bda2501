"""Write a backup of the database to a file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from productive.management.backups import atomic_file, kind_of_backup


class Command(BaseCommand):
    help = "Write a backup of the database to FILE, and check it. The database can be used at the same time."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("file", metavar="FILE", type=Path)
        parser.add_argument("--force", action="store_true", help="replace FILE if it exists")

    def handle(self, *, file: Path, force: bool, **options: Any) -> None:
        backup = kind_of_backup()
        with atomic_file(file, overwrite=force) as partial:
            backup.save(partial)
            backup.check(partial)
            if not backup.applied(partial):
                raise CommandError(
                    "There is nothing to back up: the database of DATABASE_URL has no migrations."
                )
            size = partial.stat().st_size
        self.stdout.write(f"{file}: {size:,} bytes, verified")
