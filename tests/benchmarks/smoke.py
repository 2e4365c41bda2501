"""Run a benchmark command with little data."""

from __future__ import annotations

import os
import subprocess
import sys

from django.db import connection

from tests.support.servers import ROOT

HEADS = {"", "work", "peak memory of a request"}


def works_measured_by(command: str) -> list[str]:
    """Return the first column of the tables that the command prints for this database."""
    done = subprocess.run(
        [sys.executable, "-m", command, "--smoke", "--only", connection.vendor],
        cwd=ROOT,
        env={**os.environ, "TEST_DATABASE_URL": os.environ.get("DATABASE_URL", "")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    names = [line.split("|")[1].strip() for line in done.stdout.splitlines() if line.startswith("|")]
    return [name for name in names if name not in HEADS and not name.startswith("-")]
