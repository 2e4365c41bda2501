"""Run `python -m tests.benchmarks.admin_pages sqlite|postgresql [--rounds N]`.

Create an organization of 2,000 people with 3,000 services and 100,000 assignments, and measure the pages of
the admin that its staff open most. Exit with 1 if one takes or sends too much.
"""

from __future__ import annotations

import argparse
import sys

from tests.benchmarks.load.scratch import filled_database
from tests.benchmarks.page import machine, write_section

# Times the agency of `seed`: 2,016 people.
SCALE = 42
SERVICES, ASSIGNMENTS = 3_000, 100_000
# Shorter runs don't replace the section.
LEAST_ROUNDS = 15
SECTION = """## Pages of the admin: {result.database}

`make bench` writes this section. A member of *Operations* opens each page {rounds} times; the time is the
median of the whole request in one process, without the network. The organization has {result.size}. A page
should take at most {limit_ms} ms and send at most {limit_kb} KB.

{machine}

{table}
"""


def read_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m tests.benchmarks.admin_pages", description=(__doc__ or "").split("\n")[0]
    )
    parser.add_argument("database", choices=("sqlite", "postgresql"))
    parser.add_argument("--rounds", type=int, default=LEAST_ROUNDS, help="how often each page is opened")
    return parser.parse_args()


def main() -> int:
    arguments = read_arguments()
    with filled_database(arguments.database, SCALE) as (_, _, [organization, *_]):
        # Imports models, so not before.
        from tests.benchmarks.admin_pages.measure import LIMIT_KB, LIMIT_MS, measure

        result = measure(organization, SERVICES, ASSIGNMENTS, arguments.rounds)
    table = "\n".join(result.lines())
    sys.stdout.write(f"{result.database}: {result.size}\n\n{table}\n")
    if arguments.rounds >= LEAST_ROUNDS:
        write_section(
            f"admin-pages-{arguments.database}",
            SECTION.format(
                result=result,
                rounds=arguments.rounds,
                limit_ms=LIMIT_MS,
                limit_kb=LIMIT_KB,
                machine=machine(),
                table=table,
            ),
        )
    return 0 if result.passed() else 1


if __name__ == "__main__":
    sys.exit(main())
