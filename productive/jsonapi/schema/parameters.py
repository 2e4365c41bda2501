"""Describe the query parameters and headers of requests."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from productive.jsonapi.cursors import MAX_CURSOR
from productive.jsonapi.filter_groups import OPERATORS
from productive.jsonapi.filter_operations import MAX_VALUES, NEGATIONS, OperationFilter
from productive.jsonapi.idempotency import MAX_LENGTH
from productive.jsonapi.pagination import PAGE_SIZE
from productive.jsonapi.parameters import DRY_RUN, MAX_INCLUDE_DEPTH
from productive.jsonapi.schema.introspection import (
    SerializerClass,
    related_serializer,
    relationships,
    type_of,
)
from productive.jsonapi.schema.json_schema import POSITIVE_INTEGER, Schema

# Operation of a filter → its description. A filter without an operation means `eq`.
OPERATIONS = {
    "eq": "equals",
    "not_eq": "doesn't equal",
    "contains": "contains, ignoring case and accents",
    "not_contain": "doesn't contain, ignoring case and accents",
    "gt": "is greater than",
    "gt_eq": "is greater than or equal to",
    "lt": "is less than",
    "lt_eq": "is less than or equal to",
}

# Header → the methods that use it, its schema and its description.
REQUEST_HEADERS: Mapping[str, tuple[tuple[str, ...], Schema, str]] = {
    "If-None-Match": (
        ("GET",),
        {"type": "string"},
        "The `ETag` of an earlier response. If the response would be the same, the status is 304.",
    ),
    "If-Match": (
        ("PATCH", "PUT", "DELETE"),
        {"type": "string"},
        "The `ETag` of an earlier response with the record. If the record has changed, the status is 412.",
    ),
    "Prefer": (
        ("POST", "PATCH", "PUT"),
        {"type": "string", "examples": ["handling=strict"]},
        "With `handling=strict`, attributes and relationships that the resource doesn't have are rejected"
        " with 422. By default they are ignored, and `meta.ignored` of the response names them.",
    ),
    "Idempotency-Key": (
        ("POST",),
        # HTTP removes spaces at either end of a header's value.
        {"type": "string", "maxLength": MAX_LENGTH, "pattern": "^[!-~]([ -~]*[!-~])?$"},
        "A unique value that the client chooses, such as a UUID. For 24 hours, the same request with the same"
        " key gets the first response and creates nothing; another request with the same key gets 409.",
    ),
}


def query_parameter(name: str, schema: Mapping[str, Any], description: str, **members: Any) -> Schema:
    parameter: Schema = {"name": name, "in": "query", "description": description, "schema": dict(schema)}
    if schema["type"] == "array":  # As in a,b,c.
        parameter |= {"style": "form", "explode": False}
    return parameter | members


def header_parameters(method: str) -> list[Schema]:
    return [
        {"name": name, "in": "header", "description": description, "schema": schema}
        for name, (methods, schema, description) in REQUEST_HEADERS.items()
        if method in methods
    ]


# --- of all operations ----------------------------------------------------------------------------


def include_parameter(serializer_class: SerializerClass) -> Schema:
    paths = [*serializer_class.without_records, *include_paths(serializer_class)]
    paths.sort(key=lambda path: path.count("."))
    schema = {"type": "array", "items": {"type": "string", "enum": paths}}
    return query_parameter("include", schema, "Related records to add to the response, in `included`")


def include_paths(serializer_class: SerializerClass, depth: int = MAX_INCLUDE_DEPTH) -> Iterator[str]:
    for name in relationships(serializer_class) if depth else ():
        yield name
        for path in include_paths(related_serializer(serializer_class, name), depth - 1):
            yield f"{name}.{path}"


def fields_parameter(serializer_class: SerializerClass) -> Schema:
    resource_type = type_of(serializer_class)
    names = [*serializer_class.Meta.fields, *serializer_class.without_records]
    schema = {"type": "array", "items": {"type": "string", "enum": names}}
    description = f"The attributes and relationships of `{resource_type}` to return; by default all"
    return query_parameter(f"fields[{resource_type}]", schema, description)


def dry_run_parameter() -> Schema:
    description = (
        "With `true`, nothing is written: the response has the document as it would be, and `meta` says what"
        " the write would do. Errors are the same. An `Idempotency-Key` is neither used nor kept."
    )
    # Without a default, which Swagger UI would send.
    return query_parameter(DRY_RUN, {"type": "string", "enum": ["true", "false"]}, description)


# --- of lists -------------------------------------------------------------------------------------


def filter_parameters(base_filters: Mapping[str, OperationFilter]) -> Iterator[Schema]:
    for name, a_filter in base_filters.items():
        if not isinstance(a_filter, OperationFilter):  # A filter of django-filter itself.
            yield query_parameter(f"filter[{name}]", {"type": "string"}, a_filter.label or f"By {name}")
            continue
        needed = [f"filter[{other}]" for other in a_filter.needs(base_filters)]
        for operation in [each for each in OPERATIONS if a_filter.takes(each)]:
            suffix = "" if operation == "eq" else f"[{operation}]"
            description = a_filter.describe(name).rstrip(".")
            if suffix:
                description += f": {OPERATIONS[operation]}"
            if needed:
                description += f". Only together with {' or '.join(needed)}"
            members = {"x-needs": needed} if needed else {}
            schema = filter_schema(a_filter, operation)
            yield query_parameter(f"filter[{name}]{suffix}", schema, description, **members)


def operator_parameter() -> Schema:
    description = (
        "How numbered filters are combined, such as `filter[0][name]=a` and `filter[1][name]=b`. A number can"
        " also have several filters, which are combined with AND, or an operator and numbers of its own. Any"
        " filter can be numbered, with its operation. With `or`, all of them must be"
    )
    return query_parameter("filter[$op]", {"type": "string", "enum": [*OPERATORS]}, description)


def filter_schema(a_filter: OperationFilter, operation: str) -> Schema:
    value = dict(a_filter.value_schema)
    if a_filter.takes_one_value or not a_filter.splits_at_commas:
        return value
    schema: Schema = {"type": "array", "items": value, "minItems": 1}
    if a_filter.operations[NEGATIONS.get(operation, operation)] != "in":
        schema["maxItems"] = MAX_VALUES
    return schema


def sort_parameter(names: list[str]) -> Schema:
    values = [f"{sign}{name}" for name in names for sign in ("", "-")]
    schema = {"type": "array", "items": {"type": "string", "enum": values}, "minItems": 1}
    return query_parameter("sort", schema, "The order of the list; with a minus, descending")


def page_parameters(max_size: int) -> Iterator[Schema]:
    # Without a default, which Swagger UI would send even with page[after].
    yield query_parameter(
        "page[number]",
        {**POSITIVE_INTEGER, "minimum": 0},
        "The page, from 1, which is the default and also page 0. The response has a total",
    )
    yield query_parameter(
        "page[size]",
        {**POSITIVE_INTEGER, "default": PAGE_SIZE},
        f"The number of records on a page. More than {max_size} count as {max_size}",
    )
    yield query_parameter(
        "page[after]",
        {"type": "string", "format": "cursor", "maxLength": MAX_CURSOR},
        "Instead of `page[number]`: a cursor. Empty for the first page; `links.next` has the one of the next"
        " page. Each page takes the same time. The response has no total",
        allowEmptyValue=True,
    )
