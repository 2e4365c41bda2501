"""The action that merges a record into another, and what responses say about merged records."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar

from rest_framework.decorators import action
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request
from rest_framework.response import Response

from productive.jsonapi.documents import Row
from productive.jsonapi.errors import BLANK, INVALID
from productive.jsonapi.parsers import ResourceObject, parse_id
from productive.jsonapi.plans import Plan
from productive.jsonapi.records import find_record, resource_type
from productive.jsonapi.schema.json_schema import ID_STRING, POSITIVE_INTEGER, Schema, object_schema
from productive.jsonapi.write_views import ModelViewSet

MERGED_INTO = "merged_into"


def merge_body(resource: str) -> Schema:
    """Return the schema of the resource object in the request."""
    linkage = object_schema({"type": {"const": resource}, "id": ID_STRING}, required=["type", "id"])
    into = object_schema({"data": linkage}, required=["data"])
    return object_schema(
        {
            "type": {"const": resource},
            "id": ID_STRING,
            "attributes": object_schema({"into_id": POSITIVE_INTEGER}),
            "relationships": object_schema({"into": into}),
        },
        required=["type"],
    )


class MergeMixin(ModelViewSet):
    """Merge records: `PATCH …/merge` with a relationship `into`, or an attribute `into_id`."""

    optional_meta: ClassVar[Mapping[str, Any]] = {
        MERGED_INTO: {**ID_STRING, "description": "The id of the record that this one was merged into"}
    }
    action_bodies: ClassVar[Mapping[str, Callable[[str], Schema]]] = {"merge": merge_body}

    @action(detail=True, methods=["patch", "put"])
    def merge(self, request: Request, **kwargs: Any) -> Response:
        plan, pk, resource = self.plan(), self.pk(), self.resource_object()
        self.check_id(resource)
        return self.change(plan, pk, lambda record: self.merge_record(record, resource))

    def parse_into(self, resource: ResourceObject) -> int:
        """Return the id of the other record. Raise ValidationError unless it is in the request once."""
        expected = resource_type(self.serializer_class.Meta.model)
        found = set()
        if linkage := resource.relationships.get("into"):
            is_one = isinstance(linkage, dict) and linkage.get("type") == expected
            found.add(parse_id(linkage.get("id")) if is_one else None)
        if value := resource.attributes.get("into_id"):
            found.add(parse_id(str(value) if type(value) is int else value))
        if not found:
            raise ValidationError({"into": [BLANK]})
        pk = found.pop()
        if pk is None or found:
            raise ValidationError({"into": [INVALID]})
        return pk

    def merge_record(self, record: Any, resource: ResourceObject) -> None:
        into, model = self.parse_into(resource), self.serializer_class.Meta.model
        other: Any = find_record(model, self.organization, into, lock=True)
        if other is None:
            raise ValidationError({"into": [INVALID]})
        record.merge(other)

    def may_have_meta(self, plan: Plan, row: Row) -> bool:
        """Return whether the record may be merged: only archived ones are."""
        columns = plan.columns
        return "archived_at" not in columns or row[columns.index("archived_at")] is not None

    def resource_metas(self, ids: Sequence[int]) -> Mapping[int, dict[str, Any]]:
        merged = self.owned(self.serializer_class.Meta.model).filter(pk__in=ids, merged_into__isnull=False)
        return {pk: {MERGED_INTO: str(into)} for pk, into in merged.values_list("pk", MERGED_INTO)}

    def document_meta(self, resource: Mapping[str, Any]) -> dict[str, Any]:
        return dict(resource.get("meta", {}))
