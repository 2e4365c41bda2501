"""Provide a primary, a replica that streams from it, and the application on both."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from tests.clusters import servers, tools
from tests.clusters.servers import PostgreSQLServer
from tests.support.api import SocketApi
from tests.support.servers import Installation, free_port, wait_until

# Two organizations with a token each, of which the first has a second one.
POPULATE = """
import json
from tests.support.factories import ApiTokenFactory, OrganizationFactory, PersonFactory, UserFactory
from productive.accounts.models import User
first, second = OrganizationFactory(), OrganizationFactory()
tokens = [ApiTokenFactory(organization=o) for o in (first, second, first)]
user = User.objects.create_superuser("root", password="open sesame")
print(json.dumps({"organizations": [first.pk, second.pk], "tokens": [t.name for t in tokens]}))
"""


@dataclass
class Cluster:
    """Both servers, the ids of their first rows, and the settings to connect to them."""

    folder: Path
    primary: PostgreSQLServer
    replica: PostgreSQLServer
    organizations: list[int]
    tokens: list[str]

    def installation(self, **environment: str) -> Installation:
        urls = {"DATABASE_URL": self.primary.url, "REPLICA_URL": self.replica.url}
        return Installation(self.folder, {**urls, **environment})

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Pause the replay of the replica."""
        self.catch_up()
        self.replica.execute("SELECT pg_wal_replay_pause()")
        wait_until(lambda: self.replica.execute("SELECT pg_get_wal_replay_pause_state()") == "paused")
        try:
            yield
        finally:
            self.replica.execute("SELECT pg_wal_replay_resume()")

    def catch_up(self) -> None:
        """Wait until the replica has everything in the primary's log."""
        # A synchronous commit, so that earlier asynchronous ones are sent, too.
        self.primary.execute("SELECT pg_logical_emit_message(true, 'tests', 'so far')")
        end = self.primary.execute("SELECT pg_current_wal_flush_lsn()")
        wait_until(lambda: self.replica.execute("SELECT pg_last_wal_replay_lsn() >= %s::pg_lsn", end))


@pytest.fixture(scope="session")
def cluster() -> Iterator[Cluster]:
    missing = tools.missing()
    if missing:
        pytest.fail(f"apt-get install {' '.join(missing)}, or run python -m tests.clusters.tools")
    with TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o755)
        data = folder / "servers"
        data.mkdir()
        servers.change_owner(data)
        port = free_port()
        with servers.primary(data) as primary:
            replica = PostgreSQLServer(data / "replica", port)
            installation = Installation(folder, {"DATABASE_URL": primary.url, "REPLICA_URL": replica.url})
            # The replica doesn't run yet: neither command uses it.
            installation.manage("migrate", "--verbosity", "0")
            primary.execute(
                f"CREATE DATABASE {servers.EMPTY} TEMPLATE {servers.DATABASE}", database="postgres"
            )
            created = json.loads(installation.manage("shell", "--verbosity", "0", "--command", POPULATE))
            with servers.replica_of(primary, port) as replica:
                yield Cluster(folder, primary, replica, **created)


@contextmanager
def process_of(cluster: Cluster, name: str) -> Iterator[str]:
    """Yield host:port of a process that has read before, so that it knows its start position."""
    with cluster.installation().served(name) as server:
        cluster.catch_up()
        for token in cluster.tokens:
            assert SocketApi(token, address=server.netloc).get("organizations").status == 200
        yield server.netloc


@pytest.fixture(scope="session")
def here(cluster: Cluster) -> Iterator[str]:
    with process_of(cluster, "here") as address:
        yield address


@pytest.fixture(scope="session")
def elsewhere(cluster: Cluster) -> Iterator[str]:
    with process_of(cluster, "elsewhere") as address:
        yield address
