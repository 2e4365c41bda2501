"""The API's document for programs, at /api/v2/openapi.json. It says nothing of anybody, so it needs no token."""

from __future__ import annotations

from functools import cache
from hashlib import blake2b
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.views.decorators.http import condition, require_safe
from drf_spectacular.generators import SchemaGenerator

from productive.jsonapi.renderers import dump

MEDIA_TYPE = "application/vnd.oai.openapi+json"


@cache
def document() -> dict[str, Any]:
    """The API as OpenAPI, made once in each process."""
    generator = SchemaGenerator()  # type: ignore[no-untyped-call]
    found: dict[str, Any] = generator.get_schema(public=True)  # type: ignore[no-untyped-call]
    return found


@cache
def written() -> bytes:
    return dump(document())


@cache
def etag(request: HttpRequest | None = None) -> str:
    return f'"{blake2b(written(), digest_size=15).hexdigest()}"'


@require_safe
@condition(etag_func=lambda request: etag())
def openapi(request: HttpRequest) -> HttpResponse:
    return HttpResponse(
        written(), content_type=MEDIA_TYPE, headers={"Cache-Control": "public, max-age=300"}
    )
