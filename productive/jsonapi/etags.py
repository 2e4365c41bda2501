"""ETags: whether a client has the current state of a document."""

from __future__ import annotations

from hashlib import blake2b

from django.utils.http import parse_etags

GZIP_SUFFIX = "-gzip"


def tags_of(body: bytes, organization: int) -> dict[str, str]:
    """Return the tags of a document by content coding.

    A tag is a digest of the organization and the bytes, so it is exact for lists, too. The compressed
    document is another representation, with its own tag.
    """
    plain = blake2b(body, digest_size=15, salt=organization.to_bytes(16)).hexdigest()
    return {"": f'"{plain}"', "gzip": f'"{plain}{GZIP_SUFFIX}"'}


def known_tags(if_none_match: str) -> set[str]:
    """Return the tags of If-None-Match, also weak ones (RFC 9110, 13.1.2)."""
    return {tag.removeprefix("W/") for tag in parse_etags(if_none_match)}


def is_matched(if_match: str, tags: dict[str, str]) -> bool:
    """Return whether If-Match has one of the tags (RFC 9110, 13.1.1)."""
    return not {"*", *tags.values()}.isdisjoint(parse_etags(if_match))
