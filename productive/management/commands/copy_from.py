"""Copy a database, such as SQLite, to an empty PostgreSQL database."""

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

SOURCE, TARGET = "copied_from", "default"
# In the order of their foreign keys. Sessions and failed sign-ins are not copied.
APPS = ("auth", "accounts", "catalog", "assignments")
ROWS_PER_INSERT = 2000


class Command(BaseCommand):
    help = (
        "Copy all data except sessions from the database at URL to this PostgreSQL database, in one "
        "transaction. It must have all migrations and no rows. First stop all processes that write to either."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "url", metavar="URL", help="such as sqlite:////srv/productive/var/productive.sqlite3"
        )

    def handle(self, *, url: str, **options: Any) -> None:
        if connections[TARGET].vendor != "postgresql":
            raise CommandError("DATABASE_URL must be a PostgreSQL database: copy_from writes to it.")
        settings = settings_of(url)
        connections.settings[SOURCE] = connections.configure_settings({TARGET: {}, SOURCE: settings})[SOURCE]
        try:
            try:
                connections[SOURCE].ensure_connection()
                self.compare()
            except Error as error:
                raise CommandError(f"The database at URL can't be read: {error}") from None
            with transaction.atomic(using=TARGET), transaction.atomic(using=SOURCE):
                self.copy()
        finally:
            connections[SOURCE].close()
            del connections[SOURCE], connections.settings[SOURCE]

    def compare(self) -> None:
        if identity(TARGET) == identity(SOURCE):
            raise CommandError("The database at URL is this database: there is nothing to copy.")
        executor = MigrationExecutor(connections[TARGET])
        missing = executor.migration_plan(executor.loader.graph.leaf_nodes())
        applied = [{*MigrationRecorder(connections[name]).applied_migrations()} for name in (TARGET, SOURCE)]
        if missing or applied[0] != applied[1]:
            raise CommandError("The databases have different migrations: run `migrate` on both.")

    def copy(self) -> None:
        all_models = [
            m for label in APPS for m in apps.get_app_config(label).get_models(include_auto_created=True)
        ]
        # Triggers count the copied rows.
        copied = [m for m in all_models if m is not Permission and not issubclass(m, RowCount)]
        created_by_migrate = (Group, Group.permissions.through)
        if any(m._base_manager.using(TARGET).exists() for m in copied if m not in created_by_migrate):
            raise CommandError("This database isn't empty: nothing was copied.")
        # Replace the groups of `migrate` by those of the source, which may have been changed or deleted.
        Group.objects.using(TARGET).all().delete()
        # Permissions are created by `migrate`, so their ids differ.
        ids = {permission.natural_key(): permission.pk for permission in permissions(TARGET)}
        permission_ids = {
            permission.pk: ids[permission.natural_key()]
            for permission in permissions(SOURCE)
            if permission.natural_key() in ids
        }
        with connections[TARGET].cursor() as cursor:
            # People refer to companies and to their managers, which may be copied later.
            cursor.execute("SET CONSTRAINTS ALL DEFERRED")
        for model in copied:
            rows, count = source_rows(model, permission_ids), 0
            while batch := list(islice(rows, ROWS_PER_INSERT)):
                count += len(model._base_manager.using(TARGET).bulk_create(batch))
            self.stdout.write(f"{count:>9,} {model._meta.verbose_name_plural}")
        self.reset_sequences(copied)

    def reset_sequences(self, copied: list[type[models.Model]]) -> None:
        """Continue after the highest id, also of history; never reuse an id."""
        connection = connections[TARGET]
        statements = connection.ops.sequence_reset_sql(no_style(), copied)
        for model in filter(is_recorded, copied):
            tables = [connection.ops.quote_name(m._meta.db_table) for m in (model, history_of(model))]
            ids = " UNION ALL ".join(f"SELECT id FROM {table}" for table in tables)  # noqa: S608
            sequence = f"pg_get_serial_sequence('{tables[0]}', 'id')"
            statements.append(f"SELECT setval({sequence}, max(id)) FROM ({ids}) AS ids")  # noqa: S608
        with connection.cursor() as cursor:
            for sql in statements:
                cursor.execute(sql)


def settings_of(url: str) -> dict[str, Any]:
    """Return the settings of the database at the URL.

    Raise CommandError if there is none, because SQLite would create the file.
    """
    if not url.startswith(("sqlite://", "postgres://", "postgresql://")):
        raise CommandError("URL must begin with sqlite:// or postgres://")
    try:
        settings = environ.Env.db_url_config(url)
    except ValueError as error:
        raise CommandError(f"URL is invalid: {error}") from None
    if url.startswith("sqlite://"):
        path = Path(settings["NAME"]).resolve()
        if not path.is_file():
            raise CommandError(
                f"There is no file {path}: an absolute path has four slashes, sqlite:////srv/…"
            )
    return settings


def identity(name: str) -> tuple[str, ...]:
    """Return the identity of the database, which can have several addresses."""
    connection = connections[name]
    if connection.vendor != "postgresql":
        return (connection.vendor,)
    with connection.cursor() as cursor:
        cursor.execute("SELECT system_identifier, current_database() FROM pg_control_system()")
        return tuple(map(str, cursor.fetchone()))


def permissions(database: str) -> Any:
    return Permission.objects.using(database).select_related("content_type")


def source_rows(model: type[models.Model], permission_ids: dict[int, int]) -> Iterator[models.Model]:
    """Yield the rows of the source, with permission ids of the target."""
    names = [field.attname for field in model._meta.concrete_fields]
    for values in (
        model._base_manager.using(SOURCE).order_by("pk").values_list(*names).iterator(ROWS_PER_INSERT)
    ):
        row = dict(zip(names, values, strict=True))
        if "permission_id" in row:
            if row["permission_id"] not in permission_ids:
                continue  # Its model no longer exists.
            row["permission_id"] = permission_ids[row["permission_id"]]
        yield model(**row)
