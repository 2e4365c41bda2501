"""What another organization owns is as good as missing, at every address of the API and in every way to ask.

Everything is asked twice: of a stranger's ids, and of ids that nothing has. The answers are compared whole,
status, headers and body. The addresses come from the router, the filters and relationships from what each
resource declares: a new one is asked unasked. The admin's addresses are walked in `test_admin_tenancy`.
"""

from __future__ import annotations

import ast
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from itertools import combinations
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import Any

import pytest
from django.db import models, transaction
from django.urls import get_resolver
from django.utils.text import camel_case_to_spaces
from rest_framework_json_api.utils import get_resource_type_from_model

from productive.accounts.models import Organization
from productive.jsonapi.filters import NEGATIONS, IdFilter, TextFilter
from productive.jsonapi.serializers import ModelSerializer, is_soft_reference, required_names
from tests.support import factories
from tests.support.api import Answer, Api
from tests.support.resources import (
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

# Others ask each kind once.
pytestmark = [pytest.mark.django_db, pytest.mark.no_cover]

# Ids that are found nowhere else in an answer, and all of one length.
OURS, THEIRS, NOBODYS = "91000", "81000", "71000"
MARK = "Zyxwvut"
METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]
DAY = "2026-11-23"
MODELS = [model_of(resource) for resource in RESOURCES]
# Under the API's address, but no view of records: these say nothing of anybody.
OTHER_ADDRESSES = {"api/v2/openapi.json", "api/v2/docs"}


@dataclass
class World:
    """An organization with one record of each model, all linked to one another; and its client."""

    ids: str
    rows: dict[type[models.Model], Any]
    api: Api

    @classmethod
    def make(cls, ids: str, name: str) -> World:
        organization = factories.OrganizationFactory(id=id_of(ids, Organization), name=name)
        rows: dict[type[models.Model], Any] = {Organization: organization}

        def row_of(model: type[models.Model]) -> Any:
            if model not in rows:
                links = {n: row_of(model._meta.get_field(n).related_model) for n in foreign_keys(model)}
                names = {"name", "first_name", "last_name"} & {field.name for field in model._meta.fields}
                factory: Any = getattr(factories, f"{model.__name__}Factory")
                rows[model] = factory(
                    id=id_of(ids, model), organization=organization, **links, **dict.fromkeys(names, name)
                )
            return rows[model]

        for model in MODELS:
            row_of(model)
        # Used just now, however long a test takes: none of its requests is to note its use.
        moment = datetime(2100, 1, 1, tzinfo=UTC)
        token = factories.ApiTokenFactory(
            organization=organization, name=f"{name} token", last_used_at=moment
        )
        return cls(ids, rows, Api(token.name))

    def id(self, model: type[models.Model]) -> str:
        return str(id_of(self.ids, model))

    def address(self, resource: str) -> str:
        """What stands for one record in its address."""
        if resource in RESOURCES:
            return self.id(model_of(resource))
        person, service = map(model_of, ("people", "services"))
        return f"{self.id(person)}-{self.id(service)}-time-{DAY}"

    def document(self, resource: str, **links: World) -> dict[str, Any]:
        """One that creates a record like this world's own, but with links into the worlds that are named."""
        model, required = model_of(resource), required_names(RESOURCES[resource].serializer_class)
        keys = foreign_keys(model)
        linked = {name: links.get(name, self) for name in [*keys, *links]}
        return {
            "data": {
                "type": resource,
                "attributes": {name: "made" for name in sorted(required) if name not in keys},
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
def kept(ours: World, theirs: World) -> Iterator[None]:
    """The test must leave every record as it was."""
    before = everything()
    yield
    assert everything() == before


def everything() -> dict[str, Any]:
    return {
        model.__name__: list(model._base_manager.order_by("pk").values()) for model in [Organization, *OWNED]
    }


@contextmanager
def undone() -> Iterator[None]:
    with transaction.atomic():
        yield
        transaction.set_rollback(True)


def told(answer: Answer) -> tuple[Any, ...]:
    """All of an answer, with nobody's ids in the place of strangers'."""
    headers = {name: value.replace(THEIRS, NOBODYS) for name, value in answer.headers.items()}
    if THEIRS.encode() in answer.body or NOBODYS.encode() in answer.body:
        headers.pop("ETag", None)  # it is made of the body, which repeats what was asked for
    return answer.status, headers, answer.body.replace(THEIRS.encode(), NOBODYS.encode())


def twins(
    api: Api, method: str, path: str, document: Any = None, headers: dict[str, str] | None = None
) -> Answer:
    """Ask what strangers' ids are in, and the same with nobody's: both must be told the same."""
    body, sent = json.dumps(document).encode() if document is not None else None, headers or {}
    with undone():
        foreign = api.request(method, path, body=body, headers=sent)
    with undone():
        missing = api.request(
            method,
            path.replace(THEIRS, NOBODYS),
            body=body and body.replace(THEIRS.encode(), NOBODYS.encode()),
            headers={name: value.replace(THEIRS, NOBODYS) for name, value in sent.items()},
        )
    assert told(foreign) == told(missing), (method, path, document, headers)
    return foreign


def addresses(world: World) -> Iterator[tuple[str, str, Any, set[str]]]:
    """Each address of the API as this world's records have it: resource, path, view, methods."""
    for route, view in ROUTES:
        resource = route.strip("^").partition("/")[0]
        path = route.strip("^$").replace("/?", "").replace("(?P<pk>[^/.]+)", world.address(resource))
        methods = {method.upper() for method in view.actions}
        yield resource, path, view, methods | ({"HEAD"} if "GET" in methods else set())


def test_every_address_of_the_api_is_walked() -> None:
    known = {f"api/v2/{route}" for route, _ in ROUTES} | OTHER_ADDRESSES
    found = {path for path, _ in patterns(get_resolver().url_patterns) if path.startswith("api/v2/")}
    assert found == known


# --- reading --------------------------------------------------------------------------------------


@pytest.mark.usefixtures("kept")
def test_strangers_record_is_missing_to_every_method(ours: World, theirs: World) -> None:
    for resource, path, _, allowed in addresses(theirs):
        if THEIRS not in path:
            continue
        document = document_for(resource)
        named = {"data": {**document["data"], "id": theirs.address(resource)}}
        for method in METHODS:
            statuses = {
                twins(ours.api, method, path, body).status
                for body in ((document, named) if method in ("PATCH", "POST", "PUT") else (None,))
            }
            assert statuses == {404 if method in allowed else 405}, (method, path)
        for broken in (None, {}, [], {"data": None}, {"data": {"type": "nothing"}}):
            twins(ours.api, "PATCH", path, broken)
        twins(ours.api, "GET", f"{path}?include=nothing")
        twins(ours.api, "GET", path, headers={"If-None-Match": "*"})


def test_decision_on_one_stranger_is_missing(ours: World, theirs: World) -> None:
    person, service = map(model_of, ("people", "services"))
    for pair in ((ours.id(person), theirs.id(service)), (theirs.id(person), ours.id(service))):
        path = f"tracking_decisions/{'-'.join(pair)}-time-{DAY}"
        assert twins(ours.api, "GET", path).status == 404


def includes(serializer: Any, depth: int) -> Iterator[str]:
    """Every path of relationships down to the depth."""
    for name in serializer.Meta.fields:
        field = serializer.Meta.model._meta.get_field(name)
        if field.is_relation:
            yield name
            if depth > 1:
                beyond = ModelSerializer.by_model[field.related_model]
                yield from (f"{name}.{more}" for more in includes(beyond, depth - 1))


def test_lists_hold_nothing_of_strangers(ours: World, theirs: World) -> None:
    """Whatever is included. A stranger's filter can be named by its id, and is shown as none at all."""
    assignment, filter_ = map(model_of, ("project_assignments", "filters"))
    own = assignment._base_manager.filter(pk=ours.id(assignment))
    assert own.update(default_filter_id=theirs.id(filter_)) == 1
    named = f'"default_filter_id":{theirs.id(filter_)}'.encode()
    for resource, view in SERVED.items():
        asked = "" if resource in RESOURCES else f"filter[person_id]={ours.id(model_of('people'))}"
        paths = ["", *includes(view.serializer_class, 3)]
        for query in (asked, f"{asked}&page[after]=", *(f"{asked}&include={path}" for path in paths[1:])):
            answer = ours.api.get(f"{resource}?{query}")
            assert answer.status == 200, (resource, query)
            body = answer.body.replace(named, b"")
            assert (THEIRS.encode() in body, MARK.encode() in body) == (False, False), (resource, query)
            assert len(answer.data) == 1, (resource, query)
            assert answer.json["meta"].get("total_count", 1) == 1, (resource, query)


def model_of_filter(resource: str, name: str) -> type[models.Model]:
    """Whose ids the filter takes: its name ends in the model's."""
    if name == "id":
        return model_of(resource)
    found = [model for model in MODELS if name.removesuffix("_id").endswith(snake(model))]
    assert found, f"{resource}: whose ids does the filter {name} take?"
    return max(found, key=lambda model: len(snake(model)))


def snake(model: type[models.Model]) -> str:
    return camel_case_to_spaces(model.__name__).replace(" ", "_")


@pytest.mark.usefixtures("kept")
def test_filters_by_strangers_ids_find_what_unknown_ids_find(ours: World, theirs: World) -> None:
    asked = 0
    for resource, view in SERVED.items():
        for name, each in view.filterset_class.base_filters.items():
            operations = [op for op in {*each.operations, *NEGATIONS} if each.takes(op)]
            if isinstance(each, TextFilter):
                for operation in operations:
                    path = f"{resource}?filter[{name}][{operation}]="
                    mine, unknown = (ours.api.get(path + text) for text in (MARK, MARK.swapcase()[::-1]))
                    assert mine.data == unknown.data, (resource, name, operation)
            if not isinstance(each, IdFilter):
                continue
            model = model_of_filter(resource, name)
            for operation in operations:
                foreign, own = theirs.id(model), ours.id(model)
                for values, page in ((foreign, ""), (f"{own},{foreign}", "&page[after]=")):
                    query = f"filter[{name}][{operation}]={values}{page}"
                    answer = twins(ours.api, "GET", f"{resource}?{query}")
                    if operation == "eq" and answer.status == 200:
                        assert len(answer.data) == (own in values), (resource, query)
                    asked += 1
            # It would find something, were it asked by whom it belongs to.
            assert len(theirs.api.get(f"{resource}?filter[{name}]={theirs.id(model)}").data) == 1
    assert asked > 100


def test_decisions_on_strangers_are_none(ours: World, theirs: World) -> None:
    person, service = map(model_of, ("people", "services"))
    for one, other in ((ours, theirs), (theirs, ours), (theirs, theirs)):
        query = f"filter[person_id]={one.id(person)}&filter[service_id]={other.id(service)}"
        assert twins(ours.api, "GET", f"tracking_decisions?{query}").data == []


# --- writing --------------------------------------------------------------------------------------


@pytest.mark.usefixtures("kept")
def test_links_to_strangers_are_refused_like_links_to_nobody(ours: World, theirs: World) -> None:
    """Any of the links, and all of them: that theirs are such a pair already is not told either."""
    for resource in WRITABLE:
        model, path = model_of(resource), f"{resource}/{ours.address(resource)}"
        soft = [name for name in relationships_of(resource) if is_soft_reference(model, name)]
        keys = foreign_keys(model)
        for names in (chosen for n in range(1, len(keys) + 1) for chosen in combinations(keys, n)):
            document = ours.document(resource, **dict.fromkeys(names, theirs))
            refusals = [(name, "attribute is invalid") for name in names]
            for method, address in (("POST", resource), ("PATCH", path)):
                assert sorted(twins(ours.api, method, address, document).invalid) == sorted(refusals)
                attributes = {f"{name}_id": theirs.id(related(model, name)) for name in names}
                by_attribute = document_for(resource, **attributes)
                found = twins(ours.api, method, address, by_attribute).invalid
                assert set(refusals) <= set(found), (method, address, by_attribute)
        for name in soft:
            document = document_for(resource)
            document["data"]["relationships"] = {name: {"data": identifier(model, name, theirs)}}
            refused = twins(ours.api, "PATCH", path, document)
            assert refused.invalid == [(name, "attribute is invalid")]
            # Its id may be kept, like one of no filter at all; what it is called is not shown for that.
            column = model._meta.get_field(name).from_fields[-1]
            held = document_for(resource, **{column: theirs.id(related(model, name))})
            shown = twins(ours.api, "PATCH", f"{path}?include={name}", held)
            assert (shown.status, shown.data["relationships"][name]) == (200, {"data": None})


def related(model: type[models.Model], name: str) -> type[models.Model]:
    found: Any = model._meta.get_field(name).related_model
    return found


def test_nothing_moves_to_another_organization(ours: World, theirs: World) -> None:
    for resource in WRITABLE:
        model, path = model_of(resource), f"{resource}/{ours.address(resource)}"
        as_attribute = document_for(resource, organization=theirs.id(Organization))
        assert twins(ours.api, "PATCH", path, as_attribute).invalid == [
            ("organization", "attribute is not supported")
        ]
        document = ours.document(resource)
        document["data"]["attributes"]["organization_id"] = theirs.id(Organization)
        document["data"]["relationships"]["organization"] = {
            "data": {"type": "organizations", "id": theirs.id(Organization)}
        }
        with undone():
            assert ours.api.patch(path, json=document).status == 200
            assert organization_of(model, ours.id(model)) == ours.id(Organization)
        with undone():
            ours.api.delete(path)  # a pair can be made only once
            made = ours.api.post(resource, json=document)
            assert (made.status, organization_of(model, made.data["id"])) == (201, ours.id(Organization))


def organization_of(model: type[models.Model], pk: str) -> str:
    return str(model._base_manager.values_list("organization", flat=True).get(pk=pk))


@pytest.mark.usefixtures("kept")
def test_other_organization_is_refused_at_every_address(ours: World, theirs: World) -> None:
    """Theirs and nobody's, in the header and in the query; and a stranger who names ours."""
    for resource, path, _, _ in addresses(ours):
        for method in METHODS:
            for headers, query in (
                ({"X-Organization-Id": theirs.id(Organization)}, ""),
                ({}, f"?X-Organization-Id={theirs.id(Organization)}"),
            ):
                answer = twins(ours.api, method, path + query, document_for(resource), headers)
                assert answer.status == 403, (method, path, headers, query)
            named = {"X-Organization-Id": ours.id(Organization)}
            assert theirs.api.request(method, path, headers=named).status == 403


@pytest.mark.usefixtures("kept")
def test_relationships_have_no_addresses_of_their_own(ours: World, theirs: World) -> None:
    for resource in RESOURCES:
        for name in [*relationships_of(resource), "nothing"]:
            for way in (name, f"relationships/{name}"):
                for method in ("GET", "POST", "PATCH", "DELETE"):
                    answers = {
                        told(ours.api.request(method, f"{resource}/{world.address(resource)}/{way}"))[::2]
                        for world in (ours, theirs)
                    }
                    assert {status for status, _ in answers} == {404}
                    assert len(answers) == 1


def test_deleting_takes_nothing_from_strangers(ours: World, theirs: World) -> None:
    def strangers() -> dict[str, Any]:
        return {
            name: [row for row in rows if THEIRS in f"{row['id']} {row.get('organization_id')}"]
            for name, rows in everything().items()
        }

    before = strangers()
    for resource in WRITABLE:
        with undone():
            status = ours.api.delete(f"{resource}/{ours.address(resource)}").status
            assert status == (422 if resource == "service_types" else 204)
            assert strangers() == before


# --- what an answer gives away beside its words -----------------------------------------------------


def test_tags_of_strangers_never_match(ours: World, theirs: World) -> None:
    for resource in RESOURCES:
        record, nothing = f"{resource}/{theirs.address(resource)}", f"{resource}?filter[id]=1"
        for path, status in ((record, 404), (resource, 200), (nothing, 200)):
            known = theirs.api.get(path)
            tag = known.headers["ETag"]
            answer = ours.api.get(path, headers={"If-None-Match": f"{tag}, W/{tag}"})
            assert (answer.status, answer.headers.get("ETag") == tag) == (status, False), path
            # Not even where all that there is to be told is the same.
            assert (answer.body == known.body) == (path == nothing), path


# Both are one look-up that finds no row. In milliseconds.
MOST_APART, ASKED = 3, 200


@pytest.mark.fuzz
def test_strangers_take_no_longer_than_nobodys(ours: World, theirs: World) -> None:
    person, pair = map(model_of, ("people", "service_assignments"))
    path = f"service_assignments/{ours.id(pair)}"

    def linked(pk: str) -> Answer:
        return ours.api.patch(path, json=document_for("service_assignments", person_id=pk))

    for ask, status in (
        (lambda pk: ours.api.get(f"people/{pk}"), 404),
        (partial(linked), 422),
    ):
        times: dict[str, list[float]] = {theirs.id(person): [], str(id_of(NOBODYS, person)): []}
        for _ in range(ASKED):
            for pk, taken in times.items():
                begun = perf_counter()
                assert ask(pk).status == status
                taken.append((perf_counter() - begun) * 1000)
        one, other = (median(taken) for taken in times.values())
        assert abs(one - other) < MOST_APART, (status, one, other)


# --- how the code keeps to it -----------------------------------------------------------------------

ROOT = Path(__file__).parent.parent
MANAGERS = {"objects", "_default_manager", "_base_manager"}
# Where requests come in. What lies below is given rows by these, or ids that these found.
DOORS = {"views", "serializers", "filters", "urls", "authentication", "opened_services"} | {
    *("tracking_filters", "status_filter", "admin", "admin_filters", "owned_admin", "spreadsheets"),
    *("access_check", "dashboard"),
}
# Not narrowed to an organization at once, because:
EXPLAINED = {
    # the queryset is narrowed by `RelatedField.get_queryset`
    ("productive/jsonapi/serializers.py", "relation_info.related_model._default_manager.all"),
    # ids of rows that were found already, or a condition on them
    ("productive/jsonapi/documents.py", "relation.through._default_manager.filter"),
    ("productive/jsonapi/filters.py", "self.model._base_manager.filter"),
    # by the secret: it says which organization
    ("productive/accounts/authentication.py", "ApiToken.objects.filter"),
    # the organizations of whoever is signed in, and all for superusers
    ("productive/accounts/owned_admin.py", "Organization.objects.of"),
    ("productive/accounts/owned_admin.py", "Organization.objects.all"),
    # what a login opens beyond one's own
    ("productive/accounts/admin.py", "Organization.objects.exclude"),
    ("productive/accounts/admin.py", "Permission.objects.filter"),
}


def test_doors_ask_for_an_organizations_own_records_alone() -> None:
    found = set()
    for room in ("productive/jsonapi", "productive/accounts", "catalog", "assignments"):
        for module in sorted((ROOT / room).glob("*.py")):
            if room != "productive/jsonapi" and module.stem not in DOORS:
                continue
            for node in ast.walk(ast.parse(module.read_text())):
                match node:
                    case ast.Attribute(value=ast.Attribute(attr=manager)) if manager in MANAGERS:
                        if node.attr not in ("owned_by", "owned_by_any"):
                            found.add((f"{room}/{module.name}", ast.unparse(node)))
    assert found == EXPLAINED
