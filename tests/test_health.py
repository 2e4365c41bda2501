"""Test the health checks of a load balancer: whether the process is alive, and whether it is ready."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
from typing import Any

import pytest
from django.conf import settings
from django.db import DatabaseError, connection
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.recorder import MigrationRecorder
from django.test import Client, override_settings

from tests.support.servers import ROOT, free_port

pytestmark = pytest.mark.django_db


def checks(client: Client | None = None) -> list[tuple[int, str]]:
    """Return the responses of /healthz and /readyz."""
    responses = [(client or Client()).get(path) for path in ("/healthz", "/readyz")]
    assert {response.headers["Cache-Control"] for response in responses} == {"no-store"}
    assert {response.headers["Content-Type"] for response in responses} == {"text/plain"}
    assert [int(response.headers["Content-Length"]) for response in responses] == [
        len(r.content) for r in responses
    ]
    return [(response.status_code, response.content.decode()) for response in responses]


OK = (200, "ok\n")


def test_ready_process() -> None:
    assert checks() == [OK, OK]


def test_health_checks_accept_any_host() -> None:
    assert checks(Client(headers={"Host": "10.0.0.5:8000"})) == [OK, OK]


def test_process_without_a_database_is_alive_but_not_ready(monkeypatch: Any) -> None:
    def fail() -> None:
        raise DatabaseError("the password of the database is swordfish")

    monkeypatch.setattr(connection, "cursor", fail)
    assert checks() == [OK, (503, "the database does not respond\n")]


def test_process_is_not_ready_while_a_migration_is_pending() -> None:
    recorder, last = MigrationRecorder(connection), MigrationLoader(connection).graph.leaf_nodes()[0]
    recorder.record_unapplied(*last)
    assert [checks(), checks()] == [[OK, (503, "migrations are pending\n")]] * 2
    recorder.record_applied(*last)
    assert checks() == [OK, OK]


def test_process_is_ready_with_migrations_of_a_later_version() -> None:
    MigrationRecorder(connection).record_applied("assignments", "9999_later")
    assert checks() == [OK, OK]


def test_migrations_are_not_checked_again_once_applied(django_assert_num_queries: Any) -> None:
    client = Client()
    checks(client)
    with django_assert_num_queries(1):  # SELECT 1
        checks(client)


def test_health_checks_are_not_redirected_to_https() -> None:
    with override_settings(SECURE_SSL_REDIRECT=True):
        assert checks(Client()) == [OK, OK]


@pytest.mark.parametrize(("level", "lines"), [(logging.INFO, 0), (logging.DEBUG, 2)])
def test_health_checks_are_logged_at_debug_level(
    level: int, lines: int, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(level, "productive.web.request_log"):
        checks()
    assert len([record for record in caplog.records if record.name == "productive.web.request_log"]) == lines


SCRIPT = """
from time import monotonic
from django.test import Client
start = monotonic()
response = Client(headers={"Host": "127.0.0.1"}).get("/readyz")
print(response.status_code, response.content, monotonic() - start < 20)
"""


@pytest.mark.postgresql
def test_readyz_responds_soon_when_the_server_is_not_reachable() -> None:
    """Run in a process with a connection pool, as a web process has."""
    result = subprocess.run(
        [sys.executable, "manage.py", "shell", "--verbosity", "0", "--command", SCRIPT],
        cwd=ROOT,
        env={
            "PATH": os.environ["PATH"],
            "ENV_FILE": os.devnull,
            "SECRET_KEY": settings.SECRET_KEY,
            "ALLOWED_HOSTS": "127.0.0.1",
            "DATABASE_URL": f"postgres://nobody@127.0.0.1:{free_port()}/nothing",
        },
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.stdout == "503 b'the database does not respond\\n' True\n"
