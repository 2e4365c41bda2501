"""Test each method of each route with every kind of client."""

from __future__ import annotations

import re
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from threading import Event
from typing import Any

import pytest
from django.core.management import call_command
from django.test import Client
from django.utils import timezone

from assignments.activities import CODES
from productive.accounts.management.commands.issue_token import issue
from productive.accounts.models import ApiToken, Organization, Person, User
from productive.database.history import history_of
from tests.support.api import Answer, Api, SocketApi
from tests.support.databases import contents
from tests.support.errors import DENIED, UNAUTHENTICATED
from tests.support.factories import (
    ApiTokenFactory,
    OrganizationFactory,
    PersonFactory,
    ServiceFactory,
    UserFactory,
)
from tests.support.resources import ROUTES, action_document, create_rows, document_for, new
from tests.support.servers import PATIENCE, Server

# Other tests cover each kind of client.
pytestmark = [pytest.mark.django_db, pytest.mark.no_cover]

METHODS = ("GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE")
SAFE = ("GET", "HEAD", "OPTIONS")


def route_of(pattern: str) -> str:
    """Return `people`, `people/{}` or `people/{}/archive`."""
    return re.sub(r"\(\?P<pk>[^)]+\)", "{}", pattern).removeprefix("^").removesuffix("/?$")


def methods_of(callback: Any) -> set[str]:
    methods = {method.upper() for method in callback.actions}
    return methods | {"HEAD"} if "GET" in methods else methods


OFFERED = {route_of(path): methods_of(callback) for path, callback in ROUTES}


@pytest.fixture
def organization(db: None) -> Organization:
    return OrganizationFactory()


@pytest.fixture
def anonymous(organization: Organization) -> dict[str, Api]:
    """Return clients that are not authenticated, by the reason."""

    def token(name: str, **kwargs: Any) -> Api:
        ApiTokenFactory(organization=organization, name=name, **kwargs)
        return Api(name)

    now = timezone.now()
    return {
        "no token": Api(),
        "unknown": Api("unknown"),
        "expired": token("expired", expires_at=now),
        "revoked": token("revoked", revoked_at=now),
        "deactivated": token("deactivated", user__is_active=False),
        "signed in to the admin": Api(headers={"Cookie": session_of_a_superuser()}),
    }


def session_of_a_superuser() -> str:
    client = Client()
    client.force_login(UserFactory(organization=None, is_superuser=True, is_staff=True))
    return "; ".join(f"{name}={morsel.value}" for name, morsel in client.cookies.items())


@pytest.fixture
def denied(organization: Organization) -> dict[str, Api]:
    """Return clients that are authenticated, but not for the organization."""
    ApiTokenFactory(organization=organization, name="former member")
    User.objects.filter(tokens__name="former member").update(service_account_of=None)
    ApiTokenFactory(name="stranger")
    return {
        "former member": Api("former member"),
        "of another organization": Api("stranger", {"X-Organization-Id": str(organization.pk)}),
    }


def requests_to(route: str, organization: Organization, user: User) -> dict[str, tuple[str, Any]]:
    """Return by method the path of an existing record, and a valid document."""
    resource = route.partition("/")[0]
    if resource == "tracking_decisions":
        person = PersonFactory(organization=organization).pk
        service = ServiceFactory(organization=organization).pk
        pk, query = f"{person}-{service}-time-2026-11-23", f"?filter[person_id]={person}"
        return dict.fromkeys(METHODS, (route.format(pk) if "{}" in route else f"{route}{query}", None))
    if resource == "activities":
        pk = history_of(Person).objects.filter(id=PersonFactory(organization=organization).pk).get().pk
        return dict.fromkeys(METHODS, (route.format(pk * CODES + 1), None))
    if resource == "organization_memberships":
        return dict.fromkeys(METHODS, (route.format(user.pk), None))
    (row,) = create_rows(resource, organization)
    is_verb = route.count("/") > 1
    verb = route.rpartition("/")[2]
    body = action_document(resource, verb, organization) if is_verb else document_for(resource)
    found = dict.fromkeys(METHODS, (route.format(row.pk), body))
    if "POST" in OFFERED[route]:
        found["POST"] = (route, new(resource, organization))
    return {method: (path, None if method in SAFE else body) for method, (path, body) in found.items()}


def error_of(response: Answer, method: str) -> Any:
    return (response.status, None if method == "HEAD" else response.error)


@pytest.mark.any_database
@pytest.mark.parametrize("route", OFFERED)
def test_response_depends_on_the_client(
    route: str, organization: Organization, anonymous: dict[str, Api], denied: dict[str, Api]
) -> None:
    user = UserFactory(organization=None, service_account_of=organization)
    requests = requests_to(route, organization, user)
    reader, writer = Api("reader"), Api("writer")
    ApiTokenFactory(organization=organization, name="reader", read_only=True, user=user)
    ApiTokenFactory(organization=organization, name="writer", user=user)
    ApiToken.objects.update(last_used_at=timezone.now() + timedelta(hours=1))
    before = contents()
    for method, (path, body) in requests.items():
        responses = {who: api.request(method, path, json=body) for who, api in anonymous.items()}
        for who, response in responses.items():
            assert response == responses["no token"], (method, who)
        error = None if method == "HEAD" else UNAUTHENTICATED
        assert error_of(responses["no token"], method) == (401, error), method
        assert responses["no token"].headers["WWW-Authenticate"] == "X-Auth-Token"

        error = None if method == "HEAD" else DENIED
        for who, api in denied.items():
            assert error_of(api.request(method, path, json=body), method) == (403, error), (method, who)

        response = reader.request(method, path, json=body)
        if method in SAFE:
            assert response.status == (200 if method in OFFERED[route] else 405), method
        else:
            assert error_of(response, method) == (403, error), method
    assert contents() == before

    for method, (path, body) in requests.items():
        done = {"POST": 201, "DELETE": 204}.get(method, 200) if method in OFFERED[route] else 405
        assert writer.request(method, path, json=body).status == done, method


@pytest.mark.any_database
def test_secret_is_valid_only_in_its_header(organization: Organization) -> None:
    token = ApiTokenFactory(organization=organization, name="secret")
    document = document_for("projects", name="Bridge")
    for name in ("X-Auth-Token", "x-auth-token", "X_Auth_Token", "auth_token", "token", "access_token"):
        assert Api().get(f"projects?{name}=secret").status == 401, name
        assert Api().post("projects", json={**document, name: "secret"}).status == 401, name
        assert Api().post("projects", json={**document, "meta": {name: "secret"}}).status == 401, name
    assert Api().post("projects", body=b"X-Auth-Token=secret").status == 401
    for headers in (
        {"Authorization": "Bearer secret"},
        {"X-Token": "secret"},
        {"Cookie": "X-Auth-Token=secret"},
        *({"X-Auth-Token": near} for near in ("", "secre", "secret,", "Secret", "\xff\x00", token.digest)),
    ):
        assert Api(headers=headers).get("projects") == Api("unknown").get("projects"), headers
    assert Api("secret").post("projects", json=document).status == 201


def test_secret_is_not_stored(organization: Organization) -> None:
    token, secret = issue(organization, "Sync")
    assert Api(secret).get("organizations").status == 200
    assert Api(secret).post("projects", json=document_for("projects", name="Bridge")).status == 201
    call_command("rotate_token", token.prefix, grace=timedelta(days=1))
    rows = str(contents())
    assert token.digest in rows
    assert secret not in rows
    assert secret[4:] not in rows


# --- Revoked, for every process -------------------------------------------------------------------


def processes(server: Server, status: int, start: int) -> set[str]:
    """Return the processes that have responded with this status.

    `start` is the first line of the access log that counts.
    """
    lines = [line.split() for line in server.log.with_name("access").read_text().splitlines()[start:]]
    return {process for process, code in lines if code == str(status)}


def test_revocation_takes_effect_at_once_in_every_process(transactional_db: None, server: Server) -> None:
    start = len(server.log.with_name("access").read_text().splitlines())
    token: Any = ApiTokenFactory(last_used_at=timezone.now() + timedelta(hours=1))
    api, is_over = SocketApi(token.name, address=server.netloc), Event()
    deadline = time.monotonic() + PATIENCE

    def send_requests() -> list[tuple[float, int]]:
        """Return when each request began, and its status."""
        requests = []
        while not is_over.is_set():
            begun = time.monotonic()
            requests.append((begun, api.get("organizations").status))
        return requests

    def wait_for_all(status: int) -> None:
        while len(processes(server, status, start)) < len(server.workers):
            assert time.monotonic() < deadline
            time.sleep(0.05)

    with ThreadPoolExecutor(4) as pool:
        clients = [pool.submit(send_requests) for _ in range(4)]
        try:
            wait_for_all(200)
            token.revoke()
            revoked = time.monotonic()
            wait_for_all(401)
            later = api.get("organizations").status
        finally:
            is_over.set()
        responses = [response for client in clients for response in client.result()]
    assert {status for _, status in responses} == {200, 401}
    # Each process may have rejected the token before `revoke()` returned, and then not answered again.
    assert {later, *(status for begun, status in responses if begun > revoked)} == {401}
