"""Measure organizations of several sizes on SQLite and PostgreSQL: `make size`.

Scratch databases are created, filled and dropped, on PostgreSQL on the server of TEST_DATABASE_URL, unless
--database names one with such organizations. There, a token and a person are added to each organization and
deleted again.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from tests.benchmarks.load.scratch import DEFAULT_URL
from tests.benchmarks.page import PAGE, write_section
from tests.benchmarks.size.filling import environment, fill, scratch
from tests.benchmarks.size.report import section, tables

VENDORS = ("sqlite", "postgresql")
SIZES, SMALL_SIZES = [10_000, 1_000_000, 10_000_000], [200, 600]
# SQLite has one writer at a time: larger organizations use PostgreSQL.
MOST_ON_SQLITE = 1_000_000
SECONDS, FEWEST = 90, 5


def sizes_of(text: str) -> list[int]:
    return [int(size) for size in text.split(",")]


def read_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.size", description=__doc__)
    parser.add_argument(
        "--sizes",
        type=sizes_of,
        default=SIZES,
        metavar="N,N…",
        help="assignments to projects and services together, the smallest first; on SQLite at most "
        f"{MOST_ON_SQLITE:,}",
    )
    where = parser.add_mutually_exclusive_group()
    where.add_argument(
        "--database",
        action="append",
        metavar="URL",
        help="a database to use and keep, may be repeated; missing organizations are created",
    )
    where.add_argument("--only", choices=VENDORS, help="a scratch database of this kind alone")
    parser.add_argument("--keep", action="store_true", help="keep the scratch databases and print their URLs")
    parser.add_argument(
        "--smoke", action="store_true", help="only check that it runs: tiny sizes; the page isn't changed"
    )
    return parser.parse_args()


def vendor_of(url: str) -> str:
    return "sqlite" if url.startswith("sqlite") else "postgresql"


def measured_on(url: str, sizes: Sequence[int], *, is_smoke: bool) -> dict[str, Any]:
    """Measure one database in a separate process and return the figures. Exit if it fails."""
    if vendor_of(url) == "sqlite":
        sizes = [size for size in sizes if size <= MOST_ON_SQLITE]
    seeded = fill(url, sizes)
    seconds, fewest = (0, 1) if is_smoke else (SECONDS, FEWEST)
    load = os.getloadavg()[0]
    with TemporaryDirectory() as folder:
        result = Path(folder) / "result.json"
        command = ["-m", "tests.benchmarks.size.measure", str(result), *map(str, sizes)]
        options = [f"--seconds={seconds}", f"--fewest={fewest}"]
        done = subprocess.run([sys.executable, *command, *options], env=environment(url), check=False)
        if done.returncode:
            sys.exit("Measuring failed.")
        return {**json.loads(result.read_text()), "seeded": seeded, "load": load}


def main() -> None:
    arguments = read_arguments()
    sizes = SMALL_SIZES if arguments.smoke else sorted(arguments.sizes)
    server = os.environ.get("TEST_DATABASE_URL") or DEFAULT_URL
    results = {}
    for place in arguments.database or [arguments.only] * bool(arguments.only) or VENDORS:
        with ExitStack() as stack:
            url = (
                place
                if arguments.database
                else stack.enter_context(scratch(place, server, keep=arguments.keep))
            )
            result = measured_on(url, sizes, is_smoke=arguments.smoke)
        results[vendor_of(url)] = result
        sys.stdout.write(f"\n{tables(result)}\n")
        sys.stdout.flush()
    if arguments.smoke:
        sys.stdout.write(
            "\nIt runs, and the responses are right. With so few rows the figures mean nothing.\n"
        )
    elif set(results) == set(VENDORS):
        write_section("size", section([results[vendor] for vendor in VENDORS]))
        sys.stdout.write(f"\nWritten to {PAGE.parent.name}/{PAGE.name}\n")
    else:
        sys.stdout.write(
            f"\n{PAGE.parent.name}/{PAGE.name} isn't changed: it needs the figures of both databases.\n"
        )


if __name__ == "__main__":
    main()
