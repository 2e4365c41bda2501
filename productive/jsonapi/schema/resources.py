"""Describe resource objects, of responses and of requests, as JSON Schema."""

from __future__ import annotations

from typing import Any, cast

from django.db import models

from productive.jsonapi.schema.attributes import IGNORED, request_attribute, response_attribute
from productive.jsonapi.schema.introspection import (
    SerializerClass,
    attributes,
    model_field,
    related_serializer,
    relationships,
    serializer_fields,
    type_of,
    writable_fields,
)
from productive.jsonapi.schema.json_schema import (
    ID_STRING,
    POSITIVE_INTEGER,
    Schema,
    nullable,
    object_schema,
    shared,
)
from productive.jsonapi.serializers import is_foreign_key, required_names

# --- relationships --------------------------------------------------------------------------------


def id_schema(serializer_class: SerializerClass) -> Schema:
    """Return the schema of an id. That of a computed resource is composite."""
    if isinstance(serializer_class.Meta.model._meta.pk, models.CharField):
        return {"type": "string", **getattr(serializer_class.Meta, "schemas", {}).get("id", {})}
    return dict(ID_STRING)


def identifier_schema(
    related: SerializerClass, ids: Schema | None = None, *, nullable: bool = False
) -> Schema:
    properties = {"type": {"const": type_of(related)}, "id": ids or id_schema(related)}
    schema = object_schema(properties, required=properties)
    return {"anyOf": [schema, {"type": "null"}]} if nullable else schema


def is_always_linked(name: str) -> bool:
    """Return whether responses always have the linkage."""
    return name == "organization"


def response_relationship(serializer_class: SerializerClass, name: str) -> Schema:
    field, related = model_field(serializer_class, name), related_serializer(serializer_class, name)
    if field.many_to_many or field.one_to_many:
        data: Schema = {"type": "array", "items": identifier_schema(related)}
    else:
        # The related record may be deleted while the resource is computed.
        is_computed = serializer_class.Meta.model._meta.abstract
        data = identifier_schema(related, nullable=field.null or is_computed)
    linkage = object_schema({"data": data}, required=["data"])
    if is_always_linked(name):
        return linkage
    return {"anyOf": [shared("not_included"), linkage]}


def request_relationship(serializer_class: SerializerClass, name: str) -> Schema:
    field = writable_fields(serializer_class).get(name)
    if field is None:
        data = {"type": ["array", "null", "object"], "items": {"type": "object"}}
        return {**object_schema({"data": data}), "description": IGNORED}
    related = related_serializer(serializer_class, name)
    ids = {"anyOf": [id_schema(related), POSITIVE_INTEGER]}
    return object_schema({"data": identifier_schema(related, ids, nullable=field.allow_null)})


# --- foreign keys: a request may write one as a relationship or as an attribute -------------------


def foreign_keys(serializer_class: SerializerClass) -> list[str]:
    return [name for name, field in serializer_fields(serializer_class).items() if is_foreign_key(field)]


def foreign_key_attribute(serializer_class: SerializerClass, name: str) -> Schema:
    field = writable_fields(serializer_class).get(name)
    if field is None:
        return {"description": IGNORED}
    null: list[Schema] = [{"type": "null"}] if field.allow_null else []
    return {
        "anyOf": [POSITIVE_INTEGER, ID_STRING, *null],
        "description": f"The relationship `{name}` as an attribute",
    }


def required_foreign_key(name: str) -> Schema:
    """Return a schema that requires the relationship or the attribute."""
    linkage: Schema = {"type": "object", "required": ["data"]}
    relationships = object_schema({name: linkage}, required=[name])
    attributes: Schema = {"type": "object", "required": [f"{name}_id"]}
    return {
        "anyOf": [
            {"required": ["relationships"], "properties": {"relationships": relationships}},
            {"required": ["attributes"], "properties": {"attributes": attributes}},
        ]
    }


# --- resource objects -----------------------------------------------------------------------------


def response_schema(serializer_class: SerializerClass, meta: Schema, optional_meta: Schema) -> Schema:
    """Return the schema of a resource in responses, without required members."""
    properties: Schema = {"type": {"const": type_of(serializer_class)}, "id": id_schema(serializer_class)}
    for member, names, schema_of in (
        ("attributes", attributes(serializer_class), response_attribute),
        ("relationships", relationships(serializer_class), response_relationship),
    ):
        if names:
            schemas = {name: schema_of(serializer_class, name) for name in names}
            properties[member] = object_schema(schemas)
    for name, data in serializer_class.without_records.items():
        kind = "null_relationship" if data is None else "empty_relationship"
        properties["relationships"]["properties"][name] = shared(kind)
    if meta or optional_meta:
        properties["meta"] = object_schema({**meta, **optional_meta}, required=meta)
    return object_schema(properties, required=["type", "id"])


def request_schema(serializer_class: SerializerClass, *, new: bool) -> Schema:
    """Return the schema of a resource object in a request."""
    links = relationships(serializer_class)
    values = {name: request_attribute(serializer_class, name) for name in attributes(serializer_class)}
    for name in foreign_keys(serializer_class):
        values[f"{name}_id"] = foreign_key_attribute(serializer_class, name)
    for name, field in writable_fields(serializer_class).items():
        if field.write_only:
            values[name] = {"type": ["boolean", "null"], "description": field.help_text}
    linkages = {name: request_relationship(serializer_class, name) for name in links}
    linkages |= dict.fromkeys(serializer_class.without_records, shared("ignored_relationship"))
    required = required_names(cast(Any, serializer_class)) if new else frozenset()
    required_values = [name for name in values if name in required]
    properties: Schema = {"type": {"const": type_of(serializer_class)}}
    if not new:
        properties["id"] = nullable(id_schema(serializer_class))
    properties["attributes"] = object_schema(values, required_values)
    properties["relationships"] = {
        **object_schema(linkages),
        "additionalProperties": shared("unknown_relationship"),
    }
    schema = object_schema(properties, required=["type", *(["attributes"] if required_values else [])])
    required_links = [required_foreign_key(name) for name in links if name in required]
    return {**schema, "allOf": required_links} if required_links else schema
