"""Parse request bodies: strict JSON, then a JSON:API document."""

from __future__ import annotations

import re
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import date
from typing import IO, Any

import orjson
from django.conf import settings
from django.http import UnreadablePostError
from django.utils.http import parse_header_parameters
from rest_framework.request import Request
from rest_framework_json_api import parsers

from productive.jsonapi.errors import ApiError
from productive.jsonapi.renderers import MEDIA_TYPE, JSONRenderer

ID = re.compile(r"[1-9][0-9]{0,18}", re.ASCII)
MAX_ID = 2**63 - 1
# More than documents need, and less than the recursion limit of Python or orjson.
MAX_DOCUMENT_DEPTH = 64
MAX_DISCARDED, DISCARDED_AT_ONCE = 16_000_000, 64_000
# Each unknown member adds an error object, which is ten times as long, to the response.
MAX_MEMBERS = 1_000


def parse_id(value: object) -> int | None:
    """Return an id as a number, or None if the value isn't an id.

    `int()` also accepts " 1", "+1", "1_0" and digits of other scripts.
    """
    if isinstance(value, str) and ID.fullmatch(value) and (number := int(value)) <= MAX_ID:
        return number
    return None


def parse_day(value: object) -> date | None:
    """Return a YYYY-MM-DD as a date, or None.

    `fromisoformat` also accepts 20261123 and 2026-W48-1.
    """
    try:
        day = date.fromisoformat(value)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        return None
    return day if day.isoformat() == value else None


ABSENT: Any = object()


@dataclass(frozen=True, slots=True)
class ResourceObject:
    """The `data` of a document, before validation.

    `relationships` maps names to linkage: None, an identifier, a list of identifiers, or ABSENT for a
    relationship without `data`. `document` is the whole document.
    """

    type: str
    id: str | None
    attributes: Mapping[str, Any] = field(default_factory=dict)
    relationships: Mapping[str, Any] = field(default_factory=dict)
    document: Mapping[str, Any] = field(default_factory=dict, compare=False)


class JSONParser(parsers.JSONParser):
    """Add strict checks; don't merge attributes and relationships."""

    media_type = MEDIA_TYPE
    renderer_class = JSONRenderer

    def parse(
        self,
        stream: IO[Any],
        media_type: str | None = None,
        parser_context: Mapping[str, Any] | None = None,
    ) -> Any:
        """Return the parsed body. Raise ApiError 415 or 400 if it is invalid."""
        meta = (parser_context or {})["request"].META
        check_media_type(media_type or "", meta.get("HTTP_CONTENT_ENCODING", ""))
        body = stream.read()
        if len(body) < int(meta.get("CONTENT_LENGTH") or 0):
            raise ApiError(400, "The body ended early")
        try:
            document = orjson.loads(body)
        except orjson.JSONDecodeError as error:
            raise ApiError(400, f"The body is not valid JSON: {error}") from None
        check_storable(document)
        return self.parse_data(document, parser_context)

    def parse_data(self, result: Any, parser_context: Any) -> ResourceObject | dict[str, Any]:
        """Return the resource object, or the document if it has none.

        An action such as `archive` doesn't need one. Raise ApiError 400 for an invalid document.
        """
        if not isinstance(result, dict):
            raise ApiError(400, "The document must be an object")
        if "data" not in result:
            return result
        data = result["data"]
        if not isinstance(data, dict):
            raise ApiError(400, "'data' must be one resource object")
        kind, identity = data.get("type"), data.get("id")
        if not isinstance(kind, str):
            raise ApiError(400, "'data.type' must be a string")
        if identity is not None and not isinstance(identity, str):
            raise ApiError(400, "'data.id' must be a string")
        # Parse relationships first, because only the first error is reported.
        linked = members(data, "relationships")
        relationships = {name: linkage_of(name, each) for name, each in linked.items()}
        return ResourceObject(kind, identity, members(data, "attributes"), relationships, result)


def check_length(request: Request) -> None:
    """Raise ApiError 413 for a body over the limit, but read it first.

    Otherwise, a client that is still sending gets a connection reset instead of the response.
    """
    if int(request.META.get("CONTENT_LENGTH") or 0) <= settings.API_MAX_BODY_BYTES:
        return
    with suppress(UnreadablePostError):  # The client has closed the connection.
        for _ in range(MAX_DISCARDED // DISCARDED_AT_ONCE):
            if not request.stream.read(DISCARDED_AT_ONCE):
                break
    raise ApiError(413, f"The request body is larger than {settings.API_MAX_BODY_BYTES} bytes")


def check_media_type(media_type: str, encoding: str) -> None:
    _, parameters = parse_header_parameters(media_type)
    charset = parameters.pop("charset", "utf-8").lower()
    extensions = parameters.pop("ext", "bulk")
    if charset not in ("utf-8", "utf8") or extensions != "bulk" or parameters:
        raise ApiError(415)
    if encoding.lower() not in ("", "identity"):
        raise ApiError(415, "The request body must not be compressed")


def check_storable(document: Any) -> None:
    """Raise ApiError 400 for NUL, which can't be stored, or deep nesting."""
    level = [document]
    for _ in range(MAX_DOCUMENT_DEPTH):
        children: list[Any] = []
        for value in level:
            if isinstance(value, str):
                check_nul(value)
            elif isinstance(value, list):
                children += value
            elif isinstance(value, dict):
                for key in value:
                    check_nul(key)
                children += value.values()
        if not children:
            return
        level = children
    raise ApiError(400, f"The document is nested more than {MAX_DOCUMENT_DEPTH} levels deep")


def check_nul(text: str) -> None:
    if "\0" in text:
        raise ApiError(400, "A string in the document has a NUL character")


def members(data: dict[str, Any], name: str) -> dict[str, Any]:
    value = data.get(name, {})
    if not isinstance(value, dict):
        raise ApiError(400, f"'data.{name}' must be an object")
    if len(value) > MAX_MEMBERS:
        raise ApiError(400, f"'data.{name}' has more than {MAX_MEMBERS} members")
    return value


def linkage_of(name: str, relationship: Any) -> Any:
    """Return the relationship's linkage or ABSENT, or raise ApiError 400."""
    where = f"data.relationships.{name}"
    if not isinstance(relationship, dict):
        raise ApiError(400, f"'{where}' must be an object")
    linkage = relationship.get("data", ABSENT)
    identifiers = linkage if isinstance(linkage, list) else [] if linkage in (ABSENT, None) else [linkage]
    if not all(isinstance(identifier, dict) for identifier in identifiers):
        raise ApiError(400, f"'{where}.data' must be null, a resource identifier or a list of them")
    for identifier in identifiers:
        if type(identifier.get("id")) is int:  # Not a bool. Some clients send numbers.
            identifier["id"] = str(identifier["id"])
    return linkage
