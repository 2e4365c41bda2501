"""Idempotency-Key: a POST that is sent again, because its answer was lost, makes nothing a second time.

Only what was done is kept: a refused request has made nothing, so it may be mended and sent with the same
key. What is kept where, and for how long, is for whatever `request.auth` is to say.
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
    """The answer to a POST, and whether it was given before."""

    location: str
    body: bytes
    is_replayed: bool = False


def once(request: Request, create: Callable[[], Created]) -> Callable[[], Created]:
    """`create`, to be called within a transaction, but only where the request's key is new.

    Raise HeaderError 400 for a key that can't be one. What is returned raises it, with 409, where the key
    came with another request.
    """
    key = request.headers.get(IDEMPOTENCY_KEY)
    if key is None:
        return create
    if not (key.strip() and key.isascii() and key.isprintable() and len(key) <= MAX_LENGTH):
        words = f"{IDEMPOTENCY_KEY} must be 1 to {MAX_LENGTH} printable ASCII characters"
        raise HeaderError(400, IDEMPOTENCY_KEY, words)
    fingerprint = fingerprint_of(request)
    token: Any = request.auth

    def create_once() -> Created:
        earlier = token.claim(key, fingerprint)
        if earlier is None:
            created = create()
            token.keep_answer(key, created.location, created.body)
            return created
        if earlier.fingerprint != fingerprint:
            words = f"This {IDEMPOTENCY_KEY} has come with another request before"
            raise HeaderError(409, IDEMPOTENCY_KEY, words)
        return Created(earlier.location, bytes(earlier.body), is_replayed=True)

    return create_once


def fingerprint_of(request: Request) -> str:
    """What two requests have in common that ask for the same: the address with its query, and the document.

    Not the bytes of the document: who writes it anew may write its members in another order.
    """
    asked = [request.get_full_path(), request.data]
    return blake2b(orjson.dumps(asked, option=orjson.OPT_SORT_KEYS), digest_size=32).hexdigest()
