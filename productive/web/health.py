"""What a load balancer asks: does the process live, and can it work."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache
from typing import ClassVar

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


class Probes:
    """Middleware: answers these two to whoever asks by the machine's address, which is no host of ours."""

    views: ClassVar[Mapping[str, Callable[[HttpRequest], HttpResponse]]] = {
        "/healthz": healthz,
        "/readyz": readyz,
    }

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        return self.views.get(request.path, self.get_response)(request)


def answer(text: str, status: int = 200) -> HttpResponse:
    body = f"{text}\n".encode()
    headers = {"Cache-Control": "no-store", "Content-Length": str(len(body))}
    return HttpResponse(body, status=status, content_type="text/plain", headers=headers)


# Asked again until nothing is pending, as what raises isn't kept; never again from then on.
@cache
def demand_migrations() -> None:
    """Raise MigrationsPendingError where the database lacks a migration."""
    executor = MigrationExecutor(connection)
    if executor.migration_plan(executor.loader.graph.leaf_nodes()):
        raise MigrationsPendingError
