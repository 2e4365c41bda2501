"""Cause faults of a PostgreSQL server: stopped, restarted, locked, out of connections."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from threading import Event, Thread

import psycopg

from tests.benchmarks.load.client import Address
from tests.chaos.clients import BUSY, Client, client_of, document, format_statuses, writing
from tests.chaos.findings import Findings
from tests.chaos.ground import Ground
from tests.clusters.servers import PostgreSQLServer

# Seconds that a request may take while the server is stopped, and while it waits for a lock.
AWAY_WITHIN, LOCKED_WITHIN = 6.0, 4.0
AT_ONCE = 16
OPEN = "service_types?page[size]=1"


def send_at_once(ground: Ground, address: Address, number: int = AT_ONCE) -> list[Client]:
    """Send so many requests at the same moment."""
    clients = [client_of(ground, address) for _ in range(number)]
    with ThreadPoolExecutor(number) as threads:
        list(threads.map(lambda client: client.get(OPEN), clients))
    return clients


@contextmanager
def repeating(clients: list[Client], send: Callable[[Client], object]) -> Iterator[None]:
    """Let each client send requests repeatedly."""
    over = Event()

    def repeat(client: Client) -> None:
        while not over.is_set():
            send(client)

    threads = [Thread(target=repeat, args=(client,)) for client in clients]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        over.set()
        for thread in threads:
            thread.join()


def restarted_under_load(ground: Ground, server: PostgreSQLServer, away: float = 2) -> Findings:
    """While it is stopped, 503 or success; as soon as it is back, success without a restart of the web."""
    findings = Findings(f"PostgreSQL: restarted under 8 writers, away for {away:g} s")
    with ground.served() as web:
        readers = [client_of(ground, web.address) for _ in range(4)]
        with writing(ground, web.address) as crowd, repeating(readers, lambda client: client.get(OPEN)):
            time.sleep(1.5)
            server.stop()
            time.sleep(away)
            server.start()
            back = time.monotonic()
            first = client_of(ground, web.address).get(OPEN).status
            time.sleep(3)
        outcomes = [*crowd.outcomes, *(outcome for client in readers for outcome in client.outcomes)]
        rejected = [outcome for outcome in outcomes if outcome.status == BUSY]
        late = [outcome for outcome in rejected if outcome.sent_at > back]
        findings.promise(first == 200, f"the first request after the return: {first}")
        findings.promise(bool(rejected), "no request failed while it was stopped")
        crowd.report(findings)
        statuses = Counter(outcome.status for outcome in outcomes)
        findings.figures["answers"] = format_statuses(statuses)
        findings.broken += [fault for client in readers for fault in client.faults]
        findings.promise(statuses.keys() <= {200, 201, 204, BUSY}, f"answers: {format_statuses(statuses)}")
        findings.promise(not late, f"{len(late)} requests failed after it was back")
        last = max((outcome.sent_at + outcome.seconds for outcome in rejected), default=back)
        findings.within(1, max(0.0, last - back), "last 503 after the return")
    return findings


def restarted_while_idle(ground: Ground, server: PostgreSQLServer) -> Findings:
    """Every process has dead connections after a restart: no request fails because of them."""
    findings = Findings(f"PostgreSQL: restarted while idle, then {AT_ONCE} at once")
    with ground.served() as web:
        for _ in range(4):
            send_at_once(ground, web.address)
        server.stop()
        server.start()
        alone = client_of(ground, web.address)
        alone.get(OPEN)
        clients = [alone, *send_at_once(ground, web.address)]
    statuses = Counter(status for client in clients for status in client.statuses.elements())
    findings.figures["answers"] = format_statuses(statuses)
    findings.promise(set(statuses) == {200}, f"answers: {format_statuses(statuses)}")
    findings.within(1, alone.longest, "first request")
    findings.within(2, max(client.longest for client in clients), "longest request")
    return findings


def stopped(ground: Ground, server: PostgreSQLServer, seconds: float = 20) -> Findings:
    """The process is alive and not ready, no request waits for long, and the server recovers."""
    findings = Findings(f"PostgreSQL: stopped for {seconds:g} s")
    with ground.served() as web:
        send_at_once(ground, web.address)
        clients = [client_of(ground, web.address) for _ in range(4)]
        server.stop()
        begun = time.monotonic()
        alive, ready = client_of(ground, web.address), client_of(ground, web.address)
        with repeating(clients, lambda client: client.get(OPEN)):
            while time.monotonic() < begun + seconds:
                alive.get("/healthz")
                ready.get("/readyz")
        away = Counter(status for client in clients for status in client.statuses.elements())
        findings.figures |= {
            "/healthz": format_statuses(alive.statuses),
            "/readyz": format_statuses(ready.statuses),
            "answers": format_statuses(away),
        }
        findings.promise(set(alive.statuses) == {200}, f"/healthz: {format_statuses(alive.statuses)}")
        findings.promise(set(ready.statuses) == {BUSY}, f"/readyz: {format_statuses(ready.statuses)}")
        findings.promise(set(away) == {BUSY}, f"answers: {format_statuses(away)}")
        findings.within(1, alive.longest, "longest /healthz")
        findings.within(AWAY_WITHIN, max(c.longest for c in [*clients, ready]), "longest request")
        server.start()
        back = time.monotonic()
        first = client_of(ground, web.address)
        findings.promise(
            first.get(OPEN).status == 200, f"the first after it: {format_statuses(first.statuses)}"
        )
        # The pool tries to connect every other second.
        findings.within(3, first.longest, "first request after the return")
        while first.get("/readyz").status != 200 and time.monotonic() < back + 20:
            time.sleep(0.05)
        findings.within(5, time.monotonic() - back, "ready after the return")
        findings.broken += [fault for client in [*clients, first] for fault in client.faults]
    return findings


def row_locked(ground: Ground, seconds: float = 10) -> Findings:
    """Requests for a locked row get 503; others aren't affected."""
    findings = Findings(f"PostgreSQL: a row locked for {seconds:g} s")
    body = document("service_types", description="Changed")
    with ground.served() as web, psycopg.connect(ground.url) as holder:
        holder.execute("SELECT 1 FROM catalog_servicetype WHERE id = %s FOR UPDATE", [ground.service_type])
        end = time.monotonic() + seconds
        writer, others = client_of(ground, web.address), [client_of(ground, web.address) for _ in range(4)]
        with repeating(others, lambda client: client.get(f"service_types/{ground.service_type}")):
            while time.monotonic() < end - LOCKED_WITHIN:
                writer.patch(f"service_types/{ground.service_type}", json=body)
        holder.rollback()
        rejected, served = format_statuses(writer.statuses), Counter[int]()
        for client in others:
            served += client.statuses
        findings.figures |= {"changes of it": rejected, "others": format_statuses(served)}
        findings.promise(set(writer.statuses) == {BUSY}, f"changes of it: {rejected}")
        findings.promise(set(served) == {200}, f"others: {format_statuses(served)}")
        findings.within(LOCKED_WITHIN, writer.longest, "longest change of it")
        findings.within(1, max(client.longest for client in others), "longest of the others")
        after = writer.patch(f"service_types/{ground.service_type}", json=body).status
        findings.promise(after == 200, f"a change afterwards: {after}")
        findings.broken += writer.faults
    return findings


def connections_used_up(ground: Ground) -> Findings:
    """Another client uses all connections: 503 until it closes them."""
    findings = Findings("PostgreSQL: all its connections taken by others")
    with ground.served() as web, ExitStack() as taken:
        first = client_of(ground, web.address)
        first.get(OPEN)
        number = take_all(ground, taken)
        rejected = send_at_once(ground, web.address, 4)
        statuses = Counter(status for client in rejected for status in client.statuses.elements())
        findings.figures |= {"connections taken": number, "while there are none": format_statuses(statuses)}
        findings.promise(set(statuses) == {BUSY}, f"while there are none: {format_statuses(statuses)}")
        findings.within(AWAY_WITHIN, max(client.longest for client in rejected), "longest request")
        taken.close()
        begun = time.monotonic()
        while first.get(OPEN).status != 200 and time.monotonic() < begun + 20:
            time.sleep(0.05)
        findings.within(2, time.monotonic() - begun, "served again after")
        findings.broken += [fault for client in [*rejected, first] for fault in client.faults]
    return findings


def take_all(ground: Ground, taken: ExitStack) -> int:
    """Connect until the server rejects connections, also in place of the web's own."""
    connections: list[psycopg.Connection] = []
    for _ in range(1_000):
        try:
            connections.append(taken.enter_context(psycopg.connect(ground.url, autocommit=True)))
        except psycopg.OperationalError:
            ours = [connection.info.backend_pid for connection in connections]
            others = "backend_type = 'client backend' AND pid <> ALL(%s)"
            ended = connections[0].execute(
                f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE {others}",
                [ours],
            )
            if not ended.fetchall():
                return len(connections)
            time.sleep(0.1)
    raise AssertionError("the server never rejected a connection")
