"""Test the security headers of every URL of the application."""

from __future__ import annotations

import gzip
import re
from collections.abc import Iterator
from typing import Any

import pytest
from django.test import Client, override_settings
from django.urls import URLPattern, get_resolver

from catalog.models import ServiceType
from productive.accounts.models import ApiToken
from tests.support.admin import staff, url
from tests.support.api import Api, keep_connection
from tests.support.factories import ServiceTypeFactory, UserFactory

pytestmark = [pytest.mark.django_db, pytest.mark.any_database]

ALWAYS = {
    "Cross-Origin-Opener-Policy": "same-origin",
    "Referrer-Policy": "same-origin",
    "Strict-Transport-Security": "max-age=31536000; includeSubDomains; preload",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}
OVER_TLS = override_settings(
    SECURE_SSL_REDIRECT=True,
    SECURE_HSTS_SECONDS=31_536_000,
    SECURE_HSTS_INCLUDE_SUBDOMAINS=True,
    SECURE_HSTS_PRELOAD=True,
)


PARAMETER = re.compile(r"<[^>]*>|\(\?P<\w+>[^)]*\)")
END = re.compile(r"^\^|(\(/\|\$\)|/\?\$|\$)$")


def addresses(patterns: Any, before: str = "/") -> Iterator[str]:
    """Return the URL of each pattern with 0 for each parameter. Most return 404, which needs headers, too."""
    for pattern in patterns:
        route = before + PARAMETER.sub("0", END.sub("", str(pattern.pattern)))
        if isinstance(pattern, URLPattern):
            yield route
        else:
            yield from addresses(pattern.url_patterns, route)


ADDRESSES = sorted({*addresses(get_resolver().url_patterns)})
# Of the API; they don't depend on the token, so they can be cached.
DESCRIPTIONS = ("/api/v2/docs", "/api/v2/openapi.json")
ELSEWHERE = [
    "/healthz",
    "/readyz",
    "/nothing",
    "/static/productive/admin.css",
    "/static/nothing.css",
    "/.git/config",
    "/manage.py",
]


def wrong_headers(path: str, answer: Any) -> dict[str, Any]:
    """Return the headers of the response that have wrong values."""
    expected: dict[str, Any] = {**ALWAYS, "Server": None}
    if path.startswith("/api/"):
        cached = "public, max-age=300" if path in DESCRIPTIONS else "no-store"
        expected |= {"Cache-Control": cached, "Set-Cookie": None}
    found = {name: answer.headers.get(name) for name in expected}
    wrong = {name: value for name, value in found.items() if value != expected[name]}
    if "frame-ancestors 'none'" not in answer.headers.get("Content-Security-Policy", ""):
        wrong["Content-Security-Policy"] = answer.headers.get("Content-Security-Policy")
    if answer.cookies and path.startswith("/api/"):
        wrong["cookies"] = [*answer.cookies]
    return wrong


def get(client: Client, path: str, **extra: Any) -> Any:
    answer = client.get(path, secure=True, **extra)
    with keep_connection():
        answer.close()
    return answer


def test_addresses_include_every_kind_of_url() -> None:
    assert [path for path in ADDRESSES if re.search(r"[<>()^$?]", path)] == []
    assert {"/admin/", "/api/v2/people", "/api/v2/people/0"} <= {*ADDRESSES}


@OVER_TLS
@pytest.mark.parametrize("signed_in", [False, True])
def test_every_response_has_security_headers(signed_in: bool) -> None:
    client = Client()
    if signed_in:
        client.force_login(UserFactory(organization=None, is_staff=True, is_superuser=True))
    paths = [path for path in ADDRESSES if path != "/admin/logout/"] + ELSEWHERE
    assert {path: wrong for path in paths if (wrong := wrong_headers(path, get(client, path)))} == {}


@OVER_TLS
def test_every_error_has_security_headers(token: ApiToken) -> None:
    client, secret = Client(raise_request_exception=False), {"X-Auth-Token": token.name}
    responses: dict[tuple[str, int], Any] = {
        ("/api/v2/people", 200): get(client, "/api/v2/people", headers=secret),
        ("/api/v2/people/0", 404): get(client, "/api/v2/people/0", headers=secret),
        ("/api/v2/people", 405): client.put("/api/v2/people", secure=True, headers=secret),
        ("/api/v2/people", 415): client.post("/api/v2/people", secure=True, headers=secret),
        ("/api/v2/people", 400): get(client, "/api/v2/people", headers={"Host": "evil.example"}),
        ("/admin/", 400): get(client, "/admin/", headers={"Host": "evil.example"}),
        ("/admin/login/", 403): Client(enforce_csrf_checks=True).post("/admin/login/", secure=True),
    }
    with override_settings(ROOT_URLCONF="tests.jsonapi.test_errors"):
        responses[("/broken", 500)] = get(client, "/broken")
        responses[("/api/v2/broken", 500)] = get(client, "/api/v2/broken")
        responses[("/api/v2/OperationalError", 503)] = get(client, "/api/v2/OperationalError", headers=secret)
    assert [(path, answer.status_code) for (path, _), answer in responses.items()] == [*responses]
    assert {key: wrong for key, answer in responses.items() if (wrong := wrong_headers(key[0], answer))} == {}


@OVER_TLS
def test_redirect_to_tls_can_not_be_framed() -> None:
    answer = Client().get("/admin/")
    assert (answer.status_code, answer.headers["Location"]) == (301, "https://testserver/admin/")
    assert "Strict-Transport-Security" not in answer.headers
    assert {name: answer.headers[name] for name in ALWAYS if name in answer.headers} == {
        name: value for name, value in ALWAYS.items() if name != "Strict-Transport-Security"
    }


@pytest.mark.no_cover
@override_settings(SECURE_PROXY_SSL_HEADER=None)
@pytest.mark.parametrize("header", ["X-Forwarded-Proto", "X-Forwarded-Ssl", "X-Url-Scheme", "Forwarded"])
def test_headers_of_untrusted_proxy_are_ignored(header: str, api: Api) -> None:
    value = "proto=https" if header == "Forwarded" else "https"
    with override_settings(SECURE_SSL_REDIRECT=True):
        answer = api.get("people", headers={header: value})
    assert (answer.status, answer.error["code"]) == (403, "access_denied")


def test_pages_of_the_admin_are_compressed() -> None:
    client = staff(ServiceTypeFactory().organization)
    path = url(ServiceType, "changelist")
    plain, compressed = (client.get(path, headers={"Accept-Encoding": coding}) for coding in ("", "gzip"))
    assert "Content-Encoding" not in plain.headers
    assert compressed.headers["Content-Encoding"] == "gzip"
    assert "Accept-Encoding" in compressed.headers["Vary"]
    assert len(compressed.content) < len(plain.content) / 3
    assert b"</html>" in gzip.decompress(compressed.content)
