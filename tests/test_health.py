"""What a load balancer is told: the process lives, or it can work, and not a word more."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest
from django.conf import settings
from django.db import DatabaseError, connection
from django.db.migrations.recorder import MigrationRecorder
from django.test import Client, override_settings

from productive.web import health
from tests.support.servers import ROOT, free_port

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def process_that_knows_nothing() -> Iterator[None]:
    health.demand_migrations.cache_clear()
    yield
    health.demand_migrations.cache_clear()


def told(client: Client | None = None) -> list[tuple[int, str]]:
    """What /healthz and /readyz say."""
    answers = [(client or Client()).get(path) for path in ("/healthz", "/readyz")]
    assert {answer.headers["Cache-Control"] for answer in answers} == {"no-store"}
    assert {answer.headers["Content-Type"] for answer in answers} == {"text/plain"}
    assert [int(answer.headers["Content-Length"]) for answer in answers] == [len(a.content) for a in answers]
    return [(answer.status_code, answer.content.decode()) for answer in answers]


ALIVE = (200, "ok\n")


def test_process_that_can_work_says_so() -> None:
    assert told() == [ALIVE, (200, "ok\n")]


def test_whoever_asks_by_the_machines_address_is_answered() -> None:
    assert told(Client(headers={"Host": "10.0.0.5:8000"})) == [ALIVE, (200, "ok\n")]


def test_database_that_is_away_makes_a_living_process_unready(monkeypatch: Any) -> None:
    def away() -> None:
        raise DatabaseError("the password of the database is swordfish")

    monkeypatch.setattr(connection, "cursor", away)
    assert told() == [ALIVE, (503, "the database does not answer\n")]


def test_pending_migration_makes_it_unready_until_it_is_applied() -> None:
    recorder = MigrationRecorder(connection)
    recorder.record_unapplied("assignments", "0001_initial")
    assert [told(), told()] == [[ALIVE, (503, "migrations are pending\n")]] * 2
    recorder.record_applied("assignments", "0001_initial")
    assert told() == [ALIVE, (200, "ok\n")]


def test_migration_of_a_later_version_is_no_concern_of_this_one() -> None:
    MigrationRecorder(connection).record_applied("assignments", "9999_from_tomorrow")
    assert told() == [ALIVE, (200, "ok\n")]


def test_migrations_are_asked_for_until_none_is_pending(django_assert_num_queries: Any) -> None:
    told()
    with django_assert_num_queries(1):  # does the database answer
        told()


def test_probes_are_answered_over_plain_http_and_to_whoever_asks() -> None:
    with override_settings(SECURE_SSL_REDIRECT=True):
        assert told(Client()) == [ALIVE, (200, "ok\n")]


@pytest.mark.parametrize(("level", "lines"), [(logging.INFO, 0), (logging.DEBUG, 2)])
def test_probes_make_no_noise(level: int, lines: int, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(level, "productive.web.request_log"):
        told()
    assert len([record for record in caplog.records if record.name == "productive.web.request_log"]) == lines


SCRIPT = """
from time import monotonic
from django.test import Client
begun = monotonic()
answer = Client(headers={"Host": "127.0.0.1"}).get("/readyz")
print(answer.status_code, answer.content, monotonic() - begun < 20)
"""


@pytest.mark.postgresql
def test_probe_of_a_server_that_is_away_is_answered_soon() -> None:
    """In a process of its own, whose pool waits for a server as a web process's does."""
    asked = subprocess.run(
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
    assert asked.stdout == "503 b'the database does not answer\\n' True\n"
