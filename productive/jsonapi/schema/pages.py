"""The API's document, for programs at /api/v2/openapi.json and for people at /api/v2/docs.

It says nothing of anybody, so it needs no token.
"""

from __future__ import annotations

from functools import cache
from hashlib import blake2b
from typing import Any

from django.http import HttpResponse
from django.template.loader import render_to_string
from django.utils.decorators import method_decorator
from django.views.decorators.gzip import gzip_page
from django.views.decorators.http import condition
from drf_spectacular.generators import SchemaGenerator
from rest_framework.request import Request
from rest_framework.views import APIView

from productive.jsonapi.errors import PARAMETERS, STATUSES
from productive.jsonapi.filters import MAX_VALUES
from productive.jsonapi.pagination import MAX_PAGE_SIZE, PAGE_SIZE
from productive.jsonapi.renderers import dump
from productive.jsonapi.schema import reading
from productive.jsonapi.schema.answers import MEANINGS
from productive.jsonapi.schema.parameters import OPERATIONS

MEDIA_TYPE = "application/vnd.oai.openapi+json"
CACHED = {"Cache-Control": "public, max-age=300"}
# The page has a style sheet and an icon of ours, and no script.
POLICY = "; ".join(
    [
        "default-src 'none'",
        "style-src 'self'",
        "img-src 'self'",
        "form-action 'none'",
        "base-uri 'none'",
        "frame-ancestors 'none'",
    ]
)


@cache
def document() -> dict[str, Any]:
    """The API as OpenAPI, made once in each process."""
    generator = SchemaGenerator()
    found: dict[str, Any] = generator.get_schema(public=True)
    return found


@cache
def written() -> bytes:
    return dump(document())


@cache
def etag() -> str:
    return f'"{blake2b(written(), digest_size=15).hexdigest()}"'


@cache
def contents() -> dict[str, Any]:
    """What the page shows: the document, in the order in which it is read."""
    return {
        "resources": reading.resources(document()),
        "info": document()["info"],
        "operations": OPERATIONS,
        "errors": [
            {"status": status, "code": code, "title": title, "meaning": MEANINGS.get(status, detail)}
            for status, (code, title, detail) in STATUSES.items()
        ],
        "parameter_codes": [*PARAMETERS],
        "page_size": PAGE_SIZE,
        "max_page_size": MAX_PAGE_SIZE,
        "max_values": MAX_VALUES,
    }


class Page(APIView):
    """Read only, by everybody. Whatever else is asked is refused as everywhere under /api/."""

    http_method_names = ["get", "head"]
    authentication_classes = ()
    permission_classes = ()
    throttle_classes = ()
    schema = None


@method_decorator([gzip_page, condition(etag_func=lambda request: etag())], name="dispatch")
class OpenApi(Page):
    def get(self, request: Request) -> HttpResponse:
        return HttpResponse(written(), content_type=MEDIA_TYPE, headers=CACHED)


@method_decorator(gzip_page, name="dispatch")
class Docs(Page):
    def get(self, request: Request) -> HttpResponse:
        page = render_to_string("api/docs.html", contents())
        return HttpResponse(page, headers={**CACHED, "Content-Security-Policy": POLICY})
