"""Bytes out: one media type, whatever a client says that it accepts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson
from rest_framework.negotiation import BaseContentNegotiation
from rest_framework.renderers import BaseRenderer
from rest_framework.request import Request

MEDIA_TYPE = "application/vnd.api+json"
CONTENT_TYPE = f"{MEDIA_TYPE}; charset=utf-8"


def dump(document: Mapping[str, Any]) -> bytes:
    return orjson.dumps(document)


class JSONRenderer(BaseRenderer):
    media_type = MEDIA_TYPE
    format = "json"
    charset = "utf-8"

    def render(
        self,
        data: Mapping[str, Any] | bytes | None,
        accepted_media_type: str | None = None,
        renderer_context: Mapping[str, Any] | None = None,
    ) -> bytes:
        """A document that was written within a transaction comes as bytes already."""
        if data is None or isinstance(data, bytes):
            return data or b""
        return dump(data)


class ContentNegotiation(BaseContentNegotiation):
    """Never 406: real clients send a browser's Accept, or none."""

    def select_parser(self, request: Request, parsers: Any) -> Any:
        sent = request.content_type.partition(";")[0].strip().lower()
        return next((parser for parser in parsers if parser.media_type == sent), None)

    def select_renderer(self, request: Request, renderers: Any, format_suffix: str | None = None) -> Any:
        return renderers[0], renderers[0].media_type
