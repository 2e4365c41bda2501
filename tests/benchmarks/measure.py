"""Measure all contenders in a scratch database that is created and dropped.

Run by `compare`, in a process of its own: DATABASE_URL names the server, the figures come out as JSON.
"""

from __future__ import annotations

import argparse
import gc
import json
import sqlite3
import tracemalloc
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, TypeVar

from django.db import connection
from django.test.utils import CaptureQueriesContext, override_settings

import productive.wsgi  # noqa: F401  (sets Django up, for the models that are imported next)
from tests.benchmarks.agency import FULL, SMALL, Size, fill
from tests.benchmarks.agreement import check_read, check_writes
from tests.benchmarks.timing import alternated
from tests.benchmarks.urls import ROOTS
from tests.benchmarks.work import WRITES, Read, Writes, client, reads
from tests.support.api import Api


@dataclass(frozen=True)
class Effort:
    """The size of the tables; how long and at least how often each read is repeated."""

    size: Size
    seconds: float
    fewest: int


WHOLE, SMOKE = Effort(FULL, seconds=8, fewest=5), Effort(SMALL, seconds=0, fewest=1)
STATEMENTS = ("SELECT", "WITH", "INSERT", "UPDATE", "DELETE")

T = TypeVar("T")


@contextmanager
def empty_database() -> Iterator[None]:
    """Create an empty database with our tables beside that of DATABASE_URL, and drop it."""
    with TemporaryDirectory() as folder:
        name = connection.settings_dict["NAME"]
        scratch = f"{folder}/bench.sqlite3" if connection.vendor == "sqlite" else f"bench_{name}"
        connection.settings_dict["TEST"]["NAME"] = scratch
        connection.creation.create_test_db(verbosity=0, autoclobber=True, serialize=False)
        try:
            yield
        finally:
            connection.creation.destroy_test_db(name, verbosity=0)


def database() -> str:
    if connection.vendor == "sqlite":
        return f"SQLite {sqlite3.sqlite_version}"
    with connection.cursor() as cursor:
        cursor.execute("SHOW server_version")
        return f"PostgreSQL {cursor.fetchone()[0].split()[0]}"


def counted(call: Callable[[], T]) -> tuple[int, T]:
    """Return how many statements read or wrote rows, and the result of the call."""
    with CaptureQueriesContext(connection) as captured:
        result = call()
    return sum(query["sql"].lstrip().startswith(STATEMENTS) for query in captured), result


def peak_memory(call: Callable[[], Any]) -> int:
    """Return the peak of Python's allocations during the call, in bytes. It must have run before."""
    gc.collect()
    tracemalloc.start()
    try:
        call()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def measure_read(api: Api, read: Read, effort: Effort) -> dict[str, Any]:
    contenders = {name: (lambda name=name: read.time(api, name)) for name in read.paths}
    queries = {name: counted(lambda name=name: read.get(api, name))[0] for name in read.paths}
    ms = alternated(contenders, seconds=effort.seconds, fewest=effort.fewest, slow=["stock"])
    return figures(read.name, read.target, {name: ms[name][read.name] for name in ms}, queries)


def measure_writes(writes: Writes, effort: Effort) -> list[dict[str, Any]]:
    contenders = {name: (lambda name=name: writes.time(name)) for name in ROOTS}
    queries = {name: writes.run(name, counted) for name in ROOTS}
    ms = alternated(contenders, seconds=3 * effort.seconds, fewest=effort.fewest)
    return [
        figures(
            title,
            target,
            {name: ms[name][work] for name in ms},
            {name: queries[name][work][0] for name in ms},
        )
        for work, (title, target) in WRITES.items()
    ]


def figures(name: str, target: Any, ms: dict[str, float], queries: dict[str, int]) -> dict[str, Any]:
    return {"work": name, "target": target and vars(target), "ms": ms, "queries": queries}


def measure(effort: Effort) -> dict[str, Any]:
    with empty_database(), override_settings(ROOT_URLCONF="tests.benchmarks.urls"):
        agency = fill(effort.size)
        api, all_reads = client(), reads(agency)
        writes = Writes(api, agency)
        for read in all_reads:
            check_read(api, read)
        check_writes(writes)
        return {
            "database": database(),
            "size": vars(effort.size),
            "works": [
                *(measure_read(api, read, effort) for read in all_reads),
                *measure_writes(writes, effort),
            ],
            "memory": [
                {
                    "work": read.name,
                    "bytes": {
                        name: peak_memory(lambda read=read, name=name: read.get(api, name))
                        for name in read.paths
                    },
                }
                for read in all_reads
                if read.is_large
            ],
        }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("result", type=Path, help="the file that the figures are written to")
    parser.add_argument("--smoke", action="store_true", help="small tables, few repetitions")
    arguments = parser.parse_args()
    arguments.result.write_text(json.dumps(measure(SMOKE if arguments.smoke else WHOLE)))


if __name__ == "__main__":
    main()
