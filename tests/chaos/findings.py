"""Collect the figures of a run, and every promise that is broken."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field


@dataclass
class Findings:
    title: str
    figures: dict[str, object] = field(default_factory=dict)
    # What must never happen; and what took too long, which a busy machine can cause.
    broken: list[str] = field(default_factory=list)
    slow: list[str] = field(default_factory=list)

    def promise(self, kept: bool, what: str) -> None:
        if not kept:
            self.broken.append(what)

    def within(self, limit: float, seconds: float, what: str) -> None:
        self.figures[what] = f"{seconds:.2f} s"
        if seconds > limit:
            self.slow.append(f"{what}: {seconds:.2f} s, more than {limit:g}")

    def lines(self) -> Iterator[str]:
        verdict = "BROKEN" if self.broken else "slow" if self.slow else "kept"
        yield f"{verdict:<7}{self.title}"
        for name, figure in self.figures.items():
            yield f"           {name}: {figure}"
        for complaint in shortened([*self.broken, *self.slow]):
            yield f"         ! {complaint}"


def shortened(lines: list[str], most: int = 12) -> Iterable[str]:
    yield from lines[:most]
    if len(lines) > most:
        yield f"and {len(lines) - most} more"
