"""Limit the rate of requests.

The limits are per token, per organization, and per address that sends invalid tokens.

These are not throttles of Django REST framework: those read a count from a cache and write it back, so
concurrent requests exceed the limit, and they run after permissions, so a request that is denied is free.
"""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.http import HttpRequest

from productive.accounts.models import ApiToken
from productive.jsonapi.errors import TooManyRequestsError
from productive.limits.limiter import get_limiter
from productive.limits.windows import Limit
from productive.web.client_address import client_address, client_network


def throttle_token(token: ApiToken) -> None:
    """Count this request against the limits of its token and organization.

    Call it for each request with a live token, whatever its response will be.
    """
    throttle(
        (f"token:{token.pk}", settings.RATE_LIMIT_TOKEN),
        (f"organization:{token.organization_id}", settings.RATE_LIMIT_ORGANIZATION),
    )


def throttle_failed_authentication(request: HttpRequest) -> None:
    """Count a request with an invalid token against its address's limit.

    Valid tokens are still accepted from an address that has exceeded it.
    """
    key = f"address:{client_network(client_address(request))}"
    throttle((key, settings.RATE_LIMIT_FAILED_AUTHENTICATION), lockout=True)


def throttle(*rates: tuple[str, Any], lockout: bool = False) -> None:
    """Count a request against the rate of each key.

    Raise TooManyRequestsError if it exceeds one.
    """
    limits = [Limit(key, rate, lockout) for key, rate in rates if rate is not None]
    exceeded = get_limiter().count(limits) if limits else None
    if exceeded is not None:
        raise TooManyRequestsError(*exceeded.rate, exceeded.wait)
