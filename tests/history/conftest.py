"""Fixtures of the tests of the history."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from productive.database.history import command_line
from tests.support.history import HISTORIES


@pytest.fixture
def records(request: pytest.FixtureRequest) -> Callable[[], list[tuple[Any, ...]]]:
    """Return the records since the last call: (model, id, type, id of the user, via), by model."""
    seen: set[tuple[Any, int]] = set()

    def since() -> list[tuple[Any, ...]]:
        found = []
        for history in HISTORIES:
            for record in history.objects.order_by("history_id"):
                if (history, record.history_id) not in seen:
                    seen.add((history, record.history_id))
                    found.append(
                        (
                            history.instance_type,
                            record.id,
                            record.history_type,
                            record.history_user_id,
                            record.via,
                        )
                    )
        return found

    return since


@pytest.fixture(autouse=True)
def forget_user_of_machine() -> Iterator[None]:
    yield
    command_line.cache_clear()
