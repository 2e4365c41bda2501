"""Respond to health checks: is the process alive, and is it ready."""

from __future__ import annotations

from collections.abc import Callable

from django.db import DatabaseError, connection
from django.db.migrations.executor import MigrationExecutor
from django.http import HttpRequest, HttpResponse


class HealthCheckMiddleware:
    """Respond to `/healthz` and `/readyz`.

    Not a view, because a load balancer sends the machine's address, which is not an allowed host.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response
        # Once this is true, migrations are not checked again.
        self.migrations_are_applied = False

    def __call__(self, request: HttpRequest) -> HttpResponse:
        match request.path:
            case "/healthz":
                return text_response("ok")
            case "/readyz":
                return self.readyz()
        return self.get_response(request)

    def readyz(self) -> HttpResponse:
        """Return 200 if the database responds and has at least all migrations."""
        try:
            with connection.cursor() as cursor:
                cursor.execute("SELECT 1")
            self.migrations_are_applied = self.migrations_are_applied or not has_pending_migrations()
        except DatabaseError:
            return text_response("the database does not respond", 503)
        if not self.migrations_are_applied:
            return text_response("migrations are pending", 503)
        return text_response("ok")


def has_pending_migrations() -> bool:
    executor = MigrationExecutor(connection)
    return bool(executor.migration_plan(executor.loader.graph.leaf_nodes()))


def text_response(text: str, status: int = 200) -> HttpResponse:
    content = f"{text}\n".encode()
    headers = {"Cache-Control": "no-store", "Content-Length": str(len(content))}
    return HttpResponse(content, status=status, content_type="text/plain", headers=headers)
