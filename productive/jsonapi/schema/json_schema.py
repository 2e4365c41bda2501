"""JSON Schema of ids, objects and null, for the other modules."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from productive.jsonapi.parsers import ID, MAX_ID

Schema = dict[str, Any]

ID_STRING: Schema = {"type": "string", "pattern": f"^{ID.pattern}$", "examples": ["12"]}
POSITIVE_INTEGER: Schema = {"type": "integer", "format": "int64", "minimum": 1, "maximum": MAX_ID}


def object_schema(properties: Schema, required: Iterable[str] = ()) -> Schema:
    names = [*required]
    return {"type": "object", **({"required": names} if names else {}), "properties": properties}


def shared(name: str) -> Schema:
    """Return a reference to one of `responses.SHARED_SCHEMAS`."""
    return {"$ref": f"#/components/schemas/{name}"}


def nullable(schema: Schema) -> Schema:
    types = schema["type"] if isinstance(schema["type"], list) else [schema["type"]]
    return {**schema, "type": [*types, "null"]}
