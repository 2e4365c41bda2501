"""Cause faults of the web processes: many writers, killed workers, overload."""

from __future__ import annotations

import os
import random
import signal
import time
from collections import Counter
from contextlib import suppress

from tests.benchmarks.load.client import Load, Outcome, RawResponse, Request
from tests.chaos.clients import BUSY, NO_ANSWER, client_of, format_statuses, writing
from tests.chaos.findings import Findings
from tests.chaos.ground import Ground
from tests.support.servers import Server

KILLED_EVERY = 0.4
BACK_WITHIN = 3.0
OPEN = "service_types?page[size]=1"


def many_writers(ground: Ground, server: Server, seconds: float, *, name: str) -> Findings:
    """Eight clients write at once: every write succeeds, however long it waits."""
    findings = Findings(f"{name}: 8 writers for {seconds:g} s")
    with writing(ground, server.address) as crowd:
        time.sleep(seconds)
    crowd.report(findings)
    findings.promise(crowd.statuses.keys() <= {200, 201, 204}, f"answers: {format_statuses(crowd.statuses)}")
    times = sorted(outcome.seconds for outcome in crowd.outcomes)
    findings.figures["requests a second"] = round(len(times) / seconds)
    findings.within(2, times[len(times) * 99 // 100], "p99")
    return findings


def killed_workers(ground: Ground, seconds: float, *, name: str) -> Findings:
    """Kill workers repeatedly: acknowledged rows are there, and no change is incomplete."""
    findings = Findings(f"{name}: a worker of 3 killed every {KILLED_EVERY} s for {seconds:g} s")
    begun = time.monotonic()
    with ground.served(workers=3) as server:
        start = time.monotonic() - begun
        with writing(ground, server.address) as crowd:
            end, kills = time.monotonic() + seconds, 0
            while time.monotonic() < end:
                time.sleep(KILLED_EVERY)
                kills += kill(random.sample(server.workers, k=min(1, len(server.workers))))
        findings.figures["workers killed"] = kills
        # On a busy machine, a restart takes at least as long as the first start.
        limit = max(BACK_WITHIN, start)
        findings.within(limit, seconds_until_back(ground, server), "back after all were killed")
        findings.figures["first start"] = f"{start:.2f} s"
        crowd.report(findings)
        findings.promise(crowd.statuses.keys() <= {NO_ANSWER, 200, 201, 204, BUSY}, "an unexpected status")
    return findings


def kill(pids: list[int]) -> int:
    with suppress(ProcessLookupError):
        for pid in pids:
            os.kill(pid, signal.SIGKILL)
    return len(pids)


def seconds_until_back(ground: Ground, server: Server) -> float:
    """Kill all workers; return the seconds until a request succeeds."""
    kill(server.workers)
    begun = time.monotonic()
    client = client_of(ground, server.address)
    while time.monotonic() < begun + 60 and client.get(OPEN).status != 200:
        time.sleep(0.02)
    return time.monotonic() - begun


def overloaded(ground: Ground, seconds: float, *, name: str) -> Findings:
    """Send three times as many requests at once as there are threads: 503 is allowed, 500 isn't."""
    workers, threads = 2, 16
    connections = 3 * workers * threads
    findings = Findings(f"{name}: {connections} at once for {seconds:g} s, {workers * threads} threads")
    statuses, times, faults = Counter[int](), list[float](), list[str]()

    def take(outcome: Outcome) -> None:
        statuses[outcome.answer.status if outcome.answer else NO_ANSWER] += 1
        times.append(outcome.ended_at - outcome.sent_at)
        if outcome.complaint:
            faults.append(outcome.complaint)

    with ground.served(workers) as server:
        requests = mix(ground)
        Load(server.address, lambda: random.choice(requests), take).run(connections, seconds)
        ended = time.monotonic()
        client = client_of(ground, server.address)
        while time.monotonic() < ended + 20 and (
            client.get(OPEN).status != 200 or client.outcomes[-1].seconds > 1
        ):
            time.sleep(0.1)
        findings.within(10, time.monotonic() - ended, "normal again after")
    times.sort()
    findings.figures |= {
        "answers": format_statuses(statuses),
        "requests a second": round(len(times) / seconds),
        "p50": f"{times[len(times) // 2]:.2f} s",
        "p99": f"{times[len(times) * 99 // 100]:.2f} s",
    }
    findings.broken += [*faults, *client.faults, *ground.broken_rules()]
    return findings


def mix(ground: Ground) -> list[Request]:
    """Return four reads to a write."""
    head = f"Host: 127.0.0.1\r\nX-Auth-Token: {ground.tokens[0]}\r\n"
    body = b'{"data":{"type":"service_types","attributes":{"name":"One of too many"}}}'
    post = f"POST /api/v2/service_types HTTP/1.1\r\n{head}Content-Type: application/vnd.api+json\r\n"
    writing = f"{post}Content-Length: {len(body)}\r\n\r\n".encode() + body
    reading = [f"GET /api/v2/{path} HTTP/1.1\r\n{head}\r\n".encode() for path in ("services", "people")]
    return [
        *(Request("read", wire, judge) for wire in reading * 2),
        Request("write", writing, judge),
    ]


def judge(answer: RawResponse) -> str:
    if answer.status not in (200, 201, 429, BUSY):
        return f"{answer.status} {answer.body[:200]!r}"
    if answer.status == BUSY and b"\r\nretry-after: " not in answer.head.lower():
        return "503 without Retry-After"
    return ""
