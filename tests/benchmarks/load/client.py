"""Drive keep-alive connections in one thread: each sends a request after each response."""

from __future__ import annotations

import re
import selectors
import socket
from collections.abc import Callable
from dataclasses import dataclass
from time import perf_counter
from typing import NamedTuple

# Seconds that a response may take; longer than the server's own limits.
LONGEST = 30.0
# Then a new connection, as proxies do, so that the load stays spread over the workers.
ANSWERS_PER_CONNECTION = 500
CONTENT_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)\r\n", re.IGNORECASE)
LAST_ANSWER = re.compile(rb"\r\nconnection: *close\r\n", re.IGNORECASE)

Address = tuple[str, int]
_buffer = memoryview(bytearray(1 << 20))


class RawResponse(NamedTuple):
    status: int
    head: bytes
    body: bytes


class Request(NamedTuple):
    """The bytes to send, and `judge`, which returns what is wrong with the response, or an empty string."""

    kind: str
    wire: bytes
    judge: Callable[[RawResponse], str]


@dataclass(slots=True)
class Outcome:
    """A request that has ended. Times are of `perf_counter`; without errors the complaint is empty."""

    request: Request
    sent_at: float
    ended_at: float
    complaint: str
    answer: RawResponse | None = None


class InvalidResponseError(Exception):
    """The response is incomplete or invalid."""


class Connection:
    """A keep-alive connection with one request in flight at a time."""

    def __init__(self, address: Address, answers_left: int = ANSWERS_PER_CONNECTION) -> None:
        self.socket = socket.create_connection(address, LONGEST)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.answers_left = answers_left
        self.request: Request
        self.sent_at = 0.0
        self.received = bytearray()

    def send(self, request: Request) -> None:
        self.request, self.sent_at = request, perf_counter()
        self.received = bytearray()
        self.socket.sendall(request.wire)

    def receive(self) -> RawResponse | None:
        """Return the response once it is complete. Raise InvalidResponseError if it can't be completed."""
        count = self.socket.recv_into(_buffer)
        if not count:
            raise InvalidResponseError(f"the connection was closed after {len(self.received)} bytes")
        self.received += _buffer[:count]
        end = self.received.find(b"\r\n\r\n") + 4
        if end < 4:
            return None
        head = bytes(self.received[: end - 2])
        if not head.startswith(b"HTTP/1.1 ") or not head[9:12].isdigit():
            raise InvalidResponseError("no answer in HTTP")
        status = int(head[9:12])
        length = CONTENT_LENGTH.search(head)
        if length is None and status != 204:
            raise InvalidResponseError(f"status {status} without a Content-Length")
        missing = end + (int(length[1]) if length else 0) - len(self.received)
        if missing > 0:
            return None
        if missing < 0:
            raise InvalidResponseError(f"{-missing} bytes more than the Content-Length says")
        self.answers_left = 0 if LAST_ANSWER.search(head) else self.answers_left - 1
        return RawResponse(status, head, bytes(self.received[end:]))


class Load:
    """A closed loop: each connection sends its next request as soon as it has its response.

    `next_request` returns it; `take` is called with every outcome, `every_second` with the time.
    """

    def __init__(
        self,
        address: Address,
        next_request: Callable[[], Request],
        take: Callable[[Outcome], None],
        every_second: Callable[[float], None] = lambda now: None,
    ) -> None:
        self.address, self.next_request, self.take = address, next_request, take
        self.every_second = every_second
        self.selector = selectors.DefaultSelector()

    def run(self, connections: int, seconds: float) -> None:
        """Send for so many seconds, then wait for the responses in flight.

        Raise OSError if the server can't be reached at all.
        """
        end = perf_counter() + seconds
        tick = 0.0
        try:
            for number in range(connections):
                # Different numbers, so that they aren't all renewed at once.
                self.open(ANSWERS_PER_CONNECTION * (number + 1) // connections)
            while self.selector.get_map():
                now = perf_counter()
                if now >= tick:
                    tick = now + 1
                    self.close_overdue(end)
                    if now < end:
                        self.every_second(now)
                for key, _ in self.selector.select(0.2):
                    self.receive(key.data, end)
            self.every_second(perf_counter())
        finally:
            for key in list(self.selector.get_map().values()):
                key.data.socket.close()
            self.selector.close()

    def open(self, answers_left: int = ANSWERS_PER_CONNECTION) -> None:
        connection = Connection(self.address, answers_left)
        self.selector.register(connection.socket, selectors.EVENT_READ, connection)
        connection.send(self.next_request())

    def receive(self, connection: Connection, end: float) -> None:
        try:
            answer = connection.receive()
        except (InvalidResponseError, OSError) as error:
            self.fail(connection, str(error), end)
            return
        if answer is None:
            return
        now, request = perf_counter(), connection.request
        try:
            complaint = request.judge(answer)
        except (ValueError, TypeError, LookupError) as error:
            complaint = f"can't be read: {error!r}"
        self.take(Outcome(request, connection.sent_at, now, complaint, answer))
        if now >= end or connection.answers_left <= 0:
            self.close(connection, end)
            return
        try:
            connection.send(self.next_request())
        except OSError as error:
            self.fail(connection, str(error), end)

    def fail(self, connection: Connection, complaint: str, end: float) -> None:
        self.take(Outcome(connection.request, connection.sent_at, perf_counter(), complaint))
        self.close(connection, end)

    def close(self, connection: Connection, end: float) -> None:
        """Close the connection; open another while there is time left."""
        self.selector.unregister(connection.socket)
        connection.socket.close()
        if perf_counter() < end:
            self.open()

    def close_overdue(self, end: float) -> None:
        due = perf_counter() - LONGEST
        for key in list(self.selector.get_map().values()):
            if key.data.sent_at < due:
                self.fail(key.data, f"no whole answer within {LONGEST:g} seconds", end)
