"""Check that the contenders do the same work: otherwise a ratio means nothing."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from assignments.models import ProjectAssignment
from productive.database.history import history_of
from tests.benchmarks.timing import timed
from tests.benchmarks.urls import ROOTS
from tests.benchmarks.work import Read, Writes
from tests.support.api import Answer, Api

# Columns that differ from record to record.
VARYING = {"history_id", "id", "created_at", "change_set", "history_date"}


def check_read(api: Api, read: Read) -> None:
    """Raise AssertionError unless by hand equals ours byte for byte and stock has the same resources."""
    answers = {contender: read.get(api, contender) for contender in read.paths}
    if not read.is_same:
        return
    assert with_our_root(answers["hand"], "hand") == with_our_root(answers["ours"], "ours"), read.name
    assert resources(answers["stock"]) == resources(answers["ours"]), read.name


def check_writes(writes: Writes) -> None:
    """Raise AssertionError if the contenders' responses or their history differ."""
    done = {}
    for contender in ROOTS:
        # Every contender uses the same project.
        answers = {
            name: answer
            for name, (_, answer) in Writes(writes.api, writes.agency).run(contender, timed).items()
        }
        pk = answers["create"].data["id"]
        records = history_of(ProjectAssignment).objects.filter(id=pk).order_by("history_id").values()
        records_of_contender = [
            {name: value for name, value in record.items() if name not in VARYING} for record in records
        ]
        done[contender] = (answers, pk, records_of_contender)
    ours, pk, records_of_contender = done["ours"]
    assert [record["history_type"] for record in records_of_contender] == ["+", "~", "-"]
    for contender in ("hand", "stock"):
        assert done[contender][2] == records_of_contender, contender
    for name, answer in ours.items():
        theirs, their_pk, _ = done["hand"]
        assert without_varying(theirs[name], "hand", their_pk) == without_varying(answer, "ours", pk), name
        if answer.body:
            assert comparable(done["stock"][0][name].data) == comparable(answer.data), name


def with_our_root(answer: Answer, contender: str) -> tuple[int, str | None, bytes]:
    """Return status, content type and body, with every URL under our root."""
    body = answer.body.replace(ROOTS[contender].encode(), ROOTS["ours"].encode())
    return answer.status, answer.headers.get("Content-Type"), body


def without_varying(answer: Answer, contender: str, pk: str) -> tuple[Any, ...]:
    """Return the same without the id and created_at of this record."""
    status, content_type, body = with_our_root(answer, contender)
    if not body:
        return status, body
    created_at = answer.data["attributes"]["created_at"]
    body = body.replace(f'"id":"{pk}"'.encode(), b"").replace(created_at.encode(), b"")
    location = answer.headers.get("Location", "")
    return status, content_type, body, location.replace(ROOTS[contender], ROOTS["ours"]).replace(pk, "")


def resources(answer: Answer) -> Any:
    """Return the attributes by (type, id): of the primary data in order, of the included resources in any."""
    data = answer.data if isinstance(answer.data, list) else [answer.data]
    included = answer.json.get("included", [])
    return (
        [((resource["type"], resource["id"]), attributes(resource)) for resource in data],
        {(resource["type"], resource["id"]): attributes(resource) for resource in included},
    )


def attributes(resource: dict[str, Any]) -> dict[str, Any]:
    """Return the attributes with timestamps in milliseconds, whatever their zone."""
    return {
        name: (
            int(datetime.fromisoformat(value).timestamp() * 1000)
            if name.endswith("_at") and value is not None
            else value
        )
        for name, value in resource.get("attributes", {}).items()
    }


def comparable(resource: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in attributes(resource).items() if name not in VARYING}
