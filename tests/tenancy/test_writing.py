"""Test that no request writes or links records of another organization, at every URL of the API."""

from __future__ import annotations

from itertools import combinations
from typing import Any

import pytest
from django.db import models

from productive.accounts.models import Organization
from productive.jsonapi.serializers import is_soft_reference
from tests.support.databases import rolled_back
from tests.support.resources import (
    ACTIONS,
    OWNED,
    RESOURCES,
    WRITABLE,
    document_for,
    foreign_keys,
    model_of,
    relationships_of,
)
from tests.support.tenancy import (
    METHODS,
    THEIRS,
    World,
    addresses,
    comparable,
    identifier,
    related,
    request_twice,
)

# Other tests cover the same code.
pytestmark = [pytest.mark.django_db, pytest.mark.no_cover]


def everything() -> dict[str, Any]:
    return {
        model.__name__: list(model._base_manager.order_by("pk").values()) for model in [Organization, *OWNED]
    }


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
