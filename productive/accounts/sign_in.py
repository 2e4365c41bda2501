"""Sign in to the admin.

Hashing a password takes a third of a second of a core, also if there is no such user. django-axes locks a
user name, so it doesn't limit a client that sends a new name each time. `limit_sign_ins` does.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from threading import BoundedSemaphore, Lock
from typing import Any

from django.conf import settings
from django.core.exceptions import ValidationError
from django.db import connection
from django.http import HttpRequest, HttpResponse, QueryDict

from productive.accounts.models import User
from productive.admin.theme import AuthenticationForm
from productive.database.validators import validate_portable_json
from productive.limits.limiter import TooManySignInsError, get_limiter
from productive.limits.windows import Limit
from productive.web.client_address import client_address, client_network

# Each process hashes one password at a time, and nine more sign-ins wait in their threads, so that an office
# can sign in at the same time. The server has more threads than that, which are free for other requests.
places = BoundedSemaphore(10)
hashing = Lock()
# A hash takes a third of a second, and longer while other requests need the processor (`hashers`).
MAX_WAIT_SECONDS = 20


class SignInForm(AuthenticationForm):
    def clean(self) -> Any:
        """Reject invalid user names, and text that a database can't store."""
        try:
            for params in (self.request.GET, self.request.POST):
                validate_portable_json(dict(params.lists()))
            User._meta.get_field("username").run_validators(self.cleaned_data.get("username", ""))
        except ValidationError:
            # The page can't show such text again.
            self.data = QueryDict()
            raise self.get_invalid_login_error() from None
        with limit_sign_ins(self.request):
            return super().clean()

    def get_invalid_login_error(self) -> ValidationError:
        if getattr(self.request, "axes_locked_out", False):
            return ValidationError(
                "Too many failed sign-ins with this user name. Wait ten minutes, then try again.",
                code="locked",
            )
        return super().get_invalid_login_error()


@contextmanager
def limit_sign_ins(request: HttpRequest) -> Iterator[None]:
    """Limit the failed sign-ins of the client's network, and wait for the turn.

    A sign-in fails if the context raises an exception. It is counted before and uncounted if it succeeds,
    because concurrent sign-ins would exceed a limit that counts them afterwards.

    Raise TooManySignInsError above the limit, if all places are taken, or after MAX_WAIT_SECONDS.
    """
    if not places.acquire(blocking=False):
        raise TooManySignInsError(1)
    try:
        rate = settings.RATE_LIMIT_SIGN_IN
        limit = rate and Limit(f"sign-in:{client_network(client_address(request))}", rate)
        exceeded = limit and get_limiter().count([limit])
        if exceeded:
            raise TooManySignInsError(exceeded.wait)
        if not wait_for_turn():
            uncount(limit)
            raise TooManySignInsError(1)
        try:
            yield
        finally:
            hashing.release()
        uncount(limit)
    finally:
        places.release()


def uncount(limit: Limit | None) -> None:
    if limit:
        get_limiter().uncount(limit)


def wait_for_turn() -> bool:
    """Return whether this thread may hash a password, after MAX_WAIT_SECONDS at the latest."""
    if not connection.in_atomic_block:
        # PostgreSQL: others may need the connection of the pool meanwhile.
        connection.close()
    return hashing.acquire(timeout=MAX_WAIT_SECONDS)


def lockout_response(request: HttpRequest, response: HttpResponse, credentials: Any) -> HttpResponse:
    """Return the sign-in page, which shows the error, with status 429."""
    response.status_code = 429
    return response
