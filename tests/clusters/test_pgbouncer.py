"""Use everything through PgBouncer, where each transaction may run on another connection."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from typing import Any

import psycopg
import pytest

from tests.clusters import servers
from tests.clusters.conftest import Cluster
from tests.clusters.requests import new_type, servers_used
from tests.clusters.visitor import Visitor
from tests.support.api import SocketApi
from tests.support.resources import RESOURCES, SERVED, WRITABLE

THREADS, SERVER_CONNECTIONS = 8, 3
# Required attributes. The name of a resource stands for the id of the record created before.
NEEDED: dict[str, dict[str, Any]] = {
    "people": {"first_name": "Pia", "last_name": "Bouncer"},
    "service_types": {"name": "Waiting"},
    "companies": {"name": "Client"},
    "projects": {"name": "Queue"},
    "deals": {"name": "Budget", "project_id": "projects"},
    "services": {"name": "Work", "deal_id": "deals", "service_type_id": "service_types"},
    "filters": {"name": "Mine"},
    "project_assignments": {"person_id": "people", "project_id": "projects"},
    "service_assignments": {"person_id": "people", "service_id": "services"},
    "service_type_assignments": {"person_id": "people", "service_type_id": "service_types"},
}
STATE = """
SELECT pg_backend_pid(),
    (SELECT count(*) FROM pg_prepared_statements),
    (SELECT count(*) FROM pg_cursors WHERE name <> ''),
    (SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'),
    (SELECT count(*) FROM pg_listening_channels()),
    (SELECT count(*) FROM pg_class WHERE relpersistence = 't'),
    (SELECT array_agg(name ORDER BY name) FROM pg_settings WHERE source = 'session' AND name <> ALL (%s))
"""
# PgBouncer itself sets these for each client before its transaction.
KEPT_APART = ["application_name", "client_encoding", "DateStyle", "standard_conforming_strings", "TimeZone"]

SHOW = """
from django.db import connection
with connection.cursor() as cursor:
    cursor.execute("SHOW lock_timeout")
    print(cursor.fetchone())
"""


@pytest.fixture(scope="module")
def urls(cluster: Cluster) -> Iterator[list[str]]:
    with servers.pgbouncer(cluster.folder, cluster.primary, cluster.replica, size=SERVER_CONNECTIONS) as urls:
        yield urls


@pytest.fixture(scope="module")
def address(cluster: Cluster, urls: list[str]) -> Iterator[str]:
    """Yield host:port of the application, which has more threads than PgBouncer has connections."""
    installation = cluster.installation(DATABASE_URL=urls[0], REPLICA_URL=urls[1], PGBOUNCER="true")
    with installation.served("bounced") as server:
        yield server.netloc


def use_the_api(api: SocketApi) -> set[int]:
    """Send every kind of request to every resource, and return the statuses of the deletions."""
    created: dict[str, str] = {}
    statuses = set()
    for resource, needed in NEEDED.items():
        attributes = {name: created.get(value, value) for name, value in needed.items()}
        answer = api.post(resource, json={"data": {"type": resource, "attributes": attributes}})
        assert answer.status == 201, answer
        created[resource] = answer.data["id"]
        changed = {"data": {"type": resource, "attributes": attributes}}
        statuses.add(api.patch(f"{resource}/{created[resource]}", json=changed).status)
    for resource in RESOURCES:
        statuses.add(api.get(resource).status)
        statuses.add(api.get(f"{resource}?page[size]=1&page[number]=2").status)
    for resource, pk in created.items():
        statuses.add(api.get(f"{resource}/{pk}").status)
    pair = f"filter[person_id]={created['people']}&filter[service_id]={created['services']}"
    statuses.add(api.get(f"tracking_decisions?{pair}").status)
    assert {*statuses} == {200}
    return {api.delete(f"{resource}/{pk}").status for resource, pk in reversed(created.items())}


def use_the_admin(address: str) -> set[str]:
    """Sign in, open a list, export it, and return the headings of the files."""
    visitor = Visitor(address)
    visitor.sign_in("root", "open sesame")
    headings = set()
    for _ in range(3):
        assert "service type" in visitor.get("/admin/catalog/servicetype/")
        headings.add(visitor.get("/admin/catalog/servicetype/export/?format=csv").splitlines()[0])
    return headings


def test_needed_names_every_resource() -> None:
    assert {*NEEDED} == {*WRITABLE}
    assert {*SERVED} == {
        *NEEDED,
        "activities",
        "organization_memberships",
        "organizations",
        "tracking_decisions",
    }


def test_concurrent_requests_leave_no_session_state(cluster: Cluster, urls: list[str], address: str) -> None:
    with ThreadPoolExecutor(THREADS) as threads:
        apis = [SocketApi(cluster.tokens[n % 3], address=address) for n in range(THREADS - 2)]
        used = threads.map(use_the_api, apis)
        exported = threads.map(use_the_admin, [address] * 2)
        assert [*used] == [{204}] * len(apis)
        assert [*exported] == [{'\ufeff"ID","Organization","Name","Description","Archived"'}] * 2
    for url in urls:
        with ExitStack() as stack:
            # One transaction on each of PgBouncer's connections.
            clients = [stack.enter_context(psycopg.connect(url)) for _ in range(SERVER_CONNECTIONS)]
            states = [client.execute(STATE, [KEPT_APART]).fetchone() for client in clients]
        assert len({pid for pid, *_ in states}) == SERVER_CONNECTIONS
        assert [state for _, *state in states] == [[0, 0, 0, 0, 0, None]] * SERVER_CONNECTIONS


def test_client_reads_its_own_writes(cluster: Cluster, address: str) -> None:
    api = SocketApi(cluster.tokens[0], address=address)
    cluster.catch_up()
    assert servers_used(cluster, api) == ["replica"]
    with cluster.paused():
        assert servers_used(cluster, api) == ["replica"]
        pk = api.post("service_types", json=new_type("Through PgBouncer")).data["id"]
        assert servers_used(cluster, api, f"service_types/{pk}") == ["primary"]
    cluster.catch_up()
    assert servers_used(cluster, api, f"service_types/{pk}") == ["replica"]


def test_timeouts_are_those_of_the_role(cluster: Cluster, urls: list[str]) -> None:
    """As docs/growing.md says, because PgBouncer rejects start-up options."""
    cluster.primary.execute("ALTER ROLE postgres IN DATABASE productive SET lock_timeout = '7s'")
    try:
        installation = cluster.installation(REPLICA_URL="", PGBOUNCER="true")
        assert installation.manage("shell", "--verbosity", "0", "--command", SHOW) == "('7s',)\n"
    finally:
        cluster.primary.execute("ALTER ROLE postgres IN DATABASE productive RESET lock_timeout")
