"""Check that wrong responses are recognized, and that figures are computed right."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Thread

import pytest

from tests.benchmarks.load import client
from tests.benchmarks.load.client import Address, Load, Outcome, RawResponse, Request
from tests.benchmarks.load.figures import MOST_ERRORS, Memory, Row, Sample, Tally, TooManyErrorsError
from tests.benchmarks.load.judgement import PARSED, PageJudge
from tests.benchmarks.load.scratch import scratch_database

pytestmark = pytest.mark.any_database

OWNER = b'{"type":"organizations","id":"7"'
ROW = b'{"data":[{"id":"1","organization":{"data":%s}}}]}'


@contextmanager
def answering(raw: bytes) -> Iterator[Address]:
    """Serve one client: send it these bytes after its request, and close the connection."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()

        def serve() -> None:
            connection, _ = listener.accept()
            with connection:
                connection.recv(10_000)
                connection.sendall(raw)
                if not raw:
                    connection.recv(1)

        thread = Thread(target=serve)
        thread.start()
        try:
            yield listener.getsockname()
        finally:
            thread.join(10)


def outcome_of(raw: bytes, judge: Callable[[RawResponse], str]) -> Outcome:
    outcomes: list[Outcome] = []
    request = Request("any", b"GET / HTTP/1.1\r\n\r\n", judge)
    with answering(raw) as address:
        Load(address, lambda: request, outcomes.append).run(connections=1, seconds=0)
    [outcome] = outcomes
    return outcome


def answer(body: bytes, *, status: int = 200, length: int | None = None) -> bytes:
    length = len(body) if length is None else length
    return b"HTTP/1.1 %d Any\r\nContent-Length: %d\r\n\r\n%s" % (status, length, body)


@pytest.mark.parametrize(
    ("raw", "complaint"),
    [
        (answer(ROW % OWNER), ""),
        (answer(b'{"data":[]}'), ""),
        (answer(ROW % OWNER, status=503), "status 503, not 200"),
        (answer(ROW % OWNER.replace(b"7", b"70")), "says that it is of another organization, or of none"),
        (answer(ROW % b"{}"), "says that it is of another organization, or of none"),
        (answer(b'{"errors":[]}'), "no document"),
        (answer(b'{"data":[]'), "no document"),
        (answer(b'{"data":[]}', length=12), "the connection was closed after 51 bytes"),
        (answer(b'{"data":[]}', length=9), "2 bytes more than the Content-Length says"),
        (b"HTTP/1.1 200 OK\r\n\r\n", "status 200 without a Content-Length"),
        (b"SSH-2.0-OpenSSH\r\n\r\n", "no answer in HTTP"),
    ],
)
def test_judge_reports_invalid_page(raw: bytes, complaint: str) -> None:
    assert outcome_of(raw, PageJudge(7, [])).complaint == complaint


def test_judge_parses_every_fifth_page() -> None:
    judge = PageJudge(7, [])
    complaints = [outcome_of(answer(b'{"data":[],}'), judge).complaint for _ in range(PARSED)]
    assert complaints[:-1] == [""] * (PARSED - 1)
    assert complaints[-1].startswith("can't be read: JSONDecodeError")


def test_missing_response_times_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client, "LONGEST", 0.3)
    assert outcome_of(b"", lambda answer: "").complaint == "no whole answer within 0.3 seconds"


@pytest.mark.parametrize(
    ("ids", "total", "complaint"),
    [
        ("12", 32, ""),
        ("1", 32, "1 different rows of 1 on a page of 2"),
        ("11", 32, "1 different rows of 2 on a page of 2"),
        ("", 30, ""),
        ("8", 31, "shows people 8 of another organization"),
    ],
)
def test_judge_reports_wrong_page_length(ids: str, total: int, complaint: str) -> None:
    document = {
        "data": [{"type": "people", "id": pk} for pk in ids],
        "meta": {"current_page": 2, "page_size": 30, "total_count": total},
    }
    assert PageJudge(7, [{"services": {1, 2}}, {"people": {8}}]).judge_document(document) == complaint


@pytest.mark.parametrize(
    ("pk", "included", "complaint"),
    [
        ("1", "2", ""),
        ("8", "2", "shows people 8 of another organization"),
        ("1", "9", "shows projects 9 of another organization"),
    ],
)
def test_judge_reports_resource_of_another_organization(pk: str, included: str, complaint: str) -> None:
    document = {
        "data": {"type": "people", "id": pk},
        "included": [{"type": "projects", "id": included}],
        "meta": {},
    }
    assert PageJudge(7, [{"people": {8}, "projects": {1, 9}}]).judge_document(document) == complaint


def test_tally_counts_outcomes_within_its_period_and_every_error() -> None:
    tally = Tally(["any"], begin=10, end=20)
    request = Request("any", b"GET /api HTTP/1.1\r\nX-Auth-Token: secret\r\n\r\n{}", lambda answer: "")
    for number in range(1, 101):
        tally.take(Outcome(request, 11, 11 + number / 1000, ""))
    for moment in (9.9, 20.0):
        tally.take(Outcome(request, 5, moment, ""))
    tally.take(Outcome(request, 5, 9.9, "wrong", RawResponse(200, b"", b"text")))
    row = tally.rows()["all"]
    assert tuple(round(value, 6) for value in row) == Row(100, 10, 50, 95, 99, 100, 1)
    assert tally.errors == ["GET /api {}: wrong. text"]
    with pytest.raises(TooManyErrorsError):
        for _ in range(MOST_ERRORS - 1):
            tally.take(Outcome(request, 5, 9.9, "wrong"))


@pytest.mark.parametrize(
    ("last", "count", "requests", "verdict"),
    [
        (100, 60, 9000, "flat"),
        (104, 60, 9000, "flat"),
        (106, 60, 9000, "NOT FLAT"),
        (106, 30, 9000, "too short or too slow a run to tell"),
        (106, 60, 900, "too short or too slow a run to tell"),
    ],
)
def test_memory_is_flat_if_last_quarter_equals_second(
    last: int, count: int, requests: int, verdict: str
) -> None:
    """Ignore the growth at the start and single outliers."""
    quarter = count // 4
    sums = [50] * quarter + [100] * 2 * quarter + [last] * (quarter - 1) + [500]
    samples = [Sample(0, 0, 0, 0, {1: size - 20, 2: 20}) for size in sums]
    assert Memory.of(samples, requests).verdict == verdict


@pytest.mark.parametrize(
    "url",
    [
        "postgres://user@db.example.com/name",
        "postgres://user@127.0.0.1,db.example.com/name",
        "postgres://user@localhost/name?hostaddr=192.0.2.1",
        "postgres:///name",
    ],
)
def test_database_on_another_machine_is_rejected(url: str) -> None:
    with pytest.raises(ValueError, match="of this machine only"), scratch_database(url):
        pass
