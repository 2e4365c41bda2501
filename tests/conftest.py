from __future__ import annotations

import gc
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.db import DEFAULT_DB_ALIAS, connection, connections
from whitenoise.middleware import WhiteNoiseMiddleware

from productive.accounts.models import ApiToken, Organization
from tests.api import Api, SocketApi
from tests.emptying import Emptying
from tests.factories import ApiTokenFactory

ROOT = Path(__file__).parent.parent
BENCHMARKS = Path(__file__).parent / "benchmarks"
# In objects; some 100 MB.
MOST_GARBAGE = 500_000


@pytest.fixture
def token(db: None) -> ApiToken:
    return ApiTokenFactory()


@pytest.fixture
def organization(token: ApiToken) -> Organization:
    """The organization that `api` acts for."""
    return token.organization


@pytest.fixture
def api(token: ApiToken) -> Api:
    """A client with a read-write token that was used just now, so that no request notes its use."""
    ApiToken.objects.get(pk=token.pk).touch(token.created_at)
    return Api(token.name)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Tests of real row locks run where the database has them; everywhere else they say so."""
    if connection.vendor != "postgresql":
        for item in items:
            if item.get_closest_marker("postgresql"):
                item.add_marker(pytest.mark.skip(reason="needs PostgreSQL: set DATABASE_URL"))


def pytest_collection_finish(session: pytest.Session) -> None:
    """Garbage is looked for between tests. In their midst, Python would look for it again and again.

    Benchmarks keep Python's own ways: a server that they speak for has them, too.
    """
    if not any(item.path.is_relative_to(BENCHMARKS) for item in session.items):
        gc.collect()
        # What is there by now stays until the end.
        gc.freeze()
        gc.disable()


def pytest_runtest_logfinish() -> None:
    """Takes the garbage away, see above."""
    if not gc.isenabled() and gc.get_count()[0] > MOST_GARBAGE:
        gc.collect()


@pytest.fixture(scope="session", autouse=True)
def static_files_found_once() -> Iterator[None]:
    """Each test client has middleware of its own, which would walk the packages' static files again."""
    find, found = WhiteNoiseMiddleware.add_files_from_finders, {}

    def add_files_from_finders(self: WhiteNoiseMiddleware) -> None:
        if not found:
            find(self)
            found.update(self.files)
        self.files.update(found)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(WhiteNoiseMiddleware, "add_files_from_finders", add_files_from_finders)
        yield


@pytest.fixture(scope="session")
def django_db_setup(django_db_setup: None, django_db_blocker: Any) -> None:
    if connection.vendor == "postgresql":
        with django_db_blocker.unblock():
            Emptying(connections[DEFAULT_DB_ALIAS])


def database_url_of_the_tests() -> str:
    database = connection.settings_dict
    if connection.vendor == "sqlite":
        return f"sqlite:///{database['NAME']}"
    user, host, port = database["USER"], database["HOST"], database["PORT"]
    return f"postgres://{user}@{host}:{port}/{database['NAME']}"


@pytest.fixture(scope="session")
def server_address(django_db_setup: None, django_db_blocker: Any) -> Iterator[str]:
    """host:port of gunicorn in a process of its own, on the tests' database."""
    port = free_port()
    with django_db_blocker.unblock():
        url = database_url_of_the_tests()
    process = subprocess.Popen(
        [
            sys.executable,
            "-m",
            "gunicorn",
            "--config",
            "python:productive.server",
            "--bind",
            f"127.0.0.1:{port}",
            "productive.wsgi",
        ],
        env={**os.environ, "DATABASE_URL": url},
        cwd=ROOT,
        stderr=subprocess.DEVNULL,
    )
    try:
        wait_for_port(port)
        yield f"127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(20)


def environment_of_its_own(folder: Path) -> dict[str, str]:
    """For a process that starts from nothing: no .env, an empty database in the folder."""
    return {
        "PATH": os.environ["PATH"],
        "ENV_FILE": os.devnull,
        "SECRET_KEY": settings.SECRET_KEY,
        "DATABASE_URL": f"sqlite:///{folder}/empty.sqlite3",
    }


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
        return port


def wait_for_port(port: int, seconds: float = 30) -> None:
    deadline = time.monotonic() + seconds
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            return
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.1)


@pytest.fixture
def socket_api(transactional_db: None, server_address: str) -> SocketApi:
    return SocketApi(address=server_address)
