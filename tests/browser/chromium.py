"""The browser of the tests: found on this machine, or installed. Run it to see to it that there is one.

Exit 0 where there is a browser, 1 with the reason and what would help where there is none.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
MISSING = "No Chromium on this machine. Install it (apt-get install chromium), or name one in CHROMIUM."
# Of each step; a package server that doesn't answer must not hold the tests for longer.
SECONDS = 300


def find() -> str | None:
    """Where the browser is; CHROMIUM names another one than the first on the path."""
    named = os.environ.get("CHROMIUM")
    return shutil.which(named) if named else next(filter(None, map(shutil.which, NAMES)), None)


def install() -> None:
    """With Debian's package manager, where it may be used. Whether that worked is for `find` to say."""
    apt = shutil.which("apt-get")
    if apt is None or os.geteuid() != 0:
        return
    quietly = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    for step in (["update"], ["install", "--yes", "--no-install-recommends", "chromium"]):
        try:
            subprocess.run([apt, *step], check=True, timeout=SECONDS, env=quietly, stdout=subprocess.DEVNULL)
        except (subprocess.SubprocessError, OSError) as error:
            sys.stderr.write(f"{error}\n")
            return


if __name__ == "__main__":
    if find() is None and not os.environ.get("CHROMIUM"):
        install()
    if find() is None:
        sys.exit(MISSING)
