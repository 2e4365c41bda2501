"""What the database knows of its rows, for databases that have grown."""

from __future__ import annotations

from typing import Any

from django.apps import apps
from django.core.management.base import BaseCommand

from productive.management.loading import refresh_statistics


class Command(BaseCommand):
    help = (
        "Let the database look at its rows, so that it takes the shortest way to them. PostgreSQL also does "
        "so by itself, SQLite never: run this once a day there, and after many rows have come."
    )

    def handle(self, **options: Any) -> None:
        models = apps.get_models(include_auto_created=True)
        refresh_statistics(model for model in models if model._meta.managed and not model._meta.proxy)
