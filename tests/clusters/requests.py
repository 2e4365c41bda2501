"""Send requests to the application, and find which servers it read from."""

from __future__ import annotations

from tests.clusters.conftest import Cluster
from tests.support.api import Answer, SocketApi

TABLE = "catalog_servicetype"


TYPES = "service_types"


def counts(cluster: Cluster) -> dict[str, int]:
    """Return by server how many statements in its log read service types."""
    return {"primary": cluster.primary.count_reads(TABLE), "replica": cluster.replica.count_reads(TABLE)}


def increased(cluster: Cluster, before: dict[str, int]) -> list[str]:
    return [name for name, count in counts(cluster).items() if count > before[name]]


def served_by(cluster: Cluster, api: SocketApi, path: str = TYPES) -> tuple[list[str], Answer]:
    """Return the servers that service types were read from, and the response."""
    before = counts(cluster)
    answer = api.get(path)
    assert answer.status == 200, answer
    return increased(cluster, before), answer


def servers_used(cluster: Cluster, api: SocketApi, path: str = TYPES) -> list[str]:
    return served_by(cluster, api, path)[0]


def new_type(name: str) -> dict[str, object]:
    return {"data": {"type": TYPES, "attributes": {"name": name}}}
