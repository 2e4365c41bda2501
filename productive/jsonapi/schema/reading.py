"""The API's document in the order in which somebody reads it: for the page at /api/v2/docs."""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from productive.jsonapi.renderers import MEDIA_TYPE
from productive.jsonapi.schema.parameters import OPERATIONS

Schema = Mapping[str, Any]
# In characters, of what is written on one line.
SHORT = 60
ORIGIN = "https://example.com"
FORMATS = {"date-time": "moment", "date": "day", "email": "e-mail address", "int64": "integer"}


class Attribute(NamedTuple):
    name: str
    type: str
    notes: list[str]
    description: str
    example: str


class Relationship(NamedTuple):
    name: str
    target: str
    is_many: bool
    notes: list[str]


class Filter(NamedTuple):
    name: str
    operations: list[tuple[str, str]]
    values: str
    description: str
    example: str


class Operation(NamedTuple):
    id: str
    method: str
    path: str
    summary: str
    request: str
    status: str
    answer: str
    errors: list[tuple[str, str]]


class Resource(NamedTuple):
    name: str
    title: str
    description: str
    operations: list[Operation]
    attributes: list[Attribute]
    relationships: list[Relationship]
    metas: list[Attribute]
    filters: list[Filter]
    sorts: list[str]
    includes: list[str]


def resources(document: Schema) -> list[Resource]:
    """Each resource with all that can be done with it, in the document's order."""
    return [Reader(document, tag["name"]).resource(tag["description"]) for tag in document["tags"]]


def written(value: Any, indent: str = "") -> str:
    """JSON for people: what is short stays on one line."""
    line = json.dumps(value, ensure_ascii=False)
    if len(line) <= SHORT or not isinstance(value, dict | list):
        return line
    inner = f"{indent}  "
    if isinstance(value, list):
        lines, brackets = [written(each, inner) for each in value], "[]"
    else:
        lines, brackets = [f'"{name}": {written(each, inner)}' for name, each in value.items()], "{}"
    joined = f",\n{inner}".join(lines)
    return f"{brackets[0]}\n{inner}{joined}\n{indent}{brackets[1]}"


class Reader:
    """Reads what the document says of one resource."""

    def __init__(self, document: Schema, name: str) -> None:
        self.document, self.name = document, name
        self.operations = [
            (method.upper(), path, operation)
            for path, methods in document["paths"].items()
            for method, operation in methods.items()
            if name in operation["tags"]
        ]

    def resource(self, description: str) -> Resource:
        shown, new = self.shown(), self.component("schemas", f"new_{self.name}")
        listing = self.query_of("list")
        return Resource(
            name=self.name,
            title=self.name.replace("_", " ").capitalize(),
            description=description,
            operations=[self.operation(*each) for each in self.operations],
            attributes=list(attributes(properties(shown, "attributes"), new)),
            relationships=list(relationships(properties(shown, "relationships"), new)),
            metas=list(attributes(properties(shown, "meta"), {})),
            filters=list(filters(listing, properties(shown, "attributes"))),
            sorts=enum(listing.get("sort")),
            includes=enum(listing.get("include")),
        )

    def component(self, kind: str, name: str) -> Schema:
        found: Schema = self.document["components"][kind].get(name, {})
        return found

    def resolved(self, schema: Schema) -> Schema:
        if "$ref" not in schema:
            return schema
        *_, kind, name = schema["$ref"].split("/")
        return self.component(kind, name)

    def shown(self) -> Schema:
        operation = next(o for _, _, o in self.operations if o["operationId"].endswith("_retrieve"))
        answer = operation["responses"]["200"]["content"][MEDIA_TYPE]["schema"]
        return self.resolved(answer["properties"]["data"])

    def query_of(self, action: str) -> dict[str, Schema]:
        operation = next(o for _, _, o in self.operations if o["operationId"] == f"{self.name}_{action}")
        found = [self.resolved(each) for each in operation["parameters"]]
        return {each["name"]: each for each in found if each["in"] == "query"}

    def operation(self, method: str, path: str, operation: Schema) -> Operation:
        status, answer = next(iter(operation["responses"].items()))
        content = answer.get("content", {}).get(MEDIA_TYPE, {})
        errors = [
            (each, self.resolved(response)["description"])
            for each, response in operation["responses"].items()
            if int(each) >= 400
        ]
        return Operation(
            id=operation["operationId"],
            method=method,
            path=path,
            summary=operation["summary"],
            request=self.curl(method, path, operation),
            status=status,
            answer=written(content["example"]) if "example" in content else "",
            errors=errors,
        )

    def curl(self, method: str, path: str, operation: Schema) -> str:
        identity = next(
            (p["schema"]["examples"][0] for p in operation["parameters"] if p.get("in") == "path"), ""
        )
        address = ORIGIN + path.replace("{id}", identity)
        if self.needs_a_filter(operation):
            address += "?filter%5Bservice_id%5D=34"
        lines = [
            f"curl {'' if method == 'GET' else f'-X {method} '}{shlex.quote(address)}",
            '-H "X-Auth-Token: $TOKEN"',
        ]
        body = operation.get("requestBody", {}).get("content", {}).get(MEDIA_TYPE, {}).get("example")
        if body:
            lines += [f"-H 'Content-Type: {MEDIA_TYPE}'", f"-d {shlex.quote(written(body))}"]
        return " \\\n  ".join(lines)

    def needs_a_filter(self, operation: Schema) -> bool:
        return any(
            "required" in self.resolved(each).get("description", "") for each in operation["parameters"]
        )


def properties(schema: Schema, member: str) -> Schema:
    found: Schema = schema["properties"].get(member, {}).get("properties", {})
    return found


def attributes(shown: Schema, new: Schema) -> Iterator[Attribute]:
    required = new.get("properties", {}).get("attributes", {}).get("required", ())
    for name, schema in shown.items():
        kinds = schema["type"] if isinstance(schema["type"], list) else [schema["type"]]
        notes = {
            "required": name in required,
            "nullable": "null" in kinds,
            "read only": schema.get("readOnly", False),
        }
        yield Attribute(
            name=name,
            type=kind_of(schema, [kind for kind in kinds if kind != "null"]),
            notes=[note for note, holds in notes.items() if holds],
            description=schema["description"],
            example=json.dumps(schema["examples"][0], ensure_ascii=False),
        )


def kind_of(schema: Schema, kinds: list[str]) -> str:
    if "enum" in schema:
        return " | ".join(schema["enum"])
    if len(kinds) > 1:
        return "any JSON"
    kind = FORMATS.get(schema.get("format", ""), kinds[0])
    return f"{kind}, up to {schema['maxLength']} characters" if "maxLength" in schema else kind


def relationships(shown: Schema, new: Schema) -> Iterator[Relationship]:
    required = {
        name
        for rule in new.get("allOf", ())
        for name in rule["anyOf"][0]["properties"]["relationships"]["required"]
    }
    sent = new.get("properties", {}).get("relationships", {}).get("properties", {})
    for name, schema in shown.items():
        included = schema["anyOf"][1] if "anyOf" in schema else schema
        linkage = included["properties"]["data"]
        is_many = linkage.get("type") == "array"
        one = linkage["items"] if is_many else linkage["anyOf"][0] if "anyOf" in linkage else linkage
        notes = {
            "required": name in required,
            "nullable": "anyOf" in linkage,
            "read only": "description" in sent.get(name, {"description": ""}),
        }
        target = one["properties"]["type"]["const"]
        yield Relationship(name, target, is_many, [note for note, holds in notes.items() if holds])


def filters(query: Mapping[str, Schema], shown: Schema) -> Iterator[Filter]:
    """One for each name, with all its operations."""
    for parameter, described in query.items():
        if not parameter.startswith("filter[") or parameter.count("[") > 1:
            continue
        name = parameter.removeprefix("filter[").removesuffix("]")
        operations = ["eq", *(o for o in OPERATIONS if f"{parameter}[{o}]" in query)]
        schema = described["schema"]
        value = schema.get("items", schema)
        example = shown[name]["examples"][0] if name in shown else example_of(schema, value)
        yield Filter(
            name=name,
            operations=[(operation, OPERATIONS[operation]) for operation in operations],
            values=kind_of(value, [value["type"]]) if "enum" in value else values_of(schema, value),
            description=described["description"],
            example=f"{parameter}={example}",
        )


def values_of(schema: Schema, value: Schema) -> str:
    if value is schema:
        return FORMATS.get(value.get("format", ""), "text")
    return "one or more ids"


def example_of(schema: Schema, value: Schema) -> str:
    if "enum" in value:
        return str(value["enum"][0])
    if value["type"] == "integer":
        return "12" if value is schema else "12,34"
    return "2026-11-23" if "format" in value else "design"


def enum(parameter: Schema | None) -> list[str]:
    found: list[str] = parameter["schema"]["items"]["enum"] if parameter else []
    return found
