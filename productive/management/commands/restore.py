"""A backup back into the database, in the place of what is there."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from django.apps import apps
from django.contrib.contenttypes.models import ContentType
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import connection, transaction
from django.db.migrations.executor import MigrationExecutor
from django.db.migrations.loader import MigrationLoader

from productive.accounts.models import Organization, User
from productive.database.signals import restored
from productive.management.backups import (
    OF_ITS_TIME,
    Applied,
    PostgreSQLArchive,
    first_bytes,
    kind_of_backup,
)


class Command(BaseCommand):
    help = "Put the backup FILE in the place of everything that is in the database: all or nothing."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("file", metavar="FILE", type=Path)
        parser.add_argument(
            "--yes", action="store_true", help="don't ask, even if there is something to lose"
        )

    def handle(self, *, file: Path, yes: bool, **options: Any) -> None:
        backup = kind_of_backup()
        begins = first_bytes(file)
        if not begins.startswith(backup.begins):
            raise CommandError(f"{file} is no backup of a {backup.name} database. {self.advice(begins)}")
        backup.check(file)
        self.compare(backup.applied(file))
        if not yes:
            self.ask()
        backup.load(file)
        ContentType.objects.clear_cache()
        # A backup has none of these, but a file that was copied by other means has.
        with transaction.atomic(), connection.cursor() as cursor:
            for table in {*OF_ITS_TIME}.intersection(self.tables()):
                cursor.execute(f"DELETE FROM {table}")  # noqa: S608
        self.tell()

    def advice(self, begins: bytes) -> str:
        if begins.startswith(PostgreSQLArchive.begins):
            return "It is one of PostgreSQL: name such a database in DATABASE_URL."
        if connection.vendor == "postgresql" and begins.startswith(b"SQLite format 3\0"):
            return "It is one of SQLite: bring it into an empty PostgreSQL with `copy_from sqlite:///…`."
        return "Nothing was changed."

    def compare(self, applied: Applied) -> None:
        """Raise CommandError where the backup was taken by a release that knows more than this one."""
        if not applied:
            raise CommandError("This is a backup of something else: it has no migrations.")
        there = MigrationLoader(None, ignore_no_migrations=True).disk_migrations
        known = {*there, *(old for migration in there.values() for old in migration.replaces)}
        if unknown := sorted(applied - known):
            names = ", ".join(".".join(each) for each in unknown)
            raise CommandError(
                f"The backup is of a newer release, restore it with that one: {names}. Nothing was changed."
            )

    def ask(self) -> None:
        """Raise CommandError where there is something to lose, and nobody says yes to that."""
        tables = self.tables()
        asked = [model for model in self.models() if model in (Organization, User)]
        counts = {model._meta.verbose_name_plural: self.count(model) for model in asked}
        if not tables or (counts and not any(counts.values())):
            return
        lost = ", ".join(f"{number:,} {name}" for name, number in counts.items())
        name, lost = connection.settings_dict["NAME"], lost or f"{len(tables)} tables of something else"
        self.stdout.write(f"All that is in {name} will be lost, among it {lost}.")
        try:
            answer = input("Type yes to go on: ")
        except EOFError:
            answer = ""
        if answer != "yes":
            raise CommandError("Nothing was changed. With --yes nobody is asked.")

    def tell(self) -> None:
        """What there is now, and whether it is as it must be."""
        models = self.models()
        call_command("refresh_statistics")
        for model in models:
            self.stdout.write(f"{self.count(model):>9,} {model._meta.verbose_name_plural}")
        executor = MigrationExecutor(connection)
        if executor.migration_plan(executor.loader.graph.leaf_nodes()):
            self.stdout.write("The backup is of an older release: run `migrate`, and then `verify`.")
            return
        with transaction.atomic():
            restored.send(Command, organizations=Organization.objects.values_list("pk", flat=True))
        call_command("verify", stdout=self.stdout)

    def tables(self) -> list[str]:
        return connection.introspection.table_names()

    def models(self) -> list[Any]:
        tables = self.tables()
        return [model for model in apps.get_models() if model._meta.db_table in tables]

    def count(self, model: Any) -> int:
        with connection.cursor() as cursor:
            # Whatever its columns are in that release.
            cursor.execute(f"SELECT count(*) FROM {connection.ops.quote_name(model._meta.db_table)}")  # noqa: S608
            number: int = cursor.fetchone()[0]
        return number
