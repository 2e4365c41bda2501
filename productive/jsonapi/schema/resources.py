"""Describe resource objects, of responses and of requests, as JSON Schema.

The serializer and its model declare everything. In the serializer, `Meta.about` can add a description and an
example of an attribute, and `Meta.schemas` its schema.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django.core.validators import MaxValueValidator, RegexValidator
from django.db import models
from django.db.models.fields import NOT_PROVIDED

from productive.database.fields import MAX_TAG_LENGTH, MAX_TAGS, TagsField
from productive.database.moments import moment_of
from productive.jsonapi.fields import INTEGER, NUMBER
from productive.jsonapi.parsers import ID, MAX_ID
from productive.jsonapi.records import resource_type
from productive.jsonapi.serializers import ModelSerializer, is_foreign_key

Schema = dict[str, Any]
SerializerClass = type[ModelSerializer]

ID_STRING: Schema = {"type": "string", "pattern": f"^{ID.pattern}$", "examples": ["12"]}
POSITIVE_INTEGER: Schema = {"type": "integer", "format": "int64", "minimum": 1, "maximum": MAX_ID}
DATE_TIME_PATTERN = r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}[+-]\d\d:\d\d$"
# The database can't store NUL.
TEXT_PATTERN, NOT_BLANK_PATTERN = r"^[^\u0000]*$", r"^[^\u0000]*[^\s\u0000][^\u0000]*$"
BLANK_STRING: Schema = {"type": "string", "pattern": r"^\s*$"}
TAG: Schema = {"type": "string", "maxLength": MAX_TAG_LENGTH, "pattern": NOT_BLANK_PATTERN}
IGNORED = "Read only. A request may contain it, as in a response; it is ignored."

# (Type of a model field, schema and example of its values). The first match is used.
FIELD_SCHEMAS: tuple[tuple[type[models.Field[Any, Any]], Schema, Any], ...] = (
    (
        models.DateTimeField,
        {"type": "string", "format": "date-time", "pattern": DATE_TIME_PATTERN},
        "2026-11-23T09:30:00.000+01:00",
    ),
    (models.DateField, {"type": "string", "format": "date"}, "2026-11-23"),
    (models.BooleanField, {"type": "boolean"}, True),
    (TagsField, {"type": "array", "items": TAG, "maxItems": MAX_TAGS}, ["priority"]),
    (models.JSONField, {"type": ["array", "boolean", "number", "object", "string"]}, {}),
    (models.PositiveBigIntegerField, POSITIVE_INTEGER, 12),
    (models.PositiveSmallIntegerField, {"type": "integer", "minimum": 0, "maximum": 32767}, 12),
    (
        models.BigIntegerField,
        {"type": "integer", "format": "int64", "minimum": -MAX_ID, "maximum": MAX_ID},
        12,
    ),
    (models.FloatField, {"type": "number"}, 1.5),
    (models.EmailField, {"type": "string", "format": "email"}, "ana@example.com"),
    (models.Field, {"type": "string"}, "…"),
)
CREATED_AT = "The moment it was created"


def object_schema(properties: Schema, required: Iterable[str] = ()) -> Schema:
    names = [*required]
    return {"type": "object", **({"required": names} if names else {}), "properties": properties}


def shared(name: str) -> Schema:
    """Return a reference to one of `responses.SHARED_SCHEMAS`."""
    return {"$ref": f"#/components/schemas/{name}"}


def type_of(serializer_class: SerializerClass) -> str:
    return resource_type(serializer_class.Meta.model)


def model_field(serializer_class: SerializerClass, name: str) -> Any:
    return serializer_class.Meta.model._meta.get_field(name)


def serializer_fields(serializer_class: SerializerClass) -> dict[str, Any]:
    """Return the fields for requests; a computed resource has none."""
    serializer: Any = serializer_class
    return {} if serializer.Meta.model._meta.abstract else dict(serializer(context={}).fields)


def required_fields(serializer_class: SerializerClass) -> frozenset[str]:
    return frozenset(name for name, field in serializer_fields(serializer_class).items() if field.required)


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


# --- attributes -----------------------------------------------------------------------------------


def nullable(schema: Schema) -> Schema:
    types = schema["type"] if isinstance(schema["type"], list) else [schema["type"]]
    return {**schema, "type": [*types, "null"]}


def description_and_example(serializer_class: SerializerClass, name: str) -> tuple[str, Any]:
    declared: dict[str, tuple[str, Any]] = getattr(serializer_class.Meta, "about", {})
    if name in declared:
        return declared[name]
    field = model_field(serializer_class, name)
    moment = moment_of(field.model)
    if moment is not None and name == moment.field:
        methods = " and ".join(f"`{verb}`" for verb in moment.verbs)
        record = field.model._meta.verbose_name
        return f"When the {record} was {moment.done}, or null. Changed by {methods}", None
    if field.default in (NOT_PROVIDED, None) or callable(field.default):
        example = next(example for kind, _, example in FIELD_SCHEMAS if isinstance(field, kind))
    else:
        example = field.default
    description = CREATED_AT if name == "created_at" else str(field.help_text).rstrip(".")
    if field.choices:
        description = ", ".join(f"{value} = {meaning}" for value, meaning in field.choices)
    return description or name.replace("_", " ").capitalize(), example


def described(schema: Schema, serializer_class: SerializerClass, name: str) -> Schema:
    description, example = description_and_example(serializer_class, name)
    return {**schema, "description": description, "examples": [example]}


def attribute_schema(serializer_class: SerializerClass, name: str) -> Schema:
    declared: dict[str, Schema] = getattr(serializer_class.Meta, "schemas", {})
    if name in declared:
        return dict(declared[name])
    field = model_field(serializer_class, name)
    schema = next(schema for kind, schema, _ in FIELD_SCHEMAS if isinstance(field, kind))
    if isinstance(field, models.CharField) and field.max_length:
        schema = {**schema, "maxLength": field.max_length}
    if field.choices:
        schema = {"type": "integer", "enum": [value for value, _ in field.choices]}
    for validator in field._validators:
        if isinstance(validator, MaxValueValidator):
            schema = {**schema, "maximum": validator.limit_value}
        elif isinstance(validator, RegexValidator):
            pattern: Any = validator.regex
            schema = {**schema, "pattern": pattern.pattern}
    return nullable(schema) if field.null else dict(schema)


def response_attribute(serializer_class: SerializerClass, name: str) -> Schema:
    schema = described(attribute_schema(serializer_class, name), serializer_class, name)
    return schema if name in writable_fields(serializer_class) else {**schema, "readOnly": True}


def request_attribute(serializer_class: SerializerClass, name: str) -> Schema:
    field = writable_fields(serializer_class).get(name)
    if field is None:
        return {"description": IGNORED}
    schema = attribute_schema(serializer_class, name)
    column = model_field(serializer_class, name)
    if isinstance(column, models.EmailField) and column.null:
        schema = {"anyOf": [schema, BLANK_STRING]}  # A blank address is stored as null.
    elif isinstance(column, models.CharField | models.TextField) and "pattern" not in schema:
        schema["pattern"] = TEXT_PATTERN if field.allow_blank else NOT_BLANK_PATTERN
    if as_string := string_of(column):
        schema = {"anyOf": [schema, as_string]}
    return described(schema, serializer_class, name)


def string_of(column: Any) -> Schema | None:
    """Return the schema of a number as a string, or None if the column has no numbers."""
    if column.choices:
        return {"type": "string", "enum": [str(value) for value, _ in column.choices]}
    if isinstance(column, models.PositiveBigIntegerField):
        return ID_STRING
    if isinstance(column, models.IntegerField | models.FloatField):
        pattern = INTEGER if isinstance(column, models.IntegerField) else NUMBER
        return {"type": "string", "pattern": f"^{pattern}$"}
    return None


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
    required = required_fields(serializer_class) if new else frozenset()
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
