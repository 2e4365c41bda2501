"""Test that records of another organization look like missing ones when reading, at every URL of the API."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from statistics import median
from time import perf_counter
from typing import Any

import pytest
from django.db import models
from django.db.models import F
from django.urls import get_resolver
from django.utils import timezone
from django.utils.text import camel_case_to_spaces

from assignments.activities import ITEMS
from productive.jsonapi.filter_operations import NEGATIONS
from productive.jsonapi.filters import IdFilter, SoftReferenceFilter, TextFilter
from productive.jsonapi.serializers import ModelSerializer
from tests.support.api import Answer
from tests.support.databases import rolled_back
from tests.support.resources import RESOURCES, ROUTES, SERVED, document_for, model_of, patterns
from tests.support.tenancy import (
    DAY,
    MARK,
    METHODS,
    MISSING,
    MODELS,
    THEIRS,
    World,
    addresses,
    id_of,
    request_twice,
)

# Other tests cover the same code.
pytestmark = [pytest.mark.django_db, pytest.mark.no_cover]


# URLs of the API that show no records.
OTHER_ADDRESSES = {"api/v2/openapi.json", "api/v2/docs"}


def test_every_url_of_the_api_is_tested() -> None:
    known = {f"api/v2/{route}" for route, _ in ROUTES} | OTHER_ADDRESSES
    found = {path for path, _ in patterns(get_resolver().url_patterns) if path.startswith("api/v2/")}
    assert found == known


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
