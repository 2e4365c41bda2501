"""Test that both stores count by the same rule."""

from __future__ import annotations

import random
import sqlite3
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.db import connection

from productive.limits.rates import Rate, parse_rate
from productive.limits.stores import FileStore, PostgreSQLStore, Store, store_for
from productive.limits.windows import Limit, Window, count_request

pytestmark = [pytest.mark.django_db, pytest.mark.each_database]

NOW = 1_790_000_000.0


@pytest.fixture
def file(tmp_path: Path) -> Iterator[FileStore]:
    store = FileStore(tmp_path / "limits.sqlite3")
    yield store
    store.close()


@pytest.fixture
def database() -> PostgreSQLStore:
    if connection.vendor != "postgresql":
        pytest.skip("needs PostgreSQL: set DATABASE_URL")
    return PostgreSQLStore()


def new_limit(text: str, *, lockout: bool = False) -> Limit:
    """Return a limit with a unique key."""
    rate = parse_rate("TEST", text)
    assert rate is not None
    return Limit(uuid4().hex, rate, lockout)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("100/10s", Rate(100, 10)),
        ("4000/30min", Rate(4000, 1800)),
        ("5/h", Rate(5, 3600)),
        (" 7/2H ", Rate(7, 7200)),
        ("", None),
        ("off", None),
        ("OFF", None),
    ],
)
def test_rate_is_parsed(text: str, expected: Rate | None) -> None:
    assert parse_rate("TEST", text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "0/10s",
        "-1/10s",
        "10",
        "10/",
        "10/0s",
        "10/s10",
        "10/10",
        "10/10d",
        "1e2/1s",
        "\u0661/1s",
        "no",
        "1/1s\n1",
    ],
)
def test_invalid_rate_names_its_setting(text: str) -> None:
    with pytest.raises(ImproperlyConfigured, match=r"^TEST must be a number of requests and a time"):
        parse_rate("TEST", text)


@pytest.mark.parametrize("name", ["file", "database"])
def test_request_is_counted_up_to_the_first_limit_that_it_exceeds(
    name: str, request: pytest.FixtureRequest
) -> None:
    store: Store = request.getfixturevalue(name)
    narrow, wide = new_limit("2/10s"), new_limit("100/30min")
    counted = [[window.number for window in store.count([narrow, wide], NOW)] for _ in range(4)]
    assert counted == [[1, 1], [2, 2], [3], [4]]
    (narrow_window, wide_window) = (store.count([limit], NOW + 1)[0] for limit in (narrow, wide))
    assert (narrow_window.number, wide_window.number) == (5, 3)
    assert [narrow_window.ends_at, wide_window.ends_at] == pytest.approx([NOW + 10, NOW + 1800], abs=1.1)


@pytest.mark.parametrize("name", ["file", "database"])
def test_store_counts_by_the_rule(name: str, request: pytest.FixtureRequest) -> None:
    """The clock may stop, advance, or be set back."""
    store: Store = request.getfixturevalue(name)
    for seed in range(20):
        chance = random.Random(seed)
        limits = [
            new_limit("3/10s", lockout=bool(seed % 2)),
            new_limit("5/1min"),
            new_limit("8/2min", lockout=True),
        ]
        now, windows = NOW, dict[str, Window]()
        for _ in range(40):
            now += chance.choice([0, 0, 0.25, 1, 4.75, 10, 30, 121, -1, -25, -3600])
            sample = chance.sample(limits, chance.randint(1, 3))
            assert store.count(sample, now) == count_request(sample, now, windows), (seed, now)


@pytest.mark.parametrize("name", ["file", "database"])
def test_request_can_be_uncounted_until_its_window_ends(name: str, request: pytest.FixtureRequest) -> None:
    store: Store = request.getfixturevalue(name)
    limit = new_limit("2/10s")
    store.uncount(limit, NOW)
    for _ in range(3):
        store.count([limit], NOW)
        store.uncount(limit, NOW + 9)
        store.uncount(limit, NOW + 9)
    assert store.count([limit], NOW) == [Window(1, NOW + 10)]
    store.uncount(limit, NOW + 10)
    assert store.count([limit], NOW) == [Window(2, NOW + 10)]


@pytest.mark.parametrize("name", ["file", "database"])
def test_ended_windows_are_purged(name: str, request: pytest.FixtureRequest) -> None:
    store: Any = request.getfixturevalue(name)
    ended, current = new_limit("5/10s"), new_limit("5/1min")
    store.count([ended, current], NOW)
    before = stored_keys(store)
    store.purge(NOW + 10)
    assert before - stored_keys(store) == {ended.key}
    assert store.count([current], NOW + 10)[0].number == 2


def stored_keys(store: Any) -> set[str]:
    if isinstance(store, FileStore):
        with store.transaction() as file:
            return {key for (key,) in file.execute("SELECT key FROM windows")}
    with connection.cursor() as cursor:
        cursor.execute("SELECT key FROM accounts_rate_window")
        return {key for (key,) in cursor.fetchall()}


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("name", ["file", "database"])
def test_concurrent_requests_get_different_numbers(name: str, request: pytest.FixtureRequest) -> None:
    """Ended windows are purged at the same time."""
    store: Store = request.getfixturevalue(name)
    tokens, organization = [new_limit("1000/1h") for _ in range(4)], new_limit("1000/2h")

    def count(n: int) -> list[list[int]]:
        token = tokens[n % 4]
        try:
            numbers = [
                [window.number for window in store.count([token, organization], NOW)] for _ in range(20)
            ]
            store.purge(NOW)
            return numbers
        finally:
            connection.close()

    with ThreadPoolExecutor(8) as pool:
        each = list(pool.map(count, range(8)))
    assert sorted(both[1] for numbers in each for both in numbers) == list(range(1, 161))
    for n in range(4):
        assert sorted(both[0] for numbers in each[n::4] for both in numbers) == list(range(1, 41))


def test_file_can_be_created_concurrently(tmp_path: Path) -> None:
    limit = new_limit("100/1h")
    for attempt in range(10):
        stores = [FileStore(tmp_path / f"{attempt}.sqlite3") for _ in range(4)]
        with ThreadPoolExecutor(4) as pool:
            counted = list(pool.map(lambda store: store.count([limit], NOW)[0].number, stores))
        for store in stores:
            store.close()
        assert sorted(counted) == [1, 2, 3, 4]


def test_count_waits_briefly_for_a_locked_file(file: FileStore, monkeypatch: pytest.MonkeyPatch) -> None:
    limit = new_limit("100/1h")
    with closing(sqlite3.connect(file.path, isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        monkeypatch.setattr(FileStore, "TIMEOUT", 0.05)
        with pytest.raises(sqlite3.OperationalError, match="locked"):
            file.count([limit], NOW)
        # A lock of another thread of this process.
        with file.lock, pytest.raises(TimeoutError):
            file.count([limit], NOW)
        other.execute("ROLLBACK")
    assert (issubclass(TimeoutError, file.errors), file.connection) == (True, None)
    assert file.count([limit], NOW)[0].number == 1


def test_store_is_chosen_by_the_database() -> None:
    store: Any = store_for({"ENGINE": "django.db.backends.sqlite3", "NAME": "/srv/var/productive.sqlite3"})
    assert store.path == Path("/srv/var/productive-limits.sqlite3")
    assert type(store_for({"ENGINE": "django.db.backends.postgresql", "NAME": "any"})) is PostgreSQLStore
