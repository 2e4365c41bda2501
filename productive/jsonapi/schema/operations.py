"""The API's operations as OpenAPI: what `manage.py spectacular` and /api/v2/openapi.json tell.

Nothing is declared for it: an operation is described by its view's serializer, filters, sorts and verbs.
"""

from __future__ import annotations

from collections.abc import Callable
from inspect import getdoc
from typing import Any

from django.db import models
from drf_spectacular.openapi import AutoSchema as SpectacularAutoSchema
from drf_spectacular.plumbing import ComponentRegistry, ResolvedComponent

from productive.jsonapi.idempotency import REPLAYED
from productive.jsonapi.records import resource_type
from productive.jsonapi.schema import examples, parameters, resources
from productive.jsonapi.schema.answers import (
    ALWAYS,
    ERRORS,
    ETAG,
    IS_REPLAYED,
    LOCATION,
    SHARED,
    code_of,
    content,
    error_response,
    error_schema,
)
from productive.jsonapi.schema.resources import Schema, SerializerClass, reachable, type_of
from productive.jsonapi.serializers import ModelSerializer

SUMMARIES = {
    "list": "List {many}",
    "retrieve": "Show {one}",
    "create": "Create {one}",
    "partial_update": "Change {one}",
    "destroy": "Delete {one}",
}
READS = ("list", "retrieve")


def first_paragraph(documented: object) -> str:
    return " ".join((getdoc(documented) or "").partition("\n\n")[0].split())


class AutoSchema(SpectacularAutoSchema):
    """One operation: of a viewset whose serializer, filterset and sorts say all there is to say."""

    view: Any

    def get_operation(
        self, path: str, path_regex: str, path_prefix: str, method: str, registry: ComponentRegistry
    ) -> Schema:
        self.path, self.method, self.registry = path.rstrip("/"), method, registry
        self.register_shared()
        operation: Schema = {
            "operationId": f"{self.type}_{self.action}",
            "summary": self.summary(),
            "description": self.description(),
            "tags": [self.type],
            "parameters": self.parameters(),
            "security": self.get_auth(),
            "responses": self.responses(),
        }
        if body := self.body():
            operation["requestBody"] = body
        return operation

    # --- what it is about ---

    @property
    def action(self) -> str:
        action: str = self.view.action
        return action

    @property
    def is_verb(self) -> bool:
        return self.action not in SUMMARIES

    @property
    def kind(self) -> str:
        """The action as the table of errors calls it."""
        return "verb" if self.is_verb else self.action

    @property
    def serializer_class(self) -> SerializerClass:
        serializer_class: SerializerClass = self.view.serializer_class
        return serializer_class

    @property
    def model(self) -> Any:
        return self.serializer_class.Meta.model

    @property
    def type(self) -> str:
        return type_of(self.serializer_class)

    def summary(self) -> str:
        one, many = (resources.words(str(n)) for n in (self.model._meta.verbose_name, self.type))
        if self.is_verb:
            return f"{self.action.capitalize()} {article(one)}"
        return SUMMARIES[self.action].format(one=article(one), many=many)

    def description(self) -> str:
        documented = getattr(self.model, self.action) if self.is_verb else self.model
        return first_paragraph(documented)

    # --- the request ---

    def parameters(self) -> list[Schema]:
        found: list[Schema] = [self.path_id()] if "{" in self.path else []
        found += parameters.headers(self.method)
        found += parameters.include(self.serializer_class)
        found += [self.sparse_fields(each) for each in reachable(self.serializer_class)]
        if self.action == "list":
            found += parameters.filters(self.view.filterset_class.base_filters)
            if self.view.sorts is not None:
                found.append(parameters.sort(["id", *self.view.sorts]))
            found += parameters.page()
        return found

    def path_id(self) -> Schema:
        schema = resources.id_schema(self.serializer_class)
        return {"name": "id", "in": "path", "required": True, "schema": schema}

    def sparse_fields(self, serializer_class: SerializerClass) -> Schema:
        name = f"fields_{type_of(serializer_class)}"
        return self.component("parameters", name, lambda: parameters.sparse_fields(serializer_class))

    def body(self) -> Schema | None:
        serializer_class = self.serializer_class
        if self.action in ("create", "partial_update"):
            new = self.action == "create"
            name = f"{'new' if new else 'changed'}_{self.type}"
            schema = self.schema(name, lambda: resources.sent(serializer_class, new=new))
            example = {"data": examples.sent(serializer_class, new=new)}
            return {"required": True, "content": content(document(schema), example)}
        if self.is_verb:
            identity = resources.nullable(resources.id_schema(serializer_class))
            properties = {"type": {"const": self.type}, "id": identity}
            data = {"type": "object", "required": ["type"], "properties": properties}
            schema = {"type": "object", "properties": {"data": data}}
            return {"required": False, "description": "Not needed", "content": content(schema)}
        return None

    # --- the answer ---

    def responses(self) -> Schema:
        statuses = {*ALWAYS, *ERRORS[self.kind]}
        if self.action == "destroy" and self.may_be_refused():
            statuses.add(422)
        return {
            **self.success(),
            **{str(status): self.error(status) for status in sorted(statuses)},
        }

    def may_be_refused(self) -> bool:
        """Whether something else may need the record so much that it can't be deleted."""
        others = self.model._meta.related_objects
        return any(other.on_delete in (models.RESTRICT, models.PROTECT) for other in others)

    def success(self) -> Schema:
        headers: Schema = dict(self.view.answer_headers.get(self.action, {}))
        if self.action == "destroy":
            return {"204": answer("It is deleted", headers)}
        headers["ETag"] = ETAG
        if self.action == "create":
            headers |= {"Location": LOCATION, REPLAYED: IS_REPLAYED}
        written = self.listed() if self.action == "list" else self.single()
        status, text = ("201", "It is created") if self.action == "create" else ("200", "As it is now")
        responses: Schema = {status: {**answer(text, headers), "content": written}}
        if self.action in READS:
            responses["304"] = answer("The client has this answer already", {"ETag": ETAG})
        return responses

    def resource(self, serializer_class: SerializerClass) -> Schema:
        """Also as one that is included by another resource, so with what only its own view adds to it."""
        metas = self.view.resource_meta if serializer_class is self.serializer_class else {}
        name = type_of(serializer_class)
        return self.schema(
            f"{name}_with_meta" if metas else name, lambda: resources.shown(serializer_class, metas)
        )

    def single(self) -> Schema:
        schema = document(self.resource(self.serializer_class))
        schema["required"] = ["data", "meta"]
        schema["properties"] |= {**self.included(), "meta": {"type": "object"}}
        return content(schema, {"data": self.example(), "meta": {}})

    def listed(self) -> Schema:
        schema = document({"type": "array", "items": self.resource(self.serializer_class)})
        schema["required"] = ["data", "links", "meta"]
        kinds = [{"$ref": f"#/components/schemas/{each}"} for each in ("numbered_page", "cursor_page")]
        links = {"$ref": "#/components/schemas/links"}
        schema["properties"] |= {**self.included(), "links": links, "meta": {"anyOf": kinds}}
        address = f"https://example.com{self.path}?page%5Bnumber%5D=1&page%5Bsize%5D=30"
        meta = {"current_page": 1, "total_pages": 1, "total_count": 1, "page_size": 30, "max_page_size": 200}
        example = {"data": [self.example()], "links": {"first": address, "last": address}, "meta": meta}
        return content(schema, example)

    def example(self) -> Schema:
        example = examples.shown(self.serializer_class)
        metas = {name: schema["examples"][0] for name, schema in self.view.resource_meta.items()}
        return {**example, "meta": metas} if metas else example

    def included(self) -> Schema:
        """Only where the request includes something."""
        _, *others = reachable(self.serializer_class)
        if not others:
            return {}
        kinds = [self.resource(each) for each in (self.serializer_class, *others)]
        return {"included": {"type": "array", "items": {"anyOf": kinds}}}

    def error(self, status: int) -> Schema:
        code = code_of(status)
        self.schema(code, lambda: error_schema(status))
        return self.component("responses", code, lambda: error_response(status))

    # --- components ---

    def register_shared(self) -> None:
        for name, schema in SHARED.items():
            self.schema(name, lambda schema=schema: schema)  # type: ignore[misc]

    def schema(self, name: str, make: Callable[[], Schema]) -> Schema:
        return self.component(ResolvedComponent.SCHEMA, name, make)

    def component(self, kind: str, name: str, make: Callable[[], Schema]) -> Schema:
        """A reference to the component, which is made where it isn't there yet."""
        component = ResolvedComponent(name=name, type=kind, object=name)
        if component not in self.registry:
            component.schema = make()
            self.registry.register(component)
        return component.ref


def document(data: Schema) -> Schema:
    return {"type": "object", "required": ["data"], "properties": {"data": data}}


def answer(description: str, headers: Schema) -> Schema:
    return {"description": description, **({"headers": headers} if headers else {})}


def article(noun: str) -> str:
    return f"{'an' if noun[0].lower() in 'aeiou' else 'a'} {noun}"


def finish(result: Schema, **kwargs: Any) -> Schema:
    """Each resource in words, for those who group the operations by it; addresses as links have them."""
    models_by_type = {resource_type(model): model for model in ModelSerializer.by_model}
    described = [
        {"name": name, "description": first_paragraph(models_by_type[name])}
        for name in sorted(models_by_type)
    ]
    paths = {path.rstrip("/"): operations for path, operations in result["paths"].items()}
    return {**result, "tags": described, "paths": paths}
