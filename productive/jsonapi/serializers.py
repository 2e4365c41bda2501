"""Serializers declare a resource's attributes and relationships.

`Meta.fields` has their names and order. A serializer only validates and saves; `documents` reads records,
compiled from the same declaration.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any, ClassVar, cast

from django.core.exceptions import ValidationError as ModelValidationError
from django.db import models
from rest_framework import fields
from rest_framework.exceptions import ValidationError
from rest_framework_json_api import serializers

from productive.database.fields import LineField as ModelLineField
from productive.database.fields import TagsField
from productive.database.validation import validate_change
from productive.jsonapi.errors import INVALID, NOT_SUPPORTED, messages_of
from productive.jsonapi.fields import (
    BooleanField,
    CharField,
    CleanedCharField,
    DateField,
    FieldValidator,
    FloatField,
    IdField,
    IntegerField,
    TagListField,
    UniqueEmailField,
    error_messages,
)
from productive.jsonapi.parsers import ABSENT, ResourceObject
from productive.jsonapi.records import resource_type
from productive.jsonapi.relations import RelatedField


class ModelSerializer(serializers.ModelSerializer):
    """Validate with the model; the context must have `organization`.

    Members that the resource doesn't have are ignored, or rejected if `is_strict` in the context is true.

    `Meta.null_relationships` and `Meta.empty_relationships` name documented relationships without records.
    `Meta.inherited` maps a relationship to the path that replaces it while it is null.
    """

    instance: Any
    serializer_related_field = RelatedField
    serializer_field_mapping: ClassVar[dict[type[models.Field], type[fields.Field]]] = {
        **serializers.ModelSerializer.serializer_field_mapping,
        models.CharField: CharField,
        ModelLineField: CleanedCharField,
        models.TextField: CharField,
        models.EmailField: UniqueEmailField,
        models.BooleanField: BooleanField,
        models.DateField: DateField,
        models.PositiveBigIntegerField: IdField,
        models.BigIntegerField: IntegerField,
        models.PositiveSmallIntegerField: IntegerField,
        models.FloatField: FloatField,
        TagsField: TagListField,
    }
    # Model → its serializer, for `include`: every relationship can be included.
    by_model: ClassVar[dict[type[models.Model], type[ModelSerializer]]] = {}

    # Documented relationship that has no records here → its linkage: null or an empty list.
    without_records: ClassVar[Mapping[str, Any]]

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        ModelSerializer.by_model[cls.Meta.model] = cls
        cls.without_records = {
            **dict.fromkeys(getattr(cls.Meta, "null_relationships", ())),
            **{name: [] for name in getattr(cls.Meta, "empty_relationships", ())},
        }

    # --- declaration ---

    def get_field_names(self, declared_fields: Any, info: Any) -> Any:
        """When writing, only build the fields that are in the request or required.

        Building a field takes as long as a query.
        """
        names = super().get_field_names(declared_fields, info)
        sent = getattr(self, "initial_data", None)
        if not isinstance(sent, ResourceObject):
            return names
        names_sent = {*sent.attributes, *sent.relationships}
        names_sent |= {name.removesuffix("_id") for name in sent.attributes}
        names_sent |= {f"{name}_id" for name in sent.relationships}
        if not self.partial:
            serializer_class: Any = type(self)
            names_sent |= required_names(serializer_class)
        return [name for name in names if name in names_sent]

    def build_field(self, field_name: str, info: Any, model_class: Any, nested_depth: int) -> Any:
        field_class, kwargs = super().build_field(field_name, info, model_class, nested_depth)
        if "validators" in kwargs:
            kwargs["validators"] = [FieldValidator(validator) for validator in kwargs["validators"]]
        return field_class, {**kwargs, "error_messages": error_messages(field_class)}

    def build_relational_field(self, field_name: str, relation_info: Any) -> Any:
        """Make to-many relationships and the organization read-only."""
        field = relation_info.model_field
        if relation_info.to_many or field_name == "organization":
            kwargs = {"many": True} if relation_info.to_many else {}
            return self.serializer_related_field, {**kwargs, "read_only": True}
        if not isinstance(field, models.ForeignKey):  # A soft reference: the attribute with the id stores it.
            queryset = relation_info.related_model._default_manager.all()
            return self.serializer_related_field, {
                "queryset": queryset,
                "allow_null": True,
                "required": False,
            }
        return super().build_relational_field(field_name, relation_info)

    def get_uniqueness_extra_kwargs(self, field_names: Any, declared_fields: Any, extra_kwargs: Any) -> Any:
        return extra_kwargs, {}

    def get_validators(self) -> list[Any]:
        return []

    # --- writing ---

    def to_internal_value(self, data: ResourceObject) -> dict[str, Any]:
        """Merge attributes and relationships, and validate.

        A foreign key can be either, or both if they are equal.
        """
        values, errors = self.merge(data)
        try:
            values = super().to_internal_value(values)
        except ValidationError as error:
            errors = {**cast("dict[str, Any]", error.detail), **errors}
        if errors:
            in_order = dict.fromkeys([*self.fields, *errors])
            raise ValidationError({name: errors[name] for name in in_order if name in errors})
        return self.resolve_soft_references(values)

    def merge(self, data: ResourceObject) -> tuple[dict[str, Any], dict[str, Any]]:
        unknown = unknown_members(type(self), data) if self.context.get("is_strict") else []
        values: dict[str, Any] = {}
        errors: dict[str, Any] = {name: [NOT_SUPPORTED] for name in unknown}
        for name, value in data.attributes.items():
            field = self.fields.get(name)
            relation = name.removesuffix("_id")
            if field is not None and not is_relationship(field):
                values[name] = value
            elif relation != name and is_foreign_key(self.fields.get(relation)):
                values[relation] = self.identifier(relation, value)
        for name, linkage in data.relationships.items():
            field = self.fields.get(name)
            if linkage is ABSENT:
                continue
            if name in self.without_records:
                self.merge_id(name, linkage, values, errors)
                continue
            if field is None or not is_relationship(field):
                continue
            if name in values and not is_same_record(values[name], linkage):
                errors[name] = [INVALID]
            else:
                values[name] = linkage
        return values, errors

    def merge_id(self, name: str, linkage: Any, values: dict[str, Any], errors: dict[str, Any]) -> None:
        """Store the linkage of a relationship without records in the attribute with its id, if there is one.

        Responses show the relationship as null, and a client can send this null with the id.
        """
        attribute = f"{name}_id"
        if attribute not in self.fields or isinstance(linkage, list):
            return
        pk = None if linkage is None else linkage.get("id")
        if attribute not in values:
            values[attribute] = pk
        elif linkage is not None and str(values[attribute]) != pk:
            errors[name] = [INVALID]

    def identifier(self, relation: str, value: Any) -> dict[str, Any] | None:
        if value is None:
            return None
        related: type[models.Model] = self.Meta.model._meta.get_field(relation).related_model
        return {
            "type": resource_type(related),
            "id": str(value) if type(value) is int else value,
        }

    def resolve_soft_references(self, values: dict[str, Any]) -> dict[str, Any]:
        """Store a soft reference in the attribute with its id.

        If no row has that id, responses show the relationship as null, and a client can send this null with
        the id. Null with the id of an existing row is an error.
        """
        names = [name for name in values if is_relationship(self.fields[name])]
        for name in [name for name in names if is_soft_reference(self.Meta.model, name)]:
            related = values.pop(name)
            attribute = self.Meta.model._meta.get_field(name).from_fields[-1]
            pk = None if related is None else related.pk
            if values.setdefault(attribute, pk) == pk:
                continue
            queryset = self.fields[name].get_queryset()
            is_unchanged = pk is None and values[attribute] == getattr(self.instance, attribute, None)
            if not is_unchanged or queryset.filter(pk=values[attribute]).exists():
                raise ValidationError({name: [INVALID]})
        return values

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """Validate with the model, on the instance that is saved later."""
        record: Any = self.instance or self.Meta.model(organization=self.context["organization"])
        for name, value in attrs.items():
            setattr(record, name, value)
        try:
            record.clean()
            if record._state.adding:
                record.validate_constraints(exclude={"id"})
            else:
                validate_change(record, attrs)
        except ModelValidationError as error:
            raise ValidationError(messages_of(error)) from None
        self.instance = record
        return attrs

    def save(self, **kwargs: Any) -> models.Model:
        """Save the record; when updating, only the fields of the request.

        Concurrent changes of other fields are not overwritten.
        """
        record: models.Model = self.instance
        if record._state.adding:
            record.save(force_insert=True)
        elif self.validated_data:
            record.save(update_fields=list(self.validated_data))
        return record


@cache
def required_names(serializer_class: Any) -> frozenset[str]:
    fields = serializer_class(context={}).fields
    return frozenset(name for name, field in fields.items() if field.required)


@cache
def member_names(serializer_class: Any) -> tuple[frozenset[str], frozenset[str]]:
    """Return the names that can be sent as attributes, and as relationships."""
    fields = serializer_class(context={}).fields
    relationships = {name for name, field in fields.items() if is_relationship(field)}
    ids = {f"{name}_id" for name, field in fields.items() if is_foreign_key(field)}
    attributes = ids.union(fields).difference(relationships)
    return frozenset(attributes), frozenset(relationships.union(serializer_class.without_records))


def unknown_members(serializer_class: type[ModelSerializer], resource: ResourceObject) -> list[str]:
    """Return the names of the attributes and relationships that the resource doesn't have."""
    attributes, relationships = member_names(cast(Any, serializer_class))
    unknown = [name for name in resource.attributes if name not in attributes]
    unknown += [name for name in resource.relationships if name not in relationships]
    return list(dict.fromkeys(unknown))


def is_relationship(field: fields.Field) -> bool:
    return isinstance(field, RelatedField | serializers.ManyRelatedField)


def is_foreign_key(field: fields.Field | None) -> bool:
    return isinstance(field, RelatedField)


def is_soft_reference(model: type[models.Model], name: str) -> bool:
    field = model._meta.get_field(name)
    return isinstance(field, models.ForeignObject) and not isinstance(field, models.ForeignKey)


def is_same_record(attribute: Any, linkage: Any) -> bool:
    if attribute is None or not isinstance(linkage, dict):
        return attribute is None and linkage is None
    return attribute["id"] == linkage.get("id")
