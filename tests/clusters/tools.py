"""Find PostgreSQL's programs and PgBouncer on this machine. Run as a module, install missing ones.

Exit with 0 if all are there, else with 1 and how to install them.
"""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

from tests.support.packages import install

# program: Debian's package
PACKAGES = {
    "initdb": "postgresql",
    "postgres": "postgresql",
    "pg_basebackup": "postgresql",
    "pgbouncer": "pgbouncer",
}
# Where Debian installs them by version; they aren't in PATH.
VERSIONS = Path("/usr/lib/postgresql")


def find(program: str) -> str | None:
    """Return the path of a program, of the newest complete installation of PostgreSQL."""
    newest_first = sorted(VERSIONS.glob("[0-9]*"), key=lambda folder: int(folder.name), reverse=True)
    whole = [folder / "bin" for folder in newest_first if (folder / "bin/initdb").exists()]
    folders = [*map(str, whole[:1]), os.environ["PATH"], "/usr/sbin"]
    return shutil.which(program, path=os.pathsep.join(folders))


def missing() -> list[str]:
    """Return the packages of the missing programs."""
    return sorted({package for program, package in PACKAGES.items() if find(program) is None})


if __name__ == "__main__":
    if missing():
        install(*missing())
    if missing():
        sys.exit(f"Missing on this machine: apt-get install {' '.join(missing())}")
