"""What serializers and their models declare."""

from __future__ import annotations

from inspect import getdoc
from typing import Any

from productive.jsonapi.records import resource_type
from productive.jsonapi.serializers import ModelSerializer

SerializerClass = type[ModelSerializer]


def type_of(serializer_class: SerializerClass) -> str:
    return resource_type(serializer_class.Meta.model)


def model_field(serializer_class: SerializerClass, name: str) -> Any:
    return serializer_class.Meta.model._meta.get_field(name)


def serializer_fields(serializer_class: SerializerClass) -> dict[str, Any]:
    """Return the fields for requests; a computed resource has none."""
    serializer: Any = serializer_class
    return {} if serializer.Meta.model._meta.abstract else dict(serializer(context={}).fields)


def writable_fields(serializer_class: SerializerClass) -> dict[str, Any]:
    fields = serializer_fields(serializer_class)
    return {name: field for name, field in fields.items() if not field.read_only}


def attributes(serializer_class: SerializerClass) -> list[str]:
    return [n for n in serializer_class.Meta.fields if not model_field(serializer_class, n).is_relation]


def relationships(serializer_class: SerializerClass) -> list[str]:
    return [n for n in serializer_class.Meta.fields if model_field(serializer_class, n).is_relation]


def has_relationships(serializer_class: SerializerClass) -> bool:
    return bool(relationships(serializer_class) or serializer_class.without_records)


def related_serializer(serializer_class: SerializerClass, name: str) -> SerializerClass:
    return ModelSerializer.by_model[model_field(serializer_class, name).related_model]


def reachable_serializers(serializer_class: SerializerClass) -> list[SerializerClass]:
    """Return the serializer, and those that `include` can add."""
    found = [serializer_class]
    for each in found:
        found += [r for n in relationships(each) if (r := related_serializer(each, n)) not in found]
    return found


def first_paragraph(documented: object) -> str:
    return " ".join((getdoc(documented) or "").partition("\n\n")[0].split())
