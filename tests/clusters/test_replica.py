"""What is read from a replica that streams, and lags; what never is; and that nobody can tell."""

from __future__ import annotations

import signal
from concurrent.futures import ThreadPoolExecutor

import psycopg
import pytest

from tests.clusters.conftest import Cluster
from tests.clusters.requests import TYPES, asked, counts, grown, new_type, served_by
from tests.clusters.visitor import Visitor
from tests.support.api import SocketApi
from tests.support.servers import wait_until


def names(api: SocketApi) -> list[str]:
    return [resource["attributes"]["name"] for resource in api.get(TYPES).data]


@pytest.fixture
def first(cluster: Cluster, here: str) -> SocketApi:
    """A client of the first organization; whatever was written before, the replica has."""
    cluster.catch_up()
    return SocketApi(cluster.tokens[0], address=here)


@pytest.fixture
def second(cluster: Cluster, here: str) -> SocketApi:
    """A client of the second organization."""
    return SocketApi(cluster.tokens[1], address=here)


def test_lists_and_records_come_from_the_replica(cluster: Cluster, first: SocketApi) -> None:
    made = first.post(TYPES, json=new_type("Read")).data
    cluster.catch_up()
    for path in (
        TYPES,
        f"{TYPES}/{made['id']}",
        f"{TYPES}?page[size]=1&page[number]=2",
        f"{TYPES}?include=assignees",
    ):
        assert asked(cluster, first, path) == ["replica"], path


def test_nothing_else_does(cluster: Cluster, first: SocketApi) -> None:
    """Writes, with the reads that they need, and the admin: the replica is sent no statement at all."""
    visitor = Visitor(first.address)
    before = cluster.replica.log.read_text().count("LOG:  statement:")
    made = first.post(TYPES, json=new_type("Written")).data
    path = f"{TYPES}/{made['id']}"
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


def test_a_writer_reads_its_own_writes(
    cluster: Cluster, first: SocketApi, second: SocketApi, elsewhere: str
) -> None:
    """With any token, through any process, however far the replica lags. Nobody else is kept from it."""
    neighbour = SocketApi(cluster.tokens[2], address=elsewhere)
    first.post(TYPES, json=new_type("Before"))
    with cluster.paused():
        assert [asked(cluster, api) for api in (first, neighbour, second)] == [["replica"]] * 3
        pk = first.post(TYPES, json=new_type("Own")).data["id"]
        path = f"{TYPES}/{pk}"
        for api in (first, neighbour):
            servers, answer = served_by(cluster, api, path)
            assert (servers, answer.data["attributes"]["name"]) == (["primary"], "Own")
            assert "Own" in names(api)
        neighbour.patch(path, json={"data": {"type": TYPES, "attributes": {"name": "Renamed"}}})
        assert [first.get(path).data["attributes"]["name"], "Renamed" in names(neighbour)] == [
            "Renamed",
            True,
        ]
        assert first.delete(path).status == 204
        assert [api.get(path).status for api in (first, neighbour)] == [404, 404]
        assert asked(cluster, second) == ["replica"]
    cluster.catch_up()
    for api in (first, neighbour, second):
        servers, answer = served_by(cluster, api)
        assert servers == ["replica"]
        assert not {"Own", "Renamed"} & {data["attributes"]["name"] for data in answer.data}


def test_what_comes_from_a_replica_that_lags_is_its_own(cluster: Cluster, first: SocketApi) -> None:
    """The proof that the logs are read rightly: what nobody of ours has written is seen once it is there."""
    pk = first.post(TYPES, json=new_type("As it was")).data["id"]
    with cluster.paused():
        cluster.primary.execute("UPDATE catalog_servicetype SET name = 'As it is' WHERE id = %s", pk)
        assert first.get(f"{TYPES}/{pk}").data["attributes"]["name"] == "As it was"
    cluster.catch_up()
    assert first.get(f"{TYPES}/{pk}").data["attributes"]["name"] == "As it is"


@pytest.mark.parametrize("door", ["admin", "command"])
def test_what_is_written_through_another_door_is_read_as_well(
    cluster: Cluster, first: SocketApi, second: SocketApi, door: str
) -> None:
    organization = cluster.organizations[0]
    with cluster.paused():
        if door == "admin":
            visitor = Visitor(first.address)
            visitor.sign_in("root", "open sesame")
            visitor.post(
                "/admin/catalog/servicetype/add/", organization=str(organization), name=door, description=""
            )
        else:
            made = f"ServiceType(organization_id={organization}, name='{door}').save()"
            script = f"from catalog.models import ServiceType; {made}"
            cluster.installation().manage("shell", "--verbosity", "0", "--command", script)
        assert asked(cluster, first) == ["primary"]
        assert asked(cluster, second) == ["replica"]
        assert door in names(first)


def test_what_was_written_before_a_process_began_is_read_whoever_wrote_it(
    cluster: Cluster, first: SocketApi, second: SocketApi
) -> None:
    """Also what no door of ours noted, as before there was a replica."""
    with cluster.paused():
        cluster.primary.execute("UPDATE catalog_servicetype SET description = 'mended by hand'")
        with cluster.installation().served("late") as server:
            late = SocketApi(cluster.tokens[0], address=server.netloc)
            assert [asked(cluster, late), asked(cluster, first)] == [["primary"], ["replica"]]


def test_a_revoked_token_is_refused_at_once(cluster: Cluster, elsewhere: str) -> None:
    token = SocketApi(cluster.tokens[2], address=elsewhere)
    with cluster.paused():
        assert asked(cluster, token) == ["replica"]
        cluster.primary.execute(
            "UPDATE accounts_apitoken SET revoked_at = now() WHERE name = %s", token.token
        )
        assert token.get(TYPES).status == 401
        cluster.primary.execute("UPDATE accounts_apitoken SET revoked_at = NULL WHERE name = %s", token.token)
        assert asked(cluster, token) == ["replica"]


@pytest.mark.parametrize(
    ("limit", "status", "servers"),
    [("LOCK_TIMEOUT_MS", 200, ["primary", "replica"]), ("STATEMENT_TIMEOUT_MS", 503, ["replica"])],
)
def test_what_replay_is_in_the_way_of_is_read_from_the_primary(
    cluster: Cluster, limit: str, status: int, servers: list[str]
) -> None:
    """Replay holds a lock that the primary has let go: the statement fails, the connection doesn't.

    The replica is left alone, and used again. What took too long is not begun anew.
    """
    with (
        cluster.installation(**{limit: "1000"}).served("hasty") as server,
        psycopg.connect(cluster.primary.url) as locking,
    ):
        api = SocketApi(cluster.tokens[0], address=server.netloc)
        # The process now knows when it began: behind what it wrote to count this request.
        assert api.get(TYPES).status == 200
        cluster.catch_up()
        assert asked(cluster, api) == ["replica"]
        locking.execute("LOCK TABLE catalog_servicetype")
        with cluster.paused():
            locking.commit()
            before = counts(cluster)
            assert api.get(TYPES).status == status
            assert grown(cluster, before) == servers
            if status == 200:
                assert asked(cluster, api) == ["primary"]
        wait_until(lambda: asked(cluster, api) == ["replica"])


def test_a_replica_that_is_gone_fails_nobody(cluster: Cluster, first: SocketApi, second: SocketApi) -> None:
    """Each process waits for it no longer than a second at a time; once it is back, it is used again."""
    assert asked(cluster, first) == ["replica"]
    cluster.replica.stop(signal.SIGQUIT)
    try:
        with ThreadPoolExecutor(8) as threads:
            answers = threads.map(lambda n: (first, second)[n % 2].get(TYPES).status, range(40))
            assert {*answers} == {200}
        assert first.post(TYPES, json=new_type("Alone")).status == 201
        assert asked(cluster, first) == ["primary"]
    finally:
        cluster.replica.start()
    wait_until(lambda: asked(cluster, second) == ["replica"])
    cluster.catch_up()
    assert [asked(cluster, api) for api in (first, second)] == [["replica"]] * 2
    assert "Alone" in names(first)
