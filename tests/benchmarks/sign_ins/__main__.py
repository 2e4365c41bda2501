"""Run `python -m tests.benchmarks.sign_ins sqlite|postgresql [--quiet N] [--hostile N] …`.

Measure requests to the API alone and beside hostile sign-ins, in turn, and last how long an office waits
that signs in at once. Exit with 1 if the 95th percentile of the API more than doubles, or if a right
password fails.
"""

from __future__ import annotations

import argparse
import os
import signal
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path

from tests.benchmarks.load.__main__ import LARGE, SMALL, fill, set_environment, stop
from tests.benchmarks.load.scratch import DEFAULT_URL, scratch_database

MOST_TIMES = 2.0


def read_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m tests.benchmarks.sign_ins", description=(__doc__ or "").split("\n")[0]
    )
    parser.add_argument("database", choices=("sqlite", "postgresql"))
    parser.add_argument("--quiet", type=float, default=20, help="seconds without sign-ins")
    parser.add_argument("--hostile", type=float, default=60, help="seconds beside hostile sign-ins")
    parser.add_argument("--connections", type=int, default=4, help="to the API")
    parser.add_argument("--attackers", type=int, default=24, help="connections that sign in")
    parser.add_argument("--pause", type=float, default=0.1, help="seconds of an attacker after a response")
    return parser.parse_args()


def main() -> int:
    arguments = read_arguments()
    # Exit normally when terminated, so that everything is cleaned up.
    signal.signal(signal.SIGTERM, stop)
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="sign-ins-")))
        if arguments.database == "sqlite":
            url = f"sqlite:///{folder}/sign_ins.sqlite3"
        else:
            url = stack.enter_context(scratch_database(os.environ.get("TEST_DATABASE_URL") or DEFAULT_URL))
        set_environment(url)
        fill(10)
        return run(arguments, url, folder)


def run(arguments: argparse.Namespace, url: str, folder: Path) -> int:
    import django

    django.setup()
    # Modules with models can be imported from here on.
    from django.db import connection

    from productive.accounts.models import Organization
    from tests.benchmarks.sign_ins.run import measure

    try:
        result = measure(
            url,
            [Organization.objects.get(name=name) for name in (LARGE, *SMALL)],
            folder,
            quiet=arguments.quiet,
            hostile=arguments.hostile,
            connections=arguments.connections,
            attackers=arguments.attackers,
            pause=arguments.pause,
        )
    finally:
        connection.close()
        if connection.vendor == "postgresql":
            connection.close_pool()
    sys.stdout.write("\n".join(result.lines()) + "\n")
    return 0 if not result.errors and result.ratio <= MOST_TIMES else 1


if __name__ == "__main__":
    sys.exit(main())
