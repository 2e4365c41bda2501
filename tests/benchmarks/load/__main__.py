"""Run `python -m tests.benchmarks.load sqlite|postgresql [--seconds N] [--connections N] …`.

Create a database, fill it, load it, print the figures, and drop it. Exit with 1 if anything is wrong: a
response, the rows afterwards, a line in the server's log, or memory that grows.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from tests.benchmarks.load.scratch import filled_database
from tests.benchmarks.page import machine, write_section

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
    with filled_database(arguments.database, arguments.scale) as (url, folder, organizations):
        # Imports models, so not before.
        from tests.benchmarks.load.run import load

        figures = load(
            url,
            organizations,
            folder,
            seconds=arguments.seconds,
            connections=arguments.connections,
            warm_up=arguments.warm_up,
            reference_seconds=3,
        )
    text = "\n".join(figures.lines())
    sys.stdout.write(f"{text}\n")
    if figures.passed() and arguments.seconds >= LEAST_SECONDS:
        write_section(
            f"load-{arguments.database}", SECTION.format(figures=figures, machine=machine(), text=text)
        )
    if arguments.json:
        arguments.json.write_text(json.dumps(figures.as_json(), indent=2) + "\n")
    return 0 if figures.passed() else 1


if __name__ == "__main__":
    sys.exit(main())
