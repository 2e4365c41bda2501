"""Replay the recorded exchanges, and compare whole responses.

The rows of an exchange are created with the recorded ids, so that status, content type and the whole body can
be compared with `==`. Only generated values are substituted: the id of a new record, the current time, and
the host.
"""

from __future__ import annotations

import json
import re
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest
from django.utils import timezone

from productive.accounts.models import Organization
from tests.support.api import Answer, Api, SocketApi
from tests.support.factories import (
    ApiTokenFactory,
    OrganizationFactory,
    OwnedFactory,
    PersonFactory,
    ProjectAssignmentFactory,
    ProjectFactory,
    ServiceAssignmentFactory,
    ServiceFactory,
    ServiceTypeFactory,
)

EXCHANGES = {
    f"{path.stem}: {exchange['name']}": exchange
    for path in sorted(Path(__file__).parent.glob("contract/*.json"))
    for exchange in json.loads(path.read_text())
}
FACTORIES: dict[str, type[OwnedFactory]] = {
    "service_types": ServiceTypeFactory,
    "service_assignments": ServiceAssignmentFactory,
    "project_assignments": ProjectAssignmentFactory,
    "services": ServiceFactory,
    "projects": ProjectFactory,
    "people": PersonFactory,
}
RECORDED_HOST = "http://api-test.productive.io"
MOMENT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}[+-]\d\d:\d\d")


def test_all_recorded_exchanges_are_here() -> None:
    assert len(EXCHANGES) == 26


@pytest.mark.django_db
@pytest.mark.parametrize("name", EXCHANGES)
def test_exchange_in_process(name: str) -> None:
    replay(EXCHANGES[name], Api(), "http://testserver")


@pytest.mark.no_cover
@pytest.mark.any_database
@pytest.mark.parametrize("name", EXCHANGES)
def test_exchange_through_a_socket(name: str, socket_api: SocketApi) -> None:
    replay(EXCHANGES[name], socket_api, f"http://{socket_api.address}")


def replay(exchange: dict[str, Any], api: Api, host: str) -> None:
    request, expected = exchange["request"], exchange["response"]
    organization = prepare(exchange)
    secret = ApiTokenFactory(organization=organization).name
    body = json.dumps(request["body"]).encode() if "body" in request else b""
    answer = api.send(
        request["method"], request["path"], body, {**request["headers"], "X-Auth-Token": secret}
    )
    assert answer.status == expected["status"]
    assert answer.headers.get("Content-Type") == expected["headers"].get("Content-Type")
    if "body" not in expected:
        assert answer.body == b""
        return
    recorded = json.loads(json.dumps(expected["body"]).replace(RECORDED_HOST, host))
    assert answer.json == substitute_generated(recorded, answer, request)
    assert member_order(answer.json) == member_order(recorded)


def prepare(exchange: dict[str, Any]) -> Organization:
    """Create the rows of the exchange, with the recorded ids and times."""
    request, body = exchange["request"], exchange["response"].get("body", {})
    recorded = body.get("data", {})
    resource = recorded[0] if isinstance(recorded, list) else recorded
    organization = OrganizationFactory(
        id=resource["relationships"]["organization"]["data"]["id"] if resource else 1
    )
    url = urlsplit(request["path"])
    kind, *rest = url.path.removeprefix("/api/v2/").split("/")

    related = {}
    for name, relationship in request.get("body", {}).get("data", {}).get("relationships", {}).items():
        identifier = relationship["data"]
        if identifier["id"] != "0":
            related[name] = FACTORIES[identifier["type"]](organization=organization, id=identifier["id"])
    is_duplicate = ("data" not in body and "already" in str(body)) or "only one" in str(body)

    row: dict[str, Any] = (
        {"id": rest[0]} if rest else {"id": resource["id"]} if request["method"] == "GET" else {}
    )
    for parameter, value in parse_qsl(url.query):
        name = parameter.removeprefix("filter[").removesuffix("_id]")
        row[name] = FACTORIES[f"{name}s"](organization=organization, id=value)
    if row:
        if moment := resource.get("attributes", {}).get("created_at") if resource else None:
            row["created_at"] = datetime.fromisoformat(moment)
        if kind == "service_types":
            row |= {"name": "test service type", "description": "test description"}
        existing = FACTORIES[kind](organization=organization, **row)
        if is_duplicate:
            FACTORIES[kind](organization=organization, person=existing.person, **related)
    elif is_duplicate:
        FACTORIES[kind](organization=organization, **related)
    return organization


def substitute_generated(recorded: Any, answer: Answer, request: dict[str, Any]) -> Any:
    """Return the recorded body with the id and times that this server generated."""
    data = recorded.get("data")
    if request["method"] == "POST" and data:
        data["id"] = answer.data["id"]
        substitute_moment(data["attributes"], answer, "created_at") if "attributes" in data else None
    if request["path"].endswith("/archive"):
        substitute_moment(data["attributes"], answer, "archived_at")
    return recorded


def substitute_moment(attributes: dict[str, Any], answer: Answer, name: str) -> None:
    if name in attributes:
        moment = answer.data["attributes"][name]
        assert MOMENT.fullmatch(moment)
        assert abs(datetime.fromisoformat(moment) - timezone.now()) < timedelta(minutes=1)
        attributes[name] = moment


def member_order(value: Any) -> Any:
    """Return the names of all members in order, which `==` on dictionaries ignores."""
    if isinstance(value, dict):
        return [(name, member_order(member)) for name, member in value.items()]
    return [member_order(item) for item in value] if isinstance(value, list) else None
