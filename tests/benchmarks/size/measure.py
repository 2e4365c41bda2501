"""Measure the filled database of DATABASE_URL; `size` runs this in a separate process."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

from django.db import connection

import productive.wsgi  # noqa: F401  (sets Django up, for the models that are imported next)
from tests.benchmarks.measure import database

# isort: split
from productive.accounts.models import Organization
from tests.benchmarks.size.filling import name_of
from tests.benchmarks.size.work import FAR, tenants
from tests.benchmarks.timing import alternated


def measure(sizes: list[int], seconds: float, fewest: int) -> dict[str, Any]:
    """Return the milliseconds of each request in each organization, measured in turn."""
    names = [name_of(size) for size in sizes]
    organizations = [Organization.objects.get(name=name) for name in names]
    with tenants(organizations) as found:
        for tenant in found:
            tenant.check()
        contenders = {name: tenant.timed_requests() for name, tenant in zip(names, found, strict=True)}
        ms = alternated(contenders, seconds=seconds, fewest=fewest)
    return {
        "database": database(),
        "bytes": size_on_disk(),
        "totals": {name: tenant.totals for name, tenant in zip(names, found, strict=True)},
        "works": [
            {
                "work": work,
                "ms": {name: ms[name][work] for name in names},
                "far": vars(FAR[work]) if work in FAR else None,
            }
            for work in ms[names[0]]
        ],
    }


def size_on_disk() -> int:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT page_count * page_size FROM pragma_page_count, pragma_page_size"
            if connection.vendor == "sqlite"
            else "SELECT pg_database_size(current_database())"
        )
        size: int = cursor.fetchone()[0]
    return size


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("result", type=Path, help="the file that the figures are written to")
    parser.add_argument("sizes", type=int, nargs="+")
    parser.add_argument("--seconds", type=float, required=True)
    parser.add_argument("--fewest", type=int, required=True)
    arguments = parser.parse_args()
    arguments.result.write_text(json.dumps(measure(arguments.sizes, arguments.seconds, arguments.fewest)))


if __name__ == "__main__":
    main()
