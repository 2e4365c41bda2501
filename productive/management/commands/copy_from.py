"""From one database to another, as when what began on SQLite moves to PostgreSQL."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import environ
from django.apps import apps
from django.contrib.auth.models import Group, Permission
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.core.management.color import no_style
from django.db import Error, connections, models, transaction
from django.db.migrations.executor import MigrationExecutor
from django.db.migrations.recorder import MigrationRecorder

from productive.database.history import history_of, is_recorded
from productive.database.row_counts import RowCount

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
        there = source(url)
        connections.settings[THERE] = connections.configure_settings({HERE: {}, THERE: there})[THERE]
        try:
            try:
                connections[THERE].ensure_connection()
                self.compare()
            except Error as error:
                raise CommandError(f"The database at URL can't be read: {error}") from None
            with transaction.atomic(using=HERE), transaction.atomic(using=THERE):
                self.copy()
        finally:
            connections[THERE].close()
            del connections[THERE], connections.settings[THERE]

    def compare(self) -> None:
        if identity(HERE) == identity(THERE):
            raise CommandError("The database at URL is this one: there is nothing to copy.")
        executor = MigrationExecutor(connections[HERE])
        missing = executor.migration_plan(executor.loader.graph.leaf_nodes())
        applied = [{*MigrationRecorder(connections[name]).applied_migrations()} for name in (HERE, THERE)]
        if missing or applied[0] != applied[1]:
            raise CommandError("The two databases aren't of the same version: run `migrate` on both.")

    def copy(self) -> None:
        all_models = [
            m for room in ROOMS for m in apps.get_app_config(room).get_models(include_auto_created=True)
        ]
        # Triggers count the copied rows.
        copied = [m for m in all_models if m is not Permission and not issubclass(m, RowCount)]
        made_by_migrate = (Group, Group.permissions.through)
        if any(m._base_manager.using(HERE).exists() for m in copied if m not in made_by_migrate):
            raise CommandError("This database isn't empty: nothing was copied.")
        # Whoever changed or deleted one of them there means it so here, too.
        Group.objects.using(HERE).all().delete()
        # A right is a row that each database has made for itself.
        ids = {right.natural_key(): right.pk for right in rights(HERE)}
        own = {right.pk: ids[right.natural_key()] for right in rights(THERE) if right.natural_key() in ids}
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


def source(url: str) -> dict[str, Any]:
    """The settings of the database at the URL. Raise CommandError where there can't be one: SQLite makes a
    file that isn't there."""
    if not url.startswith(("sqlite://", "postgres://", "postgresql://")):
        raise CommandError("URL must begin with sqlite:// or postgres://")
    try:
        settings = environ.Env.db_url_config(url)
    except ValueError as error:
        raise CommandError(f"URL can't be understood: {error}") from None
    if url.startswith("sqlite://"):
        path = Path(settings["NAME"]).resolve()
        if not path.is_file():
            raise CommandError(
                f"There is no file {path}: an absolute path has four slashes, sqlite:////srv/…"
            )
    return settings


def identity(name: str) -> tuple[str, ...]:
    """What tells a database from every other, by whatever address it is reached."""
    connection = connections[name]
    if connection.vendor != "postgresql":
        return (connection.vendor,)
    with connection.cursor() as cursor:
        cursor.execute("SELECT system_identifier, current_database() FROM pg_control_system()")
        return tuple(map(str, cursor.fetchone()))


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
