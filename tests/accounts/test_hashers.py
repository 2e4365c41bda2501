"""Test that passwords are hashed as by Django, in a process of low priority."""

from __future__ import annotations

import os
import signal
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from django.contrib.auth import hashers

from productive import settings as production
from productive.accounts.hashers import NicePasswordHasher
from tests.support.servers import wait_until
from tests.support.sign_in import PASSWORD

pytestmark = pytest.mark.any_database


@pytest.mark.parametrize("password", [PASSWORD, "", "pässword 😀", "x" * 10_000])
def test_passwords_are_hashed_as_by_django(password: str) -> None:
    hasher, stock = NicePasswordHasher(), hashers.PBKDF2PasswordHasher()
    encoded = hasher.encode(password, "salt" * 6, 100)
    assert encoded == stock.encode(password, "salt" * 6, 100)
    assert (hasher.algorithm, hasher.iterations) == (stock.algorithm, stock.iterations)
    assert (hasher.verify(password, encoded), hasher.verify("wrong", encoded)) == (True, False)


def test_passwords_are_hashed_in_a_process_of_low_priority(monkeypatch: pytest.MonkeyPatch) -> None:
    """If the process is killed, Django's hasher takes over."""
    monkeypatch.setattr(hashers.PBKDF2PasswordHasher, "encode", lambda self, *args: "hashed by Django")
    assert production.PASSWORD_HASHERS[0].endswith(".NicePasswordHasher")
    # The tests may run in a process of low priority themselves.
    low = min(os.getpriority(os.PRIO_PROCESS, 0) + 10, 19)
    with ThreadPoolExecutor(1) as pool:
        # Iterations for hours.
        encoded = pool.submit(NicePasswordHasher().encode, PASSWORD, "salt" * 6, 2**31 - 1)
        try:
            wait_until(lambda: [nice for _, nice in children()] == [low])
            # The password is not in the list of processes.
            [(pid, _)] = children()
            assert PASSWORD.encode().hex() not in Path(f"/proc/{pid}/cmdline").read_text()
        finally:
            for pid, _ in children():
                os.kill(pid, signal.SIGKILL)
        assert encoded.result() == "hashed by Django"


def children() -> list[tuple[int, int]]:
    """Return the ids and nice values of the child processes that hash."""
    found = []
    for thread in Path("/proc/self/task").iterdir():
        for pid in map(int, (thread / "children").read_text().split()):
            if b"pbkdf2" in Path(f"/proc/{pid}/cmdline").read_bytes():
                found.append((pid, os.getpriority(os.PRIO_PROCESS, pid)))
    return found
