"""Replace the database with a backup."""

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
from productive.database.row_counts import RowCount
from productive.database.signals import restored
from productive.management.backups import (
    TRANSIENT_TABLES,
    Applied,
    PostgreSQLArchive,
    first_bytes,
    kind_of_backup,
)


class Command(BaseCommand):
    help = "Replace all data in the database with the backup FILE, in one transaction."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("file", metavar="FILE", type=Path)
        parser.add_argument("--yes", action="store_true", help="don't ask for confirmation")

    def handle(self, *, file: Path, yes: bool, **options: Any) -> None:
        backup = kind_of_backup()
        beginning = first_bytes(file)
        if not beginning.startswith(backup.signature):
            raise CommandError(
                f"{file} is not a backup of a {backup.name} database. {self.advice(beginning)}"
            )
        backup.check(file)
        self.compare(backup.applied(file))
        backup.check_code(file)
        if not yes:
            self.confirm()
        backup.load(file)
        ContentType.objects.clear_cache()
        # Backups don't have these rows, but files that were copied by other means do.
        with transaction.atomic(), connection.cursor() as cursor:
            for table in {*TRANSIENT_TABLES}.intersection(self.tables()):
                cursor.execute(f"DELETE FROM {table}")  # noqa: S608
        self.report()

    def advice(self, beginning: bytes) -> str:
        if beginning.startswith(PostgreSQLArchive.signature):
            return "It is a PostgreSQL backup: set DATABASE_URL to a PostgreSQL database."
        if connection.vendor == "postgresql" and beginning.startswith(b"SQLite format 3\0"):
            return "It is an SQLite database: copy it to an empty database with `copy_from sqlite:///…`."
        return "Nothing was changed."

    def compare(self, applied: Applied) -> None:
        """Raise CommandError for another application or a newer release."""
        if not applied:
            raise CommandError("This is a backup of another application: it has no migrations.")
        migrations = MigrationLoader(None, ignore_no_migrations=True).disk_migrations
        known = {*migrations, *(old for migration in migrations.values() for old in migration.replaces)}
        if unknown := sorted(applied - known):
            names = ", ".join(".".join(each) for each in unknown)
            raise CommandError(
                f"The backup is of a newer release, with the migrations: {names}. Nothing was changed."
            )

    def confirm(self) -> None:
        """Raise CommandError unless the database is empty or the user types yes."""
        tables = self.tables()
        counted = [model for model in self.models() if model in (Organization, User)]
        counts = {model._meta.verbose_name_plural: self.count(model) for model in counted}
        if not tables or (counts and not any(counts.values())):
            return
        lost = ", ".join(f"{number:,} {name}" for name, number in counts.items())
        name, lost = connection.settings_dict["NAME"], lost or f"{len(tables)} tables of another application"
        self.stdout.write(f"This deletes everything in {name}, including {lost}.")
        try:
            answer = input("Type yes to continue: ")
        except EOFError:
            answer = ""
        if answer != "yes":
            raise CommandError("Nothing was changed. --yes skips the confirmation.")

    def report(self) -> None:
        """Write the number of rows of each model, and verify them."""
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
        models = [model for model in apps.get_models() if not issubclass(model, RowCount)]
        return [model for model in models if model._meta.db_table in tables]

    def count(self, model: Any) -> int:
        with connection.cursor() as cursor:
            # Not with the ORM, because the columns may differ in that release.
            cursor.execute(f"SELECT count(*) FROM {connection.ops.quote_name(model._meta.db_table)}")  # noqa: S608
            number: int = cursor.fetchone()[0]
        return number
