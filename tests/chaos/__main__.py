"""Run `python -m tests.chaos [--seconds N] [NAME …]`.

Cause faults in separate databases and servers on this machine, and check that every promise is kept. Exit
with 1 if one is broken or takes too long. All started processes are ended.
"""

from __future__ import annotations

import argparse
import os
import signal
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any, NoReturn

NAMES = ("sqlite", "disk", "postgresql")


def read_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__.split("\n")[0])
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(NAMES)}; all by default")
    parser.add_argument("--seconds", type=float, default=20, help="how long workers are killed")
    arguments = parser.parse_args()
    if unknown := {*arguments.names} - {*NAMES}:
        parser.error(f"unknown: {', '.join(sorted(unknown))}")
    return arguments


def stop(number: int, frame: object) -> NoReturn:
    sys.exit(128 + number)


def main() -> int:
    arguments = read_arguments()
    # Exit normally when terminated, so that everything is cleaned up.
    signal.signal(signal.SIGTERM, stop)
    os.environ["DJANGO_SETTINGS_MODULE"] = "tests.settings"
    os.environ.pop("DATABASE_URL", None)
    import django

    django.setup()
    # Modules with models can be imported from here on.
    from tests.chaos import runs

    passed, begun = True, time.monotonic()
    for name in arguments.names or NAMES:
        run: Callable[[Path, float], Any] = getattr(runs, name)
        with ExitStack() as stack:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="chaos-")))
            for findings in run(folder, arguments.seconds):
                sys.stdout.write("\n".join(findings.lines()) + "\n")
                sys.stdout.flush()
                passed = passed and not findings.broken and not findings.slow
    verdict = "Every promise was kept" if passed else "Not every promise was kept"
    sys.stdout.write(f"{verdict}, in {time.monotonic() - begun:.0f} s.\n")
    return 0 if passed else 1


if __name__ == "__main__":
    sys.exit(main())
