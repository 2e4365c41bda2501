"""Tell clients of the API whose access a write changes: in headers, or in the `meta` of a dry run.

A dry run uses `consequences.comparison`, all other writes `consequences.write_effects`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import Any, ClassVar, TypeVar

from django.db import Error
from rest_framework.request import Request

from assignments.consequences.affected_services import TooManyServicesError, affected_services
from assignments.consequences.comparison import AccessComparison, AccessDifference, Permit
from assignments.consequences.write_effects import MAX_PAIRS, WriteEffects, has_more_pairs
from assignments.tracking import REFUSALS, Kind
from productive.database.written_rows import WrittenRows, before_writes
from productive.jsonapi.dry_runs import DryRun
from productive.jsonapi.transactions import in_transaction
from productive.jsonapi.write_views import ModelViewSet

T = TypeVar("T")

# The entries of a list in `meta`, and the ids in a header.
MAX_IN_META = 100
# Pairs of a service and a person on its project. A dry run doesn't compare access for more: while it reads,
# other writes wait on SQLite.
MAX_COMPARED_PAIRS = 10_000

LOST, OPENED, NO_EFFECT = "Warning-Access-Lost", "Warning-Opened-Service", "Warning-No-Effect"
ID_LIST = f"separated by commas. For more than {MAX_IN_META}, it is `count=` and their number"
WARNINGS: Mapping[str, str] = {
    LOST: f"The ids of the people who lose access to a service by this, {ID_LIST}; it is `unknown` if there"
    f" are more than {MAX_PAIRS:,} pairs of a service and a person to compare",
    OPENED: "The ids of the services that this has opened to all members of their projects, because they no"
    f" longer have assignees, {ID_LIST}",
    NO_EFFECT: "The person can't track on the service in spite of this assignment: the codes of the reasons,"
    " as in `tracking_decisions`, separated by commas",
}


ID_SCHEMA = {"type": "integer", "minimum": 1}
PERMIT_SCHEMA = {
    "type": "object",
    "required": [*Permit._fields],
    "properties": {
        "person_id": ID_SCHEMA,
        "service_id": ID_SCHEMA,
        "kind": {"type": "string", "enum": [*Kind]},
    },
}
# Name of a list → what it has, and the schema of an entry.
LISTS: Mapping[str, tuple[str, Mapping[str, Any]]] = {
    "loses": ("Who could track on which service, and no longer can", PERMIT_SCHEMA),
    "gains": ("Who can track on which service from then on", PERMIT_SCHEMA),
    "opens": ("The ids of services that open to all members of their projects", ID_SCHEMA),
    "closes": ("The ids of remaining services that nobody can track on any longer", ID_SCHEMA),
}
WITHOUT_EFFECT_SCHEMA = {
    "type": "array",
    "description": "If the person can't track on the service in spite of the assignment: the reasons",
    "items": {
        "type": "object",
        "required": ["code", "message"],
        "properties": {"code": {"type": "string", "enum": [*REFUSALS]}, "message": {"type": "string"}},
    },
}


def consequences_schema() -> dict[str, Any]:
    properties: dict[str, Any] = {}
    for name, (text, schema) in LISTS.items():
        shown = f"{text}. At most {MAX_IN_META}"
        properties[name] = {"type": "array", "maxItems": MAX_IN_META, "items": schema, "description": shown}
        properties[f"{name}_count"] = {"type": "integer", "minimum": 0, "description": f"All of `{name}`"}
    return {
        "type": ["object", "null"],
        "description": "Who gains and loses access today. Null if the affected services have more than"
        f" {MAX_COMPARED_PAIRS:,} pairs of a service and a person on its project",
        "required": [*properties],
        "properties": properties,
    }


def describe_headers(*names: str) -> Mapping[str, Any]:
    """Return the descriptions of headers for the OpenAPI document."""
    return {name: {"description": WARNINGS[name], "schema": {"type": "string"}} for name in names}


class AccessViewSet(ModelViewSet):
    """Tell clients whose access a write changes."""

    dry_run_meta: ClassVar[Mapping[str, Any]] = {"consequences": consequences_schema()}
    effects: WriteEffects | None = None

    def run(self, write: Callable[[], T]) -> T:
        def watched() -> T:
            # A write that lost a race runs again.
            self.effects = WriteEffects(self.organization)
            with before_writes(self.effects.read_before):
                return write()

        result = in_transaction(watched)
        if self.effects is not None:
            # If the database fails now, the write is committed, and its response matters more than headers.
            with suppress(Error):
                self.effects.read_after()
        return result

    def finalize_response(self, request: Request, response: Any, *args: Any, **kwargs: Any) -> Any:
        if self.effects is not None:
            for name, value in headers_of(self.effects).items():
                response.headers[name] = value
        return super().finalize_response(request, response, *args, **kwargs)

    def consequences(self, attempted: DryRun) -> dict[str, Any]:
        comparison = AccessComparison()

        def read_after(written: Sequence[WrittenRows]) -> None:
            check_number_of_pairs(written)
            comparison.read_after(written)

        try:
            written = attempted.attempt(read_after)
            check_number_of_pairs(written)
            comparison.read_before(written)
            if not comparison.is_complete():
                attempted.attempt(read_after)
        except TooManyServicesError:
            return {"consequences": None}
        difference = comparison.difference()
        meta: dict[str, Any] = {"consequences": consequence_lists(difference)}
        is_of_one = self.action in ("create", "partial_update")
        for decision in difference.unused.decisions if is_of_one else ():  # One at most.
            meta["without_effect"] = [
                {"code": reason.code, "message": reason.message} for reason in decision.reasons
            ]
        return meta


def check_number_of_pairs(written: Sequence[WrittenRows]) -> None:
    """Raise TooManyServicesError if the affected services have more than MAX_COMPARED_PAIRS pairs."""
    if has_more_pairs(affected_services(written), MAX_COMPARED_PAIRS):
        raise TooManyServicesError


def headers_of(effects: WriteEffects) -> dict[str, str]:
    losers = "unknown" if effects.losers is None else list_of_ids(effects.losers)
    no_effect = ", ".join(reason.code for reason in effects.unused)
    headers = {LOST: losers, OPENED: list_of_ids(effects.opened), NO_EFFECT: no_effect}
    return {name: value for name, value in headers.items() if value}


def list_of_ids(ids: Sequence[int]) -> str:
    return ", ".join(map(str, ids)) if len(ids) <= MAX_IN_META else f"count={len(ids)}"


def consequence_lists(difference: AccessDifference) -> dict[str, Any]:
    """Return the lists and their lengths. The lists have MAX_IN_META entries at most."""
    lists: dict[str, Sequence[Any]] = {
        "loses": [permit._asdict() for permit in sorted(difference.lost)],
        "gains": [permit._asdict() for permit in sorted(difference.gained)],
        "opens": difference.opened,
        "closes": difference.closed,
    }
    members: dict[str, Any] = {}
    for name, entries in lists.items():
        members |= {name: entries[:MAX_IN_META], f"{name}_count": len(entries)}
    return members
