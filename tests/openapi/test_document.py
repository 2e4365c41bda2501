"""Test that the OpenAPI document describes the API completely.

Expected values come from the API's views, so new resources, filters, sorts and actions are tested, too.
"""

from __future__ import annotations

import json
from http import HTTPStatus
from io import StringIO
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from django.core.management import call_command

from productive.accounts.models import Organization
from productive.jsonapi.errors import PARAMETERS, STATUSES
from productive.jsonapi.filter_operations import NEGATIONS, NUMBER_OPERATIONS
from productive.jsonapi.filters import TEXT_OPERATIONS
from productive.jsonapi.renderers import dump
from productive.jsonapi.schema import parameters
from productive.jsonapi.schema.views import document
from tests.openapi.records import create_records
from tests.support.api import MEDIA_TYPE, Api
from tests.support.resources import ACTIONS, RESOURCES, ROUTES, SERVED, WRITABLE, create_rows, model_of
from tests.support.samples import sampled

pytestmark = [pytest.mark.any_database]

OPERATIONS = {"eq", *NEGATIONS, *TEXT_OPERATIONS, *NUMBER_OPERATIONS}
EXCHANGES = [
    exchange
    for path in sorted((Path(__file__).parent.parent / "contract").glob("*.json"))
    for exchange in json.loads(path.read_text())
]


def resolved(schema: Any) -> Any:
    while "$ref" in schema:
        *_, kind, name = schema["$ref"].split("/")
        schema = document()["components"][kind][name]
    return schema


def operation(method: str, path: str) -> Any:
    return document()["paths"][f"/api/v2/{path}"][method.lower()]


def query_parameters(path: str, method: str = "GET") -> dict[str, Any]:
    found = map(resolved, operation(method, path)["parameters"])
    return {each["name"]: each for each in found if each["in"] == "query"}


def values(parameter: Any) -> list[str]:
    """Return the values that a parameter can have, if it is in the document."""
    found: list[str] = parameter["schema"]["items"]["enum"] if parameter else []
    return found


def validate(instance: Any, schema: Any) -> None:
    whole = {**schema, "components": document()["components"]}
    jsonschema.Draft202012Validator(whole).validate(instance)


def content_schema(described: Any) -> Any:
    return resolved(described)["content"][MEDIA_TYPE]["schema"]


def content_properties(described: Any) -> Any:
    return resolved(content_schema(described))["properties"]


def validate_response(method: str, path: str, status: int, body: Any) -> None:
    validate(body, content_schema(operation(method, path)["responses"][str(status)]))


def test_document_is_valid_and_has_no_warnings() -> None:
    output = StringIO()
    call_command("spectacular", "--validate", "--fail-on-warn", "--format", "openapi-json", stdout=output)
    assert json.loads(output.getvalue()) == document()


def test_document_has_every_route_and_no_other() -> None:
    described = {
        (method.upper(), path) for path, methods in document()["paths"].items() for method in methods
    }
    routed = {
        (method.upper(), "/api/v2/" + path.strip("^$").removesuffix("/?").replace("(?P<pk>[^/.]+)", "{id}"))
        for path, callback in ROUTES
        for method in callback.actions
        if method != "head"
    }
    assert described == routed


@pytest.mark.parametrize("resource", SERVED)
def test_document_has_every_filter_with_its_operations(resource: str) -> None:
    filters = SERVED[resource].filterset_class.base_filters
    expected = {
        f"filter[{name}]" + ("" if each == "eq" else f"[{each}]")
        for name, a_filter in filters.items()
        for each in OPERATIONS
        if a_filter.takes(each)
    }
    if SERVED[resource].filterset_class.can_be_grouped:  # type: ignore[attr-defined]
        expected.add("filter[$op]")
    assert {name for name in query_parameters(resource) if name.startswith("filter[")} == expected


@pytest.mark.django_db
@pytest.mark.parametrize("resource", RESOURCES)
def test_list_accepts_every_described_parameter(resource: str, api: Api, organization: Organization) -> None:
    create_rows(resource, organization)
    described = query_parameters(resource)
    sorts = {"id", *SERVED[resource].sorts} if SERVED[resource].sorts is not None else set()
    assert {name.removeprefix("-") for name in values(described["sort"])} == sorts
    for name in values(described["sort"]):
        assert api.get(f"{resource}?sort={name}").status == 200, name
    for name in sampled(values(described.get("include"))):
        response = api.get(f"{resource}?include={name}")
        assert response.status == 200, name
        validate_response("GET", resource, 200, response.json)
    for name, parameter in described.items():
        if name.startswith("fields["):
            assert api.get(f"{resource}?{name}={','.join(values(parameter))}").status == 200, name
        if name.startswith("filter["):
            schema = parameter["schema"].get("items", parameter["schema"])
            is_date = schema["type"] == "string" and "format" in schema
            value = schema.get("enum", ["2026-11-23" if is_date else "1"])[0]
            needed = "".join(f"&{other}=1" for other in parameter.get("x-needs", [])[:1])
            assert api.get(f"{resource}?{name}={value}{needed}").status == 200, name


@pytest.mark.django_db
@pytest.mark.parametrize("resource", SERVED)
def test_includes_that_are_not_described_are_rejected(resource: str, api: Api) -> None:
    described = {*values(query_parameters(resource).get("include"))}
    names = {part for path in described for part in path.split(".")} | {"organization", "person"}
    paths = {*names, *(f"{first}.{second}" for first in names for second in names)}
    for path in sampled(sorted(paths - described)):
        response = api.get(f"{resource}/1?include={path}")
        assert (response.status, response.error["code"]) == (400, "unsupported_include"), path


@pytest.mark.django_db
@pytest.mark.parametrize("resource", RESOURCES)
def test_record_has_the_described_members(resource: str, api: Api, organization: Organization) -> None:
    (row,) = create_rows(resource, organization)
    record, view = api.get(f"{resource}/{row.pk}").data, RESOURCES[resource]
    response = operation("GET", f"{resource}/{{id}}")["responses"]["200"]
    schema = resolved(content_properties(response)["data"])
    for member in ("attributes", "relationships", "meta"):
        properties = schema["properties"].get(member, {}).get("properties", {})
        optional = view.optional_meta if member == "meta" else {}
        assert [*record.get(member, {})] == [name for name in properties if name not in optional], member


@pytest.mark.django_db
@pytest.mark.parametrize("resource", WRITABLE)
def test_examples_of_writes_succeed(resource: str, api: Api, organization: Organization) -> None:
    """The ids in the examples are replaced."""
    (row,) = create_rows(resource, organization)
    for method, path in (("PATCH", f"{resource}/{{id}}"), ("POST", resource)):
        body = operation(method, path)["requestBody"]["content"][MEDIA_TYPE]
        example = json.loads(json.dumps(body["example"]))
        validate(example, body["schema"])
        if method == "PATCH":
            example["data"]["id"] = str(row.pk)
        for name, relationship in example["data"].get("relationships", {}).items():
            related = create_rows(relationship["data"]["type"], organization)[0]
            example["data"]["relationships"][name]["data"]["id"] = str(related.pk)
        dry_run = api.request(method, path.replace("{id}", str(row.pk)) + "?dry_run=true", json=example)
        assert dry_run.status == 200, (dry_run, example)
        validate_response(method, path, 200, dry_run.json)
        response = api.request(method, path.replace("{id}", str(row.pk)), json=example)
        assert response.status == (201 if method == "POST" else 200), (response, example)
        validate_response(method, path, response.status, response.json)
        for name, value in example["data"].get("attributes", {}).items():
            assert response.data["attributes"][name] == value
    (unused,) = create_rows(resource, organization)
    deleted = api.delete(f"{resource}/{unused.pk}?dry_run=true")
    validate_response("DELETE", f"{resource}/{{id}}", deleted.status, deleted.json)


@pytest.mark.no_cover
@pytest.mark.parametrize("resource", SERVED)
def test_examples_of_responses_are_as_described(resource: str) -> None:
    (example,) = resolved(content_schema(operation("GET", f"{resource}/{{id}}")["responses"]["200"]))[
        "examples"
    ]
    validate_response("GET", f"{resource}/{{id}}", 200, example)
    content = operation("GET", resource)["responses"]["200"]["content"][MEDIA_TYPE]
    validate(content["example"], content["schema"])


@pytest.mark.no_cover
def test_document_is_not_larger_than_needed() -> None:
    """What several operations have in common is a component."""
    assert len(dump(document())) < 520_000


def test_dry_runs_and_their_meta_are_described() -> None:
    for method, path in (("POST", "{}"), ("PATCH", "{}/{{id}}"), ("DELETE", "{}/{{id}}")):
        for described in map(path.format, WRITABLE):
            assert query_parameters(described, method)["dry_run"]["schema"]["enum"] == ["true", "false"]
            properties = content_properties(operation(method, described)["responses"]["200"])
            assert {"ignored", "consequences"} <= set(resolved(properties["meta"])["properties"])
    assert "dry_run" not in query_parameters("people")


@pytest.mark.parametrize("exchange", EXCHANGES, ids=lambda exchange: exchange["name"])
def test_recorded_exchanges_are_as_described(exchange: dict[str, Any]) -> None:
    request, response = exchange["request"], exchange["response"]
    resource, *rest = request["path"].partition("?")[0].removeprefix("/api/v2/").split("/")
    path = "/".join([resource, *(["{id}", *rest[1:]] if rest else [])])
    described = operation(request["method"], path)
    assert str(response["status"]) in described["responses"]
    if "body" in response:
        validate_response(request["method"], path, response["status"], response["body"])
    if "body" in request and response["status"] < HTTPStatus.BAD_REQUEST:
        validate(request["body"], described["requestBody"]["content"][MEDIA_TYPE]["schema"])


@pytest.mark.django_db
def test_errors_are_as_described(api: Api, organization: Organization) -> None:
    (row,) = create_rows("service_types", organization)
    path, record = "service_types", f"service_types/{row.pk}"
    for method, described_path, response in (
        ("GET", path, api.get(f"{path}?sort=color")),
        ("GET", path, Api().get(path)),
        ("GET", path, api.get(path, headers={"X-Organization-Id": "0"})),
        ("GET", f"{path}/{{id}}", api.get(f"{path}/999999999")),
        ("POST", path, api.post(path, {"data": {"type": "people"}})),
        ("POST", path, api.post(path, body=b"x" * 1_000_001)),
        ("POST", path, api.post(path, body=b"{}", headers={"Content-Type": "text/plain"})),
        ("POST", path, api.post(path, {"data": {"type": path}})),
        ("PATCH", f"{path}/{{id}}", api.patch(record, {"data": {"type": path, "id": "1" * 18}})),
    ):
        assert response.status >= HTTPStatus.BAD_REQUEST
        validate_response(method, described_path, response.status, response.json)
        described = resolved(operation(method, described_path)["responses"][str(response.status)])
        assert set(described.get("headers", {})) <= set(response.headers)


def test_document_has_every_status_and_code() -> None:
    described = {
        code
        for schema in document()["components"]["schemas"].values()
        for code in schema.get("properties", {})
        .get("errors", {})
        .get("items", {"properties": {"code": {"enum": ()}}})["properties"]["code"]["enum"]
    }
    # No operation returns these: an unknown method, and an error of the server.
    excluded = {STATUSES[status][0] for status in (405, 500)}
    assert {code for code, _, _ in STATUSES.values()} - excluded | {*PARAMETERS} <= described


def test_described_operations_of_filters_exist() -> None:
    assert set(parameters.OPERATIONS) == OPERATIONS


def test_extra_actions_have_the_docstring_of_the_models_method() -> None:
    for resource, action in ACTIONS:
        described, by_put = (operation(verb, f"{resource}/{{id}}/{action}") for verb in ("PATCH", "PUT"))
        assert by_put == {**described, "operationId": f"{described['operationId']}_by_put"}
        method = getattr(model_of(resource), action)
        assert described["description"] == method.__doc__.partition("\n\n")[0]


@pytest.mark.django_db
def test_organization_memberships_are_as_described(api: Api) -> None:
    for query in ("", "?include=organization,person.service_types,user"):
        listed = api.get(f"organization_memberships{query}")
        validate_response("GET", "organization_memberships", 200, listed.json)
    one = api.get(f"organization_memberships/{listed.ids[0]}")
    validate_response("GET", "organization_memberships/{id}", 200, one.json)


@pytest.mark.django_db
def test_tracking_decisions_are_as_described(api: Api, token: Any) -> None:
    create_records(token)
    (person, *_) = api.get("people").ids
    listed = api.get(f"tracking_decisions?filter[person_id]={person}&include=service,person")
    validate_response("GET", "tracking_decisions", 200, listed.json)
    one = api.get(f"tracking_decisions/{listed.data[0]['id']}")
    validate_response("GET", "tracking_decisions/{id}", 200, one.json)
    assert [*one.data["attributes"]] == ["allowed", "kind", "on", "reasons"]
