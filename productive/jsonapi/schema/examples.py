"""Example resource objects of responses and requests."""

from __future__ import annotations

from typing import Any, cast

from productive.jsonapi.documents import NOT_INCLUDED
from productive.jsonapi.schema.attributes import description_and_example
from productive.jsonapi.schema.introspection import (
    SerializerClass,
    attributes,
    related_serializer,
    relationships,
    type_of,
    writable_fields,
)
from productive.jsonapi.schema.json_schema import Schema
from productive.jsonapi.schema.resources import id_schema, is_always_linked
from productive.jsonapi.serializers import required_names


def response_example(serializer_class: SerializerClass) -> Schema:
    members = {
        "attributes": attribute_examples(serializer_class),
        "relationships": {
            name: linkage(serializer_class, name) if is_always_linked(name) else NOT_INCLUDED
            for name in (*relationships(serializer_class), *serializer_class.without_records)
        },
    }
    identifier = {"type": type_of(serializer_class), "id": example_id(serializer_class)}
    return {**identifier, **{name: member for name, member in members.items() if member}}


def request_example(serializer_class: SerializerClass, *, new: bool) -> Schema:
    """Return a new record with all its members, or a change of one member."""
    writable, required = writable_fields(serializer_class), required_names(cast(Any, serializer_class))
    values = {
        name: value
        for name, value in attribute_examples(serializer_class).items()
        if name in writable and value is not None
    }
    links = [name for name in relationships(serializer_class) if name in required]
    resource: Schema = {"type": type_of(serializer_class)}
    if not new:
        resource["id"] = example_id(serializer_class)
        values = dict(list(values.items())[:1])
        links = [] if values else links[-1:]
    if values:
        resource["attributes"] = values
    if links:
        resource["relationships"] = {name: linkage(serializer_class, name) for name in links}
    return resource


def attribute_examples(serializer_class: SerializerClass) -> dict[str, Any]:
    return {name: description_and_example(serializer_class, name)[1] for name in attributes(serializer_class)}


def linkage(serializer_class: SerializerClass, name: str) -> Schema:
    related = related_serializer(serializer_class, name)
    return {"data": {"type": type_of(related), "id": example_id(related)}}


def example_id(serializer_class: SerializerClass) -> str:
    return id_schema(serializer_class)["examples"][0]
