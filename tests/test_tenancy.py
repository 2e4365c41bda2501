"""Test that records of another organization look like missing ones, at every URL of the API.

Every request is sent twice, with ids of another organization and with ids that don't exist, and the whole
responses are compared. URLs, filters and relationships come from the code, so new resources are included.
`tests/admin/test_tenancy` tests the admin.
"""

from __future__ import annotations

import ast
import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from itertools import combinations
from statistics import median
from time import perf_counter
from typing import Any

import pytest
from django.db import models
from django.db.models import F
from django.urls import get_resolver
from django.utils import timezone
from django.utils.text import camel_case_to_spaces
from rest_framework_json_api.utils import get_resource_type_from_model

from assignments.activities import CODES, ITEMS
from productive.accounts.models import Organization
from productive.database.history import history_of
from productive.jsonapi.filter_operations import NEGATIONS
from productive.jsonapi.filters import IdFilter, SoftReferenceFilter, TextFilter
from productive.jsonapi.serializers import ModelSerializer, is_soft_reference, required_names
from tests.support import factories
from tests.support.api import Answer, Api
from tests.support.databases import contents, rolled_back
from tests.support.resources import (
    ACTIONS,
    OWNED,
    RESOURCES,
    ROUTES,
    SERVED,
    WRITABLE,
    document_for,
    foreign_keys,
    model_of,
    patterns,
    relationships_of,
)
from tests.support.servers import ROOT

# Other tests cover the same code.
pytestmark = [pytest.mark.django_db, pytest.mark.no_cover]

# Prefixes of ids that appear nowhere else in a response, all of the same length.
OURS, THEIRS, MISSING = "91000", "81000", "71000"
MARK = "Zyxwvut"
METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]
DAY = "2026-11-23"
MODELS = [model_of(resource) for resource in RESOURCES]
# URLs of the API that show no records.
OTHER_ADDRESSES = {"api/v2/openapi.json", "api/v2/docs"}


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


@pytest.fixture
def ours() -> World:
    return World.make(OURS, "Ours")


@pytest.fixture
def theirs(ours: World) -> World:
    return World.make(THEIRS, MARK)


@pytest.fixture
def unchanged(ours: World, theirs: World) -> Iterator[None]:
    """Check that the test changes no record."""
    before = contents()
    yield
    assert contents() == before


def everything() -> dict[str, Any]:
    return {
        model.__name__: list(model._base_manager.order_by("pk").values()) for model in [Organization, *OWNED]
    }


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


def test_every_url_of_the_api_is_tested() -> None:
    known = {f"api/v2/{route}" for route, _ in ROUTES} | OTHER_ADDRESSES
    found = {path for path, _ in patterns(get_resolver().url_patterns) if path.startswith("api/v2/")}
    assert found == known


# --- Reading --------------------------------------------------------------------------------------


@pytest.mark.usefixtures("unchanged")
def test_foreign_record_is_not_found_by_any_method(ours: World, theirs: World) -> None:
    for resource, path, _, allowed in addresses(theirs):
        if THEIRS not in path:
            continue
        document = document_for(resource)
        named = {"data": {**document["data"], "id": theirs.address(resource)}}
        for method in METHODS:
            statuses = {
                request_twice(ours.api, method, path, body).status
                for body in ((document, named) if method in ("PATCH", "POST", "PUT") else (None,))
            }
            assert statuses == {404 if method in allowed else 405}, (method, path)
        for broken in (None, {}, [], {"data": None}, {"data": {"type": "nothing"}}):
            request_twice(ours.api, "PATCH", path, broken)
        request_twice(ours.api, "GET", f"{path}?include=nothing")
        request_twice(ours.api, "GET", path, headers={"If-None-Match": "*"})


def test_decision_on_foreign_record_is_not_found(ours: World, theirs: World) -> None:
    person, service = map(model_of, ("people", "services"))
    for pair in ((ours.id(person), theirs.id(service)), (theirs.id(person), ours.id(service))):
        path = f"tracking_decisions/{'-'.join(pair)}-time-{DAY}"
        assert request_twice(ours.api, "GET", path).status == 404


def includes(serializer: Any, depth: int) -> Iterator[str]:
    """Yield every path of relationships down to the depth."""
    for name in serializer.Meta.fields:
        field = serializer.Meta.model._meta.get_field(name)
        if field.is_relation:
            yield name
            if depth > 1:
                beyond = ModelSerializer.by_model[field.related_model]
                yield from (f"{name}.{more}" for more in includes(beyond, depth - 1))


def test_lists_have_no_foreign_records(ours: World, theirs: World) -> None:
    """With any include. A foreign saved filter can be stored by its id, but isn't shown."""
    assignment, filter_ = map(model_of, ("project_assignments", "filters"))
    own = assignment._base_manager.filter(pk=ours.id(assignment))
    assert own.update(default_filter_id=theirs.id(filter_)) == 1
    named = f'"default_filter_id":{theirs.id(filter_)}'.encode()
    for resource, view in SERVED.items():
        is_paired = resource == "tracking_decisions"
        required = f"filter[person_id]={ours.id(model_of('people'))}" if is_paired else ""
        paths = ["", *includes(view.serializer_class, 3)]
        for query in (
            required,
            f"{required}&page[after]=",
            *(f"{required}&include={path}" for path in paths[1:]),
        ):
            answer = ours.api.get(f"{resource}?{query}")
            assert answer.status == 200, (resource, query)
            body = answer.body.replace(named, b"")
            assert (THEIRS.encode() in body, MARK.encode() in body) == (False, False), (resource, query)
            if resource == "activities":
                items = {str(each["attributes"]["item_id"]) for each in answer.data}
                assert items == {ours.id(item.model) for item in ITEMS}, query
                continue
            assert len(answer.data) == 1, (resource, query)
            assert answer.json["meta"].get("total_count", 1) == 1, (resource, query)


# Filters with other names than their models.
RELATIONS = {
    "budget_id": "deals",
    **dict.fromkeys(("creator_id", "manager_id", "project_manager_id", "responsible_id"), "people"),
}


def model_of_filter(resource: str, name: str) -> type[models.Model]:
    """Return the model whose ids the filter accepts; its name usually ends with the model's."""
    if name in ("id", "merged_into_id"):
        return model_of(resource)
    if name in RELATIONS:
        return model_of(RELATIONS[name])
    found = [model for model in MODELS if name.removesuffix("_id").endswith(snake(model))]
    assert found, f"{resource}: whose ids does the filter {name} take?"
    return max(found, key=lambda model: len(snake(model)))


def snake(model: type[models.Model]) -> str:
    return camel_case_to_spaces(model.__name__).replace(" ", "_")


@pytest.mark.usefixtures("unchanged")
def test_filters_by_foreign_ids_equal_filters_by_missing_ids(ours: World, theirs: World) -> None:
    tested = 0
    for resource, view in SERVED.items():
        if resource == "activities":  # tests/assignments/test_activities.py tests them
            continue
        for name, each in view.filterset_class.base_filters.items():
            operations = [op for op in {*each.operations, *NEGATIONS} if each.takes(op)]
            if isinstance(each, TextFilter):
                for operation in operations:
                    path = f"{resource}?filter[{name}][{operation}]="
                    with_mark, unknown = (ours.api.get(path + text) for text in (MARK, MARK.swapcase()[::-1]))
                    assert with_mark.data == unknown.data, (resource, name, operation)
            if not isinstance(each, IdFilter) or isinstance(each, SoftReferenceFilter):
                continue
            model: Any = model_of_filter(resource, name)
            with rolled_back():
                if name == "merged_into_id":
                    model.objects.update(merged_into=F("pk"), archived_at=timezone.now())
                for operation in operations:
                    foreign, own = theirs.id(model), ours.id(model)
                    for values, page in ((foreign, ""), (f"{own},{foreign}", "&page[after]=")):
                        query = f"filter[{name}][{operation}]={values}{page}"
                        answer = request_twice(ours.api, "GET", f"{resource}?{query}")
                        if operation == "eq" and answer.status == 200:
                            assert len(answer.data) == (own in values), (resource, query)
                        tested += 1
                # Their own client finds the record.
                assert len(theirs.api.get(f"{resource}?filter[{name}]={theirs.id(model)}").data) == 1
    assert tested > 100


def test_decisions_on_foreign_records_are_empty(ours: World, theirs: World) -> None:
    person, service = map(model_of, ("people", "services"))
    for one, other in ((ours, theirs), (theirs, ours), (theirs, theirs)):
        query = f"filter[person_id]={one.id(person)}&filter[service_id]={other.id(service)}"
        assert request_twice(ours.api, "GET", f"tracking_decisions?{query}").data == []


# --- Writing --------------------------------------------------------------------------------------


@pytest.mark.usefixtures("unchanged")
def test_links_to_foreign_records_are_rejected_like_links_to_missing_ones(ours: World, theirs: World) -> None:
    """Any combination of links, even if it is an existing pair of the other organization."""
    for resource in WRITABLE:
        model, path = model_of(resource), f"{resource}/{ours.address(resource)}"
        soft = [name for name in relationships_of(resource) if is_soft_reference(model, name)]
        # Only a merge sets the last one.
        keys = [name for name in foreign_keys(model) if name != "merged_into"]
        for names in (chosen for n in range(1, len(keys) + 1) for chosen in combinations(keys, n)):
            document = ours.document(resource, **dict.fromkeys(names, theirs))
            expected = [(name, "attribute is invalid") for name in names]
            for method, address in (("POST", resource), ("PATCH", path)):
                assert sorted(request_twice(ours.api, method, address, document).invalid) == sorted(expected)
                attributes = {f"{name}_id": theirs.id(related(model, name)) for name in names}
                by_attribute = document_for(resource, **attributes)
                found = request_twice(ours.api, method, address, by_attribute).invalid
                assert set(expected) <= set(found), (method, address, by_attribute)
        if (resource, "merge") in ACTIONS:
            document = document_for(resource, into_id=int(theirs.id(model)))
            rejected = request_twice(ours.api, "PATCH", f"{path}/merge", document)
            assert rejected.invalid == [("into", "attribute is invalid")]
        for name in soft:
            document = document_for(resource)
            document["data"]["relationships"] = {name: {"data": identifier(model, name, theirs)}}
            rejected = request_twice(ours.api, "PATCH", path, document)
            assert rejected.invalid == [(name, "attribute is invalid")]
            # Its id can be stored, like that of a missing filter, but the filter isn't shown.
            column = model._meta.get_field(name).from_fields[-1]
            stored = document_for(resource, **{column: theirs.id(related(model, name))})
            shown = request_twice(ours.api, "PATCH", f"{path}?include={name}", stored)
            assert (shown.status, shown.data["relationships"][name]) == (200, {"data": None})


def related(model: type[models.Model], name: str) -> type[models.Model]:
    found: Any = model._meta.get_field(name).related_model
    return found


def test_records_can_not_move_to_another_organization(ours: World, theirs: World) -> None:
    for resource in WRITABLE:
        model, path = model_of(resource), f"{resource}/{ours.address(resource)}"
        as_attribute = document_for(resource, organization=theirs.id(Organization))
        ignored = request_twice(ours.api, "PATCH", path, as_attribute)
        assert (ignored.status, ignored.json["meta"]) == (200, {"ignored": ["organization"]})
        assert organization_of(model, ours.id(model)) == ours.id(Organization)
        document = ours.document(resource)
        document["data"]["attributes"]["organization_id"] = theirs.id(Organization)
        document["data"]["relationships"]["organization"] = {
            "data": {"type": "organizations", "id": theirs.id(Organization)}
        }
        with rolled_back():
            assert ours.api.patch(path, json=document).status == 200
            assert organization_of(model, ours.id(model)) == ours.id(Organization)
        with rolled_back():
            ours.api.delete(path)  # a pair can exist only once
            created = ours.api.post(resource, json=document)
            assert (created.status, organization_of(model, created.data["id"])) == (
                201,
                ours.id(Organization),
            )


def organization_of(model: type[models.Model], pk: str) -> str:
    return str(model._base_manager.values_list("organization", flat=True).get(pk=pk))


@pytest.mark.usefixtures("unchanged")
def test_other_organization_id_is_rejected_at_every_url(ours: World, theirs: World) -> None:
    """Theirs and a missing one, in the header and the query; and ours in a request of theirs."""
    for resource, path, _, _ in addresses(ours):
        for method in METHODS:
            for headers, query in (
                ({"X-Organization-Id": theirs.id(Organization)}, ""),
                ({}, f"?X-Organization-Id={theirs.id(Organization)}"),
            ):
                answer = request_twice(ours.api, method, path + query, document_for(resource), headers)
                assert answer.status == 403, (method, path, headers, query)
            named = {"X-Organization-Id": ours.id(Organization)}
            assert theirs.api.request(method, path, headers=named).status == 403


@pytest.mark.usefixtures("unchanged")
def test_relationships_have_no_urls(ours: World, theirs: World) -> None:
    for resource in RESOURCES:
        for name in [*relationships_of(resource), "nothing"]:
            for way in (name, f"relationships/{name}"):
                for method in ("GET", "POST", "PATCH", "DELETE"):
                    answers = {
                        comparable(ours.api.request(method, f"{resource}/{world.address(resource)}/{way}"))[
                            ::2
                        ]
                        for world in (ours, theirs)
                    }
                    assert {status for status, _ in answers} == {404}
                    assert len(answers) == 1


def test_deletion_removes_no_foreign_records(ours: World, theirs: World) -> None:
    def foreign_rows() -> dict[str, Any]:
        return {
            name: [row for row in rows if THEIRS in f"{row['id']} {row.get('organization_id')}"]
            for name, rows in everything().items()
        }

    before = foreign_rows()
    for resource in WRITABLE:
        with rolled_back():
            status = ours.api.delete(f"{resource}/{ours.address(resource)}").status
            assert status == (422 if resource in ("companies", "service_types") else 204)
            assert foreign_rows() == before


# --- ETags and timing -----------------------------------------------------


def test_foreign_etags_never_match(ours: World, theirs: World) -> None:
    for resource in RESOURCES:
        record, nothing = f"{resource}/{theirs.address(resource)}", f"{resource}?filter[id]=1"
        for path, status in ((record, 404), (resource, 200), (nothing, 200)):
            known = theirs.api.get(path)
            tag = known.headers["ETag"]
            answer = ours.api.get(path, headers={"If-None-Match": f"{tag}, W/{tag}"})
            assert (answer.status, answer.headers.get("ETag") == tag) == (status, False), path
            # Not even if the bodies are equal.
            assert (answer.body == known.body) == (path == nothing), path


# Both are one lookup without a row. In milliseconds.
MOST_APART, REPETITIONS = 3, 200


@pytest.mark.fuzz
def test_foreign_ids_take_as_long_as_missing_ids(ours: World, theirs: World) -> None:
    person, pair = map(model_of, ("people", "service_assignments"))
    path = f"service_assignments/{ours.id(pair)}"

    def linked(pk: str) -> Answer:
        return ours.api.patch(path, json=document_for("service_assignments", person_id=pk))

    for send, status in (
        (lambda pk: ours.api.get(f"people/{pk}"), 404),
        (partial(linked), 422),
    ):
        times: dict[str, list[float]] = {theirs.id(person): [], str(id_of(MISSING, person)): []}
        for _ in range(REPETITIONS):
            for pk, taken in times.items():
                begun = perf_counter()
                assert send(pk).status == status
                taken.append((perf_counter() - begun) * 1000)
        one, other = (median(taken) for taken in times.values())
        assert abs(one - other) < MOST_APART, (status, one, other)


# --- Code -----------------------------------------------------------------------

MANAGERS = {"objects", "_default_manager", "_base_manager"}
# Modules that handle requests. Others get rows or ids from these.
REQUEST_MODULES = {"views", "serializers", "filters", "urls", "authentication", "api_consequences"} | {
    *("tracking_filters", "status_filter", "admin", "admin_filters", "owned_admin", "spreadsheets"),
    *("user_admin", "access_check", "clean_up", "dashboard", "look_alikes"),
}
# All modules of these do.
ALL_MODULES = {"productive/jsonapi", "assignments/board"}
# Querysets that aren't filtered by organization at once, because:
EXPLAINED = {
    # the queryset is narrowed by `RelatedField.get_queryset`
    ("productive/jsonapi/serializers.py", "relation_info.related_model._default_manager.all"),
    # these use ids of rows that were found before, or a condition on them
    ("productive/jsonapi/documents.py", "relation.through._default_manager.filter"),
    ("productive/jsonapi/filters.py", "self.model._base_manager.filter"),
    ("catalog/filters.py", "Deal.objects.of_companies"),
    ("assignments/board/boards.py", "ProjectAssignment.objects.filter"),
    ("assignments/board/boards.py", "ServiceAssignment.objects.filter"),
    ("assignments/board/cells.py", "Service.objects.filter"),
    ("assignments/board/cells.py", "model.objects.filter"),
    ("assignments/board/pages.py", "self.board.pair.objects.filter"),
    ("assignments/board/rows.py", "ServiceTypeAssignment.objects.filter"),
    # the secret determines the organization
    ("productive/accounts/authentication.py", "ApiToken.objects.filter"),
    # the organizations of the user, or all for superusers
    ("productive/accounts/owned_admin.py", "Organization.objects.of"),
    ("productive/accounts/owned_admin.py", "Organization.objects.all"),
    ("productive/accounts/owned_admin.py", "Organization.objects.count"),
    # the users of people of one organization, and their tokens for it
    ("productive/accounts/admin.py", "User.objects.in_bulk"),
    ("productive/accounts/admin.py", "ApiToken.objects.filter"),
    # a user's other organizations and permissions
    ("productive/accounts/user_admin.py", "Organization.objects.exclude"),
    ("productive/accounts/user_admin.py", "Permission.objects.filter"),
}


def test_modules_that_handle_requests_use_owned_by() -> None:
    found = set()
    packages = ("productive/jsonapi", "productive/accounts", "catalog", "assignments", "assignments/board")
    for package in packages:
        for module in sorted((ROOT / package).glob("*.py")):
            if package not in ALL_MODULES and module.stem not in REQUEST_MODULES:
                continue
            for node in ast.walk(ast.parse(module.read_text())):
                match node:
                    case ast.Attribute(value=ast.Attribute(attr=manager)) if manager in MANAGERS:
                        if node.attr not in ("owned_by", "owned_by_any"):
                            found.add((f"{package}/{module.name}", ast.unparse(node)))
    assert found == EXPLAINED
