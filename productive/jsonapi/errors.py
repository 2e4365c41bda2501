"""The API's error documents.

Every response under /api/ with a status of 400 or more is a document
`{"errors": [{"status", "code", "title", "detail", "source"?}]}`.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping
from math import ceil
from typing import Any

from django.core.exceptions import NON_FIELD_ERRORS, SuspiciousOperation
from django.core.exceptions import PermissionDenied as DjangoPermissionDenied
from django.core.exceptions import ValidationError as ModelValidationError
from django.db import IntegrityError, InterfaceError, OperationalError
from django.db.models import RestrictedError
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseServerError, UnreadablePostError
from django.template.loader import render_to_string
from django.views import defaults
from rest_framework.exceptions import APIException, ValidationError
from rest_framework.response import Response

from productive.jsonapi.renderers import CONTENT_TYPE, dump
from productive.web.logs import request_id

logger = logging.getLogger(__name__)

# Status → code, title, detail.
STATUSES = {
    400: ("malformed_document", "Malformed Document", "The request could not be understood"),
    401: ("unauthenticated", "Unauthenticated", "You are not authenticated"),
    403: ("access_denied", "Access Denied", "You are not authorized to access this resource"),
    404: ("record_not_found", "Record Not Found", "The requested record was not found"),
    405: ("method_not_allowed", "Method Not Allowed", "This method is not allowed on this endpoint"),
    409: ("conflict", "Conflict", "The request conflicts with the state of the record"),
    412: (
        "precondition_failed",
        "Precondition Failed",
        "The record is not, or no longer, in the state that If-Match names",
    ),
    413: ("payload_too_large", "Payload Too Large", "The request body is too large"),
    414: ("uri_too_long", "URI Too Long", "The URL is too long"),
    415: (
        "unsupported_media_type",
        "Unsupported Media Type",
        "The request body must be sent as application/vnd.api+json",
    ),
    422: ("invalid_attribute", "Invalid Attribute", "attribute is invalid"),
    429: ("too_many_requests", "Too many requests", "You have sent too many requests"),
    431: ("headers_too_large", "Headers Too Large", "The request has too many or too long headers"),
    500: ("server_error", "Server Error", "Something went wrong on our side"),
    503: ("service_unavailable", "Service Unavailable", "The service is busy; try again in a moment"),
}

# Code → title, detail.
PARAMETERS = {
    "unsupported_filter": ("Unsupported Filter", "Filter '{}' is not supported on this endpoint"),
    "unsupported_filter_value": (
        "Unsupported Filter Value",
        "Filter value '{}' is not supported on this endpoint",
    ),
    "missing_filter": ("Missing Filter", "One of the filters '{}' is required on this endpoint"),
    "unsupported_sort": ("Unsupported Sort", "Sort by '{}' is not supported on this endpoint"),
    "unsupported_include": ("Unsupported Include", "Include '{}' is not supported on this endpoint"),
    "unsupported_field": ("Unsupported Field", "Field '{}' is not supported on this endpoint"),
    "invalid_page": ("Invalid Page", "Page '{}' is not a whole number from 1"),
    "keyset_conflict": ("Keyset Conflict", "A page has a number or comes after another"),
    "keyset_invalid_cursor": (
        "Keyset Invalid Cursor",
        "Page after '{}' is not one that a list in this order has",
    ),
    "invalid_dry_run": ("Invalid Dry Run", "Dry run '{}' is neither 'true' nor 'false'"),
}
INVALID_HEADER = {"code": "invalid_header", "title": "Invalid Header"}
# Another detail of `unsupported_include`.
TOO_MUCH_INCLUDED = (
    "Include '{{}}' adds more than {:,} records and links. Include less, request fewer records per page,"
    " or list the related records with a filter"
)

# DRF's error code → message. INVALID replaces all other messages of Django and DRF.
BLANK, INVALID, NOT_SUPPORTED = "can't be blank", "attribute is invalid", "attribute is not supported"
FIELD_MESSAGES = {
    **dict.fromkeys(("required", "null", "blank"), BLANK),
    "max_length": "is too long (maximum is {max_length} characters)",
}

RETRY_AFTER_SECONDS = 2
NEVER_CACHED = {"Cache-Control": "no-store"}


class ApiError(APIException):
    """An error with a status of STATUSES and more members of the error object."""

    headers: Mapping[str, str] = {}

    def __init__(self, status: int, detail: str | None = None, **members: Any) -> None:
        code, _, default = STATUSES[status]
        self.status_code, self.members = status, members
        super().__init__(detail or default, code)


class HeaderError(ApiError):
    """An invalid header (400), or one that contradicts stored data."""

    def __init__(self, status: int, header: str, detail: str | None = None) -> None:
        members = INVALID_HEADER if status == 400 else {}
        super().__init__(status, detail, source={"header": header}, **members)


class ParameterError(ApiError):
    """An invalid query parameter (400).

    `value` is formatted into `detail`; by default, into the detail of PARAMETERS.
    """

    def __init__(self, code: str, value: str, parameter: str, *, detail: str | None = None) -> None:
        title, default = PARAMETERS[code]
        template = default if detail is None else detail
        shown = value if len(value) <= 100 else f"{value[:100]}…"
        source = {"parameter": parameter}
        super().__init__(400, template.format(shown), code=code, title=title, source=source)


class TooManyRequestsError(ApiError):
    """More than `limit` requests in `period` seconds (429). The limit ends in `wait` seconds."""

    def __init__(self, limit: int, period: int, wait: float) -> None:
        super().__init__(429, limit=limit, period=period)
        seconds = str(max(1, ceil(wait)))
        self.headers = {"X-RateLimit-Reset": seconds, "Retry-After": seconds}


def error_object(status: int, *, source: Mapping[str, str] | None = None, **members: Any) -> dict[str, Any]:
    code, title, detail = STATUSES[status]
    error = {"status": str(status), "code": code, "title": title, "detail": detail, **members}
    return {**error, "source": source} if source else error


def invalid_attributes(detail: Any) -> Iterator[dict[str, Any]]:
    """Yield an error object for each message, in the order of the fields.

    As in Productive's API, pointers have no leading slash, and relationships have pointers to attributes.
    """
    if not isinstance(detail, Mapping):
        detail = {NON_FIELD_ERRORS: detail}
    for name, messages in detail.items():
        pointer = "base" if name == NON_FIELD_ERRORS else name
        for message in messages if isinstance(messages, list) else [messages]:
            yield error_object(422, detail=str(message), source={"pointer": f"data/attributes/{pointer}"})


def messages_of(error: ModelValidationError) -> dict[str, list[str]]:
    """Return the messages by field."""
    return error.message_dict if hasattr(error, "error_dict") else {NON_FIELD_ERRORS: error.messages}


def restricted_message(error: RestrictedError) -> str:
    users = list(error.restricted_objects)
    return f"is used by {len(users)} {users[0]._meta.verbose_name_plural}; archive it instead"


def errors_of(exc: Exception) -> tuple[int, list[dict[str, Any]]]:
    """Return the status and the error objects for an exception."""
    match exc:
        case ValidationError():
            return 422, list(invalid_attributes(exc.detail))
        case ModelValidationError():  # Raised by a method of the model.
            return 422, list(invalid_attributes(messages_of(exc)))
        case RestrictedError():
            return 422, list(invalid_attributes({NON_FIELD_ERRORS: restricted_message(exc)}))
        case ApiError():
            status = exc.status_code
            return status, [error_object(status, detail=str(exc.detail), **exc.members)]
        case APIException() if exc.status_code in STATUSES:  # Raised by DRF: 401, 403, 405, 415.
            return exc.status_code, [error_object(exc.status_code)]
        case UnreadablePostError():  # The client closed the connection before the end of the body.
            return 400, [error_object(400)]
        case SuspiciousOperation():  # Django's limits: too many parameters, an unknown host.
            return 400, [error_object(400)]
        case Http404():
            return 404, [error_object(404)]
        case DjangoPermissionDenied():
            return 403, [error_object(403)]
        case IntegrityError():  # No validation checks this constraint. Nothing was written.
            return 409, [error_object(409)]
        case OperationalError() | InterfaceError():
            return 503, [error_object(503)]
    return 500, [error_object(500)]


def exception_handler(exc: Exception, context: Mapping[str, Any]) -> Response:
    """Return an error document for any exception of an API view."""
    status, errors = errors_of(exc)
    if status in (409, 500, 503) and not isinstance(exc, APIException):
        logger.error("%s at %r", status, context["request"].path, exc_info=exc)
    headers = {**NEVER_CACHED, **getattr(exc, "headers", {})}
    response = Response({"errors": errors}, status=status, headers=headers)
    if status == 503:
        response["Retry-After"] = str(RETRY_AFTER_SECONDS)
    if challenge := getattr(exc, "auth_header", None):
        response["WWW-Authenticate"] = challenge
    return response


def error_handler(status: int) -> Callable[..., HttpResponse]:
    """Return a handler such as `handler404`, with documents under /api/."""
    pages: dict[int, Callable[..., HttpResponse]] = {
        400: defaults.bad_request,
        403: defaults.permission_denied,
        404: defaults.page_not_found,
    }

    def handler(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
        if request.path.startswith("/api/"):
            body = dump({"errors": [error_object(status)]})
            return HttpResponse(body, status=status, content_type=CONTENT_TYPE, headers=NEVER_CACHED)
        if status in pages:
            return pages[status](request, exception)
        return HttpResponseServerError(render_to_string("500.html", {"request_id": request_id.get()}))

    return handler
