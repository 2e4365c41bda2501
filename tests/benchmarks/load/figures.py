"""Compute rates, percentiles and memory from responses and samples."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from math import ceil
from statistics import mean, median
from typing import Any, NamedTuple

from tests.benchmarks.load.client import Outcome

MOST_ERRORS = 40
# How much the median of the last quarter of a run may exceed that of the second.
MOST_GROWTH = 0.05
# With fewer samples, one a second, growth can't be measured; nor with fewer requests, because each thread
# of the server needs some hundred until its memory stops growing.
LEAST_SAMPLES, LEAST_REQUESTS = 40, 5000


class TooManyErrorsError(Exception):
    """The run is given up because nearly every request fails."""


class Row(NamedTuple):
    """The requests of one kind: their rate a second, and their times in milliseconds."""

    requests: int
    per_second: float
    p50: float
    p95: float
    p99: float
    longest: float
    errors: int


class Tally:
    """Count every outcome, and record the times of those that end between `begin` and `end`."""

    def __init__(self, kinds: Iterable[str], begin: float, end: float) -> None:
        self.begin, self.end = begin, end
        self.milliseconds: dict[str, list[float]] = {kind: [] for kind in kinds}
        self.wrong = Counter[str]()
        self.errors: list[str] = []

    def take(self, outcome: Outcome) -> None:
        """Raise TooManyErrorsError if nearly every request fails."""
        kind = outcome.request.kind
        if outcome.complaint:
            self.wrong[kind] += 1
            self.errors.append(describe(outcome))
            if len(self.errors) >= MOST_ERRORS:
                raise TooManyErrorsError
        elif self.begin <= outcome.ended_at < self.end:
            milliseconds = (outcome.ended_at - outcome.sent_at) * 1000
            self.milliseconds[kind].append(milliseconds)

    def rows(self) -> dict[str, Row]:
        """Return the figures by kind, and of all."""
        everything = [time for times in self.milliseconds.values() for time in times]
        rows = {kind: self.row(times, self.wrong[kind]) for kind, times in self.milliseconds.items()}
        return {**rows, "all": self.row(everything, self.wrong.total())}

    def row(self, times: list[float], errors: int) -> Row:
        if not times:
            return Row(0, 0, 0, 0, 0, 0, errors)
        times = sorted(times)
        p50, p95, p99 = (times[ceil(len(times) * share) - 1] for share in (0.5, 0.95, 0.99))
        return Row(len(times), len(times) / (self.end - self.begin), p50, p95, p99, times[-1], errors)


def describe(outcome: Outcome) -> str:
    """Return the request without its token, the error, and the beginning of the response."""
    head, _, body = outcome.request.wire.partition(b"\r\n\r\n")
    line = head.partition(b"\r\n")[0].removesuffix(b" HTTP/1.1").decode()
    answer = "" if outcome.answer is None else outcome.answer.body[:300].decode(errors="replace")
    return f"{line} {body.decode()}: {outcome.complaint}. {answer}"


@dataclass
class Sample:
    """The CPU seconds that the processes have used so far, and their memory in bytes."""

    moment: float
    generator: float
    server: float
    machine: float
    memory: dict[int, int]


@dataclass
class Memory:
    """The workers' memory in bytes: of each at the end, of all in the second quarter and the last."""

    workers: list[int]
    second_quarter: float
    last_quarter: float
    enough: bool

    @classmethod
    def of(cls, samples: Sequence[Sample], requests: int) -> Memory:
        sums = [sum(sample.memory.values()) for sample in samples]
        count = len(sums)
        return cls(
            workers=list(samples[-1].memory.values()),
            second_quarter=median(sums[count // 4 : count // 2] or sums),
            last_quarter=median(sums[-(count // 4) :]),
            enough=count >= LEAST_SAMPLES and requests >= LEAST_REQUESTS,
        )

    @property
    def growth(self) -> float:
        return self.last_quarter / self.second_quarter - 1 if self.second_quarter else 0

    @property
    def verdict(self) -> str:
        if not self.enough:
            return "too short or too slow a run to tell"
        return "flat" if self.growth < MOST_GROWTH else "NOT FLAT"


class Reference(NamedTuple):
    """`H`, the reference: requests to /healthz, which doesn't use the database."""

    per_second: float
    cpu_milliseconds: float


@dataclass
class Figures:
    """All figures of a run, with the reference before and after the load."""

    database: str
    assignments: int
    connections: int
    workers: int
    seconds: float
    tally: Tally
    samples: list[Sample]
    reference: tuple[Reference, Reference]
    errors: list[str]

    @property
    def memory(self) -> Memory:
        return Memory.of(self.samples, self.tally.rows()["all"].requests)

    @property
    def ratio(self) -> float:
        """Return the ratio of the rate to the reference, which can be compared between machines."""
        return self.tally.rows()["all"].per_second / mean(rate for rate, _ in self.reference)

    @property
    def cpu_milliseconds(self) -> float:
        """Return the server's CPU time for a request, which a busy machine distorts least."""
        rate = self.tally.rows()["all"].per_second
        return self.shares()["server"] * 1000 / rate if rate else 0

    def shares(self) -> dict[str, float]:
        """Return how many cores each used on average; `others` includes PostgreSQL."""
        first, last = self.samples[0], self.samples[-1]
        seconds = last.moment - first.moment or 1
        generator, server, machine = (
            (getattr(last, name) - getattr(first, name)) / seconds
            for name in ("generator", "server", "machine")
        )
        return {"generator": generator, "server": server, "others": max(machine - generator - server, 0)}

    def passed(self) -> bool:
        return not self.errors and self.memory.verdict != "NOT FLAT"

    def as_json(self) -> dict[str, Any]:
        memory = self.memory
        return {
            "database": self.database,
            "assignments": self.assignments,
            "connections": self.connections,
            "workers": self.workers,
            "seconds": self.seconds,
            "healthz_per_second": [round(rate, 1) for rate, _ in self.reference],
            "healthz_cpu_ms": [round(spent, 2) for _, spent in self.reference],
            "ratio_to_healthz": round(self.ratio, 3),
            "cpu_ms": round(self.cpu_milliseconds, 2),
            "cores": {name: round(share, 2) for name, share in self.shares().items()},
            "memory": {
                "workers_mb": [round(size / 1e6, 1) for size in memory.workers],
                "second_quarter_mb": round(memory.second_quarter / 1e6, 1),
                "last_quarter_mb": round(memory.last_quarter / 1e6, 1),
                "growth": round(memory.growth, 4),
                "verdict": memory.verdict,
                "by_second_mb": [round(sum(sample.memory.values()) / 1e6, 1) for sample in self.samples],
            },
            "requests": {
                kind: {
                    name: round(value, 2) if isinstance(value, float) else value
                    for name, value in row._asdict().items()
                }
                for kind, row in self.tally.rows().items()
            },
            "errors": self.errors,
        }

    def lines(self) -> Iterator[str]:
        yield (
            f"{self.database}, {self.assignments:,} assignments, {self.workers} workers, "
            f"{self.connections} connections, {self.seconds:g} s"
        )
        yield f"{'':<26}{'requests':>9}{'/s':>8}{'p50':>8}{'p95':>8}{'p99':>8}{'max':>8} ms{'errors':>8}"
        for kind, row in self.tally.rows().items():
            times = "".join(f"{time:8.1f}" for time in row[2:6])
            yield f"{kind:<26}{row.requests:>9,}{row.per_second:>8.1f}{times}   {row.errors:>8}"
        before, after = (f"{rate:,.0f}/s at {spent:.2f} ms" for rate, spent in self.reference)
        yield f"H (/healthz): {before} of CPU before, {after} after"
        yield f"all requests: {self.ratio:.3f} H, at {self.cpu_milliseconds:.2f} ms of the server's CPU"
        yield "cores: " + ", ".join(f"{name} {share:.2f}" for name, share in self.shares().items())
        memory = self.memory
        each = " + ".join(f"{size / 1e6:.1f}" for size in memory.workers)
        yield (
            f"memory of the workers: {each} MB at the end; from the second quarter of the run to the last "
            f"{memory.second_quarter / 1e6:.1f} → {memory.last_quarter / 1e6:.1f} MB "
            f"({memory.growth:+.1%}): {memory.verdict}"
        )
        yield f"errors: {len(self.errors)}"
        yield from (f"  {error}" for error in self.errors[:20])
