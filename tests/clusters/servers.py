"""Start servers for the tests on this machine, and stop them at the end."""

from __future__ import annotations

import os
import pwd
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg

from tests.clusters import tools
from tests.support.servers import free_port, wait_for_port, wait_until

# The second has all migrations and no rows.
DATABASE, EMPTY = "productive", "empty"
# Small and fast. Without fsync, so these tests don't cover a power failure.
SETTINGS = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    "fsync": "off",
    "shared_buffers": "16MB",
    "max_connections": "60",
    "wal_receiver_status_interval": "1s",
    "wal_retrieve_retry_interval": "200ms",
    # A paused replica lags, and must not cancel queries.
    "max_standby_streaming_delay": "-1",
    "log_statement": "all",
}


def owner() -> dict[str, Any]:
    """Return the user that runs the servers, as arguments of Popen: PostgreSQL doesn't run as root."""
    if os.geteuid() != 0:
        return {}
    user = pwd.getpwnam("postgres")
    return {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}


def change_owner(folder: Path) -> None:
    if who := owner():
        os.chown(folder, who["user"], who["group"])


def run(program: str, *arguments: str) -> None:
    subprocess.run(
        [tools.find(program) or program, *arguments],
        check=True,
        cwd="/",
        stdout=subprocess.DEVNULL,
        **owner(),
    )


@dataclass
class PostgreSQLServer:
    """A PostgreSQL server in the folder, which can be stopped and started again."""

    folder: Path
    port: int = field(default_factory=free_port)
    process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return self.url_of(DATABASE)

    def url_of(self, database: str) -> str:
        return f"postgres://postgres@127.0.0.1:{self.port}/{database}"

    @property
    def log(self) -> Path:
        return self.folder.with_suffix(".log")

    def start(self) -> None:
        settings = {**SETTINGS, "port": str(self.port)}
        options = [f"--{name}={value}" for name, value in settings.items()]
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [tools.find("postgres") or "postgres", "-D", str(self.folder), *options],
                cwd="/",
                stdout=log,
                stderr=log,
                **owner(),
            )
        wait_for_port(self.port)
        wait_for_answer(self.url_of("postgres"))

    def stop(self, how: signal.Signals = signal.SIGINT) -> None:
        """SIGINT ends all connections and then the server; SIGQUIT leaves it as if it had crashed."""
        if self.process is not None:
            self.process.send_signal(how)
            self.process.wait(30)
            self.process = None

    def execute(self, sql: str, *params: Any, database: str = DATABASE) -> Any:
        """Execute the statement, and return the first column of the first row, if there is one."""
        with psycopg.connect(self.url_of(database), autocommit=True) as connection:
            cursor = connection.execute(sql, params)
            return cursor.fetchone()[0] if cursor.description else None

    def count_reads(self, table: str) -> int:
        """Return how many statements have read the table; the server logs each before it runs it."""
        return self.log.read_text().count(f' FROM "{table}"')


def wait_for_answer(url: str) -> None:
    """Wait until the server accepts connections: one that listens may still be starting."""

    def answers() -> bool:
        try:
            psycopg.connect(url, connect_timeout=5).close()
        except psycopg.OperationalError:
            return False
        return True

    wait_until(answers)


@contextmanager
def primary(folder: Path) -> Iterator[PostgreSQLServer]:
    """Start a new server with an empty database."""
    server = PostgreSQLServer(folder / "primary")
    run(
        "initdb",
        "--username=postgres",
        "--auth=trust",
        "--no-sync",
        "--encoding=UTF8",
        "-D",
        str(server.folder),
    )
    try:
        server.start()
        with psycopg.connect(server.url_of("postgres"), autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {DATABASE}")
        yield server
    finally:
        server.stop(signal.SIGQUIT)


@contextmanager
def replica_of(server: PostgreSQLServer, port: int) -> Iterator[PostgreSQLServer]:
    """Start a replica that streams from the server."""
    replica = PostgreSQLServer(server.folder.with_name("replica"), port)
    origin = f"host=127.0.0.1 port={server.port} user=postgres"
    run(
        "pg_basebackup",
        "--checkpoint=fast",
        "--no-sync",
        "-R",
        "-X",
        "stream",
        "-d",
        origin,
        "-D",
        str(replica.folder),
    )
    try:
        replica.start()
        yield replica
    finally:
        replica.stop(signal.SIGQUIT)


@contextmanager
def pgbouncer(folder: Path, *servers: PostgreSQLServer, size: int) -> Iterator[list[str]]:
    """Start PgBouncer in transaction mode, with `size` connections to each server; yield its URLs."""
    port, names = free_port(), [server.folder.name for server in servers]
    databases = [
        f"{name} = host=127.0.0.1 port={server.port} dbname={DATABASE} user=postgres"
        for name, server in zip(names, servers, strict=True)
    ]
    settings = {
        "listen_addr": "127.0.0.1",
        "listen_port": port,
        "unix_socket_dir": "",
        "auth_type": "any",
        "pool_mode": "transaction",
        "default_pool_size": size,
    }
    lines = [
        "[databases]",
        *databases,
        "[pgbouncer]",
        *(f"{name} = {value}" for name, value in settings.items()),
    ]
    configuration = folder / "pgbouncer.ini"
    configuration.write_text("\n".join(lines) + "\n")
    change_owner(configuration)
    with (folder / "pgbouncer.log").open("ab") as log:
        process = subprocess.Popen(
            [tools.find("pgbouncer") or "pgbouncer", str(configuration)],
            cwd="/",
            stdout=log,
            stderr=log,
            **owner(),
        )
    try:
        wait_for_port(port)
        yield [f"postgres://any@127.0.0.1:{port}/{name}" for name in names]
    finally:
        process.kill()
        process.wait(20)
