"""Provide clients that record every response, and writers that record acknowledged rows."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.client import HTTPException
from itertools import count
from threading import Event, Thread
from typing import NamedTuple

from tests.benchmarks.load.client import Address
from tests.chaos.findings import Findings
from tests.chaos.ground import Ground
from tests.support.api import CONTENT_TYPE, Answer, SocketApi

# In place of a status if the connection ended without a response.
NO_ANSWER = 0
BUSY = 503


class Attempt(NamedTuple):
    sent_at: float
    seconds: float
    status: int


@dataclass
class Client(SocketApi):
    """Record the outcome of each request, and responses that must never occur."""

    outcomes: list[Attempt] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)

    def send(self, method: str, path: str, body: bytes, headers: dict[str, str]) -> Answer:
        """Return an answer with status NO_ANSWER if there was no response."""
        sent_at = time.monotonic()
        try:
            answer = super().send(method, path, body, headers)
        except (OSError, HTTPException):
            answer = Answer(NO_ANSWER, {}, b"")
        self.outcomes.append(Attempt(sent_at, time.monotonic() - sent_at, answer.status))
        if path.startswith("/api/") and (complaint := error_in(answer)):
            self.faults.append(f"{method} {path}: {complaint}")
        return answer

    @property
    def statuses(self) -> Counter[int]:
        return Counter(outcome.status for outcome in self.outcomes)

    @property
    def longest(self) -> float:
        return max((outcome.seconds for outcome in self.outcomes), default=0)


def error_in(answer: Answer) -> str:
    """Return what is wrong with a response to any request."""
    if answer.status in (NO_ANSWER, 204):
        return ""
    if answer.status >= 500 and answer.status != BUSY:
        return f"{answer.status} {answer.body[:200]!r}"
    if answer.headers.get("Content-Type") != CONTENT_TYPE:
        return f"{answer.status} as {answer.headers.get('Content-Type')}"
    if answer.status == BUSY and not answer.headers.get("Retry-After", "").isdigit():
        return "503 without Retry-After"
    return ""


def host(address: Address) -> str:
    return f"{address[0]}:{address[1]}"


def client_of(ground: Ground, address: Address) -> Client:
    return Client(ground.tokens[0], address=host(address))


def document(kind: str, **attributes: object) -> dict[str, object]:
    return {"data": {"type": kind, "attributes": attributes}}


@dataclass
class Book:
    """The rows that one writer knows to be acknowledged; no other writer changes them."""

    # id of a service type: its name, and the last acknowledged description
    types: dict[int, tuple[str, str | None]] = field(default_factory=dict)
    people: set[int] = field(default_factory=set)
    deleted: set[int] = field(default_factory=set)
    unsure: set[int] = field(default_factory=set)
    # id of an assignment: id of the person
    assignments: dict[int, int] = field(default_factory=dict)

    @property
    def acknowledged(self) -> int:
        described = sum(description is not None for _, description in self.types.values())
        people = len(self.people) + len(self.deleted) + len(self.unsure)
        return len(self.types) + described + people + len(self.deleted) + len(self.assignments)


class Writer(Client):
    """Create, change and delete rows until `is_over`."""

    def write(self, ground: Ground, book: Book, prefix: str, is_over: Callable[[], bool]) -> None:
        for number in count():
            if is_over():
                return
            self.write_type(book, f"{prefix} {number}")
            self.write_person(ground, book, f"{prefix} {number}", is_leaving=number % 3 == 0)

    def write_type(self, book: Book, name: str) -> None:
        created = self.post("service_types", json=document("service_types", name=name))
        if created.status == 201:
            pk = int(created.data["id"])
            book.types[pk] = (name, None)
            changed = self.patch(f"service_types/{pk}", json=document("service_types", description=name))
            if changed.status == 200:
                book.types[pk] = (name, name)

    def write_person(self, ground: Ground, book: Book, name: str, *, is_leaving: bool) -> None:
        created = self.post("people", json=document("people", first_name=name, last_name="Writer"))
        if created.status != 201:
            return
        pk = int(created.data["id"])
        book.people.add(pk)
        for service in ground.services[:2]:
            body = document("service_assignments", person_id=pk, service_id=service)
            assigned = self.post("service_assignments", json=body)
            if assigned.status == 201:
                book.assignments[int(assigned.data["id"])] = pk
        if is_leaving:
            book.people.discard(pk)
            response = self.delete(f"people/{pk}")
            (book.deleted if response.status == 204 else book.unsure).add(pk)


@dataclass
class Crowd:
    """Writers that run at the same time, each with its own book."""

    ground: Ground
    writers: list[Writer]
    books: list[Book]

    @property
    def outcomes(self) -> list[Attempt]:
        return [outcome for writer in self.writers for outcome in writer.outcomes]

    @property
    def statuses(self) -> Counter[int]:
        return Counter(outcome.status for outcome in self.outcomes)

    @property
    def faults(self) -> list[str]:
        return [fault for writer in self.writers for fault in writer.faults]

    def lost(self) -> list[str]:
        """Return acknowledged rows that are missing, not deleted, or have another value."""
        types = {
            pk: (name, text) for pk, name, text in self.select("id, name, description", "catalog_servicetype")
        }
        people = {pk for (pk,) in self.select("id", "accounts_person")}
        assignments = {pk for (pk,) in self.select("id", "assignments_serviceassignment")}
        found = []
        for book in self.books:
            for pk, (name, text) in book.types.items():
                there = types.get(pk)
                # A change without a response may have been committed.
                if there is None or there[0] != name or there[1] not in ({text} if text else {None, name}):
                    found.append(f"service type {pk} is {there}, not {(name, text)}")
            found += [f"person {pk} is gone" for pk in book.people - people]
            found += [f"person {pk} is back" for pk in book.deleted & people]
            found += [
                f"assignment {pk} is gone"
                for pk, person in book.assignments.items()
                if person in book.people and pk not in assignments
            ]
        return found

    def select(self, columns: str, table: str) -> Sequence[Sequence[object]]:
        return self.ground.query(f"SELECT {columns} FROM {table}")

    def report(self, findings: Findings) -> None:
        """Add the acknowledged rows, the lost ones, and broken rules."""
        lost, acknowledged = self.lost(), sum(book.acknowledged for book in self.books)
        findings.figures |= {
            "writes acknowledged": acknowledged,
            "lost": len(lost),
            "answers": format_statuses(self.statuses),
        }
        findings.promise(acknowledged > 0, "nothing was written at all")
        findings.broken += [*lost, *self.ground.broken_rules(), *self.faults]


def format_statuses(statuses: Counter[int]) -> str:
    """Return how many responses had each status."""
    names = {NO_ANSWER: "none"}
    return ", ".join(f"{number} x {names.get(status, status)}" for status, number in sorted(statuses.items()))


@contextmanager
def writing(ground: Ground, address: Address, number: int = 8) -> Iterator[Crowd]:
    """Run so many writers; all of them have stopped at the end."""
    crowd = Crowd(
        ground,
        [Writer(ground.tokens[n % 2], address=host(address)) for n in range(number)],
        [Book() for _ in range(number)],
    )
    over = Event()
    # Threads of different runs must not use the same names.
    prefix = f"Writer {time.monotonic_ns()}"
    threads = [
        Thread(target=writer.write, args=(ground, book, f"{prefix} {n}", over.is_set))
        for n, (writer, book) in enumerate(zip(crowd.writers, crowd.books, strict=True))
    ]
    for thread in threads:
        thread.start()
    try:
        yield crowd
    finally:
        over.set()
        for thread in threads:
            thread.join()
