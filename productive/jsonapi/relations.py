"""Related fields of serializers."""

from __future__ import annotations

from typing import Any

from django.db import models
from rest_framework.exceptions import ValidationError
from rest_framework_json_api.relations import ResourceRelatedField

from productive.jsonapi.errors import INVALID
from productive.jsonapi.parsers import parse_id
from productive.jsonapi.records import find_record, resource_type


class RelatedField(ResourceRelatedField):
    """Add tenancy: only find records of the organization.

    An unknown or malformed identifier, and one of another organization, get the same error.
    """

    def get_queryset(self) -> models.QuerySet[Any]:
        return super().get_queryset().owned_by(self.context["organization"])

    def to_internal_value(self, data: Any) -> models.Model:
        model = self.queryset.model
        pk = parse_id(data.get("id")) if isinstance(data, dict) else None
        if pk is not None and data.get("type") == resource_type(model):
            related = find_record(model, self.context["organization"], pk)
            if related is not None:
                return related
        raise ValidationError(INVALID)
