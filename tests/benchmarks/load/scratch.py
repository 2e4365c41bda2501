"""Create a database for one run on a PostgreSQL of this machine."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import closing, contextmanager
from secrets import token_hex
from urllib.parse import urlsplit

import psycopg
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict

DEFAULT_URL = "postgres://postgres@127.0.0.1:5432/postgres"
LOOPBACK = {"127.0.0.1", "::1", "localhost"}


@contextmanager
def scratch_database(url: str) -> Iterator[str]:
    """Create a database on the server of `url`, yield its URL, and drop it.

    Raise ValueError for a server that isn't on this machine, because it may be in use.
    """
    info = conninfo_to_dict(url)
    hosts = {host for name in ("host", "hostaddr") for host in str(info.get(name) or "").split(",") if host}
    if not hosts or not hosts <= LOOPBACK:
        raise ValueError("the load runs on a PostgreSQL of this machine only, at 127.0.0.1, ::1 or localhost")
    name = f"load_{os.getpid()}_{token_hex(4)}"
    execute(url, sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
    try:
        yield urlsplit(url)._replace(path=f"/{name}").geturl()
    finally:
        execute(url, sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


def vacuum(url: str) -> None:
    """Do what autovacuum does while rows come one by one."""
    # Others may be vacuuming the catalogs that all databases share.
    execute(url, sql.SQL("VACUUM (ANALYZE, SKIP_LOCKED)"))


def execute(url: str, statement: sql.SQL | sql.Composed) -> None:
    with closing(psycopg.connect(url, connect_timeout=3, autocommit=True)) as connection:
        connection.execute(statement)
