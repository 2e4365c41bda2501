"""Run all faults of one kind, on a database that is prepared once."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from tests.chaos import postgresql as of_postgresql
from tests.chaos import sqlite as of_sqlite
from tests.chaos.findings import Findings
from tests.chaos.ground import on_postgresql, on_sqlite
from tests.chaos.processes import killed_workers, many_writers, overloaded

MANY_WRITERS_SECONDS, OVERLOADED_SECONDS = 30, 10


def sqlite(folder: Path, seconds: float) -> Iterator[Findings]:
    ground = on_sqlite(folder)
    with ground.served() as server:
        yield many_writers(ground, server, MANY_WRITERS_SECONDS, name="SQLite")
    yield killed_workers(ground, seconds, name="SQLite")
    yield overloaded(ground, OVERLOADED_SECONDS, name="SQLite")
    yield of_sqlite.write_locked(ground)


def disk(folder: Path, seconds: float) -> Iterator[Findings]:
    """Use a small file system if one can be mounted, and files that can't grow."""
    small, large = folder / "small", folder / "large"
    small.mkdir()
    large.mkdir()
    with of_sqlite.small_disk(small) as is_small:
        if is_small:
            ground = on_sqlite(small)
            with ground.served() as server:
                yield of_sqlite.disk_full(ground, server, is_small=True)
    ground = on_sqlite(large)
    with ground.served() as server:
        yield of_sqlite.disk_full(ground, server, is_small=False)


def postgresql(folder: Path, seconds: float) -> Iterator[Findings]:
    with on_postgresql(folder) as (ground, server):
        yield killed_workers(ground, seconds, name="PostgreSQL")
        yield overloaded(ground, OVERLOADED_SECONDS, name="PostgreSQL")
        yield of_postgresql.restarted_while_idle(ground, server)
        yield of_postgresql.restarted_under_load(ground, server)
        yield of_postgresql.stopped(ground, server)
        yield of_postgresql.row_locked(ground)
        yield of_postgresql.connections_used_up(ground)
