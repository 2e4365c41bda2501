"""Check responses: return what is wrong, or an empty string."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import orjson

from tests.benchmarks.load.client import RawResponse

# One of so many pages is parsed. In the others only bytes are compared, which is cheap.
PARSED = 5
ORGANIZATION = b'{"type":"organizations","id":"'

# by type of resource
Ids = Mapping[str, set[int]]


def expect(status: int, text: bytes, answer: RawResponse) -> str:
    if answer.status != status:
        return f"status {answer.status}, not {status}"
    return "" if text in answer.body else f"without {text.decode()}"


class PageJudge:
    """Check lists and single resources of an organization; `foreign_ids` are those of all others."""

    def __init__(self, organization: int, foreign_ids: Sequence[Ids]) -> None:
        self.owner = ORGANIZATION + b'%d"' % organization
        self.foreign_ids = foreign_ids
        self.pages = 0

    def __call__(self, answer: RawResponse) -> str:
        if complaint := expect(200, b"", answer):
            return complaint
        body = answer.body
        if not (body.startswith(b'{"data":') and body.endswith(b"}")):
            return "no document"
        owners = body.count(ORGANIZATION)
        if owners != body.count(self.owner) or (not owners and not body.startswith(b'{"data":[]')):
            return "says that it is of another organization, or of none"
        self.pages += 1
        return "" if self.pages % PARSED else self.judge_document(orjson.loads(body))

    def judge_document(self, document: dict[str, Any]) -> str:
        """Check the length of a page, duplicates, and rows of other organizations."""
        data = document["data"]
        if isinstance(data, list):
            meta, ids = document["meta"], [resource["id"] for resource in data]
            before = (meta["current_page"] - 1) * meta["page_size"]
            length = max(0, min(meta["page_size"], meta["total_count"] - before))
            if (len(ids), len(set(ids))) != (length, length):
                return f"{len(set(ids))} different rows of {len(ids)} on a page of {length}"
        else:
            data = [data]
        for resource in [*data, *document.get("included", ())]:
            if any(int(resource["id"]) in ids.get(resource["type"], ()) for ids in self.foreign_ids):
                return f"shows {resource['type']} {resource['id']} of another organization"
        return ""
