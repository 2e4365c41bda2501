"""Keep the state of a request for code that doesn't get it as an argument."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any
from uuid import UUID


@dataclass(slots=True)
class RequestState:
    # None for a command.
    request: Any = None
    # Set by the first recorded change; all later ones share it.
    change_set: UUID | None = None
    # Organizations of the signed-in user; None until they are read.
    organizations: list[Any] | None = None
    # The rows written in the context of `collect_written_rows()`; None outside of one.
    written_rows: list[Any] | None = None
    # Whether these rows are rolled back, and not recorded.
    is_trial: bool = False
    # The function of `before_writes()`; None outside of it.
    before_write: Any = None


_current: ContextVar[RequestState] = ContextVar("request_state")


def current_state() -> RequestState:
    """Return the state of the request or, outside of one, of the thread."""
    try:
        return _current.get()
    except LookupError:
        _current.set(RequestState())
        return _current.get()


@contextmanager
def new_state(request: Any) -> Iterator[RequestState]:
    token = _current.set(RequestState(request))
    try:
        yield _current.get()
    finally:
        _current.reset(token)
