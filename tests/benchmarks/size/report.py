"""Format the figures as tables, for the terminal and the page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from tests.benchmarks.page import machine
from tests.benchmarks.report import at_most, table

ABOUT = """\
## Cost at any size

`make size` writes this section. One database has organizations of several sizes, the smallest created first.
Every figure is the median time in milliseconds of a request through the whole WSGI application, including
middleware and connection. Requests go to the organizations in turn, so a slow machine slows all of them, and
to different people, projects and rows each time, so that they aren't always cached. Before the measurement,
the ids and total of every response are compared with plain queries.

*÷* is the cost in the larger organization relative to the smallest: flat is at most 1.5. *÷ first page* is
the cost far down in a list of the largest organization relative to its first page: at most 3. A page by
number has the exact total and adds up more counts in a larger organization; a page after a cursor has no
total. The people and projects have about as many rows in every organization. If a list has fewer than 30,000
pages, its last full pages are used; in the smallest organization these are near the start.
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
    return "\n\n".join([f"### {result['database']}", *describe_database(result), table(head, rows)])


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


def describe_database(result: Mapping[str, Any]) -> list[str]:
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
