"""Describe the responses: error documents, headers, shared schemas."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from productive.jsonapi.errors import PARAMETERS, STATUSES
from productive.jsonapi.renderers import MEDIA_TYPE
from productive.jsonapi.schema.json_schema import Schema, object_schema, shared

COMMON_ERRORS = (400, 401, 403, 414, 429, 431, 503)
# Action of a viewset → other errors that it can return. "extra_action" stands for archive, restore and so on.
ACTION_ERRORS: Mapping[str, tuple[int, ...]] = {
    "list": (),
    "retrieve": (404,),
    "create": (409, 413, 415, 422),
    "partial_update": (404, 409, 412, 413, 415, 422),
    "destroy": (404, 409, 412),
    "extra_action": (404, 409, 412, 413, 415),
}
# Status → error codes besides the one in STATUSES.
OTHER_CODES: Mapping[int, tuple[str, ...]] = {400: (*PARAMETERS, "invalid_header")}
ERROR_DESCRIPTIONS = {
    400: "The body is not a JSON:API document, a query parameter is not supported, or a header is malformed",
    401: "The token is missing or invalid",
    403: "The token doesn't allow this request, or belongs to another organization",
    404: "The token's organization has no such record",
    409: "The `type` or `id` in the body differs from the one in the URL, the `Idempotency-Key` was used for"
    " another request, or another change was made at the same time",
    412: "The record has changed: its current `ETag` is not the one in `If-Match`",
    413: "The body is too large",
    414: "The URL is longer than about 8,000 characters",
    415: f"The `Content-Type` of the body is not {MEDIA_TYPE}",
    422: "An attribute or a relationship is invalid. Each error has a pointer to one of them",
    429: "Too many requests. `Retry-After` is the number of seconds to wait",
    431: "There are more than 100 headers, or one is longer than about 8,000 characters",
    503: "The database is busy or unavailable. `Retry-After` is the number of seconds to wait",
}


def header(description: str, *, required: bool = True, **schema: Any) -> Schema:
    return {"description": description, "required": required, "schema": {"type": "string", **schema}}


COUNT: Schema = {"type": "integer", "minimum": 0}
RETRY_AFTER = header("Seconds to wait", **COUNT)
ERROR_HEADERS: Mapping[int, Schema] = {
    401: {"WWW-Authenticate": header("The header to send the token in")},
    429: {
        "Retry-After": RETRY_AFTER,
        "X-RateLimit-Reset": header("Seconds until the limit ends", **COUNT),
    },
    503: {"Retry-After": RETRY_AFTER},
}
ETAG = header("Identifies this representation, for `If-None-Match` and `If-Match`")
LOCATION = header("The URL of the new record", format="uri")
IDEMPOTENCY_REPLAYED = header(
    "`true` if this is the response to an earlier request", required=False, enum=["true"]
)


def response(description: str, headers: Schema) -> Schema:
    return {"description": description, **({"headers": headers} if headers else {})}


def content(schema: Mapping[str, Any], example: Any = None) -> Schema:
    return {MEDIA_TYPE: {"schema": dict(schema), **({} if example is None else {"example": example})}}


def error_code(status: int) -> str:
    return STATUSES[status][0]


def error_document_schema(status: int) -> Schema:
    """Return the schema of an error document, whose errors share a status."""
    properties: Schema = {
        "status": {"const": str(status)},
        "code": {"type": "string", "enum": [error_code(status), *OTHER_CODES.get(status, ())]},
        "title": {"type": "string"},
        "detail": {"type": "string"},
        "source": shared("error_source"),
    }
    if status == 429:
        properties |= {
            "limit": {"type": "integer", "description": "Allowed requests in each period"},
            "period": {"type": "integer", "description": "Length of the period in seconds"},
        }
    required = ["status", "code", "title", "detail", *(["source"] if status == 422 else [])]
    errors = {"type": "array", "minItems": 1, "items": object_schema(properties, required)}
    return object_schema({"errors": errors}, required=["errors"])


def error_response(status: int) -> Schema:
    code, title, detail = STATUSES[status]
    error: Schema = {"status": str(status), "code": code, "title": title, "detail": detail}
    if status == 422:
        error["source"] = {"pointer": "data/attributes/name"}
    return {
        **response(ERROR_DESCRIPTIONS[status], ERROR_HEADERS.get(status, {})),
        "content": content(shared(code), {"errors": [error]}),
    }


PAGE_SIZES = dict.fromkeys(("page_size", "max_page_size"), COUNT)
NUMBERED_PAGE = dict.fromkeys(("current_page", "total_pages", "total_count"), COUNT) | PAGE_SIZES
NO_RECORDS = {"description": "Always empty: this system has no such records"}
IDENTIFIER = object_schema({"type": {"type": "string"}, "id": {"type": "string"}}, required=["type", "id"])
UNKNOWN_RELATIONSHIP = object_schema(
    {"data": {"anyOf": [{"type": "null"}, IDENTIFIER, {"type": "array", "items": IDENTIFIER}]}}
)


def without_records(data: Any) -> Schema:
    linkage = object_schema({"data": {"const": data}}, required=["data"])
    return {"anyOf": [shared("not_included"), linkage], **NO_RECORDS}


SHARED_SCHEMAS: Mapping[str, Schema] = {
    "unknown_relationship": UNKNOWN_RELATIONSHIP,
    "ignored_relationship": {**UNKNOWN_RELATIONSHIP, **NO_RECORDS},
    "null_relationship": without_records(None),
    "empty_relationship": without_records([]),
    "not_included": {
        **object_schema(
            {"meta": object_schema({"included": {"const": False}}, required=["included"])},
            required=["meta"],
        ),
        "description": "A relationship that the request doesn't `include`, so without linkage",
    },
    "error_source": object_schema(
        {
            "pointer": {
                "type": "string",
                "description": "The attribute or relationship, as `data/attributes/<name>` for both",
            },
            "parameter": {"type": "string", "description": "The query parameter"},
            "header": {"type": "string", "description": "The request header"},
        }
    ),
    "numbered_page": object_schema(NUMBERED_PAGE, required=NUMBERED_PAGE),
    "cursor_page": {**object_schema(PAGE_SIZES, required=PAGE_SIZES), "maxProperties": 2},
    "links": {
        **object_schema(
            {name: {"type": "string", "format": "uri"} for name in ("first", "prev", "next", "last")},
            required=["first"],
        ),
        "description": "URLs of other pages. `prev` and `next` are present only if there is such a page",
    },
}
