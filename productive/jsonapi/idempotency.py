"""Support `Idempotency-Key`: a repeated POST returns the first response.

Only successful responses are stored, so a rejected request can be corrected and repeated with the same key.
The token (`request.auth`) stores the response, and defines for how long.
"""

from __future__ import annotations

from collections.abc import Callable
from hashlib import blake2b
from typing import Any, NamedTuple

import orjson
from rest_framework.request import Request

from productive.jsonapi.errors import HeaderError

IDEMPOTENCY_KEY, REPLAYED = "Idempotency-Key", "Idempotency-Replayed"
MAX_LENGTH = 255


class Created(NamedTuple):
    """The response to a POST, and whether it repeats an earlier one."""

    location: str
    body: bytes
    is_replayed: bool = False


def idempotency_key(request: Request) -> str | None:
    """Return the key or None, or raise HeaderError 400 if it is not valid."""
    key = request.headers.get(IDEMPOTENCY_KEY)
    if key is None or (key.strip() and key.isascii() and key.isprintable() and len(key) <= MAX_LENGTH):
        return key
    message = f"{IDEMPOTENCY_KEY} must be 1 to {MAX_LENGTH} printable ASCII characters"
    raise HeaderError(400, IDEMPOTENCY_KEY, message)


def idempotent(request: Request, create: Callable[[], Created]) -> Callable[[], Created]:
    """Wrap `create`, so that it is only called if the key is new.

    Raise HeaderError 400 if the key is not valid. Call the returned function in a transaction; it raises
    HeaderError 409 if the key was used for another request.
    """
    key = idempotency_key(request)
    if key is None:
        return create
    fingerprint = fingerprint_of(request)
    token: Any = request.auth

    def create_or_replay() -> Created:
        earlier = token.claim(key, fingerprint)
        if earlier is None:
            created = create()
            token.save_response(key, created.location, created.body)
            return created
        if earlier.fingerprint != fingerprint:
            message = f"This {IDEMPOTENCY_KEY} was already used for another request"
            raise HeaderError(409, IDEMPOTENCY_KEY, message)
        return Created(earlier.location, bytes(earlier.body), is_replayed=True)

    return create_or_replay


def fingerprint_of(request: Request) -> str:
    """Return a digest of the path, the query string and the parsed document.

    The document is not compared by its bytes: a client may serialize its members in another order.
    """
    resource: Any = request.data
    identity = [request.get_full_path(), resource.document]
    return blake2b(orjson.dumps(identity, option=orjson.OPT_SORT_KEYS), digest_size=32).hexdigest()
