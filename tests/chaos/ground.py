"""Install the application in its own folder and on its own database, for faults."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg

from tests.chaos.invariants import broken_rules
from tests.clusters import servers
from tests.support.servers import Installation, Server

# The organization that all clients write to, with twenty services and a person; and another one.
POPULATE = """
import json
from tests.support.factories import (
    ApiTokenFactory, DealFactory, OrganizationFactory, PersonFactory, ServiceFactory, ServiceTypeFactory
)
ours, other = OrganizationFactory(), OrganizationFactory()
PersonFactory(organization=other)
kind, deal = ServiceTypeFactory(organization=ours, name="Kept"), DealFactory(organization=ours)
services = ServiceFactory.create_batch(20, organization=ours, deal=deal, service_type=kind)
print(json.dumps({
    "tokens": [ApiTokenFactory(organization=ours).name for _ in range(2)],
    "service_type": kind.pk,
    "deal": deal.pk,
    "person": PersonFactory(organization=ours).pk,
    "services": [service.pk for service in services],
}))
"""


@dataclass
class Ground:
    """The application, its database, and the ids of its rows."""

    installation: Installation
    tokens: list[str]
    service_type: int
    deal: int
    person: int
    services: list[int]

    @property
    def url(self) -> str:
        return self.installation.environment["DATABASE_URL"]

    @property
    def file(self) -> Path:
        """Return the path of the SQLite database."""
        return Path(self.url.removeprefix("sqlite:///"))

    def query(self, sql: str) -> Sequence[Sequence[Any]]:
        """Query the database directly."""
        if self.url.startswith("sqlite"):
            with closing(sqlite3.connect(self.file, timeout=20)) as connection:
                return connection.execute(sql).fetchall()
        with psycopg.connect(self.url) as connection:
            return connection.execute(sql).fetchall()

    def broken_rules(self) -> list[str]:
        """Return broken rules; there must be none, however often the processes were killed."""
        return broken_rules(self.query, is_sqlite=self.url.startswith("sqlite"))

    def served(self, workers: int = 2, **environment: str) -> AbstractContextManager[Server]:
        return self.installation.served(workers=workers, **environment)


def prepared(folder: Path, url: str) -> Ground:
    """Migrate and fill an empty database."""
    installation = Installation(folder, {"DATABASE_URL": url, "LOG_LEVEL": "ERROR"})
    installation.manage("migrate", "--verbosity", "0")
    return populated(installation)


def populated(installation: Installation) -> Ground:
    """Fill a database that has all migrations and no rows."""
    created = json.loads(installation.manage("shell", "--verbosity", "0", "--command", POPULATE))
    return Ground(installation, **created)


def on_sqlite(folder: Path) -> Ground:
    return prepared(folder, f"sqlite:///{folder}/chaos.sqlite3")


@contextmanager
def on_postgresql(folder: Path) -> Iterator[tuple[Ground, servers.PostgreSQLServer]]:
    """Start a separate server, which may be stopped and restarted."""
    folder.chmod(0o755)
    data = folder / "servers"
    data.mkdir()
    servers.change_owner(data)
    with servers.primary(data) as server:
        yield prepared(folder, server.url), server
