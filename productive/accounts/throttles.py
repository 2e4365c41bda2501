"""How many requests a token, its organization, and whoever guesses at tokens may send."""

from __future__ import annotations

from ipaddress import IPv6Network, ip_address
from typing import Any

from django.conf import settings
from django.http import HttpRequest

from productive.accounts.models import ApiToken
from productive.jsonapi.errors import TooManyRequestsError
from productive.limits.limiter import the_limiter
from productive.limits.windows import Limit
from productive.web.client_address import address_of


def refuse_frequent(token: ApiToken) -> None:
    """To be called for each request of a token that is live, whatever becomes of it: the token's own limit,
    and that of all tokens of its organization together."""
    refuse_above(
        (f"token:{token.pk}", settings.RATE_LIMIT_TOKEN),
        (f"organization:{token.organization_id}", settings.RATE_LIMIT_ORGANIZATION),
    )


def refuse_guessing(request: HttpRequest) -> None:
    """To be called for each secret that opens nothing. Secrets that open something are never refused."""
    key = f"address:{household(address_of(request))}"
    refuse_above((key, settings.RATE_LIMIT_FAILED_AUTHENTICATION), holds=True)


def refuse_above(*rates: tuple[str, Any], holds: bool = False) -> None:
    """Count one request for each of the keys; raise TooManyRequestsError where that is one too many."""
    limits = [Limit(key, rate, holds) for key, rate in rates if rate is not None]
    exceeded = the_limiter().exceeded(limits) if limits else None
    if exceeded is not None:
        raise TooManyRequestsError(*exceeded.rate, exceeded.ends_at, exceeded.wait)


def household(address: str | None) -> str:
    """What one client can choose its addresses from: of IPv6, whoever has one has a network of them."""
    if address is not None and ip_address(address).version == 6:
        return str(IPv6Network((address, 64), strict=False))
    return str(address)
