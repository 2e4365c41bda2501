"""Send hostile sign-ins, in a process of its own, until standard input is closed.

Run by `run`: `python -m tests.benchmarks.sign_ins.attack PORT CONNECTIONS PAUSE`. Print the number of
responses by kind and status as JSON.
"""

from __future__ import annotations

import json
import re
import sys
from collections import Counter
from http.client import HTTPConnection, HTTPException
from itertools import count
from random import Random
from threading import Event, Lock, Thread
from typing import Any
from urllib.parse import urlencode

PATH = "/admin/login/"
# What a hundred sign-ins are.
KINDS = {"new names": 50, "new networks": 30, "one name": 10, "forged": 10}
TOKEN = re.compile(r'name="csrfmiddlewaretoken" value="(\w+)"')


class Visitor:
    """A browser that has opened the sign-in page."""

    def __init__(self, port: int) -> None:
        self.connection = HTTPConnection("127.0.0.1", port, timeout=60)
        self.connection.request("GET", PATH)
        response = self.connection.getresponse()
        page = response.read().decode()
        self.cookie = (response.headers["Set-Cookie"] or "").partition(";")[0]
        found = TOKEN.search(page)
        assert found, page
        self.token = found[1]

    def sign_in(self, username: str, password: str, address: str, token: str | None = None) -> int:
        """Send the form, and return the status of the response."""
        form = {"username": username, "password": password, "csrfmiddlewaretoken": token or self.token}
        headers = {
            "Cookie": self.cookie,
            "Content-Type": "application/x-www-form-urlencoded",
            "X-Forwarded-For": address,
        }
        self.connection.request("POST", PATH, urlencode({**form, "next": "/admin/"}), headers)
        response = self.connection.getresponse()
        response.read()
        return response.status


def attempt(visitor: Visitor, kind: str, number: int, random: Random) -> int:
    address = "192.0.2.1"
    match kind:
        case "new networks":
            address = f"10.{random.randrange(256)}.{random.randrange(256)}.{random.randrange(256)}"
        case "one name":
            return visitor.sign_in("admin", f"password {number}", address)
        case "forged":
            return visitor.sign_in("admin", "password", address, "x" * len(visitor.token))
    return visitor.sign_in(f"name-{number}", "password", address)


def attack(port: int, pause: float, seed: int, numbers: Any, statuses: Counter[str], ended: Event) -> None:
    random, visitor = Random(seed), Visitor(port)
    while not ended.is_set():
        [kind] = random.choices([*KINDS], [*KINDS.values()])
        try:
            status: object = attempt(visitor, kind, next(numbers), random)
        except (OSError, HTTPException) as error:
            status, visitor = type(error).__name__, Visitor(port)
        with lock:
            statuses[f"{kind}: {status}"] += 1
        ended.wait(pause)


lock = Lock()


def main() -> None:
    port, connections, pause = int(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3])
    statuses, ended, numbers = Counter[str](), Event(), count()
    threads = [
        Thread(target=attack, args=(port, pause, seed, numbers, statuses, ended))
        for seed in range(connections)
    ]
    for thread in threads:
        thread.start()
    sys.stdin.read()
    ended.set()
    for thread in threads:
        thread.join()
    sys.stdout.write(json.dumps(statuses))


if __name__ == "__main__":
    main()
