"""State that the parts of one request, or of one command, share: `request.state`."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.http import HttpRequest, HttpResponse


@dataclass(slots=True)
class RequestState:
    # None for a command.
    request: HttpRequest | None = None
    # Shared by all recorded changes; None until the first of them.
    change_set: UUID | None = None
    # Organizations that the signed-in user works in; None until they are read.
    organizations: list[Any] | None = None


# For models, which have no request at hand. Views read `request.state`.
_current: ContextVar[RequestState] = ContextVar("request_state")


def current_state() -> RequestState:
    """Return the state of the current request; outside of requests, of the thread."""
    try:
        return _current.get()
    except LookupError:
        _current.set(RequestState())
        return _current.get()


def state_of(request: HttpRequest) -> RequestState:
    """Return `request.state`, typed."""
    state: RequestState = request.state  # type: ignore[attr-defined]
    return state


@contextmanager
def new_state(request: HttpRequest) -> Iterator[RequestState]:
    token = _current.set(RequestState(request))
    try:
        yield _current.get()
    finally:
        _current.reset(token)


class RequestStateMiddleware:
    """Give each request its state. First of all middleware, because the request log reads it."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        with new_state(request) as state:
            request.state = state  # type: ignore[attr-defined]
            return self.get_response(request)
