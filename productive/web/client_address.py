"""Find the IP address of the client of a request."""

from __future__ import annotations

from ipaddress import IPv6Network, ip_address

from django.conf import settings
from django.http import HttpRequest


def client_address(request: HttpRequest) -> str | None:
    """Return the address that our proxy added, or the peer's."""
    candidates = [request.META.get("REMOTE_ADDR", "")]
    if settings.TRUST_PROXY:
        # The client can send any entries, but the proxy appends the real address.
        candidates.insert(0, request.META.get("HTTP_X_FORWARDED_FOR", "").rpartition(",")[2].strip())
    return next((address for address in map(normalize_address, candidates) if address), None)


def normalize_address(text: str) -> str | None:
    """Return an address for the database, or None if it is invalid.

    An address has no zone. A server that listens on IPv6 sees IPv4 clients as mapped addresses; return those
    as IPv4.
    """
    try:
        address = ip_address(text.partition("%")[0])
    except ValueError:
        return None
    return str(getattr(address, "ipv4_mapped", None) or address)


def client_network(address: str | None) -> str:
    """Return the /64 network of an IPv6 address, or the address itself.

    A client can usually choose any address in its /64.
    """
    if address is not None and ip_address(address).version == 6:
        return str(IPv6Network((address, 64), strict=False))
    return str(address)
