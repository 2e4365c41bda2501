"""Write responses: JSON:API documents, compressed documents and 304."""

from __future__ import annotations

import re
import zlib
from collections.abc import Mapping
from typing import Any

import orjson
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework_json_api import renderers

from productive.jsonapi.etags import known_tags, tags_of

MEDIA_TYPE = "application/vnd.api+json"
CONTENT_TYPE = f"{MEDIA_TYPE}; charset=utf-8"
# A smaller body fits into one network packet.
COMPRESSED_FROM = 1_400
# The fastest level: the others save less than 500 bytes of a page of 200 records.
GZIP_LEVEL, GZIP_FORMAT = 1, 31
GZIP = re.compile(r"(?:^|,)\s*(?:x-)?gzip\s*(?:;\s*q=(?P<weight>[0-9.]+)\s*)?(?:,|$)", re.IGNORECASE)


def dump(document: Mapping[str, Any]) -> bytes:
    return orjson.dumps(document)


def represent(request: Request, document: Mapping[str, Any], organization: int) -> Response:
    """Return the response to a GET; 304 if the client has the document."""
    body = dump(document)
    tags = tags_of(body, organization)
    headers = {"Vary": "Accept-Encoding"}
    known = known_tags(request.headers.get("If-None-Match", ""))
    coding = "gzip" if len(body) >= COMPRESSED_FROM and accepts_gzip(request) else ""
    if known.intersection(("*", *tags.values())):
        coding = next((coding for coding, tag in tags.items() if tag in known), coding)
        return Response(status=304, headers={**headers, "ETag": tags[coding]})
    if coding:
        headers["Content-Encoding"] = coding
        body = zlib.compress(body, GZIP_LEVEL, GZIP_FORMAT)
    return Response(body, headers={**headers, "ETag": tags[coding]})


def accepts_gzip(request: Request) -> bool:
    match = GZIP.search(request.headers.get("Accept-Encoding", ""))
    return match is not None and (match["weight"] is None or match["weight"].strip("0.") != "")


class JSONRenderer(renderers.JSONRenderer):
    """Add documents that are already bytes, and this API's errors."""

    media_type = MEDIA_TYPE
    charset = "utf-8"

    def render(
        self,
        data: Any,
        accepted_media_type: str | None = None,
        renderer_context: Mapping[str, Any] | None = None,
    ) -> bytes:
        if data is None or isinstance(data, bytes):
            return data or b""
        return super().render(data, accepted_media_type, renderer_context)

    def render_errors(
        self,
        data: Mapping[str, Any],
        accepted_media_type: str | None = None,
        renderer_context: Mapping[str, Any] | None = None,
    ) -> bytes:
        """Keep the order of the errors; the package sorts them by pointer."""
        return dump(data)
