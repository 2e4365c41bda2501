"""All stores count alike: what one of them says, the others say of the same requests."""

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

from productive.limits.rates import Rate, rate
from productive.limits.stores import FileStore, PostgreSQLStore, Store, store_for
from productive.limits.windows import Limit, Window, count_each

pytestmark = [pytest.mark.django_db, pytest.mark.each_database]

NOW = 1_790_000_000.0


@pytest.fixture
def file(tmp_path: Path) -> Iterator[FileStore]:
    store = FileStore(tmp_path / "limits.sqlite3")
    yield store
    store.disconnect()


@pytest.fixture
def database() -> PostgreSQLStore:
    if connection.vendor != "postgresql":
        pytest.skip("needs PostgreSQL: set DATABASE_URL")
    return PostgreSQLStore()


def own(text: str, *, holds: bool = False) -> Limit:
    """A limit by a key that nobody else has."""
    found = rate("TEST", text)
    assert found is not None
    return Limit(uuid4().hex, found, holds)


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
def test_rate_is_read_as_it_is_written(text: str, expected: Rate | None) -> None:
    assert rate("TEST", text) == expected


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
def test_what_is_no_rate_is_refused_by_the_settings_name(text: str) -> None:
    with pytest.raises(ImproperlyConfigured, match=r"^TEST must be a number of requests and a time"):
        rate("TEST", text)


@pytest.mark.parametrize("name", ["file", "database"])
def test_each_request_is_counted_until_the_limit_and_one_beyond(
    name: str, request: pytest.FixtureRequest
) -> None:
    store: Store = request.getfixturevalue(name)
    narrow, wide = own("2/10s"), own("100/30min")
    counted = [[window.number for window in store.count([narrow, wide], NOW)] for _ in range(4)]
    assert counted == [[1, 1], [2, 2], [3], [4]]
    (narrow_window, wide_window) = (store.count([limit], NOW + 1)[0] for limit in (narrow, wide))
    assert (narrow_window.number, wide_window.number) == (5, 3)
    assert [narrow_window.ends_at, wide_window.ends_at] == pytest.approx([NOW + 10, NOW + 1800], abs=1.1)


@pytest.mark.parametrize("name", ["file", "database"])
def test_stores_agree_on_any_requests(name: str, request: pytest.FixtureRequest) -> None:
    """Whatever the clock does: it may stand still, go on, or be set back."""
    store: Store = request.getfixturevalue(name)
    for seed in range(20):
        chance = random.Random(seed)
        limits = [own("3/10s", holds=bool(seed % 2)), own("5/1min"), own("8/2min", holds=True)]
        now, windows = NOW, dict[str, Window]()
        for _ in range(40):
            now += chance.choice([0, 0, 0.25, 1, 4.75, 10, 30, 121, -1, -25, -3600])
            asked = chance.sample(limits, chance.randint(1, 3))
            assert store.count(asked, now) == count_each(asked, now, windows), (seed, now)


@pytest.mark.parametrize("name", ["file", "database"])
def test_what_has_ended_is_forgotten(name: str, request: pytest.FixtureRequest) -> None:
    store: Any = request.getfixturevalue(name)
    ended, lasting = own("5/10s"), own("5/1min")
    store.count([ended, lasting], NOW)
    before = kept(store)
    store.forget(NOW + 10)
    assert before - kept(store) == {ended.key}
    assert store.count([lasting], NOW + 10)[0].number == 2


def kept(store: Any) -> set[str]:
    if isinstance(store, FileStore):
        with store.transaction() as file:
            return {key for (key,) in file.execute("SELECT key FROM windows")}
    with connection.cursor() as cursor:
        cursor.execute("SELECT key FROM accounts_rate_window")
        return {key for (key,) in cursor.fetchall()}


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("name", ["file", "database"])
def test_no_two_requests_are_told_the_same_number(name: str, request: pytest.FixtureRequest) -> None:
    """While those of other tokens are counted for the same organization, and what has ended is removed."""
    store: Store = request.getfixturevalue(name)
    tokens, organization = [own("1000/1h") for _ in range(4)], own("1000/2h")

    def count(n: int) -> list[list[int]]:
        token = tokens[n % 4]
        try:
            told = [[window.number for window in store.count([token, organization], NOW)] for _ in range(20)]
            store.forget(NOW)
            return told
        finally:
            connection.close()

    with ThreadPoolExecutor(8) as pool:
        each = list(pool.map(count, range(8)))
    assert sorted(both[1] for told in each for both in told) == list(range(1, 161))
    for n in range(4):
        assert sorted(both[0] for told in each[n::4] for both in told) == list(range(1, 41))


def test_file_can_be_made_by_several_at_once(tmp_path: Path) -> None:
    limit = own("100/1h")
    for turn in range(10):
        stores = [FileStore(tmp_path / f"{turn}.sqlite3") for _ in range(4)]
        with ThreadPoolExecutor(4) as pool:
            counted = list(pool.map(lambda store: store.count([limit], NOW)[0].number, stores))
        for store in stores:
            store.disconnect()
        assert sorted(counted) == [1, 2, 3, 4]


def test_file_that_somebody_holds_is_not_waited_for_long(
    file: FileStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    limit = own("100/1h")
    with closing(sqlite3.connect(file.path, isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        monkeypatch.setattr(FileStore, "TIMEOUT", 0.05)
        with pytest.raises(sqlite3.OperationalError, match="locked"):
            file.count([limit], NOW)
        # Meanwhile, for another thread.
        with file.lock, pytest.raises(TimeoutError):
            file.count([limit], NOW)
        other.execute("ROLLBACK")
    assert (issubclass(TimeoutError, file.errors), file.connection) == (True, None)
    assert file.count([limit], NOW)[0].number == 1


def test_database_has_its_store() -> None:
    store: Any = store_for({"ENGINE": "django.db.backends.sqlite3", "NAME": "/srv/var/productive.sqlite3"})
    assert store.path == Path("/srv/var/productive-limits.sqlite3")
    assert type(store_for({"ENGINE": "django.db.backends.postgresql", "NAME": "any"})) is PostgreSQLStore
