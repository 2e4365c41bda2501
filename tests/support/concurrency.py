"""Send requests and write rows concurrently."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier, Thread
from typing import Any

from django.db import connection
from django.db.models import Model
from django.db.models.signals import pre_save

from tests.support.api import Answer
from tests.support.servers import PATIENCE


def at_once(*calls: Callable[[], Answer]) -> list[Answer]:
    """Run all calls at the same time, each on its own connection."""
    barrier = Barrier(len(calls))

    def run(call: Callable[[], Answer]) -> Answer:
        try:
            barrier.wait(PATIENCE)
            return call()
        finally:
            connection.close()

    with ThreadPoolExecutor(len(calls)) as pool:
        return list(pool.map(run, calls))


def before_next_save(model: type[Model], act: Callable[[], Any]) -> None:
    """Call `act` on another connection after the next validation and before the save, and commit."""

    def committed() -> None:
        try:
            act()
        finally:
            connection.close()

    def meanwhile(**_: Any) -> None:
        pre_save.disconnect(meanwhile, model)
        other = Thread(target=committed)
        other.start()
        other.join()

    pre_save.connect(meanwhile, model, weak=False)
