"""Restart PostgreSQL under the application, and check that nothing is lost."""

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
    """A separate database on the primary, without a replica."""
    folder: Path = tmp_path_factory.mktemp("restart")
    cluster.primary.execute(f"CREATE DATABASE restarted TEMPLATE {EMPTY}")
    try:
        yield populated(Installation(folder, {"DATABASE_URL": cluster.primary.url_of("restarted")}))
    finally:
        cluster.primary.execute("DROP DATABASE restarted WITH (FORCE)")


def test_broken_idle_connections_fail_no_request(cluster: Cluster, ground: Ground) -> None:
    assert restarted_while_idle(ground, cluster.primary).broken == []


def test_restart_under_load_returns_only_success_or_503(cluster: Cluster, ground: Ground) -> None:
    assert restarted_under_load(ground, cluster.primary, away=1).broken == []
