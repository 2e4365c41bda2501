"""The API's document tells all that there is, and nothing else. What there is comes from the code: a new
resource, filter, sort or verb is asked for unasked."""

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
from productive.jsonapi.filters import NEGATIONS, NUMBER_OPERATIONS, TEXT_OPERATIONS
from productive.jsonapi.schema import parameters
from productive.jsonapi.schema.views import document
from tests.openapi.world import furnish
from tests.support.api import MEDIA_TYPE, Api
from tests.support.resources import ACTIONS, RESOURCES, ROUTES, SERVED, WRITABLE, make, model_of

pytestmark = pytest.mark.any_database

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


def query(path: str, method: str = "GET") -> dict[str, Any]:
    found = map(resolved, operation(method, path)["parameters"])
    return {each["name"]: each["schema"] for each in found if each["in"] == "query"}


def check(instance: Any, schema: Any) -> None:
    """Raise where the instance is not what the schema says."""
    whole = {**schema, "components": document()["components"]}
    jsonschema.Draft202012Validator(whole).validate(instance)


def schema_of(described: Any) -> Any:
    return resolved(described)["content"][MEDIA_TYPE]["schema"]


def check_answer(method: str, path: str, status: int, body: Any) -> None:
    check(body, schema_of(operation(method, path)["responses"][str(status)]))


def test_the_document_is_valid_and_nothing_is_guessed() -> None:
    written = StringIO()
    call_command("spectacular", "--validate", "--fail-on-warn", "--format", "openapi-json", stdout=written)
    assert json.loads(written.getvalue()) == document()


def test_every_route_is_told_and_no_other() -> None:
    told = {(method.upper(), path) for path, methods in document()["paths"].items() for method in methods}
    served = {
        (method.upper(), "/api/v2/" + path.strip("^$").removesuffix("/?").replace("(?P<pk>[^/.]+)", "{id}"))
        for path, callback in ROUTES
        for method in callback.actions
        if method != "head"
    }
    assert told == served


@pytest.mark.parametrize("resource", SERVED)
def test_every_filter_and_operation_is_told(resource: str) -> None:
    filters = SERVED[resource].filterset_class.base_filters
    taken = {
        f"filter[{name}]" + ("" if each == "eq" else f"[{each}]")
        for name, a_filter in filters.items()
        for each in OPERATIONS
        if a_filter.takes(each)
    }
    assert {name for name in query(resource) if name.startswith("filter[")} == taken


@pytest.mark.django_db
@pytest.mark.parametrize("resource", RESOURCES)
def test_what_is_told_of_a_list_is_served(resource: str, api: Api, organization: Organization) -> None:
    """Each filter, sort, include and field by itself; and not one that is not told."""
    make(resource, organization)
    told = query(resource)
    for name in told["sort"]["items"]["enum"]:
        assert api.get(f"{resource}?sort={name}").status == 200, name
    sorts = {"id", *SERVED[resource].sorts} if SERVED[resource].sorts is not None else set()
    assert {name.removeprefix("-") for name in told["sort"]["items"]["enum"]} == sorts
    for name in told.get("include", {"items": {"enum": ()}})["items"]["enum"]:
        answer = api.get(f"{resource}?include={name}")
        assert answer.status == 200, name
        check_answer("GET", resource, 200, answer.json)
    for name, schema in told.items():
        if name.startswith("fields["):
            for field in schema["items"]["enum"]:
                assert api.get(f"{resource}?{name}={field}").status == 200, (name, field)
        if name.startswith("filter["):
            value = schema.get("items", schema)
            text = value.get(
                "enum", ["2026-11-23" if "format" in value and value["type"] == "string" else "1"]
            )[0]
            needed = "".join(f"&{other}=1" for other in needs(resource, name)[:1])
            assert api.get(f"{resource}?{name}={text}{needed}").status == 200, name


def needs(resource: str, parameter: str) -> list[str]:
    found = map(resolved, operation("GET", resource)["parameters"])
    return next(each.get("x-needs", []) for each in found if each["name"] == parameter)


@pytest.mark.django_db
@pytest.mark.parametrize("resource", SERVED)
def test_includes_that_are_not_told_are_refused(resource: str, api: Api) -> None:
    told = set(query(resource).get("include", {"items": {"enum": ()}})["items"]["enum"])
    names = {part for path in told for part in path.split(".")} | {"organization", "person"}
    for path in {*names, *(f"{first}.{second}" for first in names for second in names)} - told:
        answer = api.get(f"{resource}/1?include={path}")
        assert (answer.status, answer.error["code"]) == (400, "unsupported_include"), path


@pytest.mark.django_db
@pytest.mark.parametrize("resource", RESOURCES)
def test_a_record_has_what_is_told_of_it(resource: str, api: Api, organization: Organization) -> None:
    (row,) = make(resource, organization)
    shown = api.get(f"{resource}/{row.pk}").data
    told = resolved(
        schema_of(operation("GET", f"{resource}/{{id}}")["responses"]["200"])["properties"]["data"]
    )
    for member in ("attributes", "relationships", "meta"):
        properties = told["properties"].get(member, {}).get("properties", {})
        assert [*shown.get(member, {})] == [*properties], member


@pytest.mark.django_db
@pytest.mark.parametrize("resource", WRITABLE)
def test_examples_of_writes_can_be_sent(resource: str, api: Api, organization: Organization) -> None:
    """As they are told, but for the ids."""
    (row,) = make(resource, organization)
    for method, path in (("PATCH", f"{resource}/{{id}}"), ("POST", resource)):
        body = operation(method, path)["requestBody"]["content"][MEDIA_TYPE]
        example = json.loads(json.dumps(body["example"]))
        check(example, body["schema"])
        if method == "PATCH":
            example["data"]["id"] = str(row.pk)
        for name, relationship in example["data"].get("relationships", {}).items():
            related = make(relationship["data"]["type"], organization)[0]
            example["data"]["relationships"][name]["data"]["id"] = str(related.pk)
        answer = api.request(method, path.replace("{id}", str(row.pk)), json=example)
        assert answer.status == (201 if method == "POST" else 200), (answer, example)
        check_answer(method, path, answer.status, answer.json)
        for name, value in example["data"].get("attributes", {}).items():
            assert answer.data["attributes"][name] == value


@pytest.mark.parametrize("exchange", EXCHANGES, ids=lambda exchange: exchange["name"])
def test_recorded_exchanges_are_as_told(exchange: dict[str, Any]) -> None:
    request, response = exchange["request"], exchange["response"]
    kind, *rest = request["path"].partition("?")[0].removeprefix("/api/v2/").split("/")
    path = "/".join([kind, *(["{id}", *rest[1:]] if rest else [])])
    described = operation(request["method"], path)
    assert str(response["status"]) in described["responses"]
    if "body" in response:
        check_answer(request["method"], path, response["status"], response["body"])
    if "body" in request and response["status"] < HTTPStatus.BAD_REQUEST:
        check(request["body"], described["requestBody"]["content"][MEDIA_TYPE]["schema"])


@pytest.mark.django_db
def test_errors_are_as_told(api: Api, organization: Organization) -> None:
    (row,) = make("service_types", organization)
    path, record = "service_types", f"service_types/{row.pk}"
    for method, where, answer in (
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
        assert answer.status >= HTTPStatus.BAD_REQUEST
        check_answer(method, where, answer.status, answer.json)
        headers = resolved(operation(method, where)["responses"][str(answer.status)]).get("headers", {})
        assert set(headers) <= set(answer.headers)


def test_every_status_and_code_is_told_somewhere() -> None:
    told = {
        code
        for schema in document()["components"]["schemas"].values()
        for code in schema.get("properties", {})
        .get("errors", {})
        .get("items", {"properties": {"code": {"enum": ()}}})["properties"]["code"]["enum"]
    }
    # Faults that no operation has: an unknown method, a format, a fault of ours.
    nowhere = {STATUSES[status][0] for status in (405, 500)}
    assert {code for code, _, _ in STATUSES.values()} - nowhere | {*PARAMETERS} <= told


def test_operations_of_filters_are_those_that_exist() -> None:
    assert set(parameters.OPERATIONS) == OPERATIONS


def test_verbs_are_told_with_what_they_do() -> None:
    for resource, verb in ACTIONS:
        described = operation("PATCH", f"{resource}/{{id}}/{verb}")
        method = getattr(model_of(resource), verb)
        assert described["description"] == method.__doc__.partition("\n\n")[0]


@pytest.mark.django_db
def test_tracking_decisions_are_as_told(api: Api, token: Any) -> None:
    furnish(token)
    (person, *_) = api.get("people").ids
    listed = api.get(f"tracking_decisions?filter[person_id]={person}&include=service,person")
    check_answer("GET", "tracking_decisions", 200, listed.json)
    one = api.get(f"tracking_decisions/{listed.data[0]['id']}")
    check_answer("GET", "tracking_decisions/{id}", 200, one.json)
    assert [*one.data["attributes"]] == ["allowed", "kind", "on", "reasons"]
