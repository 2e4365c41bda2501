"""Requests to the application on both servers, and which of the servers answered them."""

from __future__ import annotations

from tests.clusters.conftest import Cluster
from tests.support.api import Answer, SocketApi

TABLE = "catalog_servicetype"


TYPES = "service_types"


def counts(cluster: Cluster) -> dict[str, int]:
    """By server, how many statements read service types so far, as its log has it."""
    return {"primary": cluster.primary.has_read(TABLE), "replica": cluster.replica.has_read(TABLE)}


def grown(cluster: Cluster, before: dict[str, int]) -> list[str]:
    return [name for name, count in counts(cluster).items() if count > before[name]]


def served_by(cluster: Cluster, api: SocketApi, path: str = TYPES) -> tuple[list[str], Answer]:
    """Which servers were asked for service types to answer the request, and the answer."""
    before = counts(cluster)
    answer = api.get(path)
    assert answer.status == 200, answer
    return grown(cluster, before), answer


def asked(cluster: Cluster, api: SocketApi, path: str = TYPES) -> list[str]:
    return served_by(cluster, api, path)[0]


def new_type(name: str) -> dict[str, object]:
    return {"data": {"type": TYPES, "attributes": {"name": name}}}
