"""A Redis: the one that answers at TEST_REDIS_URL, or one of the tests' own."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from redis import Redis, RedisError

from tests.support.servers import free_port, wait_for_port


@contextmanager
def redis_server(port: int) -> Iterator[str]:
    """Its address. It keeps nothing on the disk."""
    with TemporaryDirectory() as folder:
        command = ["redis-server", "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--dir", folder]
        with Path(folder, "log").open("w") as log:
            process = subprocess.Popen(command, stdout=log)
        try:
            wait_for_port(port)
            yield f"redis://127.0.0.1:{port}/0"
        finally:
            process.terminate()
            process.wait(20)


def answers(url: str) -> bool:
    with Redis.from_url(url, socket_timeout=2, socket_connect_timeout=2) as client:
        try:
            return bool(client.ping())
        except RedisError:
            return False


@pytest.fixture(scope="session")
def redis_url() -> Iterator[str]:
    """Others may use it too: whoever counts in it does so by keys that nobody else has."""
    url = os.environ.get("TEST_REDIS_URL", "redis://127.0.0.1:6379/0")
    if answers(url):
        yield url
    elif shutil.which("redis-server"):
        with redis_server(free_port()) as own:
            yield own
    else:
        (pytest.fail if os.environ.get("CI") else pytest.skip)(
            f"no Redis answers at {url}: set TEST_REDIS_URL"
        )
