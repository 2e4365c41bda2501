"""From one database to another, as when what began on SQLite moves to PostgreSQL."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from typing import Any

import environ
from django.apps import apps
from django.contrib.auth.models import Group, Permission
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.core.management.color import no_style
from django.db import connections, models, transaction
from django.db.migrations.recorder import MigrationRecorder

from productive.accounts.models import Organization, User
from productive.history import history_of, is_recorded

THERE, HERE = "copied_from", "default"
# Those that are referred to first. Whoever is signed in signs in again; failed sign-ins are forgotten.
ROOMS = ("auth", "accounts", "catalog", "assignments")
ROWS_AT_ONCE = 2000


class Command(BaseCommand):
    help = (
        "Copy everything but sessions from the database at URL into this one: a PostgreSQL that is migrated "
        "and otherwise empty. All or nothing; nobody may write to either meanwhile."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "url", metavar="URL", help="such as sqlite:////srv/productive/var/productive.sqlite3"
        )

    def handle(self, *, url: str, **options: Any) -> None:
        if connections[HERE].vendor != "postgresql":
            raise CommandError("DATABASE_URL must name a PostgreSQL server: that is where it copies to.")
        there = environ.Env.db_url_config(url)
        connections.settings[THERE] = connections.configure_settings({HERE: {}, THERE: there})[THERE]
        try:
            with transaction.atomic(using=HERE), transaction.atomic(using=THERE):
                self.compare()
                self.copy()
        finally:
            connections[THERE].close()
            del connections[THERE], connections.settings[THERE]

    def compare(self) -> None:
        applied = [{*MigrationRecorder(connections[name]).applied_migrations()} for name in (HERE, THERE)]
        if applied[0] != applied[1]:
            raise CommandError("The two databases aren't of the same version: run `migrate` on both.")
        if Organization.objects.using(HERE).exists() or User.objects.using(HERE).exists():
            raise CommandError("This database isn't empty: nothing was copied.")

    def copy(self) -> None:
        # `migrate` made these; whoever changed or deleted one there means it so here, too.
        Group.objects.using(HERE).all().delete()
        # A right is a row that each database has made for itself.
        ids = {right.natural_key(): right.pk for right in rights(HERE)}
        own = {right.pk: ids[right.natural_key()] for right in rights(THERE) if right.natural_key() in ids}
        all_models = [
            m for room in ROOMS for m in apps.get_app_config(room).get_models(include_auto_created=True)
        ]
        copied = [model for model in all_models if model is not Permission]
        for model in copied:
            rows, count = rows_of(model, own), 0
            while batch := list(islice(rows, ROWS_AT_ONCE)):
                count += len(model._base_manager.using(HERE).bulk_create(batch))
            self.stdout.write(f"{count:>9,} {model._meta.verbose_name_plural}")
        self.go_on_counting(copied)

    def go_on_counting(self, copied: list[type[models.Model]]) -> None:
        """The next id is one that no record had, not even one that only the history knows."""
        connection = connections[HERE]
        statements = connection.ops.sequence_reset_sql(no_style(), copied)
        for model in filter(is_recorded, copied):
            tables = [connection.ops.quote_name(m._meta.db_table) for m in (model, history_of(model))]
            ids = " UNION ALL ".join(f"SELECT id FROM {table}" for table in tables)  # noqa: S608
            sequence = f"pg_get_serial_sequence('{tables[0]}', 'id')"
            statements.append(f"SELECT setval({sequence}, max(id)) FROM ({ids}) AS ids")  # noqa: S608
        with connection.cursor() as cursor:
            for sql in statements:
                cursor.execute(sql)


def rights(database: str) -> Any:
    return Permission.objects.using(database).select_related("content_type")


def rows_of(model: type[models.Model], own: dict[int, int]) -> Iterator[models.Model]:
    """The rows there, as they are to be here: with this database's own ids of the rights."""
    names = [field.attname for field in model._meta.concrete_fields]
    for values in model._base_manager.using(THERE).order_by("pk").values_list(*names).iterator(ROWS_AT_ONCE):
        row = dict(zip(names, values, strict=True))
        if "permission_id" in row:
            if row["permission_id"] not in own:
                continue  # of something that no longer exists
            row["permission_id"] = own[row["permission_id"]]
        yield model(**row)
