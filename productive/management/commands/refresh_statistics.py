"""Refresh the statistics that the database plans its queries with."""

from __future__ import annotations

from typing import Any

from django.apps import apps
from django.core.management.base import BaseCommand
from django.db import connection

# The limit for each index on SQLite, which reads all rows by default.
ANALYSIS_LIMIT = 1000


class Command(BaseCommand):
    help = (
        "Refresh the statistics that the database plans its queries with. PostgreSQL also does so by itself, "
        "SQLite never: run this once a day there, and after an import."
    )

    def handle(self, **options: Any) -> None:
        models = apps.get_models(include_auto_created=True)
        kept = [model for model in models if model._meta.managed and not model._meta.proxy]
        names = [model._meta.db_table for model in kept]
        with connection.cursor() as cursor:
            # After restoring a backup of an older release, some tables are missing.
            present = connection.introspection.table_names(cursor)
            tables = [connection.ops.quote_name(name) for name in names if name in present]
            if connection.vendor == "postgresql":
                # VACUUM also marks the pages that every transaction sees, for index-only scans. It can't
                # run in a transaction.
                command = "ANALYZE" if connection.in_atomic_block else "VACUUM (ANALYZE)"
                cursor.execute(f"{command} {', '.join(tables)}")
                return
            cursor.execute(f"PRAGMA analysis_limit = {ANALYSIS_LIMIT}")
            for table in tables:
                cursor.execute(f"ANALYZE {table}")
