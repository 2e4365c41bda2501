"""ETags: which state of a document a client has, and whether that is still the state of things."""

from __future__ import annotations

from hashlib import blake2b

from django.utils.http import parse_etags

GZIP_SUFFIX = "-gzip"


def tags_of(body: bytes, organization: int) -> dict[str, str]:
    """The tag of each form of a document, by its coding; "" is the plain one.

    It is made of the organization and of the bytes themselves, so it is as exact for a list as for one
    record. The compressed form is another sequence of bytes, and has a tag of its own.
    """
    plain = blake2b(body, digest_size=15, salt=organization.to_bytes(16)).hexdigest()
    return {"": f'"{plain}"', "gzip": f'"{plain}{GZIP_SUFFIX}"'}


def known_tags(if_none_match: str) -> set[str]:
    """What a client says that it has already. A weak tag is as good as a strong one (RFC 9110, 13.1.2)."""
    return {tag.removeprefix("W/") for tag in parse_etags(if_none_match)}


def is_matched(if_match: str, tags: dict[str, str]) -> bool:
    """Whether a client means this state: `*` means any, a weak tag none (RFC 9110, 13.1.1)."""
    return not {"*", *tags.values()}.isdisjoint(parse_etags(if_match))
