"""What every operation may answer besides its own: error documents, and the headers of answers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from productive.jsonapi.errors import PARAMETERS, STATUSES
from productive.jsonapi.renderers import MEDIA_TYPE
from productive.jsonapi.schema.resources import Schema

# Whatever is asked, by whomever.
ALWAYS = (400, 401, 403, 429, 503)
# Operation: the errors that it may answer besides; verbs (`archive`) are as "verb".
ERRORS: Mapping[str, tuple[int, ...]] = {
    "list": (),
    "retrieve": (404,),
    "create": (409, 413, 415, 422),
    "partial_update": (404, 409, 412, 413, 415, 422),
    "destroy": (404, 409, 412),
    "verb": (404, 409, 412, 413, 415),
}
# What else than the status's own code an error may have.
MORE_CODES: Mapping[int, tuple[str, ...]] = {400: (*PARAMETERS, "invalid_header")}
MEANINGS = {
    400: "The body is not a JSON:API document, the query string asks for something that doesn't exist, or a"
    " header can't be read",
    401: "No token, or one that opens nothing",
    403: "The token may not do this, or belongs to another organization",
    404: "There is no such record in the token's organization",
    409: "The `type` or the `id` in the body is not the one in the address, the Idempotency-Key was used for"
    " another document, path or query, or another change came first",
    412: "The record is no longer what `If-Match` says",
    413: "The body is too large",
    415: f"The body is not sent as {MEDIA_TYPE}",
    422: "An attribute or a relationship is refused; one error for each fault, which points at the attribute",
    429: "Too many requests. `Retry-After` says when to come again",
    503: "The database is busy or away. `Retry-After` says when to come again",
}


def header(description: str, *, required: bool = True, **schema: Any) -> Schema:
    return {"description": description, "required": required, "schema": {"type": "string", **schema}}


SECONDS: Schema = {"type": "integer", "minimum": 0}
RETRY_AFTER = header("Seconds to wait", **SECONDS)
HEADERS: Mapping[int, Schema] = {
    401: {"WWW-Authenticate": header("The header that the token belongs into")},
    429: {
        "Retry-After": RETRY_AFTER,
        "X-RateLimit-Reset": header("When requests are served again, in seconds since 1970", **SECONDS),
    },
    503: {"Retry-After": RETRY_AFTER},
}
ETAG = header("Names exactly this answer, for `If-None-Match` and `If-Match`")
LOCATION = header("The address of the new record", format="uri")
IS_REPLAYED = header("`true` where it is the answer of before", required=False, enum=["true"])


def code_of(status: int) -> str:
    return STATUSES[status][0]


def content(schema: Mapping[str, Any], example: Any = None) -> Schema:
    return {MEDIA_TYPE: {"schema": dict(schema), **({} if example is None else {"example": example})}}


def error_schema(status: int) -> Schema:
    """A document of errors, all of one status."""
    codes = [code_of(status), *MORE_CODES.get(status, ())]
    properties: Schema = {
        "status": {"const": str(status)},
        "code": {"type": "string", "enum": codes},
        "title": {"type": "string"},
        "detail": {"type": "string"},
        "source": {"$ref": "#/components/schemas/error_source"},
    }
    if status == 429:
        properties |= {
            "limit": {"type": "integer", "description": "So many requests"},
            "period": {"type": "integer", "description": "in so many seconds"},
        }
    error = {
        "type": "object",
        "required": ["status", "code", "title", "detail", *(["source"] if status == 422 else [])],
        "properties": properties,
    }
    return {
        "type": "object",
        "required": ["errors"],
        "properties": {"errors": {"type": "array", "minItems": 1, "items": error}},
    }


def error_response(status: int) -> Schema:
    code, title, detail = STATUSES[status]
    error: Schema = {"status": str(status), "code": code, "title": title, "detail": detail}
    if status == 422:
        error["source"] = {"pointer": "data/attributes/name"}
    response: Schema = {
        "description": MEANINGS[status],
        "content": content({"$ref": f"#/components/schemas/{code}"}, {"errors": [error]}),
    }
    return {**response, "headers": HEADERS[status]} if status in HEADERS else response


SHARED: Mapping[str, Schema] = {
    "not_included": {
        "type": "object",
        "required": ["meta"],
        "properties": {
            "meta": {
                "type": "object",
                "required": ["included"],
                "properties": {"included": {"const": False}},
            }
        },
        "description": "A relationship that the request doesn't `include`: its linkage isn't shown",
    },
    "error_source": {
        "type": "object",
        "properties": {
            "pointer": {
                "type": "string",
                "description": "The refused attribute or relationship: `data/attributes/<name>` for both",
            },
            "parameter": {"type": "string", "description": "The query parameter that is refused"},
            "header": {"type": "string", "description": "The request header that is refused"},
        },
    },
    "numbered_page": {
        "type": "object",
        "required": ["current_page", "total_pages", "total_count", "page_size", "max_page_size"],
        "properties": {
            name: {"type": "integer", "minimum": 0}
            for name in ("current_page", "total_pages", "total_count", "page_size", "max_page_size")
        },
    },
    "cursor_page": {
        "type": "object",
        "required": ["page_size", "max_page_size"],
        "properties": {name: {"type": "integer", "minimum": 0} for name in ("page_size", "max_page_size")},
        "maxProperties": 2,
    },
    "links": {
        "type": "object",
        "required": ["first"],
        "properties": {
            name: {"type": "string", "format": "uri"} for name in ("first", "prev", "next", "last")
        },
        "description": "Addresses of other pages of the list. `prev` and `next` only where there is one",
    },
}
