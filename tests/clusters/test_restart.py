"""PostgreSQL is restarted under the application: nobody restarts that, and nothing is lost."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.chaos.ground import Ground, populated
from tests.chaos.postgresql import restarted_under_load, restarted_while_idle
from tests.clusters.conftest import Cluster
from tests.clusters.servers import EMPTY
from tests.support.servers import Installation


@pytest.fixture(scope="module")
def ground(cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ground]:
    """A database of its own on the primary, and no replica."""
    folder: Path = tmp_path_factory.mktemp("restart")
    cluster.primary.execute(f"CREATE DATABASE restarted TEMPLATE {EMPTY}")
    try:
        yield populated(Installation(folder, {"DATABASE_URL": cluster.primary.url_of("restarted")}))
    finally:
        cluster.primary.execute("DROP DATABASE restarted WITH (FORCE)")


def test_connections_that_died_while_idle_fail_nobody(cluster: Cluster, ground: Ground) -> None:
    assert restarted_while_idle(ground, cluster.primary).broken == []


def test_under_load_it_is_503_or_success_and_success_once_it_is_back(
    cluster: Cluster, ground: Ground
) -> None:
    assert restarted_under_load(ground, cluster.primary, away=1).broken == []
