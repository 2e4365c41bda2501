"""Install Debian packages that tests need."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys

# Timeout of each step, for a package server that doesn't respond.
SECONDS = 300


def install(*packages: str) -> None:
    """Install packages with apt-get, if it exists and the user is root. Write errors to stderr."""
    apt = shutil.which("apt-get")
    if apt is None or os.geteuid() != 0:
        return
    quietly = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    for step in (["update"], ["install", "--yes", "--no-install-recommends", *packages]):
        try:
            subprocess.run([apt, *step], check=True, timeout=SECONDS, env=quietly, stdout=subprocess.DEVNULL)
        except (subprocess.SubprocessError, OSError) as error:
            sys.stderr.write(f"{error}\n")
            return
