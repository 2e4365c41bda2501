"""Share state between the parts of a request, in `request.state`."""

from __future__ import annotations

from collections.abc import Callable

from django.http import HttpRequest, HttpResponse

from productive.database.current_request import RequestState, new_state


def state_of(request: HttpRequest) -> RequestState:
    """Return `request.state`, typed."""
    return request.state  # type: ignore[attr-defined]


class RequestStateMiddleware:
    """Set `request.state`. First middleware, because the request log reads it."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        with new_state(request) as state:
            request.state = state  # type: ignore[attr-defined]
            return self.get_response(request)
