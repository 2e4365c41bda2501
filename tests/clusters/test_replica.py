"""Test what is read from a streaming replica, and that no client sees its lag."""

from __future__ import annotations

import signal
from concurrent.futures import ThreadPoolExecutor

import psycopg
import pytest

from tests.clusters.conftest import Cluster
from tests.clusters.requests import TYPES, counts, increased, new_type, served_by, servers_used
from tests.clusters.visitor import Visitor
from tests.support.api import SocketApi
from tests.support.servers import wait_until


def names(api: SocketApi) -> list[str]:
    return [resource["attributes"]["name"] for resource in api.get(TYPES).data]


@pytest.fixture
def first(cluster: Cluster, here: str) -> SocketApi:
    """A client of the first organization, with the replica up to date."""
    cluster.catch_up()
    return SocketApi(cluster.tokens[0], address=here)


@pytest.fixture
def second(cluster: Cluster, here: str) -> SocketApi:
    """A client of the second organization."""
    return SocketApi(cluster.tokens[1], address=here)


def test_lists_and_records_come_from_the_replica(cluster: Cluster, first: SocketApi) -> None:
    created = first.post(TYPES, json=new_type("Read")).data
    cluster.catch_up()
    for path in (
        TYPES,
        f"{TYPES}/{created['id']}",
        f"{TYPES}?page[size]=1&page[number]=2",
        f"{TYPES}?include=assignees",
    ):
        assert servers_used(cluster, first, path) == ["replica"], path


def test_other_requests_do_not_use_the_replica(cluster: Cluster, first: SocketApi) -> None:
    """Writes, with the reads that they need, and the admin send no statement to the replica."""
    visitor = Visitor(first.address)
    before = cluster.replica.log.read_text().count("LOG:  statement:")
    created = first.post(TYPES, json=new_type("Written")).data
    path = f"{TYPES}/{created['id']}"
    statuses = [
        first.patch(path, json={"data": {"type": TYPES, "attributes": {"name": "Changed"}}}).status,
        first.patch(f"{path}/archive").status,
        first.delete(path).status,
        first.get("no_such_resource").status,
        SocketApi("no such token", address=first.address).get(TYPES).status,
    ]
    visitor.sign_in("root", "open sesame")
    assert "Read" in visitor.get("/admin/catalog/servicetype/")
    assert statuses == [200, 200, 204, 404, 401]
    assert cluster.replica.log.read_text().count("LOG:  statement:") == before
    assert cluster.installation().manage("migrate", "--verbosity", "0") == ""
    assert cluster.replica.log.read_text().count("LOG:  statement:") == before


def test_client_reads_its_own_writes(
    cluster: Cluster, first: SocketApi, second: SocketApi, elsewhere: str
) -> None:
    """With any token and any process, however far the replica lags. Other organizations use the replica."""
    same_organization = SocketApi(cluster.tokens[2], address=elsewhere)
    first.post(TYPES, json=new_type("Before"))
    with cluster.paused():
        assert [servers_used(cluster, api) for api in (first, same_organization, second)] == [["replica"]] * 3
        pk = first.post(TYPES, json=new_type("Own")).data["id"]
        path = f"{TYPES}/{pk}"
        for api in (first, same_organization):
            servers, answer = served_by(cluster, api, path)
            assert (servers, answer.data["attributes"]["name"]) == (["primary"], "Own")
            assert "Own" in names(api)
        same_organization.patch(path, json={"data": {"type": TYPES, "attributes": {"name": "Renamed"}}})
        assert [first.get(path).data["attributes"]["name"], "Renamed" in names(same_organization)] == [
            "Renamed",
            True,
        ]
        assert first.delete(path).status == 204
        assert [api.get(path).status for api in (first, same_organization)] == [404, 404]
        assert servers_used(cluster, second) == ["replica"]
    cluster.catch_up()
    for api in (first, same_organization, second):
        servers, answer = served_by(cluster, api)
        assert servers == ["replica"]
        assert not {"Own", "Renamed"} & {data["attributes"]["name"] for data in answer.data}


def test_lagging_replica_returns_its_own_state(cluster: Cluster, first: SocketApi) -> None:
    """A direct write isn't noted, so this shows that the response really is from the replica."""
    pk = first.post(TYPES, json=new_type("As it was")).data["id"]
    with cluster.paused():
        cluster.primary.execute("UPDATE catalog_servicetype SET name = 'As it is' WHERE id = %s", pk)
        assert first.get(f"{TYPES}/{pk}").data["attributes"]["name"] == "As it was"
    cluster.catch_up()
    assert first.get(f"{TYPES}/{pk}").data["attributes"]["name"] == "As it is"


@pytest.mark.parametrize("writer", ["admin", "command"])
def test_client_reads_writes_of_the_admin_and_of_commands(
    cluster: Cluster, first: SocketApi, second: SocketApi, writer: str
) -> None:
    organization = cluster.organizations[0]
    with cluster.paused():
        if writer == "admin":
            visitor = Visitor(first.address)
            visitor.sign_in("root", "open sesame")
            visitor.post(
                "/admin/catalog/servicetype/add/", organization=str(organization), name=writer, description=""
            )
        else:
            created = f"ServiceType(organization_id={organization}, name='{writer}').save()"
            script = f"from catalog.models import ServiceType; {created}"
            cluster.installation().manage("shell", "--verbosity", "0", "--command", script)
        assert servers_used(cluster, first) == ["primary"]
        assert servers_used(cluster, second) == ["replica"]
        assert writer in names(first)


def test_new_process_reads_all_earlier_writes(cluster: Cluster, first: SocketApi, second: SocketApi) -> None:
    """Even those without a note, as before there was a replica."""
    with cluster.paused():
        cluster.primary.execute("UPDATE catalog_servicetype SET description = 'changed by SQL'")
        with cluster.installation().served("late") as server:
            late = SocketApi(cluster.tokens[0], address=server.netloc)
            assert [servers_used(cluster, late), servers_used(cluster, first)] == [["primary"], ["replica"]]


def test_revoked_token_is_rejected_immediately(cluster: Cluster, elsewhere: str) -> None:
    token = SocketApi(cluster.tokens[2], address=elsewhere)
    with cluster.paused():
        assert servers_used(cluster, token) == ["replica"]
        cluster.primary.execute(
            "UPDATE accounts_apitoken SET revoked_at = now() WHERE name = %s", token.token
        )
        assert token.get(TYPES).status == 401
        cluster.primary.execute("UPDATE accounts_apitoken SET revoked_at = NULL WHERE name = %s", token.token)
        assert servers_used(cluster, token) == ["replica"]


@pytest.mark.parametrize(
    ("limit", "status", "servers"),
    [("LOCK_TIMEOUT_MS", 200, ["primary", "replica"]), ("STATEMENT_TIMEOUT_MS", 503, ["replica"])],
)
def test_lock_timeout_on_the_replica_falls_back_to_the_primary(
    cluster: Cluster, limit: str, status: int, servers: list[str]
) -> None:
    """Replay holds a lock that the primary has released: the statement fails, the connection doesn't.

    The circuit breaker opens and closes again. A statement timeout isn't retried.
    """
    with (
        cluster.installation(**{limit: "1000"}).served("hasty") as server,
        psycopg.connect(cluster.primary.url) as locking,
    ):
        api = SocketApi(cluster.tokens[0], address=server.netloc)
        # The process now knows its start position, which is after its write to count this request.
        assert api.get(TYPES).status == 200
        cluster.catch_up()
        assert servers_used(cluster, api) == ["replica"]
        locking.execute("LOCK TABLE catalog_servicetype")
        with cluster.paused():
            locking.commit()
            before = counts(cluster)
            assert api.get(TYPES).status == status
            assert increased(cluster, before) == servers
            if status == 200:
                assert servers_used(cluster, api) == ["primary"]
        wait_until(lambda: servers_used(cluster, api) == ["replica"])


def test_stopped_replica_fails_no_request(cluster: Cluster, first: SocketApi, second: SocketApi) -> None:
    """Each process waits for it at most a second, and uses it again once it is back."""
    assert servers_used(cluster, first) == ["replica"]
    cluster.replica.stop(signal.SIGQUIT)
    try:
        with ThreadPoolExecutor(8) as threads:
            answers = threads.map(lambda n: (first, second)[n % 2].get(TYPES).status, range(40))
            assert {*answers} == {200}
        assert first.post(TYPES, json=new_type("Alone")).status == 201
        assert servers_used(cluster, first) == ["primary"]
    finally:
        cluster.replica.start()
    wait_until(lambda: servers_used(cluster, second) == ["replica"])
    cluster.catch_up()
    assert [servers_used(cluster, api) for api in (first, second)] == [["replica"]] * 2
    assert "Alone" in names(first)
