"""Log one line for each request, and return its ID in a header."""

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

from productive.web.client_address import client_address
from productive.web.logs import request_id
from productive.web.request_state import state_of

logger = logging.getLogger(__name__)

REQUEST_ID_HEADER = "X-Request-Id"
VALID_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
# Load balancers request these every few seconds.
HEALTH_CHECKS = frozenset({"/healthz", "/readyz"})


class QueryTimer:
    """Count the queries of a request and time them until their first rows."""

    def __init__(self) -> None:
        self.count, self.seconds = 0, 0.0

    def __call__(self, execute: Callable[..., Any], *arguments: Any) -> Any:
        start = perf_counter()
        try:
            return execute(*arguments)
        finally:
            self.count += 1
            self.seconds += perf_counter() - start


class RequestLogMiddleware:
    """Give every response an ID and a log line.

    Only RequestStateMiddleware may come before it, so that no response misses them.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        start, queries = perf_counter(), QueryTimer()
        current_id = get_request_id(request)
        token = request_id.set(current_id)
        try:
            with ExitStack() as stack:
                for connection in connections.all():
                    stack.enter_context(connection.execute_wrapper(queries))
                response = self.get_response(request)
            response.headers[REQUEST_ID_HEADER] = current_id
            level = log_level(request, response)
            if logger.isEnabledFor(level):
                fields = log_fields(request, response, perf_counter() - start, queries)
                message = "{method} {path}: {status} in {duration_ms} ms".format_map(fields)
                logger.log(level, message, extra={"fields": fields})
        finally:
            request_id.reset(token)
        return response


def get_request_id(request: HttpRequest) -> str:
    """Return the ID that our own proxy sent, or a new one."""
    proxy_id = request.META.get("HTTP_X_REQUEST_ID", "") if settings.TRUST_PROXY else ""
    return proxy_id if VALID_ID.fullmatch(proxy_id) else uuid4().hex


def log_level(request: HttpRequest, response: HttpResponse) -> int:
    if request.path in HEALTH_CHECKS:
        return logging.DEBUG
    return logging.ERROR if response.status_code >= 500 else logging.INFO


def log_fields(
    request: HttpRequest, response: HttpResponse, seconds: float, queries: QueryTimer
) -> dict[str, Any]:
    """Return the fields to log, without a database query.

    They don't include the query string, the headers and the bodies, which may contain secrets.
    """
    # Set by API views.
    token = getattr(request, "auth", None)
    # A rejected request has no changes.
    change_set = state_of(request).change_set if response.status_code < 400 else None
    return {
        "method": request.method,
        "path": escape_uri_path(request.path),
        "status": response.status_code,
        "duration_ms": round(seconds * 1000, 1),
        "queries": queries.count,
        "query_ms": round(queries.seconds * 1000, 1),
        "organization": token and token.organization_id,
        "token": token and token.prefix,
        "user": user_id(request),
        "address": client_address(request),
        "change_set": change_set and str(change_set),
    }


def user_id(request: HttpRequest) -> int | None:
    """Return the ID of the user, if a view has loaded it."""
    user: Any = getattr(request, "user", None)
    if user is None or getattr(user, "_wrapped", None) is empty:
        return None
    return user.pk
