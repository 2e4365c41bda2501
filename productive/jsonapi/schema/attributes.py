"""Describe attributes, of responses and of requests, as JSON Schema.

The serializer and its model declare everything. In the serializer, `Meta.about` can add a description and an
example of an attribute, and `Meta.schemas` its schema.
"""

from __future__ import annotations

from typing import Any

from django.core.validators import MaxValueValidator, RegexValidator
from django.db import models
from django.db.models.fields import NOT_PROVIDED

from productive.database.fields import MAX_TAG_LENGTH, MAX_TAGS, TagsField
from productive.database.moments import moment_of
from productive.jsonapi.fields import INTEGER, NUMBER
from productive.jsonapi.parsers import MAX_ID
from productive.jsonapi.schema.introspection import SerializerClass, model_field, writable_fields
from productive.jsonapi.schema.json_schema import ID_STRING, POSITIVE_INTEGER, Schema, nullable

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
