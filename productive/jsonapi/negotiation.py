"""Choose the parser by the content type, and always one renderer."""

from __future__ import annotations

from typing import Any

from rest_framework.negotiation import BaseContentNegotiation
from rest_framework.request import Request

from productive.jsonapi.parsers import check_length


class ContentNegotiation(BaseContentNegotiation):
    """Never return 406: many clients send a browser's Accept, or none."""

    def select_parser(self, request: Request, parsers: Any) -> Any:
        content_type = request.content_type.partition(";")[0].strip().lower()
        parser = next((parser for parser in parsers if parser.media_type == content_type), None)
        if parser is not None:
            # DRF reads the whole body before it calls the parser.
            check_length(request)
        return parser

    def select_renderer(self, request: Request, renderers: Any, format_suffix: str | None = None) -> Any:
        return renderers[0], renderers[0].media_type
