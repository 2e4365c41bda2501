"""Serve the OpenAPI document, and Swagger UI to read and try it.

Neither contains any record, so neither needs a token.
"""

from __future__ import annotations

from functools import cache
from hashlib import blake2b
from threading import Lock
from typing import Any

from django.http import HttpResponse
from django.utils.decorators import method_decorator
from django.views.decorators.gzip import gzip_page
from drf_spectacular.generators import SchemaGenerator
from drf_spectacular.views import SpectacularSwaggerSplitView
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from productive.jsonapi.etags import known_tags
from productive.jsonapi.renderers import JSONRenderer, dump
from productive.web.content_security import SWAGGER_UI

OPENAPI_MEDIA_TYPE = "application/vnd.oai.openapi+json"
CACHE_CONTROL = "public, max-age=300"
GENERATION = Lock()


def document() -> dict[str, Any]:
    """Return the OpenAPI document, generated once in each process.

    The lock is needed because all threads share the schema object of a view, which describes one operation
    at a time.
    """
    with GENERATION:
        return generated_document()


@cache
def generated_document() -> dict[str, Any]:
    return SchemaGenerator().get_schema(public=True)


@cache
def serialized_document() -> tuple[bytes, str]:
    """Return the document as JSON, with its ETag."""
    body = dump(document())
    return body, f'"{blake2b(body, digest_size=15).hexdigest()}"'


@method_decorator(gzip_page, name="dispatch")
class DocumentView(APIView):
    """Serve the document, or 304 to a client that has it."""

    http_method_names = ["get", "head"]
    authentication_classes = ()
    permission_classes = ()
    schema = None

    def get(self, request: Request) -> HttpResponse:
        body, etag = serialized_document()
        headers = {"Cache-Control": CACHE_CONTROL, "Content-Type": OPENAPI_MEDIA_TYPE, "ETag": etag}
        # Django's GZipMiddleware makes the tag of a compressed response weak.
        if not known_tags(request.headers.get("If-None-Match", "")).isdisjoint(("*", etag)):
            return HttpResponse(status=304, headers={**headers, "Vary": "Accept-Encoding"})
        return HttpResponse(body, headers=headers)


class SwaggerView(SpectacularSwaggerSplitView):
    """Serve Swagger UI from this host; reject methods as the API does."""

    http_method_names = ["get", "head"]
    schema = None
    url_name = "openapi"

    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        response: Response = super().get(request, *args, **kwargs)
        response.headers["Cache-Control"] = CACHE_CONTROL
        response.headers["Content-Security-Policy"] = SWAGGER_UI
        return response

    def handle_exception(self, exc: Exception) -> Response:
        self.request.accepted_renderer = JSONRenderer()
        return super().handle_exception(exc)
