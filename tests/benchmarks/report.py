"""Format the figures as tables, for the terminal and the page."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from tests.benchmarks.page import machine

ABOUT = """\
## Against stock and hand-written

`make bench` writes this section. Every figure is the median time in milliseconds of a request through the
whole WSGI application, including middleware and connection. The contenders run in turn on the same tables, so
a slow machine slows all of them: the ratios are more reliable than the milliseconds. Before the measurement,
the benchmark checks that the contenders return and write the same. Requests are neither logged nor counted
towards limits, which would cost all contenders the same.

- *ours* is this application.
- *by hand* is plain Django views for these endpoints only, with as few statements as possible and orjson.
  They use the same token and total, return the same bytes, and write the same history. They have no
  validation messages, no other filters, no sorting, no sparse fieldsets, no other includes, no ETag, no
  compression, and no retry after a lost race.
- *stock* is the JSON:API package's own viewset, serializers, parser, renderer, pagination and filter backend,
  set up as its documentation recommends, with the same token. It returns the same attributes and writes the
  same history.
- *nothing but the token* is the minimum cost of any response.

No other contender has tracking decisions; the hand-written list of 200 project assignments is shown instead.
"""
WORK = ("work", "ours", "by hand", "stock", "ours ÷ by hand", "stock ÷ ours", "queries")
MEMORY = ("peak memory of a request", "ours", "by hand", "stock")


def section(results: Sequence[Mapping[str, Any]], load: float) -> str:
    """Return the section in Markdown; `load` is the load average before the start."""
    measured = machine(*(result["database"] for result in results))
    before = f"The load average was {load:.1f} before it began."
    return "\n\n".join([ABOUT.strip(), f"{measured} {before}", *map(tables, results)])


def tables(result: Mapping[str, Any]) -> str:
    """Return the tables of one database."""
    size = ", ".join(f"{number:,} {name}" for name, number in result["size"].items())
    return "\n\n".join(
        [
            f"### {result['database']}",
            f"One organization of {size} to services and as many to projects.",
            table(WORK, map(row, result["works"])),
            table(MEMORY, map(memory, result["memory"])),
        ]
    )


def row(work: Mapping[str, Any]) -> list[str]:
    ms, target, queries = work["ms"], work["target"] or {}, work["queries"]
    contenders = ("ours", "hand", "stock")
    return [
        work["work"],
        *(f"{ms[name]:.1f} ms" if name in ms else "" for name in contenders),
        at_most(ratio(ms, "ours", "hand"), target.get("to_hand")),
        at_least(ratio(ms, "stock", "ours"), target.get("to_stock")),
        ", ".join(str(queries[name]) for name in contenders if name in queries),
    ]


def memory(work: Mapping[str, Any]) -> list[str]:
    return [work["work"], *(f"{work['bytes'][name] / 1024:,.0f} KiB" for name in ("ours", "hand", "stock"))]


def ratio(ms: Mapping[str, float], one: str, other: str) -> float | None:
    return ms[one] / ms[other] if one in ms and other in ms else None


def at_most(found: float | None, limit: float | None) -> str:
    return compared(found, "≤", limit, lambda: found <= limit)


def at_least(found: float | None, limit: float | None) -> str:
    return compared(found, "≥", limit, lambda: found >= limit)


def compared(found: float | None, sign: str, limit: float | None, is_met: Any) -> str:
    if found is None or limit is None:
        return "" if found is None else f"{found:.2f}"
    return f"{found:.2f} ({sign} {limit:g} {'✓' if is_met() else '✗'})"


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a Markdown table with aligned columns."""
    lines = [head, *rows]
    widths = [max(len(line[column]) for line in lines) for column in range(len(head))]
    rule = ["-" * widths[0], *("-" * (width - 1) + ":" for width in widths[1:])]
    return "\n".join(
        "| "
        + " | ".join(
            cell.ljust(width) if column == 0 else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(line, widths, strict=True))
        )
        + " |"
        for line in (lines[0], rule, *lines[1:])
    )
