"""Databases with organizations of several sizes beside one another, made and filled by our own commands."""

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

ROOT = Path(__file__).resolve().parents[3]


def name_of(size: int) -> str:
    """By which name the organization with about so many assignments is known."""
    return f"{size:,} assignments"


def environment(url: str) -> dict[str, str]:
    """For commands on that database: the shipped settings, and no replica to read from."""
    return {
        **{name: value for name, value in os.environ.items() if name != "REPLICA_URL"},
        "DJANGO_SETTINGS_MODULE": "tests.settings",
        "LOG_LEVEL": "WARNING",
        "DATABASE_URL": url,
    }


@contextmanager
def scratch(vendor: str, server: str, *, keep: bool) -> Iterator[str]:
    """The URL of an empty database: a file, or on the PostgreSQL server of the URL `server`.

    With `keep` it stays when all went well, and its URL is printed.
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
    """Make the tables, and in this order the organizations that aren't there; what `seed` says of each.

    Those first made have the lower ids.
    """
    manage(url, "migrate", "--verbosity=0")
    said = {}
    for size in sizes:
        name = name_of(size)
        *_, last = manage(url, "seed", f"--organization-name={name}", f"--assignments={size}").splitlines()
        if "exists already" not in last:
            said[name] = last.strip()
    return said


def manage(url: str, *arguments: str) -> str:
    """What the command prints. Exit where it fails: it has said why."""
    done: Any = subprocess.run(
        [sys.executable, "manage.py", *arguments],
        cwd=ROOT,
        env=environment(url),
        stdout=subprocess.PIPE,
        text=True,
        check=False,
    )
    if done.returncode:
        sys.exit(f"manage.py {arguments[0]} failed.")
    output: str = done.stdout
    return output
