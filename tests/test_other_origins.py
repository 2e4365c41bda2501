"""Test which pages of other origins can use the API in a browser (CORS)."""

from __future__ import annotations

import json
from typing import Any

import pytest
from django.conf import settings
from django.test import Client

from assignments.api_consequences import WARNINGS
from productive.accounts.authentication import ORGANIZATION_HEADER, TOKEN_HEADER
from productive.jsonapi.schema import parameters
from tests.support.commands import GOOD_KEY, manage

pytestmark = [pytest.mark.any_database, pytest.mark.no_cover]

# Prints the status and the headers of preflights and requests: [[method, path, origin], …].
SCRIPT = """
import json
from django.test import Client

for method, path, origin in json.loads({requests!r}):
    asked = {{"Access-Control-Request-Method": "PATCH"}} if method == "OPTIONS" else {{}}
    response = Client(headers={{"Origin": origin, **asked}}).generic(method, path, secure=True)
    names = [name for name in response.headers if name.lower().startswith("access-control-")]
    print(json.dumps([response.status_code, {{name.lower(): response.headers[name] for name in names}},
        response.headers.get("X-Content-Type-Options")]))
"""
PEOPLE, APP = "/api/v2/people", "https://app.example.com"


def answers(origins: str, *requests: tuple[str, str, str]) -> list[Any]:
    script = SCRIPT.format(requests=json.dumps(requests))
    shown = manage(
        "shell", "--verbosity", "0", "--command", script,
        SECRET_KEY=GOOD_KEY, ALLOWED_HOSTS="testserver", CORS_ORIGINS=origins, LOG_LEVEL="CRITICAL",
    )  # fmt: skip
    assert shown.returncode == 0, shown.stderr
    return [json.loads(line) for line in shown.stdout.splitlines()]


def test_pages_of_allowed_origins_can_use_the_api() -> None:
    foreign = [
        "https://other.example.com", "http://app.example.com", f"{APP}:8443", f"{APP}.evil.example", "null",
        "http://localhost.evil.example", "http://localhost:80.evil.example", "https://localhost:5173",
    ]  # fmt: skip
    preflight, unauthenticated, port, no_port, admin, *others = answers(
        f"{APP},http://localhost:*",
        ("OPTIONS", PEOPLE, APP),
        ("GET", PEOPLE, APP),
        ("OPTIONS", PEOPLE, "http://localhost:5173"),
        ("OPTIONS", PEOPLE, "http://localhost"),
        ("OPTIONS", "/admin/login/", APP),
        *(("OPTIONS", PEOPLE, origin) for origin in foreign),
    )
    status, headers, sniffing = preflight
    assert (status, headers["access-control-allow-origin"], sniffing) == (200, APP, "nosniff")
    assert headers["access-control-allow-methods"] == "GET, POST, PATCH, PUT, DELETE"
    needed = {TOKEN_HEADER, ORGANIZATION_HEADER, "Content-Type", *parameters.REQUEST_HEADERS}
    assert {*headers["access-control-allow-headers"].split(", ")} == needed
    assert "access-control-allow-credentials" not in headers
    # The page can read an error, too.
    status, headers, _ = unauthenticated
    assert (status, headers["access-control-allow-origin"]) == (401, APP)
    assert {"ETag", "Location", *WARNINGS} < {*headers["access-control-expose-headers"].split(", ")}
    assert port[1]["access-control-allow-origin"] == "http://localhost:5173"
    assert no_port[1]["access-control-allow-origin"] == "http://localhost"
    assert admin[1] == {}
    assert [headers for _, headers, _ in others] == [{}] * len(foreign)


def test_no_origin_is_allowed_by_default() -> None:
    assert "corsheaders.middleware.CorsMiddleware" not in settings.MIDDLEWARE
    headers = {"Origin": APP, "Access-Control-Request-Method": "GET"}
    response = Client(headers=headers).options(PEOPLE)
    assert (response.status_code, "access-control-allow-origin" in response.headers) == (401, False)


@pytest.mark.parametrize("origins", ["*", f"{APP}/", f"{APP},null"])
def test_invalid_origins_are_rejected(origins: str) -> None:
    process = manage("check", SECRET_KEY=GOOD_KEY, CORS_ORIGINS=origins)
    assert process.stderr == (
        "Cannot start: CORS_ORIGINS must be origins such as https://app.example.com, separated by commas\n"
    )
