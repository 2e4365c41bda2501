"""Compare ours with stock and hand-written views, on SQLite and PostgreSQL: `make bench`.

TEST_DATABASE_URL names the PostgreSQL server; the databases are created for the run and dropped.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from tests.benchmarks.load.scratch import DEFAULT_URL
from tests.benchmarks.page import PAGE, write_section
from tests.benchmarks.report import section, tables

VENDORS = ("sqlite", "postgresql")


def measured_on(vendor: str, is_smoke: bool) -> dict[str, Any]:
    """Measure one database in a separate process and return the figures. Exit if it fails."""
    with TemporaryDirectory() as folder:
        url = os.environ.get("TEST_DATABASE_URL") or DEFAULT_URL
        result = Path(folder) / "result.json"
        done = subprocess.run(
            [
                sys.executable,
                "-m",
                "tests.benchmarks.measure",
                str(result),
                *(["--smoke"] if is_smoke else []),
            ],
            env={
                **os.environ,
                "DATABASE_URL": f"sqlite:///{folder}/none.sqlite3" if vendor == "sqlite" else url,
                "DJANGO_SETTINGS_MODULE": "tests.settings",
                "LOG_LEVEL": "WARNING",
            },
            check=False,
        )
        if done.returncode:
            sys.exit(f"Measuring {vendor} failed.")
        figures: dict[str, Any] = json.loads(result.read_text())
        return figures


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", choices=VENDORS, help="one database; the page isn't changed")
    parser.add_argument(
        "--smoke", action="store_true", help="only check that it runs: small tables; the page isn't changed"
    )
    arguments = parser.parse_args()
    results, load = [], os.getloadavg()[0]
    for vendor in [arguments.only] if arguments.only else VENDORS:
        results.append(measured_on(vendor, arguments.smoke))
        sys.stdout.write(f"\n{tables(results[-1])}\n")
        sys.stdout.flush()
    if arguments.smoke:
        sys.stdout.write("\nIt runs, and the contenders agree. With so few rows the figures mean nothing.\n")
    elif not arguments.only:
        write_section("compare", section(results, load))
        sys.stdout.write(f"\nWritten to {PAGE.parent.name}/{PAGE.name}\n")


if __name__ == "__main__":
    main()
