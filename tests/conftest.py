from __future__ import annotations

import gc
import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from coverage import Coverage
from django.db import connection

from productive.accounts.models import ApiToken, Organization
from tests.support.api import Api, SocketApi
from tests.support.factories import ApiTokenFactory
from tests.support.samples import FUZZ
from tests.support.servers import Server, database_url_of_tests, gunicorn


@pytest.fixture
def token(db: None) -> ApiToken:
    return ApiTokenFactory()


@pytest.fixture
def organization(token: ApiToken) -> Organization:
    """The organization that `api` acts for."""
    return token.organization


@pytest.fixture
def api(token: ApiToken) -> Api:
    """A client with a read-write token that was used just now, so that no request updates its last use."""
    ApiToken.objects.get(pk=token.pk).touch(token.created_at)
    return Api(token.name)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip tests that need PostgreSQL on SQLite, and long tests outside `make fuzz`.

    Coverage doubles the time of a test, so on PostgreSQL only tests that add to SQLite's coverage have it.
    """
    postgresql = connection.vendor == "postgresql"
    for item in items:
        if not postgresql and item.get_closest_marker("postgresql"):
            item.add_marker(pytest.mark.skip(reason="needs PostgreSQL: set DATABASE_URL"))
        if (
            postgresql
            and not any(item.iter_markers("each_database"))
            and not any(item.iter_markers("postgresql"))
        ):
            item.add_marker(pytest.mark.no_cover)
        if not FUZZ and item.get_closest_marker("fuzz"):
            item.add_marker(pytest.mark.skip(reason="runs in `make fuzz`"))


@contextmanager
def coverage_stopped(item: pytest.Item) -> Iterator[None]:
    """Stop measuring coverage while the fixtures of a test marked `no_cover` are set up or torn down.

    pytest-cov stops it for the test function only.
    """
    coverage = Coverage.current() if item.get_closest_marker("no_cover") else None
    if coverage is None:
        yield
        return
    coverage.stop()
    try:
        yield
    finally:
        coverage.start()


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> Iterator[None]:
    with coverage_stopped(item):
        return (yield)


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_teardown(item: pytest.Item) -> Iterator[None]:
    with coverage_stopped(item):
        return (yield)


def pytest_collection_finish() -> None:
    """Exempt modules and collected tests from garbage collection, which is faster."""
    gc.collect()
    gc.freeze()


@pytest.fixture(scope="session")
def server(
    django_db_setup: None, django_db_blocker: Any, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Server]:
    """Start gunicorn with two workers on the tests' database, once per run.

    A line of its access log has the process that responded and the status.
    """
    with django_db_blocker.unblock():
        environment = {**os.environ, "DATABASE_URL": database_url_of_tests()}
    log = tmp_path_factory.mktemp("server") / "log"
    access_log = ("--access-logfile", str(log.with_name("access")), "--access-logformat", "%(p)s %(s)s")
    with gunicorn(environment, log, *access_log, workers=2) as server:
        yield server


@pytest.fixture
def socket_api(transactional_db: None, server: Server) -> SocketApi:
    return SocketApi(address=server.netloc)


@pytest.fixture
def short_wait() -> Iterator[None]:
    """Limit the wait for a lock to half a second."""
    options = connection.settings_dict["OPTIONS"]
    before = dict(options)
    options.update({"timeout": 0.5} if connection.vendor == "sqlite" else {"options": "-c lock_timeout=500"})
    close_everything()
    yield
    options.clear()
    options.update(before)
    close_everything()


def close_everything() -> None:
    connection.close()
    if connection.vendor == "postgresql":
        connection.close_pool()  # type: ignore[attr-defined]
