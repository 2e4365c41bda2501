"""Resources as examples: what an answer may look like, and what a request can be made from."""

from __future__ import annotations

from productive.jsonapi.schema.resources import (
    Schema,
    SerializerClass,
    about,
    attributes,
    id_schema,
    related,
    relationships,
    required_fields,
    type_of,
    writable_fields,
)


def shown(serializer_class: SerializerClass) -> Schema:
    example: Schema = {"type": type_of(serializer_class), "id": identity(serializer_class)}
    named = {n: about(serializer_class, n)["examples"][0] for n in attributes(serializer_class)}
    links: Schema = {
        n: {"data": identifier(serializer_class, n)} if n == "organization" else {"meta": {"included": False}}
        for n in relationships(serializer_class)
    }
    members = {"attributes": named, "relationships": links}
    return {**example, **{member: values for member, values in members.items() if values}}


def sent(serializer_class: SerializerClass, *, new: bool) -> Schema:
    example: Schema = {"type": type_of(serializer_class)}
    if not new:
        example["id"] = identity(serializer_class)
    writable, required = writable_fields(serializer_class), required_fields(serializer_class)
    named = {n: about(serializer_class, n)["examples"][0] for n in attributes(serializer_class)}
    named = {n: value for n, value in named.items() if n in writable and value is not None}
    if not new:
        named = dict(list(named.items())[:1])
    if named:
        example["attributes"] = named
    links = [n for n in relationships(serializer_class) if n in required]
    if links and (new or not named):
        example["relationships"] = {
            n: {"data": identifier(serializer_class, n)} for n in (links if new else links[-1:])
        }
    return example


def identifier(serializer_class: SerializerClass, name: str) -> Schema:
    target = related(serializer_class, name)
    return {"type": type_of(target), "id": identity(target)}


def identity(serializer_class: SerializerClass) -> str:
    example: str = id_schema(serializer_class)["examples"][0]
    return example
