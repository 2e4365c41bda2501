"""Clients that note every answer, and writers that keep a book of what they were told."""

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

# Instead of a status, where the connection ended without an answer.
NO_ANSWER = 0
BUSY = 503


class Outcome(NamedTuple):
    asked_at: float
    seconds: float
    status: int


@dataclass
class Client(SocketApi):
    """Notes how each request ended, and what is wrong with an answer that may never be given."""

    outcomes: list[Outcome] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)

    def send(self, method: str, path: str, body: bytes, headers: dict[str, str]) -> Answer:
        """One without a status where there was no answer."""
        asked_at = time.monotonic()
        try:
            answer = super().send(method, path, body, headers)
        except (OSError, HTTPException):
            answer = Answer(NO_ANSWER, {}, b"")
        self.outcomes.append(Outcome(asked_at, time.monotonic() - asked_at, answer.status))
        if path.startswith("/api/") and (complaint := judged(answer)):
            self.faults.append(f"{method} {path}: {complaint}")
        return answer

    @property
    def statuses(self) -> Counter[int]:
        return Counter(outcome.status for outcome in self.outcomes)

    @property
    def longest(self) -> float:
        return max((outcome.seconds for outcome in self.outcomes), default=0)


def judged(answer: Answer) -> str:
    """What is wrong with it, whatever was asked."""
    if answer.status in (NO_ANSWER, 204):
        return ""
    if answer.status >= 500 and answer.status != BUSY:
        return f"{answer.status} {answer.body[:200]!r}"
    if answer.headers.get("Content-Type") != CONTENT_TYPE:
        return f"{answer.status} as {answer.headers.get('Content-Type')}"
    if answer.status == BUSY and not answer.headers.get("Retry-After", "").isdigit():
        return "503 that doesn't say when to try again"
    return ""


def host(address: Address) -> str:
    return f"{address[0]}:{address[1]}"


def client_of(ground: Ground, address: Address) -> Client:
    return Client(ground.tokens[0], address=host(address))


def document(kind: str, **attributes: object) -> dict[str, object]:
    return {"data": {"type": kind, "attributes": attributes}}


@dataclass
class Book:
    """What was acknowledged, by one writer: nobody else touches its rows."""

    # id of a service type: its name, and the description that was acknowledged last, if any
    types: dict[int, tuple[str, str | None]] = field(default_factory=dict)
    people: set[int] = field(default_factory=set)
    deleted: set[int] = field(default_factory=set)
    unsure: set[int] = field(default_factory=set)
    # id of an assignment: the person's
    assignments: dict[int, int] = field(default_factory=dict)

    @property
    def acknowledged(self) -> int:
        described = sum(description is not None for _, description in self.types.values())
        people = len(self.people) + len(self.deleted) + len(self.unsure)
        return len(self.types) + described + people + len(self.deleted) + len(self.assignments)


class Writer(Client):
    """Makes, changes and deletes rows of its own until it is told to stop."""

    def write(self, ground: Ground, book: Book, prefix: str, is_over: Callable[[], bool]) -> None:
        for number in count():
            if is_over():
                return
            self.write_type(book, f"{prefix} {number}")
            self.write_person(ground, book, f"{prefix} {number}", is_leaving=number % 3 == 0)

    def write_type(self, book: Book, name: str) -> None:
        made = self.post("service_types", json=document("service_types", name=name))
        if made.status == 201:
            pk = int(made.data["id"])
            book.types[pk] = (name, None)
            changed = self.patch(f"service_types/{pk}", json=document("service_types", description=name))
            if changed.status == 200:
                book.types[pk] = (name, name)

    def write_person(self, ground: Ground, book: Book, name: str, *, is_leaving: bool) -> None:
        made = self.post("people", json=document("people", first_name=name, last_name="Writer"))
        if made.status != 201:
            return
        pk = int(made.data["id"])
        book.people.add(pk)
        for service in ground.services[:2]:
            body = document("service_assignments", person_id=pk, service_id=service)
            assigned = self.post("service_assignments", json=body)
            if assigned.status == 201:
                book.assignments[int(assigned.data["id"])] = pk
        if is_leaving:
            book.people.discard(pk)
            gone = self.delete(f"people/{pk}")
            (book.deleted if gone.status == 204 else book.unsure).add(pk)


@dataclass
class Crowd:
    """Writers at work, each with a book of its own."""

    ground: Ground
    writers: list[Writer]
    books: list[Book]

    @property
    def outcomes(self) -> list[Outcome]:
        return [outcome for writer in self.writers for outcome in writer.outcomes]

    @property
    def statuses(self) -> Counter[int]:
        return Counter(outcome.status for outcome in self.outcomes)

    @property
    def faults(self) -> list[str]:
        return [fault for writer in self.writers for fault in writer.faults]

    def lost(self) -> list[str]:
        """What was acknowledged and isn't so: each must be there, deleted, or of the value that was told."""
        types = {
            pk: (name, text) for pk, name, text in self.ask("id, name, description", "catalog_servicetype")
        }
        people = {pk for (pk,) in self.ask("id", "accounts_person")}
        assignments = {pk for (pk,) in self.ask("id", "assignments_serviceassignment")}
        found = []
        for book in self.books:
            for pk, (name, text) in book.types.items():
                there = types.get(pk)
                # A change that wasn't acknowledged may have been made all the same.
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

    def ask(self, columns: str, table: str) -> Sequence[Sequence[object]]:
        return self.ground.query(f"SELECT {columns} FROM {table}")

    def report(self, findings: Findings) -> None:
        """Add what it was told, what of that is lost, and which rules of the data are broken."""
        lost, acknowledged = self.lost(), sum(book.acknowledged for book in self.books)
        findings.figures |= {
            "writes acknowledged": acknowledged,
            "lost": len(lost),
            "answers": told(self.statuses),
        }
        findings.promise(acknowledged > 0, "nothing was written at all")
        findings.broken += [*lost, *self.ground.broken_rules(), *self.faults]


def told(statuses: Counter[int]) -> str:
    """How many answers there were of each status."""
    names = {NO_ANSWER: "none"}
    return ", ".join(f"{number} x {names.get(status, status)}" for status, number in sorted(statuses.items()))


@contextmanager
def writing(ground: Ground, address: Address, number: int = 8) -> Iterator[Crowd]:
    """Within it, so many write; all of them have stopped when it ends."""
    crowd = Crowd(
        ground,
        [Writer(ground.tokens[n % 2], address=host(address)) for n in range(number)],
        [Book() for _ in range(number)],
    )
    over = Event()
    # The threads of one run after another must not meet in a name.
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
