"""Where a request comes from."""

from __future__ import annotations

from ipaddress import ip_address

from django.conf import settings
from django.http import HttpRequest


def address_of(request: HttpRequest) -> str | None:
    """The client's, as our own proxy saw it; without a proxy, the other end of the connection."""
    seen = [request.META.get("REMOTE_ADDR", "")]
    if settings.TRUST_PROXY:
        # The client may send entries of its own; the proxy appends the true one.
        seen.insert(0, request.META.get("HTTP_X_FORWARDED_FOR", "").rpartition(",")[2].strip())
    return next((address for address in map(plain_address, seen) if address), None)


def plain_address(text: str) -> str | None:
    """An address that a database can keep: without a zone, and None for what is no address.

    One of IPv4 is that also where the server listens for both, and sees it as one of IPv6.
    """
    try:
        address = ip_address(text.partition("%")[0])
    except ValueError:
        return None
    return str(getattr(address, "ipv4_mapped", None) or address)
