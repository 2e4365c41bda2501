"""Find the browser of the tests on this machine. Run as a module, install it if it is missing.

Exit with 0 if there is a browser, else with 1 and how to install it.
"""

from __future__ import annotations

import os
import shutil
import sys

from tests.support.packages import install

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
MISSING = "No Chromium on this machine. Install it (apt-get install chromium), or name one in CHROMIUM."


def find() -> str | None:
    """Return the path of the browser: that in CHROMIUM, or the first one in PATH."""
    named = os.environ.get("CHROMIUM")
    return shutil.which(named) if named else next(filter(None, map(shutil.which, NAMES)), None)


if __name__ == "__main__":
    if find() is None and not os.environ.get("CHROMIUM"):
        install("chromium")
    if find() is None:
        sys.exit(MISSING)
