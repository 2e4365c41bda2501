"""Requests and writes at the same moment."""

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
    """Run all of these at the same moment, each on a connection of its own."""
    barrier = Barrier(len(calls))

    def run(call: Callable[[], Answer]) -> Answer:
        try:
            barrier.wait(PATIENCE)
            return call()
        finally:
            connection.close()

    with ThreadPoolExecutor(len(calls)) as pool:
        return list(pool.map(run, calls))


def just_before_the_next_save_of(model: type[Model], act: Callable[[], Any]) -> None:
    """Do and commit it from a connection of its own, after the form was checked and before it is saved."""

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
