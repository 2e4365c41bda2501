"""Bytes out: one media type, whatever a client says that it accepts; none that the client has already."""

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
# What fits into one packet anyway isn't made smaller.
COMPRESSED_FROM = 1_400
# The level that costs least: what the others would save of a page of 200 is less than 500 bytes.
GZIP_LEVEL, GZIP_FORMAT = 1, 31
GZIP = re.compile(r"(?:^|,)\s*(?:x-)?gzip\s*(?:;\s*q=(?P<weight>[0-9.]+)\s*)?(?:,|$)", re.IGNORECASE)


def dump(document: Mapping[str, Any]) -> bytes:
    return orjson.dumps(document)


def represent(request: Request, document: Mapping[str, Any], organization: int) -> Response:
    """The answer to a GET, with its ETag; 304 without a body where the client has just this already."""
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
        body = compress(body)
    return Response(body, headers={**headers, "ETag": tags[coding]})


def accepts_gzip(request: Request) -> bool:
    match = GZIP.search(request.headers.get("Accept-Encoding", ""))
    return match is not None and (match["weight"] is None or match["weight"].strip("0.") != "")


def compress(body: bytes) -> bytes:
    compressor = zlib.compressobj(GZIP_LEVEL, wbits=GZIP_FORMAT)
    return compressor.compress(body) + compressor.flush()


class JSONRenderer(renderers.JSONRenderer):
    """Add to the package's renderer documents that are bytes already, and this API's error documents."""

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
        body: bytes = super().render(data, accepted_media_type, renderer_context)
        return body

    def render_errors(
        self,
        data: Mapping[str, Any],
        accepted_media_type: str | None = None,
        renderer_context: Mapping[str, Any] | None = None,
    ) -> bytes:
        """Keep the order of the errors, which the package would sort by their pointers."""
        return dump(data)
