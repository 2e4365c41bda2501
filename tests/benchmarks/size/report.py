"""Format the figures as tables, for the terminal and the page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from tests.benchmarks.page import machine
from tests.benchmarks.report import at_most, table

ABOUT = """\
## Cost at any size

`make size` writes this section. One database holds organizations of several sizes beside one another, the
smallest made first. Every figure is a median of milliseconds for a request through the whole WSGI
application, middleware and connection included. The organizations are asked in turn, so that what slows the
machine slows all of them; and for other people, projects and rows each time, so that not the same few are at
hand. Before anything is timed, every answer's ids and total are compared with what plain queries find.

*÷* is what it costs in the larger organization to what it costs in the smallest: flat is at most 1.5. *÷
first page* is, in the largest, what lies far down in a list to the first page of that list: at most 3. A page
by its number comes with the exact total, so far down there is more to add up in a larger organization; a page
after a cursor has no total. People and projects are asked for that have about as many rows in every
organization. Where there are no 30,000 pages, the last full ones are asked for; in the smallest organization
those are near enough to be walked to.
"""
FLAT, DEEP = 1.5, 3


def section(results: Sequence[Mapping[str, Any]]) -> str:
    """Return the section in Markdown."""
    measured = machine(*(result["database"] for result in results))
    return "\n\n".join([ABOUT.strip(), measured, *map(tables, results)])


def tables(result: Mapping[str, Any]) -> str:
    """Return the tables of one database."""
    totals = result["totals"]
    smallest, *larger = totals
    head = ["", smallest, *(title for name in larger for title in (name, "÷")), "÷ first page"]
    firsts = {work["work"]: work["ms"] for work in result["works"]}
    rows = [row(work, smallest, larger, firsts) for work in result["works"]]
    return "\n\n".join([f"### {result['database']}", *held(result), table(head, rows)])


def row(
    work: Mapping[str, Any],
    smallest: str,
    larger: Sequence[str],
    firsts: Mapping[str, Mapping[str, float]],
) -> list[str]:
    ms, far = work["ms"], work["far"]
    cells = [work["work"], f"{ms[smallest]:.1f} ms"]
    for name in larger:
        cells += [
            f"{ms[name]:.1f} ms",
            at_most(ms[name] / ms[smallest], None if far and far["by_number"] else FLAT),
        ]
    largest = [smallest, *larger][-1]
    return [*cells, at_most(ms[largest] / firsts[far["near"]][largest], DEEP) if far else ""]


def held(result: Mapping[str, Any]) -> list[str]:
    """Return lines about the size of the database and how fast it was filled."""
    seeded = result["seeded"]
    return [
        f"{result['bytes'] / 2**30:,.1f} GiB in all, with the history. The load average was "
        f"{result['load']:.1f} before the first request.",
        "\n".join(
            f"- {name}: {', '.join(f'{number:,} {kind}' for kind, number in totals.items())}"
            + (f"; seeded: {seeded[name]}" if name in seeded else "")
            for name, totals in result["totals"].items()
        ),
    ]
