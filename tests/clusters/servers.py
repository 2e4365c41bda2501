"""Servers of the tests' own, on this machine alone, in a folder of their own. Nothing outlives the tests."""

from __future__ import annotations

import os
import pwd
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg

from tests.clusters import tools
from tests.conftest import ROOT, environment_of_its_own, free_port, wait_for_port

# The second is migrated, and nothing more.
DATABASE, EMPTY = "productive", "empty"
# Small and fast: no disk is waited for, so what is tested here is not what a power cut leaves.
SETTINGS = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    "fsync": "off",
    "shared_buffers": "16MB",
    "max_connections": "60",
    "wal_receiver_status_interval": "1s",
    "wal_retrieve_retry_interval": "200ms",
    # What is paused here is meant to lag, not to cancel what reads from it.
    "max_standby_streaming_delay": "-1",
    "log_statement": "all",
}


def owner() -> dict[str, Any]:
    """Who runs the servers, as arguments of Popen: none of them runs as root."""
    if os.geteuid() != 0:
        return {}
    user = pwd.getpwnam("postgres")
    return {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}


def give(folder: Path) -> None:
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
class Server:
    """A PostgreSQL server in the folder, which may be stopped and started again."""

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
        """The first column of the first row, if there is one."""
        with psycopg.connect(self.url_of(database), autocommit=True) as connection:
            cursor = connection.execute(sql, params)
            return cursor.fetchone()[0] if cursor.description else None

    def has_read(self, table: str) -> int:
        """How many statements it was sent so far that read the table: it logs them before it runs them."""
        return self.log.read_text().count(f' FROM "{table}"')


def wait_until(condition: Callable[[], bool], seconds: float = 30) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"not within {seconds} seconds"
        time.sleep(0.02)


def wait_for_answer(url: str) -> None:
    """A server that listens may still be starting."""

    def answers() -> bool:
        try:
            psycopg.connect(url, connect_timeout=5).close()
        except psycopg.OperationalError:
            return False
        return True

    wait_until(answers)


@contextmanager
def primary(folder: Path) -> Iterator[Server]:
    """A new server with an empty database."""
    server = Server(folder / "primary")
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
def replica_of(server: Server, port: int) -> Iterator[Server]:
    """A server that streams from the other."""
    replica = Server(server.folder.with_name("replica"), port)
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
def pgbouncer(folder: Path, *servers: Server, size: int) -> Iterator[list[str]]:
    """The URLs of PgBouncer in transaction mode, with `size` connections to each of the servers."""
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
    give(configuration)
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


@dataclass
class House:
    """The application with an environment of its own: its commands, and gunicorn serving it."""

    folder: Path
    environment: dict[str, str]

    def variables(self) -> dict[str, str]:
        return {
            **environment_of_its_own(self.folder),
            "HTTPS": "false",
            "ALLOWED_HOSTS": "127.0.0.1",
            # Counted like any, but never reached.
            "RATE_LIMIT_TOKEN": "1000000/10s",
            "RATE_LIMIT_ORGANIZATION": "1000000/10s",
            "RATE_LIMIT_FAILED_AUTHENTICATION": "1000000/10s",
            **self.environment,
        }

    def manage(self, *arguments: str) -> str:
        command = [sys.executable, "manage.py", *arguments]
        done = subprocess.run(
            command, cwd=ROOT, env=self.variables(), capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    @contextmanager
    def served(self, name: str = "web") -> Iterator[str]:
        """host:port of one process with eight threads, as `productive.server` has them."""
        port = free_port()
        bind = ["--config", "python:productive.server", "--bind", f"127.0.0.1:{port}"]
        with (self.folder / f"{name}.log").open("ab") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", "gunicorn", *bind, "productive.wsgi"],
                cwd=ROOT,
                env=self.variables(),
                stdout=log,
                stderr=log,
            )
        try:
            wait_for_port(port)
            yield f"127.0.0.1:{port}"
        finally:
            process.terminate()
            process.wait(20)
