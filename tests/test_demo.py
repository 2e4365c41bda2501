"""Check that `demo` prints a login and a token that work, and serves."""

from __future__ import annotations

import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from io import StringIO
from pathlib import Path
from urllib.error import URLError
from urllib.request import Request, urlopen

import pytest
from django.conf import settings
from django.contrib.auth import authenticate
from django.core.management import CommandError, call_command
from django.test import RequestFactory

from productive.accounts.authentication import find_token
from productive.accounts.models import ApiToken, Organization, User
from productive.management.commands.demo import Command
from tests.support.factories import OrganizationFactory
from tests.support.servers import PATIENCE, empty_environment, free_port

pytestmark = pytest.mark.any_database


@pytest.fixture
def served(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Return the ports that `demo` would serve."""
    ports: list[int] = []
    monkeypatch.setattr(Command, "serve", staticmethod(ports.append))
    return ports


@pytest.fixture
def taken_port() -> Iterator[int]:
    with closing(socket.socket()) as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        yield listener.getsockname()[1]


def demo(port: int, *, no_seed: bool = False) -> list[str]:
    out = StringIO()
    call_command("demo", port=port, no_seed=no_seed, stdout=out, stderr=StringIO())
    return out.getvalue().splitlines()


def after(word: str, lines: list[str]) -> str:
    """Return what follows this first word of exactly one line."""
    [rest] = [line.removeprefix(word).strip() for line in lines if line.startswith(f"{word} ")]
    return rest


@pytest.mark.no_cover
@pytest.mark.django_db
def test_first_start_prints_a_login_and_a_token_that_work(served: list[int]) -> None:
    port = free_port()
    lines = demo(port)
    assert served == [port]
    assert after("Admin", lines) == f"http://127.0.0.1:{port}/admin/"
    assert after("API", lines) == f"http://127.0.0.1:{port}/api/v2/"

    password = after("Login", lines).removeprefix("admin, password ").removesuffix(" (shown this once)")
    user = authenticate(RequestFactory().post("/"), username="admin", password=password)
    assert user == User.objects.get(username="admin", is_staff=True, is_superuser=True, people=None)

    secret = after("Token", lines).removesuffix(" (shown this once)")
    token = find_token(secret)
    assert (token.organization.name, token.read_only, token.expires_at) == ("Studio Maestral", False, None)
    assert after("curl", lines) == (
        f"--header 'X-Auth-Token: {secret}' http://127.0.0.1:{port}/api/v2/service_types"
    )


@pytest.mark.django_db
def test_second_start_keeps_data_login_and_token(served: list[int]) -> None:
    port = free_port()
    demo(port)
    organization, token, user = (
        Organization.objects.get(),
        ApiToken.objects.get(),
        User.objects.get(username="admin"),
    )
    lines = demo(port)
    assert served == [port, port]
    assert (
        lines[0] == f"Studio Maestral already exists (organization {organization.pk}): nothing was changed."
    )
    assert after("Login", lines) == (
        "admin already exists; for a new password: manage.py changepassword admin"
    )
    assert after("Token", lines) == (
        f"already exists; for a new one: manage.py issue_token --organization {organization.pk}"
    )
    assert [ApiToken.objects.get(), Organization.objects.get()] == [token, organization]
    assert User.objects.get(pk=user.pk).password == user.password


@pytest.mark.django_db
def test_revoked_token_is_replaced(served: list[int]) -> None:
    demo(free_port(), no_seed=True)
    ApiToken.objects.get().revoke()
    secret = after("Token", demo(free_port(), no_seed=True)).removesuffix(" (shown this once)")
    assert find_token(secret).revoked_at is None
    assert ApiToken.objects.count() == 2


@pytest.mark.django_db
def test_no_seed_creates_an_empty_organization(served: list[int]) -> None:
    demo(free_port(), no_seed=True)
    organization = Organization.objects.get()
    assert (organization.name, organization.time_zone) == ("Demo", "Europe/Zagreb")
    assert ApiToken.objects.get().organization == organization


@pytest.mark.django_db
def test_no_seed_uses_an_existing_organization(served: list[int]) -> None:
    organization = OrganizationFactory()
    demo(free_port(), no_seed=True)
    assert list(Organization.objects.all()) == [organization]
    assert ApiToken.objects.get().organization == organization


@pytest.mark.django_db
def test_taken_port_is_rejected_before_anything_is_done(served: list[int], taken_port: int) -> None:
    with pytest.raises(CommandError) as caught:
        demo(taken_port)
    assert str(caught.value) == f"Port {taken_port} is taken. Choose another one with --port."
    assert served == []
    assert (Organization.objects.count(), User.objects.count()) == (0, 0)


@pytest.mark.django_db
@pytest.mark.parametrize("port", [0, -1, 65536, 10**20])
def test_port_out_of_range_is_rejected(served: list[int], port: int) -> None:
    with pytest.raises(CommandError) as caught:
        demo(port)
    assert str(caught.value) == "--port must be from 1 to 65535."
    assert served == []


def test_demo_serves_the_admin_until_it_is_stopped(tmp_path: Path) -> None:
    """The started process is the server: when it ends, nothing else is left."""
    port = free_port()
    log = tmp_path / "log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "manage.py", "demo", "--port", str(port), "--no-seed"],
            cwd=settings.BASE_DIR,
            env=empty_environment(tmp_path),
            stdout=output,
            stderr=subprocess.STDOUT,
        )
        try:
            status = poll(f"http://127.0.0.1:{port}/admin/login/", process)
            lines = log.read_text().splitlines()
            secret = after("Token", lines).removesuffix(" (shown this once)")
            response = get(f"http://127.0.0.1:{port}/api/v2/service_types", secret)
        finally:
            process.terminate()
            code = process.wait(timeout=PATIENCE)
    assert (status, response, code) == (200, 200, 0), log.read_text()
    with closing(socket.socket()) as client, pytest.raises(ConnectionRefusedError):
        client.connect(("127.0.0.1", port))


def get(url: str, secret: str = "") -> int:
    with urlopen(Request(url, headers={"X-Auth-Token": secret}), timeout=PATIENCE) as response:  # noqa: S310
        status: int = response.status
        return status


def poll(url: str, process: subprocess.Popen[bytes]) -> int | None:
    """Return the first status, or None if the process ends or never responds."""
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline and process.poll() is None:
        try:
            return get(url)
        except URLError:
            time.sleep(0.1)
    return None
