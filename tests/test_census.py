"""Run the same tests for every resource. The resources come from the router, so new ones are included."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import models
from rest_framework_json_api.utils import get_resource_type_from_model

from productive.accounts.models import Organization
from productive.database.constraints import SameOrganization
from productive.database.row_counts import row_count_of
from productive.jsonapi.filters import IdFilter
from tests.support import factories
from tests.support.api import Api
from tests.support.resources import (
    ACTIONS,
    METAS,
    OWNED,
    RESOURCES,
    SERVED,
    WRITABLE,
    create_linked_rows,
    create_rows,
    document_for,
    foreign_keys,
    model_of,
    relationships_of,
)

pytestmark = [pytest.mark.django_db, pytest.mark.no_cover]


def test_recorded_resources_are_served() -> None:
    assert set(SERVED) - set(RESOURCES) == {"activities", "organization_memberships", "tracking_decisions"}
    assert set(RESOURCES) >= {
        "companies",
        "deals",
        "filters",
        "organizations",
        "people",
        "project_assignments",
        "projects",
        "service_assignments",
        "service_type_assignments",
        "service_types",
        "services",
    }
    assert set(ACTIONS) >= {
        ("companies", "archive"),
        ("companies", "restore"),
        ("deals", "close"),
        ("deals", "open"),
        ("people", "archive"),
        ("people", "restore"),
        ("projects", "archive"),
        ("projects", "restore"),
        ("service_types", "archive"),
        ("service_types", "restore"),
    }


@pytest.mark.parametrize("resource", RESOURCES)
def test_type_equals_path(resource: str, api: Api, organization: Organization) -> None:
    (row,) = create_rows(resource, organization)
    assert get_resource_type_from_model(model_of(resource)) == resource
    answer = api.get(f"{resource}/{row.pk}")
    assert (answer.status, answer.data["type"], answer.data["id"]) == (200, resource, str(row.pk))


@pytest.mark.parametrize("resource", RESOURCES)
def test_requests_without_token_are_rejected(resource: str, organization: Organization) -> None:
    (row,) = create_rows(resource, organization)
    anonymous, garbled = Api(), Api("no-such-secret")
    for client in (anonymous, garbled):
        for method, path in all_requests(resource, row.pk):
            answer = client.request(method, path, json=document_for(resource) if method != "GET" else None)
            assert (answer.status, answer.error["code"]) == (401, "unauthenticated"), (method, path)


def all_requests(resource: str, pk: int) -> list[tuple[str, str]]:
    requests = [("GET", resource), ("GET", f"{resource}/{pk}")]
    if resource in WRITABLE:
        requests += [("POST", resource), ("PATCH", f"{resource}/{pk}"), ("DELETE", f"{resource}/{pk}")]
    verbs = [verb for name, verb in ACTIONS if name == resource]
    return requests + [(method, f"{resource}/{pk}/{verb}") for verb in verbs for method in ("PATCH", "PUT")]


@pytest.mark.parametrize("resource", WRITABLE)
def test_read_only_token_can_read_but_not_write(resource: str, organization: Organization) -> None:
    (row,) = create_rows(resource, organization)
    reader = Api(factories.ApiTokenFactory(organization=organization, read_only=True).name)
    before = model_of(resource)._base_manager.values().get(pk=row.pk)
    for method, path in all_requests(resource, row.pk):
        answer = reader.request(method, path, json=document_for(resource) if method != "GET" else None)
        assert answer.status == (200 if method == "GET" else 403), (method, path)
    assert model_of(resource)._base_manager.values().get(pk=row.pk) == before


@pytest.mark.parametrize("resource", RESOURCES)
def test_fetched_resource_can_be_sent_back(resource: str, api: Api, organization: Organization) -> None:
    (row,) = create_rows(resource, organization)
    if resource not in WRITABLE:
        return
    names = relationships_of(resource)
    path = f"{resource}/{row.pk}?include={','.join(names)}"
    fetched = api.get(path)
    sent_back = api.patch(path, json=fetched.json)
    assert (sent_back.status, sent_back.json) == (200, fetched.json)


@pytest.mark.parametrize("resource", RESOURCES)
def test_list_has_same_query_count_for_1_and_3_rows(
    resource: str, api: Api, organization: Organization, django_assert_num_queries: Any
) -> None:
    """The token, the page with its count, and the `meta` of resources that have one."""
    create_rows(resource, organization)
    few = 2 + METAS.get(resource, 0)
    with django_assert_num_queries(few):
        assert len(api.get(resource).data) == 1
    if resource != "organizations":
        create_rows(resource, organization, 2)
        with django_assert_num_queries(few):
            assert api.get(resource).json["meta"]["total_count"] >= 3
        # And the count, if neither the page nor its query has it.
        counted = 0 if row_count_of(model_of(resource)) else 1
        with django_assert_num_queries(few + counted):
            assert len(api.get(f"{resource}?page[size]=2").data) == 2


@pytest.mark.parametrize("resource", RESOURCES)
def test_each_included_to_many_relationship_adds_one_query(
    resource: str, api: Api, organization: Organization, django_assert_num_queries: Any
) -> None:
    create_rows(resource, organization, 3)
    names = relationships_of(resource)
    to_many = [name for name in names if model_of(resource)._meta.get_field(name).many_to_many]
    with django_assert_num_queries(2 + METAS.get(resource, 0) + len(to_many)):
        answer = api.get(f"{resource}?include={','.join(names)}")
    for data in answer.data:
        shown = [
            name for name, relationship in data.get("relationships", {}).items() if "data" in relationship
        ]
        assert shown == names


@pytest.mark.parametrize("resource", RESOURCES)
def test_one_record_takes_two_queries(
    resource: str, api: Api, organization: Organization, django_assert_num_queries: Any
) -> None:
    """The token, the record, and the `meta` of resources that have one."""
    (row,) = create_rows(resource, organization)
    with django_assert_num_queries(2 + METAS.get(resource, 0)):
        assert api.get(f"{resource}/{row.pk}").status == 200


@pytest.mark.parametrize("resource", [name for name in RESOURCES if name != "organizations"])
def test_pages_have_every_record_once_in_stable_order(
    resource: str, api: Api, organization: Organization
) -> None:
    rows = create_rows(resource, organization, 7)
    if any(field.name == "name" for field in model_of(resource)._meta.fields):
        model_of(resource)._base_manager.update(name="the same")
    sorts: list[str] = ["", "&sort=id", "&sort=-id", *(f"&sort={s}" for s in RESOURCES[resource].sorts)]
    for sort in sorts:
        listed_ids = [
            pk for n in range(1, 5) for pk in api.get(f"{resource}?page[size]=2&page[number]={n}{sort}").ids
        ]
        assert sorted(listed_ids) == sorted(row.pk for row in rows), sort
    assert api.get(f"{resource}?sort=-id").ids == sorted((row.pk for row in rows), reverse=True)


@pytest.mark.parametrize("resource", RESOURCES)
def test_every_resource_has_filters_for_id_and_foreign_keys(resource: str) -> None:
    filters = RESOURCES[resource].filterset_class.base_filters
    assert {"id", *(f"{name}_id" for name in foreign_keys(model_of(resource)))} <= set(filters)


@pytest.mark.parametrize("resource", WRITABLE)
def test_foreign_key_filters_find_related_rows(resource: str, api: Api, organization: Organization) -> None:
    first, second, _ = create_linked_rows(resource, organization, 3)
    for name in foreign_keys(model_of(resource)):
        ids = [getattr(row, f"{name}_id") for row in (first, second)]
        pks = [first.pk, second.pk]
        for spelling in (
            f"filter[{name}_id]={ids[0]},{ids[1]}",
            f"filter[{name}_id][]={ids[0]}&filter[{name}_id][]={ids[1]}",
            f"filter[{name}_id][0]={ids[0]}&filter[{name}_id][1]={ids[1]}",
            f"filter[{name}_id][eq]={ids[0]},{ids[1]}",
        ):
            assert sorted(api.get(f"{resource}?{spelling}").ids) == pks, spelling
        assert not set(api.get(f"{resource}?filter[{name}_id][not_eq]={ids[0]},{ids[1]}").ids) & set(pks)


@pytest.mark.parametrize("resource", [*RESOURCES, "tracking_decisions"])
def test_every_id_filter_accepts_zero_as_an_id_of_no_record(
    resource: str, api: Api, organization: Organization
) -> None:
    """Clients send 0 for "no record"."""
    rows = create_rows(resource, organization, 2) if resource in RESOURCES else []
    tested = 0
    for name, each in SERVED[resource].filterset_class.base_filters.items():
        if not isinstance(each, IdFilter):
            continue
        for operation in each.all_operations():
            for spelling in ("{}=0", "{}[]=0", "{}[0]=0"):
                query = spelling.format(f"filter[{name}][{operation}]")
                found = sorted(api.get(f"{resource}?{query}").ids)
                all_found = operation in ("not_eq", "gt", "gt_eq")
                assert found == ([row.pk for row in rows] if all_found else []), query
                tested += 1
        pages = f"{resource}?filter[{name}]=0&page[size]=1&page[after]="
        assert api.get(pages).ids == []
    assert tested


@pytest.mark.parametrize("model", OWNED, ids=lambda model: model.__name__)
def test_every_foreign_key_between_owned_models_has_constraint(model: type[models.Model]) -> None:
    guarded = {c.field for c in model._meta.constraints if isinstance(c, SameOrganization)}
    assert guarded == set(foreign_keys(model))
