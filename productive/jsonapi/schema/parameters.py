"""What a request may say in its query string and its headers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from productive.jsonapi.cursors import MAX_CURSOR
from productive.jsonapi.filters import MAX_VALUES, NEGATIONS, Filter
from productive.jsonapi.idempotency import MAX_LENGTH
from productive.jsonapi.pagination import MAX_PAGE_SIZE, PAGE_SIZE
from productive.jsonapi.parameters import MAX_INCLUDE_DEPTH
from productive.jsonapi.schema.resources import (
    NUMBER_SCHEMA,
    Schema,
    SerializerClass,
    related,
    relationships,
    type_of,
)

# Operation of a filter: what it asks of a value. `eq` is also what a filter without an operation means.
OPERATIONS = {
    "eq": "is",
    "not_eq": "is not",
    "contains": "contains, whatever the case",
    "not_contain": "doesn't contain, whatever the case",
    "gt": "is greater than",
    "gt_eq": "is greater than or equal to",
    "lt": "is less than",
    "lt_eq": "is less than or equal to",
}

# Header: the methods that look at it, its schema, what it is for.
HEADERS: Mapping[str, tuple[tuple[str, ...], Schema, str]] = {
    "If-None-Match": (
        ("GET",),
        {"type": "string"},
        "The `ETag` of an answer that the client has. Where it is still what the answer would be: 304.",
    ),
    "If-Match": (
        ("PATCH", "DELETE"),
        {"type": "string"},
        "The `ETag` of the record as the client has it. Where somebody has changed it since: 412.",
    ),
    "Idempotency-Key": (
        ("POST",),
        # What HTTP leaves of a value that begins or ends with a space has none there.
        {"type": "string", "maxLength": MAX_LENGTH, "pattern": "^[!-~]([ -~]*[!-~])?$"},
        "A name that the client makes up for this request, such as a UUID. Sent again within a day with the"
        " same document, it is answered with the first answer, and nothing is made twice; with another: 409.",
    ),
}


def query(name: str, schema: Mapping[str, Any], description: str, **more: Any) -> Schema:
    parameter: Schema = {"name": name, "in": "query", "description": description, "schema": dict(schema)}
    if schema["type"] == "array":  # a,b,c in one value
        parameter |= {"style": "form", "explode": False}
    return parameter | more


def headers(method: str) -> list[Schema]:
    return [
        {"name": name, "in": "header", "description": description, "schema": schema}
        for name, (methods, schema, description) in HEADERS.items()
        if method in methods
    ]


# --- what is shown --------------------------------------------------------------------------------


def include_paths(serializer_class: SerializerClass, depth: int = MAX_INCLUDE_DEPTH) -> Iterator[str]:
    for name in relationships(serializer_class) if depth else ():
        yield name
        for path in include_paths(related(serializer_class, name), depth - 1):
            yield f"{name}.{path}"


def include(serializer_class: SerializerClass) -> list[Schema]:
    paths = sorted(include_paths(serializer_class), key=lambda path: path.count("."))
    if not paths:
        return []
    schema = {"type": "array", "items": {"type": "string", "enum": paths}}
    text = "Related records to bring along in `included`, and whose linkage to show"
    return [query("include", schema, text)]


def sparse_fields(serializer_class: SerializerClass) -> Schema:
    kind, names = type_of(serializer_class), list(serializer_class.Meta.fields)
    schema = {"type": "array", "items": {"type": "string", "enum": names}}
    return query(f"fields[{kind}]", schema, f"The only fields to show of `{kind}`")


# --- what is listed -------------------------------------------------------------------------------


def operations(a_filter: Filter) -> list[str]:
    return [operation for operation in OPERATIONS if a_filter.takes(operation)]


def filters(base_filters: Mapping[str, Filter]) -> Iterator[Schema]:
    for name, a_filter in base_filters.items():
        needed = [f"filter[{other}]" for other in a_filter.needs(base_filters)]
        for operation in operations(a_filter):
            suffix = "" if operation == "eq" else f"[{operation}]"
            text = a_filter.describe(name).rstrip(".")
            if suffix:
                text += f": {OPERATIONS[operation]}"
            if needed:
                text += f". Only together with {' or '.join(needed)}"
            more = {"x-needs": needed} if needed else {}
            yield query(f"filter[{name}]{suffix}", filter_schema(a_filter, operation), text, **more)


def filter_schema(a_filter: Filter, operation: str) -> Schema:
    value = dict(a_filter.value_schema)
    if a_filter.takes_one_value or not a_filter.splits_at_commas:
        return value
    schema: Schema = {"type": "array", "items": value, "minItems": 1}
    if a_filter.operations[NEGATIONS.get(operation, operation)] != "in":
        schema["maxItems"] = MAX_VALUES
    return schema


def sort(names: list[str]) -> Schema:
    values = [f"{sign}{name}" for name in names for sign in ("", "-")]
    schema = {"type": "array", "items": {"type": "string", "enum": values}, "minItems": 1}
    return query("sort", schema, "The order of the list; with a minus, from the last to the first")


def page() -> Iterator[Schema]:
    # Without a schema default: Swagger UI would send it, also together with page[after].
    yield query(
        "page[number]", NUMBER_SCHEMA, "The page, from 1, which is the default. The answer has a total"
    )
    yield query(
        "page[size]",
        {**NUMBER_SCHEMA, "default": PAGE_SIZE},
        f"How many records a page has; of more than {MAX_PAGE_SIZE}, {MAX_PAGE_SIZE} are served",
    )
    yield query(
        "page[after]",
        {"type": "string", "format": "cursor", "maxLength": MAX_CURSOR},
        "Pages by cursor instead of by number: empty for the first page, then as `links.next` says. Costs the"
        " same at any depth, and has no total",
        allowEmptyValue=True,
    )
