"""Serve a database, load it between two measurements of the reference, and check it."""

from __future__ import annotations

import os
import random
from collections.abc import Sequence
from pathlib import Path
from time import perf_counter, process_time

from django.db import connection

from productive.accounts.models import Organization
from tests.benchmarks.load.client import Load, Outcome, RawResponse, Request
from tests.benchmarks.load.figures import Figures, Reference, Sample, Tally, TooManyErrorsError
from tests.benchmarks.load.mix import KINDS, Mix
from tests.benchmarks.load.world import Tenant, tenant_of
from tests.support.servers import WARNINGS, Server, cpu_seconds_of_all, gunicorn

WORKERS = 2
HEALTHZ = b"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"


def load(
    database_url: str,
    organizations: Sequence[Organization],
    folder: Path,
    *,
    seconds: float,
    connections: int,
    warm_up: float,
    reference_seconds: float,
) -> Figures:
    """Load two organizations or more, the first most of all; each needs the rows of `seed`.

    `database_url` must name the database that this process is connected to. The server's log is written to
    the folder. Raise AssertionError if the server doesn't start.
    """
    tenants = [tenant_of(organization, random.Random(1)) for organization in organizations]
    assignments = sum(
        len(tenant.service_pairs.seeded) + len(tenant.project_pairs.seeded) for tenant in tenants
    )
    environment = {
        **os.environ,
        **WARNINGS,
        "DATABASE_URL": database_url,
        "DJANGO_SETTINGS_MODULE": "productive.settings",
    }
    with gunicorn(environment, folder / "server.log", workers=WORKERS) as server:
        workers = server.workers
        # The processes import modules and connect with their first requests.
        measure_reference(server, connections, reference_seconds / 3)
        before = measure_reference(server, connections, reference_seconds)
        tally, samples = run_mix(server, tenants, connections, warm_up, seconds)
        errors = tally.errors
        try:
            after = measure_reference(server, connections, reference_seconds)
        except (OSError, RuntimeError) as error:
            after = Reference(0, 0)
            errors.append(f"nothing answers after the load: {error}")
        errors += [f"in the server's log: {line}" for line in server.complaints()]
        if server.workers != workers:
            errors.append("a worker ended and was replaced")
    for tenant in tenants:
        errors += tenant.discrepancies()
    return Figures(
        database=database_name(),
        assignments=assignments,
        connections=connections,
        workers=WORKERS,
        seconds=seconds,
        tally=tally,
        samples=samples,
        reference=(before, after),
        errors=errors,
    )


def run_mix(
    server: Server, tenants: Sequence[Tenant], connections: int, warm_up: float, seconds: float
) -> tuple[Tally, list[Sample]]:
    """Run the mix; return its outcomes and a sample for every second after the warm-up."""
    begin = perf_counter() + warm_up
    tally = Tally(KINDS, begin, begin + seconds)
    samples: list[Sample] = []

    def sample(now: float) -> None:
        samples.append(
            Sample(now, process_time(), server.cpu_seconds(), cpu_seconds_of_all(), server.memory())
        )

    sample(perf_counter())
    try:
        Load(server.address, Mix(tenants).next_request, tally.take, sample).run(
            connections, warm_up + seconds
        )
    except TooManyErrorsError:
        tally.errors.append("given up: too many errors")
    except OSError as error:
        tally.errors.append(f"the server can't be reached any more: {error}")
    return tally, [sample for sample in samples if sample.moment >= begin] or samples


def measure_reference(server: Server, connections: int, seconds: float) -> Reference:
    """Load /healthz. Raise RuntimeError if it fails."""
    outcomes: list[Outcome] = []
    request = Request("healthz", HEALTHZ, judge_healthz)
    start, used = perf_counter(), server.cpu_seconds()
    Load(server.address, lambda: request, outcomes.append).run(connections, seconds)
    elapsed, spent = perf_counter() - start, server.cpu_seconds() - used
    if wrong := [outcome.complaint for outcome in outcomes if outcome.complaint]:
        raise RuntimeError(f"/healthz: {wrong[0]}")
    return Reference(len(outcomes) / elapsed, spent * 1000 / len(outcomes))


def judge_healthz(answer: RawResponse) -> str:
    return "" if (answer.status, answer.body) == (200, b"ok\n") else f"status {answer.status}, not 200"


def database_name() -> str:
    with connection.cursor() as cursor:
        if connection.vendor == "sqlite":
            cursor.execute("SELECT sqlite_version()")
            return f"SQLite {cursor.fetchone()[0]}"
        cursor.execute("SHOW server_version")
        return f"PostgreSQL {cursor.fetchone()[0].split()[0]}"
