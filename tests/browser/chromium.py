"""Find the browser of the tests on this machine. Run as a script, install it if it is missing.

Exit with 0 if there is a browser, else with 1 and how to install it.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
MISSING = "No Chromium on this machine. Install it (apt-get install chromium), or name one in CHROMIUM."
# Timeout of each step, for a package server that doesn't respond.
SECONDS = 300


def find() -> str | None:
    """Return the path of the browser: that in CHROMIUM, or the first one in PATH."""
    named = os.environ.get("CHROMIUM")
    return shutil.which(named) if named else next(filter(None, map(shutil.which, NAMES)), None)


def install() -> None:
    """Install the browser with apt-get, if it exists and the user is root."""
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
