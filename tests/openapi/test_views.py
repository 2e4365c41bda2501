"""Test that the OpenAPI document and its page are public and cached."""

from __future__ import annotations

import re
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any

import pytest
from django.contrib.staticfiles import finders
from django.test import Client

from productive.jsonapi.schema.views import document, generated_document
from tests.support.api import Api

pytestmark = [pytest.mark.django_db, pytest.mark.any_database]


def test_document_needs_no_token() -> None:
    response = Api().get("openapi.json")
    assert (response.status, response.headers["Content-Type"]) == (200, "application/vnd.oai.openapi+json")
    assert response.json == document()


def test_document_is_the_same_in_concurrent_threads() -> None:
    expected = document()
    generated_document.cache_clear()
    barrier = Barrier(4)

    def read() -> Any:
        barrier.wait()
        return document()

    with ThreadPoolExecutor(4) as pool:
        futures = [pool.submit(read) for _ in range(4)]
    assert [future.result() == expected for future in futures] == [True] * 4


def test_document_has_etag_and_compression() -> None:
    plain = Api().get("openapi.json")
    etag = plain.headers["ETag"]
    not_modified = Api().get("openapi.json", headers={"If-None-Match": etag})
    assert (not_modified.status, not_modified.body, not_modified.headers["ETag"]) == (304, b"", etag)
    compressed = Api().get("openapi.json", headers={"Accept-Encoding": "gzip"})
    assert compressed.headers["Content-Encoding"] == "gzip"
    headers = {"Accept-Encoding": "gzip", "If-None-Match": compressed.headers["ETag"]}
    assert Api().get("openapi.json", headers=headers).status == 304
    assert Api().get("openapi.json", headers={"If-Match": '"another"'}) == plain


def test_plain_http_redirects_to_https(settings: Any) -> None:
    settings.SECURE_SSL_REDIRECT = True
    for path, status in (("openapi.json", 301), ("docs", 301), ("docs/x", 404), ("people", 403)):
        assert Client().get(f"/api/v2/{path}").status_code == status


@pytest.mark.parametrize("path", ["openapi.json", "docs"])
def test_other_methods_are_not_allowed(path: str) -> None:
    response = Api().post(path, {})
    assert (response.status, response.error["code"]) == (405, "method_not_allowed")
    assert response.headers["Content-Type"] == "application/vnd.api+json; charset=utf-8"


def test_document_has_the_guide() -> None:
    description = document()["info"]["description"]
    for term in ("X-Auth-Token", "filter[name]", "page[after]", "If-Match", "Idempotency-Key", "Retry-After"):
        assert term in description


def test_document_has_both_headers_as_security_schemes() -> None:
    schemes = document()["components"]["securitySchemes"].values()
    assert [(each["type"], each["in"], each["name"]) for each in schemes] == [
        ("apiKey", "header", "X-Auth-Token"),
        ("apiKey", "header", "X-Organization-Id"),
    ]
    requirements = [{"X-Auth-Token": []}, {"X-Auth-Token": [], "X-Organization-Id": []}]
    operations = [each for path in document()["paths"].values() for each in path.values()]
    assert [each for each in operations if each["security"] != requirements] == []


def test_page_loads_static_files_and_its_own_script_only() -> None:
    page = Api().get("docs").body.decode()
    sources = re.findall(r'<(?:script|link)[^>]* (?:src|href)="([^"]+)"', page)
    static = [source.removeprefix("/static/") for source in sources if source.startswith("/static/")]
    assert {*sources} - {f"/static/{path}" for path in static} == {"/api/v2/docs?script="}
    assert len(static) == 4
    assert [path for path in static if finders.find(path) is None] == []
    assert not re.search(r"<script>|<style|\bstyle=|\son\w+=", page)


def test_page_has_a_policy_of_its_own() -> None:
    responses = [Api().get("docs"), Api().get("docs?script=")]
    assert [response.headers["Content-Security-Policy"] for response in responses] == [
        "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; img-src 'self' data:; "
        "connect-src 'self'; script-src 'self'; style-src 'self'; form-action 'none'"
    ] * 2


def test_script_sets_no_cookie_and_names_no_other_host() -> None:
    response = Api().get("docs?script=")
    assert response.headers["Content-Type"] == "application/javascript"
    assert "Set-Cookie" not in response.headers
    assert 'url: "/api/v2/openapi.json"' in response.body.decode()
    assert '"validatorUrl": null' in response.body.decode()
