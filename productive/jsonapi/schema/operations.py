"""Describe the API's operations as OpenAPI, as its views declare them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.db import models
from drf_spectacular.openapi import AutoSchema as SpectacularAutoSchema
from drf_spectacular.plumbing import ComponentRegistry, ResolvedComponent

from productive.jsonapi.idempotency import REPLAYED
from productive.jsonapi.pagination import MAX_PAGE_SIZE, PAGE_SIZE
from productive.jsonapi.schema import examples, parameters, resources, responses
from productive.jsonapi.schema.introspection import (
    SerializerClass,
    first_paragraph,
    has_relationships,
    reachable_serializers,
    type_of,
)
from productive.jsonapi.schema.json_schema import Schema, nullable, object_schema, shared

# Action → its summary, and the description of its response.
ACTIONS = {
    "list": ("List {plural}", "A page of the list"),
    "retrieve": ("Retrieve {one}", "The record"),
    "create": ("Create {one}", "The new record"),
    "partial_update": ("Update {one}", "The changed record"),
    "destroy": ("Delete {one}", "Deleted"),
}
EXTRA_ACTION = ("{action} {one}", "The changed record")


class AutoSchema(SpectacularAutoSchema):
    """Describe JSON:API documents instead of serializer fields."""

    view: Any

    def get_operation(
        self, path: str, path_regex: str, path_prefix: str, method: str, registry: ComponentRegistry
    ) -> Schema:
        self.path, self.method, self.registry = path.rstrip("/"), method, registry
        for name, schema in responses.SHARED_SCHEMAS.items():
            self.schema(name, lambda schema=schema: schema)  # type: ignore[misc]
        operation: Schema = {
            "operationId": self.get_operation_id(),
            "summary": self.get_summary(),
            "description": self.get_description(),
            "tags": self.get_tags(),
            "parameters": self.parameters(),
            "security": self.get_auth(),
            "responses": self.responses(),
        }
        if body := self.request_body():
            operation["requestBody"] = body
        return operation

    # --- texts ---

    def get_operation_id(self) -> str:
        name = f"{self.type}_{self.action}"
        # The ids are unique, and an action has two methods.
        return f"{name}_by_put" if self.method == "PUT" else name

    def get_tags(self) -> list[str]:
        return [self.type]

    def get_summary(self) -> str:
        template, _ = ACTIONS.get(self.action, EXTRA_ACTION)
        return template.format(
            action=self.action.capitalize(),
            one=with_article(str(self.model._meta.verbose_name)),
            plural=self.type.replace("_", " "),
        )

    def get_description(self) -> str:  # type: ignore[override]  # as in drf-spectacular
        return first_paragraph(getattr(self.model, self.action) if self.is_extra_action else self.model)

    # --- the view ---

    @property
    def action(self) -> str:
        return self.view.action

    @property
    def is_extra_action(self) -> bool:
        return self.action not in ACTIONS

    @property
    def serializer_class(self) -> SerializerClass:
        return self.view.serializer_class

    @property
    def model(self) -> Any:
        return self.serializer_class.Meta.model

    @property
    def type(self) -> str:
        return type_of(self.serializer_class)

    # --- the request ---

    def parameters(self) -> list[Schema]:
        found: list[Schema] = []
        if "{" in self.path:
            schema = resources.id_schema(self.serializer_class)
            found.append({"name": "id", "in": "path", "required": True, "schema": schema})
        found += map(self.shared_parameter, parameters.header_parameters(self.method))
        if has_relationships(self.serializer_class):
            found.append(self.component("parameters", f"include_{self.type}", self.include_parameter))
        found += [self.sparse_fields(each) for each in reachable_serializers(self.serializer_class)]
        if self.method != "GET":
            found.append(self.component("parameters", "dry_run", parameters.dry_run_parameter))
        if self.action == "list":
            found += parameters.filter_parameters(self.view.filterset_class.base_filters)
            if getattr(self.view.filterset_class, "can_be_grouped", True):
                found.append(self.component("parameters", "filter_op", parameters.operator_parameter))
            if self.view.sorts is not None:
                found.append(parameters.sort_parameter(["id", *self.view.sorts]))
            found += self.page_parameters()
        return found

    def include_parameter(self) -> Schema:
        return parameters.include_parameter(self.serializer_class)

    def page_parameters(self) -> list[Schema]:
        found = list(parameters.page_parameters(self.max_page_size))
        is_usual = self.max_page_size == MAX_PAGE_SIZE
        return [self.shared_parameter(each) for each in found] if is_usual else found

    def shared_parameter(self, parameter: Schema) -> Schema:
        name = parameter["name"].replace("[", "_").replace("]", "")
        return self.component("parameters", name, lambda: parameter)

    def sparse_fields(self, serializer_class: SerializerClass) -> Schema:
        name = f"fields_{type_of(serializer_class)}"
        return self.component("parameters", name, lambda: parameters.fields_parameter(serializer_class))

    def request_body(self) -> Schema | None:
        serializer_class = self.serializer_class
        if self.action in ("create", "partial_update"):
            new = self.action == "create"
            name = f"{'new' if new else 'changed'}_{self.type}"
            schema = self.schema(name, lambda: resources.request_schema(serializer_class, new=new))
            example = {"data": examples.request_example(serializer_class, new=new)}
            return {"required": True, "content": responses.content(document_schema(schema), example)}
        if self.action in self.view.action_bodies:
            schema = document_schema(self.view.action_bodies[self.action](self.type))
            return {"required": True, "content": responses.content(schema)}
        if self.is_extra_action:
            id_schema = nullable(resources.id_schema(serializer_class))
            properties = {"type": {"const": self.type}, "id": id_schema}
            schema = object_schema({"data": object_schema(properties, required=["type"])})
            return {"required": False, "description": "Optional", "content": responses.content(schema)}
        return None

    # --- the responses ---

    def responses(self) -> Schema:
        action = "extra_action" if self.is_extra_action else self.action
        errors = {*responses.COMMON_ERRORS, *responses.ACTION_ERRORS[action]}
        if self.action == "destroy" and self.is_restricted():
            errors.add(422)
        if self.is_extra_action and self.view.action_bodies:
            # A merged record can't be restored, either.
            errors.add(422)
        return {**self.success(), **{str(status): self.error(status) for status in sorted(errors)}}

    def is_restricted(self) -> bool:
        """Return whether other records can prevent the deletion."""
        relations = self.model._meta.related_objects
        return any(relation.on_delete in (models.RESTRICT, models.PROTECT) for relation in relations)

    def success(self) -> Schema:
        _, description = ACTIONS.get(self.action, EXTRA_ACTION)
        headers: Schema = dict(self.view.response_headers.get(self.action, {}))
        if self.action == "destroy":
            return {"204": responses.response(description, headers), "200": self.dry_run_response()}
        headers["ETag"] = responses.ETAG
        if self.action == "create":
            headers |= {"Location": responses.LOCATION, REPLAYED: responses.IDEMPOTENCY_REPLAYED}
        content = self.list_content() if self.action == "list" else self.record_content()
        status = "201" if self.action == "create" else "200"
        found: Schema = {status: {**responses.response(description, headers), "content": content}}
        if self.action in ("list", "retrieve"):
            found["304"] = responses.response("Not modified", {"ETag": responses.ETAG})
        if self.action == "create":
            found["200"] = self.dry_run_response()
        return found

    def dry_run_response(self) -> Schema:
        """Return the response to a dry run, where its status is another one."""
        schema = object_schema({"meta": self.meta()}, required=["meta"])
        content = responses.content(schema) if self.action == "destroy" else self.record_content()
        return {"description": "The result of a dry run", "content": content}

    def record_content(self) -> Schema:
        name = f"{'read' if self.method == 'GET' else 'written'}_{self.type}_document"
        return responses.content(self.schema(name, self.record_document))

    def record_document(self) -> Schema:
        schema = document_schema(self.resource(self.serializer_class))
        schema["required"] = ["data", "meta"]
        schema["properties"] |= {**self.included(), "meta": self.meta()}
        schema["examples"] = [{"data": self.example(), "meta": {}}]
        return schema

    def meta(self) -> Schema:
        """Return the schema of the document's meta; that of a dry run has more members."""
        optional: Schema = dict(self.view.optional_meta)
        if self.method == "GET":
            return object_schema(optional) if optional else {"type": "object"}
        names = {"type": "array", "items": {"type": "string"}, "description": "The members that were ignored"}
        members = {"ignored": names, **optional, **self.view.write_meta, **self.view.dry_run_meta}
        return self.schema(f"{self.type}_meta", lambda: object_schema(members))

    @property
    def max_page_size(self) -> int:
        size: int = self.view.pagination_class.max_page_size
        return size

    def list_content(self) -> Schema:
        schema = document_schema({"type": "array", "items": self.resource(self.serializer_class)})
        schema["required"] = ["data", "links", "meta"]
        metas = [shared(each) for each in ("numbered_page", "cursor_page")]
        links = shared("links")
        schema["properties"] |= {**self.included(), "links": links, "meta": {"anyOf": metas}}
        url = f"https://example.com{self.path}?page%5Bnumber%5D=1&page%5Bsize%5D={PAGE_SIZE}"
        example = {
            "data": [self.example()],
            "links": {"first": url, "last": url},
            "meta": {
                "current_page": 1,
                "total_pages": 1,
                "total_count": 1,
                "page_size": PAGE_SIZE,
                "max_page_size": self.max_page_size,
            },
        }
        return responses.content(schema, example)

    def resource(self, serializer_class: SerializerClass) -> Schema:
        """Return a resource's schema; only primary data has the view's meta."""
        is_primary = serializer_class is self.serializer_class
        metas, optional = (self.view.resource_meta, self.view.optional_meta) if is_primary else ({}, {})
        name = type_of(serializer_class)
        return self.schema(
            f"{name}_with_meta" if metas or optional else name,
            lambda: resources.response_schema(serializer_class, metas, optional),
        )

    def example(self) -> Schema:
        example = examples.response_example(self.serializer_class)
        metas = {name: schema["examples"][0] for name, schema in self.view.resource_meta.items()}
        return {**example, "meta": metas} if metas else example

    def included(self) -> Schema:
        """Return the schema of `included`, if the resource has relationships."""
        found = reachable_serializers(self.serializer_class)
        if len(found) == 1:
            return {}
        items = {"anyOf": [self.resource(each) for each in found]}
        schema = self.schema(f"{self.type}_included", lambda: {"type": "array", "items": items})
        return {"included": schema}

    def error(self, status: int) -> Schema:
        code = responses.error_code(status)
        self.schema(code, lambda: responses.error_document_schema(status))
        return self.component("responses", code, lambda: responses.error_response(status))

    # --- components ---

    def schema(self, name: str, make: Callable[[], Schema]) -> Schema:
        return self.component(ResolvedComponent.SCHEMA, name, make)

    def component(self, kind: str, name: str, make: Callable[[], Schema]) -> Schema:
        """Return a reference to a component; the first call makes it."""
        component = ResolvedComponent(name=name, type=kind, object=name)
        if component not in self.registry:
            component.schema = make()
            self.registry.register(component)
        return component.ref


def document_schema(data: Schema) -> Schema:
    return object_schema({"data": data}, required=["data"])


def with_article(noun: str) -> str:
    return f"{'an' if noun[0].lower() in 'aeiou' else 'a'} {noun}"
