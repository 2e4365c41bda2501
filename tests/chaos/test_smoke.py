"""Run a short `python -m tests.chaos`, without limits on time."""

from __future__ import annotations

import pytest

from tests.chaos import sqlite
from tests.chaos.findings import Findings
from tests.chaos.ground import Ground, on_sqlite
from tests.chaos.processes import killed_workers, many_writers

pytestmark = [pytest.mark.any_database, pytest.mark.no_cover]


SECONDS = 1


@pytest.fixture(scope="module")
def ground(tmp_path_factory: pytest.TempPathFactory) -> Ground:
    return on_sqlite(tmp_path_factory.mktemp("chaos"))


def test_faults_of_sqlite_and_processes_lose_no_write(ground: Ground) -> None:
    """Run as one test, so that parallel test processes prepare the database once."""
    with ground.served() as server:
        found = [
            many_writers(ground, server, SECONDS, name="smoke"),
            sqlite.disk_full(ground, server, is_small=False),
        ]
    found.append(killed_workers(ground, SECONDS, name="smoke"))
    assert [findings.title for findings in found if findings.broken] == [], report_of(found)


def report_of(found: list[Findings]) -> str:
    return "\n".join(line for findings in found for line in findings.lines())
