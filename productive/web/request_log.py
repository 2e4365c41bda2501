"""A line in the log for each request, and the id by which whoever was answered can name it."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable
from contextlib import ExitStack
from time import perf_counter
from typing import Any
from uuid import uuid4

from django.conf import settings
from django.db import connections
from django.http import HttpRequest, HttpResponse
from django.utils.encoding import escape_uri_path
from django.utils.functional import empty

from productive.web.client_address import address_of
from productive.web.logs import request_id

logger = logging.getLogger(__name__)

HEADER = "X-Request-Id"
SANE = re.compile(r"[A-Za-z0-9._-]{1,64}")
# Asked every few seconds, by machines.
PROBES = frozenset({"/healthz", "/readyz"})


class Statements:
    """Counts what is asked of the databases, and the seconds that they take to begin to answer."""

    def __init__(self) -> None:
        self.count, self.seconds = 0, 0.0

    def __call__(self, execute: Callable[..., Any], *arguments: Any) -> Any:
        begun = perf_counter()
        try:
            return execute(*arguments)
        finally:
            self.count += 1
            self.seconds += perf_counter() - begun


class RequestLog:
    """Middleware, the outermost: whatever is answered, and whoever answers it, has an id and a line."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        begun, statements = perf_counter(), Statements()
        own_id = id_of(request)
        before = request_id.set(own_id)
        try:
            with ExitStack() as stack:
                for connection in connections.all():
                    stack.enter_context(connection.execute_wrapper(statements))
                response = self.get_response(request)
            response.headers[HEADER] = own_id
            level = level_of(request, response)
            if logger.isEnabledFor(level):
                line = fields(request, response, perf_counter() - begun, statements)
                message = "{method} {path}: {status} in {duration_ms} ms".format_map(line)
                logger.log(level, message, extra={"fields": line})
        finally:
            request_id.reset(before)
        return response


def id_of(request: HttpRequest) -> str:
    """The one that our own proxy gave it, or a new one."""
    given = request.META.get("HTTP_X_REQUEST_ID", "") if settings.TRUST_PROXY else ""
    return given if SANE.fullmatch(given) else uuid4().hex


def level_of(request: HttpRequest, response: HttpResponse) -> int:
    if request.path in PROBES:
        return logging.DEBUG
    return logging.ERROR if response.status_code >= 500 else logging.INFO


def fields(
    request: HttpRequest, response: HttpResponse, seconds: float, statements: Statements
) -> dict[str, Any]:
    """What is known of the request, without asking the database. The query string is left out, and so is
    every header and body: they may hold what nobody must read."""
    # Where an API view has found out who asks, it is noted on the request.
    token = getattr(request, "auth", None)
    # What was refused has changed nothing.
    change_set = vars(request).get("change_set") if response.status_code < 400 else None
    return {
        "method": request.method,
        "path": escape_uri_path(request.path),
        "status": response.status_code,
        "duration_ms": round(seconds * 1000, 1),
        "queries": statements.count,
        "query_ms": round(statements.seconds * 1000, 1),
        "organization": token and token.organization_id,
        "token": token and token.prefix,
        "user": user_of(request),
        "address": address_of(request),
        "change_set": change_set and str(change_set),
    }


def user_of(request: HttpRequest) -> int | None:
    """The id of the user, if anybody asked who it is."""
    user: Any = getattr(request, "user", None)
    if user is None or getattr(user, "_wrapped", None) is empty:
        return None
    pk: int | None = user.pk
    return pk
