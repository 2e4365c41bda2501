"""Create databases with organizations of several sizes side by side."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from secrets import token_hex
from tempfile import mkdtemp
from typing import Any
from urllib.parse import urlsplit

from psycopg import sql

from tests.benchmarks.load.scratch import execute
from tests.support.servers import ROOT


def name_of(size: int) -> str:
    """Return the name of the organization with about so many assignments."""
    return f"{size:,} assignments"


def environment(url: str) -> dict[str, str]:
    """Return an environment for commands on that database, without a replica to read from."""
    return {
        **{name: value for name, value in os.environ.items() if name != "REPLICA_URL"},
        "DJANGO_SETTINGS_MODULE": "tests.settings",
        "LOG_LEVEL": "WARNING",
        "DATABASE_URL": url,
    }


@contextmanager
def scratch(vendor: str, server: str, *, keep: bool) -> Iterator[str]:
    """Create an empty database, a file or on the PostgreSQL server of the URL `server`, and yield its URL.

    With `keep` it stays if nothing fails, and its URL is printed.
    """
    name = f"size_{os.getpid()}_{token_hex(4)}"
    if vendor == "sqlite":
        folder = Path(mkdtemp(prefix="size-"))
        url = f"sqlite:///{folder}/{name}.sqlite3"
    else:
        execute(server, sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
        url = urlsplit(server)._replace(path=f"/{name}").geturl()
    is_kept = False
    try:
        yield url
        is_kept = keep
    finally:
        if is_kept:
            sys.stdout.write(f"Kept: --database {url}\n")
        elif vendor == "sqlite":
            for file in folder.iterdir():
                file.unlink()
            folder.rmdir()
        else:
            execute(server, sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


def fill(url: str, sizes: Sequence[int]) -> dict[str, str]:
    """Create the tables and, in this order, the missing organizations. Return how fast each was created.

    The first have the lowest ids.
    """
    python(url, "manage.py", "migrate", "--verbosity=0")
    speeds = {}
    for size in sizes:
        name = name_of(size)
        output = python(url, "-m", "tests.benchmarks.large_agency", name, f"--assignments={size}")
        if "already exists" not in output:
            speeds[name] = output.strip()
    return speeds


def python(url: str, *arguments: str) -> str:
    """Return what the command prints. Exit if it fails: it has printed why."""
    done: Any = subprocess.run(
        [sys.executable, *arguments],
        cwd=ROOT,
        env=environment(url),
        stdout=subprocess.PIPE,
        text=True,
        check=False,
    )
    if done.returncode:
        sys.exit(f"python {' '.join(arguments)} failed.")
    output: str = done.stdout
    return output
