"""Serve a database, and measure the API alone and beside hostile sign-ins."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

from productive.accounts.hashers import NicePasswordHasher
from productive.accounts.models import Organization, User
from tests.benchmarks.load.figures import Row, Tally
from tests.benchmarks.load.mix import KINDS
from tests.benchmarks.load.run import WORKERS, database_name, run_mix
from tests.benchmarks.load.world import tenant_of
from tests.benchmarks.sign_ins.attack import Visitor
from tests.benchmarks.timing import timed
from tests.support.servers import PATIENCE, ROOT, WARNINGS, Server, gunicorn

PASSWORD = "correct horse battery"
OFFICE = 10
# Not the attackers' network.
OFFICE_ADDRESS = "198.51.100.1"
WARM_UP, TURNS = 1, 4


@dataclass
class Result:
    """The times of the API's requests, the attackers' responses, and the seconds of the office's sign-ins."""

    database: str
    quiet: Row
    hostile: Row
    statuses: dict[str, int]
    office: list[float]
    errors: list[str]

    @property
    def ratio(self) -> float:
        return self.hostile.p95 / self.quiet.p95 if self.quiet.p95 else 0

    def lines(self) -> Iterator[str]:
        yield self.database
        for name, row in (("quiet", self.quiet), ("hostile", self.hostile)):
            yield (
                f"{name:<8}{row.requests:>7,} requests, {row.per_second:6.1f}/s, p50 {row.p50:6.1f}, "
                f"p95 {row.p95:6.1f}, p99 {row.p99:6.1f}, max {row.longest:7.1f} ms"
            )
        yield f"ratio of the p95: {self.ratio:.2f}"
        yield "sign-ins: " + ", ".join(f"{name} {number:,}" for name, number in sorted(self.statuses.items()))
        yield f"an office of {OFFICE}: " + ", ".join(f"{seconds:.1f}" for seconds in self.office) + " s"
        yield f"errors: {len(self.errors)}"
        yield from (f"  {error}" for error in self.errors[:20])


def measure(
    database_url: str,
    organizations: Sequence[Organization],
    folder: Path,
    *,
    quiet: float,
    hostile: float,
    connections: int,
    attackers: int,
    pause: float,
) -> Result:
    """Measure so many seconds of each. `database_url` names the database of this process."""
    names = make_office()
    tenants = [tenant_of(organization, random.Random(1)) for organization in organizations]
    environment = {
        **os.environ,
        **WARNINGS,
        # Failed sign-ins are warnings.
        "LOG_LEVEL": "ERROR",
        "DATABASE_URL": database_url,
        "DJANGO_SETTINGS_MODULE": "productive.settings",
        "RATE_LIMIT_SIGN_IN": "30/10min",
        # The attackers come from many networks.
        "TRUST_PROXY": "true",
    }
    # In turn, so that a slow machine slows both.
    alone, beside = Tally(KINDS, 0, quiet), Tally(KINDS, 0, hostile)
    statuses = Counter[str]()
    with gunicorn(environment, folder / "server.log", workers=WORKERS) as server:
        for _ in range(TURNS):
            add(alone, run_mix(server, tenants, connections, WARM_UP, quiet / TURNS)[0])
            with attacked(server, attackers, pause, statuses):
                add(beside, run_mix(server, tenants, connections, WARM_UP, hostile / TURNS)[0])
        errors = [*alone.errors, *beside.errors]
        office, wrong = sign_in_at_once(server, names)
        errors += wrong
        errors += [f"in the server's log: {line}" for line in server.complaints()]
    for tenant in tenants:
        errors += tenant.discrepancies()
    rows = [tally.rows()["all"] for tally in (alone, beside)]
    return Result(database_name(), *rows, statuses, office, errors)


def add(total: Tally, part: Tally) -> None:
    for kind, times in part.milliseconds.items():
        total.milliseconds[kind] += times
    total.wrong += part.wrong
    total.errors += part.errors


def make_office() -> list[str]:
    """Create the users, and return their names."""
    names = [f"office-{number}" for number in range(OFFICE)]
    # The settings of tests have another hasher than the server.
    password = NicePasswordHasher().encode(PASSWORD, "salt" * 6)
    for name in names:
        User.objects.create(username=name, password=password, is_staff=True, is_superuser=True)
    return names


@contextmanager
def attacked(server: Server, attackers: int, pause: float, statuses: Counter[str]) -> Iterator[None]:
    """Attack in this context. Add the statuses of the responses at its end."""
    command = [sys.executable, "-m", "tests.benchmarks.sign_ins.attack"]
    process = subprocess.Popen(
        [*command, str(server.address[1]), str(attackers), str(pause)],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    try:
        yield
    finally:
        output, _ = process.communicate(timeout=PATIENCE)
        statuses.update(json.loads(output or "{}"))


def sign_in_at_once(server: Server, names: Sequence[str]) -> tuple[list[float], list[str]]:
    """Sign all users in at the same time; return the seconds of each, and errors."""
    visitors = [Visitor(server.address[1]) for _ in names]

    def sign_in(visitor: Visitor, name: str) -> tuple[float, int]:
        with closing(visitor.connection):
            return timed(lambda: visitor.sign_in(name, PASSWORD, OFFICE_ADDRESS))

    with ThreadPoolExecutor(len(names)) as pool:
        done = list(pool.map(sign_in, visitors, names))
    wrong = [f"{name}: {status}" for name, (_, status) in zip(names, done, strict=True) if status != 302]
    return sorted(milliseconds / 1000 for milliseconds, _ in done), wrong
