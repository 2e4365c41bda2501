"""Create and fill a database for one run: a file, or a database on a PostgreSQL of this machine.

This module is imported before Django has settings.
"""

from __future__ import annotations

import os
import secrets
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn
from urllib.parse import urlsplit

import psycopg
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict

from tests.support.servers import ROOT

if TYPE_CHECKING:
    from productive.accounts.models import Organization

LARGE, SMALL = "Large", ("Small 1", "Small 2", "Small 3")
DEFAULT_URL = "postgres://postgres@127.0.0.1:5432/postgres"
LOOPBACK = {"127.0.0.1", "::1", "localhost"}


@contextmanager
def filled_database(kind: str, scale: int) -> Iterator[tuple[str, Path, list[Organization]]]:
    """Yield the URL of a database of that kind, an empty directory, and the organizations in the database.

    Both are removed at the end. `scale` is the size of the large organization, in times of that of `seed`.
    Exit if PostgreSQL isn't available.
    """
    # Exit normally when terminated, so that everything is cleaned up.
    signal.signal(signal.SIGTERM, stop)
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="load-")))
        if kind == "sqlite":
            url = f"sqlite:///{folder}/load.sqlite3"
        else:
            server = os.environ.get("TEST_DATABASE_URL") or DEFAULT_URL
            try:
                url = stack.enter_context(scratch_database(server))
            except (psycopg.Error, ValueError) as error:
                sys.exit(f"No database for the load: {str(error).strip()}")
        set_environment(url)
        organizations = stack.enter_context(filled(scale))
        if kind == "postgresql":
            vacuum(url)
        yield url, folder, organizations


def stop(number: int, frame: object) -> NoReturn:
    sys.exit(128 + number)


def set_environment(url: str) -> None:
    """Set the environment of production, with plain HTTP and without a replica."""
    os.environ.pop("REPLICA_URL", None)
    os.environ |= {
        "ENV_FILE": os.devnull,
        "DJANGO_SETTINGS_MODULE": "productive.settings",
        "DATABASE_URL": url,
        "SECRET_KEY": secrets.token_urlsafe(50),
        "TOKEN_PEPPER": "",
        "ALLOWED_HOSTS": "127.0.0.1",
        "HTTPS": "false",
        "DEBUG": "false",
        # Requests are counted, but the limits are never reached.
        "RATE_LIMIT_TOKEN": "1000000/10s",
        "RATE_LIMIT_ORGANIZATION": "1000000/10s",
    }


@contextmanager
def filled(scale: int) -> Iterator[list[Organization]]:
    """Fill the database of the environment, and set Django up with it."""
    python("manage.py", "migrate", "--verbosity=0")
    python("-m", "tests.benchmarks.large_agency", LARGE, f"--copies={scale}")
    for number, name in enumerate(SMALL):
        python("manage.py", "seed", f"--organization-name={name}", f"--random-seed={number + 2}")

    import django

    django.setup()
    # Modules with models can be imported from here on.
    from django.db import connection

    from productive.accounts.models import Organization

    try:
        yield [Organization.objects.get(name=name) for name in (LARGE, *SMALL)]
    finally:
        connection.close()
        if connection.vendor == "postgresql":
            connection.close_pool()


def python(*arguments: str) -> None:
    subprocess.run([sys.executable, *arguments], cwd=ROOT, check=True, stdout=subprocess.DEVNULL)


@contextmanager
def scratch_database(url: str) -> Iterator[str]:
    """Create a database on the server of `url`, yield its URL, and drop it.

    Raise ValueError for a server that isn't on this machine, because it may be in use.
    """
    info = conninfo_to_dict(url)
    hosts = {host for name in ("host", "hostaddr") for host in str(info.get(name) or "").split(",") if host}
    if not hosts or not hosts <= LOOPBACK:
        raise ValueError("the load runs on a PostgreSQL of this machine only, at 127.0.0.1, ::1 or localhost")
    name = f"load_{os.getpid()}_{secrets.token_hex(4)}"
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
