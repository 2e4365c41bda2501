"""Test the limit of failed sign-ins from a network, and that sign-ins wait for their turn."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from random import randrange
from typing import Any

import pytest
from axes.models import AccessAttempt
from django.contrib.auth import hashers
from django.db import connection, connections
from django.test import override_settings

from productive.accounts import sign_in as sign_in_module
from productive.accounts.models import User
from productive.limits.limiter import Limiter
from productive.limits.rates import Rate
from productive.limits.stores import FileStore, PostgreSQLStore, Store
from tests.support.servers import wait_until
from tests.support.sign_in import fail_sign_ins, make_user, sign_in

pytestmark = [pytest.mark.django_db, pytest.mark.any_database]

RATE = Rate(6, 600)
TOO_MANY = "Too many sign-ins from your network have failed, or many users are signing in now. Wait {}, then"


@pytest.fixture
def ana() -> User:
    return make_user("ana")


@pytest.fixture
def limit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, settings: Any) -> Iterator[None]:
    store: Store = FileStore(tmp_path / "limits.sqlite3")
    if connection.vendor == "postgresql":
        store = PostgreSQLStore()
    limiter = Limiter(store)
    monkeypatch.setattr(sign_in_module, "get_limiter", lambda: limiter)
    settings.RATE_LIMIT_SIGN_IN = RATE
    yield
    if isinstance(store, FileStore):
        store.close()


@pytest.fixture
def hashed(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Return the passwords that were hashed."""
    hashed = []

    class Hasher(hashers.MD5PasswordHasher):
        def encode(self, password: str, salt: str) -> str:
            hashed.append(password)
            return super().encode(password, salt)

    monkeypatch.setattr(hashers, "get_hashers", lambda: [Hasher()])
    return hashed


def spray(times: int, **extra: Any) -> list[int]:
    """Send one password for a new user name each time."""
    return [sign_in(f"name{n}", "wrong", **extra).status_code for n in range(times)]


def test_network_is_limited_before_its_password_is_hashed(ana: User, limit: None, hashed: list[str]) -> None:
    assert spray(6) == [200] * 6
    del hashed[:]
    rejected = sign_in("new", "wrong")
    assert rejected.status_code == 429
    # Since the first of the six sign-ins.
    assert 540 < int(rejected.headers["Retry-After"]) <= 600
    assert "no-store" in rejected.headers["Cache-Control"]
    assert TOO_MANY.format("10 minutes") in rejected.content.decode()
    # Also with the right password.
    assert sign_in().status_code == 429
    assert hashed == []
    # A rejected sign-in is not a failure of the user name.
    assert not AccessAttempt.objects.filter(username__in=["new", "ana"]).exists()
    assert sign_in(REMOTE_ADDR="192.0.2.7").status_code == 302


def test_success_is_not_counted(ana: User, limit: None) -> None:
    assert [sign_in().status_code for _ in range(8)] == [302] * 8
    assert spray(5) == [200] * 5
    assert [sign_in().status_code for _ in range(3)] == [302] * 3
    assert spray(2) == [200, 429]


@pytest.mark.parametrize("reason", ["locked", "inactive", "not staff"])
def test_every_failure_is_counted(ana: User, limit: None, reason: str) -> None:
    User.objects.update(is_active=reason != "inactive", is_staff=reason != "not staff")
    statuses = fail_sign_ins(7) if reason == "locked" else [sign_in().status_code for _ in range(7)]
    assert statuses[-1] == 429
    assert spray(1, HTTP_USER_AGENT="another") == [429]


def test_form_without_a_password_is_not_counted(limit: None, hashed: list[str]) -> None:
    assert [sign_in(password="").status_code for _ in range(8)] == [200] * 8
    assert [sign_in("\x00").status_code for _ in range(8)] == [200] * 8
    assert hashed == []
    assert spray(7) == [200] * 6 + [429]


@override_settings(TRUST_PROXY=True)
def test_network_is_the_64_of_an_ipv6_address(limit: None) -> None:
    addresses = [f"198.51.100.1, 2001:db8:1:2::{n:x}" for n in range(7)]
    statuses = [spray(1, HTTP_X_FORWARDED_FOR=address)[0] for address in addresses]
    assert statuses == [200] * 6 + [429]
    assert spray(1, HTTP_X_FORWARDED_FOR="2001:db8:1:3::1") == [200]


@pytest.mark.django_db(transaction=True)
def test_concurrent_sign_ins_do_not_exceed_the_limit(limit: None, hashed: list[str]) -> None:
    # Counts are kept after the test, so use an address that no other test uses.
    address = f"10.{randrange(256)}.{randrange(256)}.{randrange(256)}"

    def attempt(number: int) -> int:
        try:
            return sign_in(f"name{number}", "wrong", REMOTE_ADDR=address).status_code
        finally:
            connections.close_all()

    with ThreadPoolExecutor(12) as pool:
        statuses = [*pool.map(attempt, range(36))]
    assert {*statuses} <= {200, 429}
    assert statuses.count(200) == len(hashed) <= RATE.limit
    assert spray(8, REMOTE_ADDR=address)[-1] == 429
    assert len(hashed) == RATE.limit


@pytest.fixture
def take_turn() -> Iterator[Callable[[], None]]:
    """Return a function that ends a hash which another sign-in seems to compute."""
    sign_in_module.hashing.acquire()
    with ExitStack() as stack:
        stack.callback(sign_in_module.hashing.release)
        yield lambda: stack.pop_all().close()


def is_full() -> bool:
    if not sign_in_module.places.acquire(blocking=False):
        return True
    sign_in_module.places.release()
    return False


@pytest.mark.django_db(transaction=True)
def test_office_that_signs_in_at_once_waits_for_its_turn(
    limit: None, settings: Any, take_turn: Callable[[], None]
) -> None:
    """One more, who finds no place, is rejected at once."""
    settings.RATE_LIMIT_SIGN_IN = Rate(10, 600)
    names = [make_user(f"user{n}").username for n in range(10)]
    address = f"10.{randrange(256)}.{randrange(256)}.{randrange(256)}"

    def attempt(name: str) -> int:
        try:
            return sign_in(name, REMOTE_ADDR=address).status_code
        finally:
            connections.close_all()

    with ThreadPoolExecutor(10) as pool:
        signed_in = [pool.submit(attempt, name) for name in names]
        wait_until(is_full)
        rejected = sign_in("another", REMOTE_ADDR=address)
        wait_until(lambda: connections_in_use() <= 1)
        take_turn()
        assert [future.result() for future in signed_in] == [302] * 10
    assert (rejected.status_code, rejected.headers["Retry-After"]) == (429, "1")
    assert TOO_MANY.format("a moment") in rejected.content.decode()
    # Neither is counted.
    settings.RATE_LIMIT_SIGN_IN = Rate(1, 600)
    assert spray(2, REMOTE_ADDR=address) == [200, 429]


def connections_in_use() -> int:
    """Return the number of the pool's connections that threads of this process use."""
    pool = getattr(connection, "pool", None)
    return 0 if pool is None else pool.get_stats()["pool_size"] - pool.get_stats()["pool_available"]


@pytest.mark.usefixtures("take_turn")
def test_sign_in_is_rejected_after_the_longest_wait(
    ana: User, limit: None, hashed: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sign_in_module, "MAX_WAIT_SECONDS", 0.001)
    for _ in range(RATE.limit + 1):
        rejected = sign_in(password="wrong")
        assert (rejected.status_code, rejected.headers["Retry-After"], hashed) == (429, "1", [])
    assert not AccessAttempt.objects.exists()
    assert not is_full()


def test_connection_without_an_address_is_counted(ana: User) -> None:
    assert fail_sign_ins(6, REMOTE_ADDR="") == [200, 200, 200, 200, 429, 429]
