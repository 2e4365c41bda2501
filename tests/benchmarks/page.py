"""Write docs/benchmarks.md: each command replaces its own section only."""

from __future__ import annotations

import os
import platform
from datetime import UTC, datetime
from pathlib import Path

import django

from tests.support.servers import ROOT

PAGE = ROOT / "docs/benchmarks.md"
TITLE = """# Benchmarks

Each section is the output of the command that it names. Don't edit it by hand.
"""


def write_section(name: str, text: str, page: Path = PAGE) -> None:
    """Replace the section of that name by the text, or append it to the page."""
    begin, end = f"<!-- {name}: begin -->\n", f"<!-- {name}: end -->\n"
    written = page.read_text() if page.exists() else TITLE
    before, found, rest = written.partition(begin)
    if found:
        _, found, after = rest.partition(end)
        if not found:
            raise ValueError(f"the section '{name}' of {page} has no end")
    else:
        before, after = f"{written}\n", ""
    page.write_text(f"{before}{begin}{text.strip()}\n{end}{after}")


def machine(*databases: str) -> str:
    """Return a sentence about hardware, versions and date, without the machine's name."""
    gibibytes = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    versions = [f"Python {platform.python_version()}", f"Django {django.__version__}", *databases]
    return (
        f"Measured on {datetime.now(UTC):%-d %B %Y} on {processor()}, {os.cpu_count()} cores,"
        f" {gibibytes:.0f} GiB of memory, {operating_system()}; {', '.join(versions)}."
    )


def processor() -> str:
    cpuinfo = Path("/proc/cpuinfo")
    for line in cpuinfo.read_text().splitlines() if cpuinfo.exists() else ():
        name, _, value = line.partition(":")
        if name.strip() == "model name":
            return " ".join(value.split())
    return platform.machine()


def operating_system() -> str:
    try:
        name = platform.freedesktop_os_release()["PRETTY_NAME"]
    except OSError:  # not Linux
        return platform.platform(terse=True)
    return f"{name}, Linux {platform.release().split('-')[0]}"
