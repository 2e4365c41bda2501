"""What a load balancer asks: does the process live, and can it work."""

from __future__ import annotations

from functools import cache

from django.db import DatabaseError, connection
from django.db.migrations.executor import MigrationExecutor
from django.http import HttpRequest, HttpResponse


class MigrationsPendingError(Exception):
    """The database is older than the code."""


def healthz(request: HttpRequest) -> HttpResponse:
    """The process is alive."""
    return answer("ok")


def readyz(request: HttpRequest) -> HttpResponse:
    """The database answers, and has every migration that this code knows. It may have later ones."""
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
        demand_migrations()
    except DatabaseError:
        return answer("the database does not answer", 503)
    except MigrationsPendingError:
        return answer("migrations are pending", 503)
    return answer("ok")


def answer(text: str, status: int = 200) -> HttpResponse:
    headers = {"Cache-Control": "no-store"}
    return HttpResponse(f"{text}\n", status=status, content_type="text/plain", headers=headers)


# Asked again until nothing is pending, as what raises isn't kept; never again from then on.
@cache
def demand_migrations() -> None:
    """Raise MigrationsPendingError where the database lacks a migration."""
    executor = MigrationExecutor(connection)
    if executor.migration_plan(executor.loader.graph.leaf_nodes()):
        raise MigrationsPendingError
