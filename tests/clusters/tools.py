"""The servers of these tests: PostgreSQL's programs and PgBouncer, found on this machine, or installed.

Run it to see to it that they are there. Exit 0 where they are, 1 with what would help where they aren't.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

# program: Debian's package
PACKAGES = {
    "initdb": "postgresql",
    "postgres": "postgresql",
    "pg_basebackup": "postgresql",
    "pgbouncer": "pgbouncer",
}
# Where Debian has them by version, out of the path.
VERSIONS = Path("/usr/lib/postgresql")
# Of each step; a package server that doesn't answer must not hold the tests for longer.
SECONDS = 300


def find(program: str) -> str | None:
    """Where a program is; of several versions of PostgreSQL, the newest that is there as a whole."""
    newest_first = sorted(VERSIONS.glob("[0-9]*"), key=lambda folder: int(folder.name), reverse=True)
    whole = [folder / "bin" for folder in newest_first if (folder / "bin/initdb").exists()]
    folders = [*map(str, whole[:1]), os.environ["PATH"], "/usr/sbin"]
    return shutil.which(program, path=os.pathsep.join(folders))


def missing() -> list[str]:
    """The packages that would bring what isn't here."""
    return sorted({package for program, package in PACKAGES.items() if find(program) is None})


def install() -> None:
    """With Debian's package manager, where it may be used. Whether that worked is for `missing` to say."""
    apt = shutil.which("apt-get")
    if apt is None or os.geteuid() != 0:
        return
    quietly = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    for step in (["update"], ["install", "--yes", "--no-install-recommends", *missing()]):
        try:
            subprocess.run([apt, *step], check=True, timeout=SECONDS, env=quietly, stdout=subprocess.DEVNULL)
        except (subprocess.SubprocessError, OSError) as error:
            sys.stderr.write(f"{error}\n")
            return


if __name__ == "__main__":
    if missing():
        install()
    if missing():
        sys.exit(f"Missing on this machine: apt-get install {' '.join(missing())}")
