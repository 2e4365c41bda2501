"""Run `python -m tests.benchmarks.sign_ins sqlite|postgresql [--quiet N] [--hostile N] …`.

Measure requests to the API alone and beside hostile sign-ins, in turn, and last how long an office waits
that signs in at once. Exit with 1 if the 95th percentile of the API more than doubles, or if a right
password fails.
"""

from __future__ import annotations

import argparse
import sys

from tests.benchmarks.load.scratch import filled_database
from tests.benchmarks.page import machine, write_section

# Shorter runs don't replace the section.
LEAST_SECONDS = 60
MOST_TIMES = 2.0
SECTION = """## Beside hostile sign-ins: {result.database}

`make load` writes this section. gunicorn serves the API to one group of clients while others send sign-ins
with ever new names and wrong passwords from many networks; in turn, quiet and hostile. The 95th percentile of
the API's requests must not more than double. Last, ten users of one office sign in at the same time.

{machine}

```text
{text}
```
"""


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
    with filled_database(arguments.database, scale=10) as (url, folder, organizations):
        # Imports models, so not before.
        from tests.benchmarks.sign_ins.run import measure

        result = measure(
            url,
            organizations,
            folder,
            quiet=arguments.quiet,
            hostile=arguments.hostile,
            connections=arguments.connections,
            attackers=arguments.attackers,
            pause=arguments.pause,
        )
    text = "\n".join(result.lines())
    sys.stdout.write(f"{text}\n")
    if not result.errors and arguments.hostile >= LEAST_SECONDS:
        write_section(
            f"sign-ins-{arguments.database}", SECTION.format(result=result, machine=machine(), text=text)
        )
    return 0 if not result.errors and result.ratio <= MOST_TIMES else 1


if __name__ == "__main__":
    sys.exit(main())
