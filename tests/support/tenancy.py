"""Two organizations with the same records, and requests of one for records of the other.

Every request is sent twice, with ids of the other organization and with ids that don't exist, and the whole
responses are compared. URLs, filters and relationships come from the code, so new resources are included.
`tests/admin/test_tenancy` tests the admin.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from django.db import models
from rest_framework_json_api.utils import get_resource_type_from_model

from assignments.activities import CODES
from productive.accounts.models import Organization
from productive.database.history import history_of
from productive.jsonapi.serializers import required_names
from tests.support import factories
from tests.support.api import Answer, Api
from tests.support.databases import rolled_back
from tests.support.resources import RESOURCES, ROUTES, foreign_keys, model_of

# Prefixes of ids that appear nowhere else in a response, all of the same length.
OURS, THEIRS, MISSING = "91000", "81000", "71000"
MARK = "Zyxwvut"
METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]
DAY = "2026-11-23"
MODELS = [model_of(resource) for resource in RESOURCES]


@dataclass
class World:
    """An organization with one related record of each model, and a client."""

    ids: str
    rows: dict[type[models.Model], Any]
    api: Api

    @classmethod
    def make(cls, ids: str, name: str) -> World:
        organization = factories.OrganizationFactory(id=id_of(ids, Organization), name=name)
        rows: dict[type[models.Model], Any] = {Organization: organization}

        def row_of(model: type[models.Model]) -> Any:
            if model not in rows:
                links = {
                    n: row_of(related(model, n)) for n in foreign_keys(model) if related(model, n) != model
                }
                names = {"name", "first_name", "last_name"} & {field.name for field in model._meta.fields}
                factory: Any = getattr(factories, f"{model.__name__}Factory")
                rows[model] = factory(
                    id=id_of(ids, model), organization=organization, **links, **dict.fromkeys(names, name)
                )
                # A merged record can't be changed, as most of these tests do.
                for own_link in {*foreign_keys(model)} - links.keys() - {"merged_into"}:
                    setattr(rows[model], own_link, rows[model])
                    rows[model].save()
            return rows[model]

        for model in MODELS:
            row_of(model)
        # In the future, so that no request updates the last use.
        moment = datetime(2100, 1, 1, tzinfo=UTC)
        token = factories.ApiTokenFactory(
            organization=organization, name=f"{name} token", last_used_at=moment, user__id=int(f"{ids}99")
        )
        return cls(ids, rows, Api(token.name))

    def id(self, model: type[models.Model]) -> str:
        return str(id_of(self.ids, model))

    def address(self, resource: str) -> str:
        """Return the id of the record in its URL."""
        if resource in RESOURCES:
            return self.id(model_of(resource))
        if resource == "organization_memberships":
            return f"{self.ids}99"
        if resource == "activities":  # that of the person, whose code is 1
            person = model_of("people")
            return str(history_of(person).objects.filter(id=self.id(person)).latest("pk").pk * CODES + 1)
        person, service = map(model_of, ("people", "services"))
        return f"{self.id(person)}-{self.id(service)}-time-{DAY}"

    def document(self, resource: str, **links: World) -> dict[str, Any]:
        """Return a document that creates a record, with the named links to records of other worlds."""
        model, required = model_of(resource), required_names(RESOURCES[resource].serializer_class)
        keys = [name for name in foreign_keys(model) if related(model, name) is not model]
        linked = {name: links.get(name, self) for name in [*keys, *links]}
        return {
            "data": {
                "type": resource,
                "attributes": {name: "created" for name in sorted(required) if name not in keys},
                "relationships": {
                    name: {"data": identifier(model, name, world)} for name, world in linked.items()
                },
            }
        }


def id_of(ids: str, model: type[models.Model]) -> int:
    return int(f"{ids}{MODELS.index(model):02}")


def identifier(model: type[models.Model], name: str, world: World) -> dict[str, str]:
    related: Any = model._meta.get_field(name).related_model
    return {"type": get_resource_type_from_model(related), "id": world.id(related)}


def comparable(answer: Answer) -> tuple[Any, ...]:
    """Return status, headers and body, with MISSING in place of THEIRS."""
    headers = {name: value.replace(THEIRS, MISSING) for name, value in answer.headers.items()}
    if THEIRS.encode() in answer.body or MISSING.encode() in answer.body:
        headers.pop("ETag", None)  # it depends on the body, which repeats the requested ids
    return answer.status, headers, answer.body.replace(THEIRS.encode(), MISSING.encode())


def request_twice(
    api: Api, method: str, path: str, document: Any = None, headers: dict[str, str] | None = None
) -> Answer:
    """Send the request with their ids and with missing ones, and check that the responses are equal."""
    body, sent = json.dumps(document).encode() if document is not None else None, headers or {}
    with rolled_back():
        foreign = api.request(method, path, body=body, headers=sent)
    with rolled_back():
        missing = api.request(
            method,
            path.replace(THEIRS, MISSING),
            body=body and body.replace(THEIRS.encode(), MISSING.encode()),
            headers={name: value.replace(THEIRS, MISSING) for name, value in sent.items()},
        )
    assert comparable(foreign) == comparable(missing), (method, path, document, headers)
    return foreign


def addresses(world: World) -> Iterator[tuple[str, str, Any, set[str]]]:
    """Yield resource, path, view and methods of each URL, with the ids of this world."""
    for route, view in ROUTES:
        resource = route.strip("^").partition("/")[0]
        path = route.strip("^$").replace("/?", "").replace("(?P<pk>[^/.]+)", world.address(resource))
        methods = {method.upper() for method in view.actions}
        yield resource, path, view, methods | ({"HEAD"} if "GET" in methods else set())


def related(model: type[models.Model], name: str) -> type[models.Model]:
    found: Any = model._meta.get_field(name).related_model
    return found
