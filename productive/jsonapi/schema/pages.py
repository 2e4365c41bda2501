"""The API's document, for programs at /api/v2/openapi.json and for people at /api/v2/docs.

It says nothing of anybody, so it needs no token.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache
from hashlib import blake2b
from threading import Lock
from typing import Any, ClassVar

from django.http import HttpResponse
from django.template.loader import render_to_string
from django.utils.decorators import method_decorator
from django.views.decorators.gzip import gzip_page
from drf_spectacular.generators import SchemaGenerator
from rest_framework.request import Request
from rest_framework.views import APIView

from productive.jsonapi.errors import PARAMETERS, STATUSES
from productive.jsonapi.etags import known_tags
from productive.jsonapi.filters import MAX_VALUES
from productive.jsonapi.pagination import MAX_PAGE_SIZE, PAGE_SIZE
from productive.jsonapi.renderers import dump
from productive.jsonapi.schema import reading
from productive.jsonapi.schema.answers import MEANINGS
from productive.jsonapi.schema.parameters import OPERATIONS

MEDIA_TYPE = "application/vnd.oai.openapi+json"
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


MAKING = Lock()


def document() -> dict[str, Any]:
    """The API as OpenAPI, made once in each process, by one thread: a schema knows one view at a time."""
    with MAKING:
        return made()


@cache
def made() -> dict[str, Any]:
    found: dict[str, Any] = SchemaGenerator().get_schema(public=True)
    return found


@cache
def program_text() -> bytes:
    return dump(document())


@cache
def page_text() -> bytes:
    return render_to_string("api/docs.html", contents()).encode()


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


@method_decorator(gzip_page, name="dispatch")
class Page(APIView):
    """Read only, by everybody. Whatever else is asked is refused as everywhere under /api/."""

    http_method_names = ["get", "head"]
    authentication_classes = ()
    permission_classes = ()
    schema = None
    text: Callable[[], bytes]
    own_headers: ClassVar[Mapping[str, str]]

    def get(self, request: Request) -> HttpResponse:
        body = type(self).text()
        tag = f'"{blake2b(body, digest_size=15).hexdigest()}"'
        headers = {"Cache-Control": "public, max-age=300", "ETag": tag, **self.own_headers}
        # Compressed, Django calls the tag a weak one.
        if not known_tags(request.headers.get("If-None-Match", "")).isdisjoint(("*", tag)):
            return HttpResponse(status=304, headers={**headers, "Vary": "Accept-Encoding"})
        return HttpResponse(body, headers=headers)


class OpenApi(Page):
    text = staticmethod(program_text)
    own_headers: ClassVar[Mapping[str, str]] = {"Content-Type": MEDIA_TYPE}


class Docs(Page):
    text = staticmethod(page_text)
    own_headers: ClassVar[Mapping[str, str]] = {
        "Content-Type": "text/html; charset=utf-8",
        "Content-Security-Policy": POLICY,
    }
