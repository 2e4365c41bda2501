"""Resources as JSON Schema: what an answer shows of one, and what a request may say of it.

All of it comes from the serializer's declaration and the model. `Meta.about` of a serializer adds words and
an example for an attribute; `Meta.schemas` the shape of one that its column doesn't tell.
"""

from __future__ import annotations

from typing import Any

from django.db import models
from django.db.models.fields import NOT_PROVIDED

from productive.database.moments import moment_of
from productive.jsonapi.parsers import ID, MAX_ID
from productive.jsonapi.records import resource_type
from productive.jsonapi.serializers import (
    ModelSerializer,
    is_foreign_key,
)

Schema = dict[str, Any]
SerializerClass = type[ModelSerializer]

ID_SCHEMA: Schema = {"type": "string", "pattern": f"^{ID.pattern}$", "examples": ["12"]}
NUMBER_SCHEMA: Schema = {"type": "integer", "format": "int64", "minimum": 1, "maximum": MAX_ID}
MOMENT = r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}[+-]\d\d:\d\d$"
# Of what is not blank, and has no character that can't be kept.
TEXT, FILLED = r"^[^\u0000]*$", r"^[^\u0000]*[^\s\u0000][^\u0000]*$"
BLANK: Schema = {"type": "string", "pattern": r"^\s*$"}
IGNORED = "Read only. May be sent, so that a fetched resource can be sent back; it is ignored."

# Column type: its JSON Schema, with an example. The first that fits.
COLUMNS: tuple[tuple[type[models.Field[Any, Any]], Schema], ...] = (
    (models.DateTimeField, {"type": "string", "format": "date-time", "pattern": MOMENT}),
    (models.DateField, {"type": "string", "format": "date"}),
    (models.BooleanField, {"type": "boolean"}),
    (models.JSONField, {"type": ["array", "boolean", "number", "object", "string"]}),
    (models.IntegerField, NUMBER_SCHEMA),
    (models.EmailField, {"type": "string", "format": "email"}),
    (models.Field, {"type": "string"}),
)
EXAMPLES: tuple[tuple[type[models.Field[Any, Any]], Any], ...] = (
    (models.DateTimeField, "2026-11-23T09:30:00.000+01:00"),
    (models.DateField, "2026-11-23"),
    (models.BooleanField, True),
    (models.JSONField, {}),
    (models.IntegerField, 12),
    (models.EmailField, "ana@example.com"),
    (models.Field, "…"),
)
CREATED_AT = "The moment it was created"


def type_of(serializer_class: SerializerClass) -> str:
    name: str = resource_type(serializer_class.Meta.model)
    return name


def words(name: str) -> str:
    return name.replace("_", " ")


def field_of(serializer_class: SerializerClass, name: str) -> Any:
    return serializer_class.Meta.model._meta.get_field(name)


def fields_of(serializer_class: Any) -> dict[str, Any]:
    """The serializer's fields, as a request meets them; nobody writes a computed resource."""
    if serializer_class.Meta.model._meta.abstract:
        return {}
    return dict(serializer_class(context={}).fields)


def required_fields(serializer_class: SerializerClass) -> frozenset[str]:
    """The fields that a new record must have."""
    return frozenset(name for name, field in fields_of(serializer_class).items() if field.required)


def writable_fields(serializer_class: SerializerClass) -> dict[str, Any]:
    """The fields that a request can change."""
    return {name: field for name, field in fields_of(serializer_class).items() if not field.read_only}


def attributes(serializer_class: SerializerClass) -> list[str]:
    return [n for n in serializer_class.Meta.fields if not field_of(serializer_class, n).is_relation]


def relationships(serializer_class: SerializerClass) -> list[str]:
    return [n for n in serializer_class.Meta.fields if field_of(serializer_class, n).is_relation]


def related(serializer_class: SerializerClass, name: str) -> SerializerClass:
    return ModelSerializer.by_model[field_of(serializer_class, name).related_model]


def reachable(serializer_class: SerializerClass) -> list[SerializerClass]:
    """This resource and all that an `include` can lead to, in that order."""
    found = [serializer_class]
    for each in found:
        found += [r for n in relationships(each) if (r := related(each, n)) not in found]
    return found


# --- attributes -----------------------------------------------------------------------------------


def nullable(schema: Schema) -> Schema:
    kinds = schema["type"] if isinstance(schema["type"], list) else [schema["type"]]
    return {**schema, "type": [*kinds, "null"]}


def about(serializer_class: SerializerClass, name: str) -> Schema:
    """An attribute in words, and an example of it."""
    column = field_of(serializer_class, name)
    declared: dict[str, tuple[str, Any]] = getattr(serializer_class.Meta, "about", {})
    example = next(example for kind, example in EXAMPLES if isinstance(column, kind))
    if column.default not in (NOT_PROVIDED, None) and not callable(column.default):
        example = column.default
    text, moment = (CREATED_AT if name == "created_at" else ""), moment_of(column.model)
    if moment is not None and name == moment.field:
        verbs = " and ".join(f"`{verb}`" for verb in moment.verbs)
        text = f"The moment it was {moment.done}; null while it is {moment.unset}. Changed by {verbs}"
        example = None
    text, example = declared.get(name, (text, example))
    text = text or str(column.help_text).rstrip(".") or words(name).capitalize()
    return {"description": text, "examples": [example]}


def shape(serializer_class: SerializerClass, name: str) -> Schema:
    declared: dict[str, Schema] = getattr(serializer_class.Meta, "schemas", {})
    if name in declared:
        return dict(declared[name])
    column = field_of(serializer_class, name)
    schema = next(schema for kind, schema in COLUMNS if isinstance(column, kind))
    if isinstance(column, models.CharField) and column.max_length:
        schema = {**schema, "maxLength": column.max_length}
    return nullable(schema) if column.null else dict(schema)


def shown_attribute(serializer_class: SerializerClass, name: str) -> Schema:
    schema = {**shape(serializer_class, name), **about(serializer_class, name)}
    return schema if name in writable_fields(serializer_class) else {**schema, "readOnly": True}


def sent_attribute(serializer_class: SerializerClass, name: str) -> Schema:
    field = writable_fields(serializer_class).get(name)
    described = about(serializer_class, name)
    if field is None:
        return {"description": IGNORED}
    schema = shape(serializer_class, name)
    column = field_of(serializer_class, name)
    if isinstance(column, models.EmailField) and column.null:
        schema = {"anyOf": [schema, BLANK]}  # an empty address is none
    elif isinstance(column, models.CharField | models.TextField):
        schema["pattern"] = TEXT if field.allow_blank else FILLED
    if isinstance(column, models.IntegerField):
        schema = {"anyOf": [schema, {**ID_SCHEMA, "examples": ["12"]}]}
    return {**schema, **described}


# --- relationships --------------------------------------------------------------------------------


def identifier(target: SerializerClass, *, nullable: bool = False) -> Schema:
    schema: Schema = {
        "type": "object",
        "required": ["type", "id"],
        "properties": {"type": {"const": type_of(target)}, "id": id_schema(target)},
    }
    return {"anyOf": [schema, {"type": "null"}]} if nullable else schema


def id_schema(serializer_class: SerializerClass) -> Schema:
    """Of a computed resource, the id is text that says what it was computed for."""
    if isinstance(serializer_class.Meta.model._meta.pk, models.CharField):
        return {"type": "string", **getattr(serializer_class.Meta, "schemas", {}).get("id", {})}
    return dict(ID_SCHEMA)


def shown_relationship(serializer_class: SerializerClass, name: str) -> Schema:
    field, target = field_of(serializer_class, name), related(serializer_class, name)
    if is_to_many(field):
        linkage: Schema = {"type": "array", "items": identifier(target)}
    else:
        # A computed resource may name a record that was deleted meanwhile.
        is_computed = serializer_class.Meta.model._meta.abstract
        linkage = identifier(target, nullable=field.null or is_computed)
    included = {"type": "object", "required": ["data"], "properties": {"data": linkage}}
    if name == "organization":
        return included
    return {"anyOf": [{"$ref": "#/components/schemas/not_included"}, included]}


def is_to_many(field: Any) -> bool:
    return bool(field.many_to_many or field.one_to_many)


def sent_relationship(serializer_class: SerializerClass, name: str) -> Schema:
    field = writable_fields(serializer_class).get(name)
    if field is None:
        return {
            "type": "object",
            "properties": {"data": {"type": ["array", "null", "object"], "items": {"type": "object"}}},
            "description": IGNORED,
        }
    data = identifier(related(serializer_class, name), nullable=field.allow_null)
    return {"type": "object", "properties": {"data": data}}


# --- resource objects -----------------------------------------------------------------------------


def shown(serializer_class: SerializerClass, meta: Schema) -> Schema:
    """A resource object of an answer. `fields[…]` may leave out any attribute and relationship."""
    properties: Schema = {"type": {"const": type_of(serializer_class)}, "id": id_schema(serializer_class)}
    for member, names, schema_of in (
        ("attributes", attributes(serializer_class), shown_attribute),
        ("relationships", relationships(serializer_class), shown_relationship),
    ):
        if names:
            properties[member] = {
                "type": "object",
                "properties": {name: schema_of(serializer_class, name) for name in names},
            }
    if meta:
        properties["meta"] = {"type": "object", "required": [*meta], "properties": meta}
    return {"type": "object", "required": ["type", "id"], "properties": properties}


def sent(serializer_class: SerializerClass, *, new: bool) -> Schema:
    """A resource object of a request. A foreign key comes as a relationship or as an attribute `…_id`."""
    required = required_fields(serializer_class) if new else frozenset()
    foreign_keys = foreign_keys_of(serializer_class)
    sent_attributes = {n: sent_attribute(serializer_class, n) for n in attributes(serializer_class)}
    for name in foreign_keys:
        sent_attributes[f"{name}_id"] = foreign_key_attribute(serializer_class, name)
    names = relationships(serializer_class)
    members: Schema = {
        "attributes": {
            "type": "object",
            "additionalProperties": False,
            "properties": sent_attributes,
        },
        "relationships": {
            "type": "object",
            "additionalProperties": False,
            "properties": {name: sent_relationship(serializer_class, name) for name in names},
        },
    }
    needed = [n for n in sent_attributes if n in required]
    if needed:
        members["attributes"]["required"] = needed
    schema: Schema = {
        "type": "object",
        "required": ["type", *(["attributes"] if needed else [])],
        "properties": {
            "type": {"const": type_of(serializer_class)},
            **({} if new else {"id": nullable(id_schema(serializer_class))}),
            **members,
        },
    }
    either = [either_way(name) for name in names if name in required]
    return {**schema, "allOf": either} if either else schema


def foreign_keys_of(serializer_class: SerializerClass) -> list[str]:
    """The relationships that a request may also write as an attribute: those to one record."""
    return [name for name, field in fields_of(serializer_class).items() if is_foreign_key(field)]


def foreign_key_attribute(serializer_class: SerializerClass, name: str) -> Schema:
    field = writable_fields(serializer_class).get(name)
    if field is None:
        return {"description": IGNORED}
    kinds: list[Schema] = [NUMBER_SCHEMA, ID_SCHEMA, *([{"type": "null"}] if field.allow_null else [])]
    return {"anyOf": kinds, "description": f"The relationship `{name}`, written as an attribute"}


def either_way(name: str) -> Schema:
    """A required foreign key is there, as the one or as the other."""
    linkage: Schema = {"type": "object", "required": ["data"]}
    relationships: Schema = {"type": "object", "required": [name], "properties": {name: linkage}}
    attributes: Schema = {"type": "object", "required": [f"{name}_id"]}
    return {
        "anyOf": [
            {"required": ["relationships"], "properties": {"relationships": relationships}},
            {"required": ["attributes"], "properties": {"attributes": attributes}},
        ]
    }
