"""Run `python -m tests.benchmarks.load sqlite|postgresql [--seconds N] [--connections N] …`.

Create a database, fill it, load it, print the figures, and drop it. Exit with 1 if anything is wrong: a
response, the rows afterwards, a line in the server's log, or memory that grows.
"""

from __future__ import annotations

import argparse
import json
import os
import secrets
import signal
import subprocess
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path
from typing import NoReturn

import psycopg

from tests.benchmarks.load.scratch import DEFAULT_URL, scratch_database, vacuum
from tests.benchmarks.page import machine, write_section
from tests.support.servers import ROOT

LARGE, SMALL = "Large", ("Small 1", "Small 2", "Small 3")
# Shorter runs don't replace the section.
LEAST_SECONDS = 60
SECTION = """## Under load: {figures.database}

`make load` writes this section. gunicorn serves a mix of lists, filters, includes and single records of one
large and three small organizations; one request in ten creates, changes or deletes a record. Each connection
sends its next request as soon as it has checked the previous response, on the same machine. `H` is the rate
of requests that don't use the database. At the end, the database must contain every acknowledged write and
nothing else.

{machine}

```text
{text}
```
"""


def read_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m tests.benchmarks.load", description=__doc__.split("\n")[0]
    )
    parser.add_argument("database", choices=("sqlite", "postgresql"))
    parser.add_argument("--seconds", type=float, default=60, help="measured, after the warm-up")
    parser.add_argument("--warm-up", type=float, default=5, help="seconds")
    parser.add_argument("--connections", type=int, default=8, choices=range(1, 51), metavar="N")
    parser.add_argument("--scale", type=int, default=100, help="the large organization, times that of seed")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures there as well")
    return parser.parse_args()


def main() -> int:
    arguments = read_arguments()
    if not Path("/proc/self/smaps_rollup").exists():
        sys.exit(
            "What the processes use is read from /proc, which this machine doesn't have: run it on Linux."
        )
    # Exit normally when terminated, so that everything is cleaned up.
    signal.signal(signal.SIGTERM, stop)
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="load-")))
        if arguments.database == "sqlite":
            url = f"sqlite:///{folder}/load.sqlite3"
        else:
            try:
                url = stack.enter_context(
                    scratch_database(os.environ.get("TEST_DATABASE_URL") or DEFAULT_URL)
                )
            except (psycopg.Error, ValueError) as error:
                sys.exit(f"No database for the load: {str(error).strip()}")
        set_environment(url)
        fill(arguments.scale)
        if arguments.database == "postgresql":
            vacuum(url)
        return run(arguments, url, folder)


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


def fill(scale: int) -> None:
    python("manage.py", "migrate", "--verbosity=0")
    python("-m", "tests.benchmarks.large_agency", LARGE, f"--copies={scale}")
    for number, name in enumerate(SMALL):
        python("manage.py", "seed", f"--organization-name={name}", f"--random-seed={number + 2}")


def python(*arguments: str) -> None:
    subprocess.run([sys.executable, *arguments], cwd=ROOT, check=True, stdout=subprocess.DEVNULL)


def run(arguments: argparse.Namespace, url: str, folder: Path) -> int:
    import django

    django.setup()
    # Modules with models can be imported from here on.
    from django.db import connection

    from productive.accounts.models import Organization
    from tests.benchmarks.load.run import load

    try:
        figures = load(
            url,
            [Organization.objects.get(name=name) for name in (LARGE, *SMALL)],
            folder,
            seconds=arguments.seconds,
            connections=arguments.connections,
            warm_up=arguments.warm_up,
            reference_seconds=3,
        )
    finally:
        connection.close()
        if connection.vendor == "postgresql":
            connection.close_pool()
    sys.stdout.write("\n".join(figures.lines()) + "\n")
    if figures.passed() and arguments.seconds >= LEAST_SECONDS:
        write_section(
            f"load-{arguments.database}",
            SECTION.format(figures=figures, machine=machine(), text="\n".join(figures.lines())),
        )
    if arguments.json:
        arguments.json.write_text(json.dumps(figures.as_json(), indent=2) + "\n")
    return 0 if figures.passed() else 1


if __name__ == "__main__":
    sys.exit(main())
