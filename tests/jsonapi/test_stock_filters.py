"""Test filters of django-filter itself, and filter sets without a request."""

from __future__ import annotations

from typing import Any

import django_filters
import pytest

from catalog.filters import ServiceTypeFilterSet
from catalog.models import ServiceType
from catalog.views import ServiceTypeViewSet
from productive.accounts.models import Organization
from productive.jsonapi.schema import parameters
from tests.support.api import Api
from tests.support.factories import ServiceTypeFactory

pytestmark = pytest.mark.django_db


class ExtendedFilterSet(ServiceTypeFilterSet):
    exact = django_filters.CharFilter("name")
    name__istartswith = django_filters.CharFilter("name", lookup_expr="istartswith")
    described = django_filters.BooleanFilter("description", lookup_expr="isnull", exclude=True)
    any_of = django_filters.MultipleChoiceFilter(
        field_name="name", choices=[(name, name) for name in ("Design", "QA")]
    )
    longer_than = django_filters.NumberFilter(method="filter_longer_than", label="Longer names")

    def filter_longer_than(self, queryset: Any, name: str, value: Any) -> Any:
        return queryset.filter(name__regex=f"^.{{{value + 1},}}$")


@pytest.fixture(autouse=True)
def types(organization: Organization, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, description in (("Design", "Wireframes"), ("Development", None), ("QA", None)):
        ServiceTypeFactory(organization=organization, name=name, description=description)
    monkeypatch.setattr(ServiceTypeViewSet, "filterset_class", ExtendedFilterSet)


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("filter[exact]=QA", ["QA"]),
        ("filter[exact][eq]=QA", ["QA"]),
        ("filter[name][istartswith]=DE", ["Design", "Development"]),
        ("filter[name__istartswith]=DE", ["Design", "Development"]),
        ("filter[name][istartswith]=de&filter[name][not_eq]=Design", ["Development"]),
        ("filter[described]=true", ["Design"]),
        ("filter[any_of]=QA", ["QA"]),
        ("filter[any_of][]=QA&filter[any_of][]=Design", ["Design", "QA"]),
        ("filter[longer_than]=6", ["Development"]),
    ],
)
def test_stock_filter_is_applied(query: str, found: list[str], api: Api) -> None:
    data = api.get(f"service_types?{query}").data
    assert sorted(resource["attributes"]["name"] for resource in data) == found


@pytest.mark.parametrize(
    ("query", "code", "parameter", "detail"),
    [
        ("filter[exact][not_eq]=QA", "unsupported_filter", "filter[exact][not_eq]", "Filter 'exact[not_eq]'"),
        ("filter[exact]=", "unsupported_filter_value", "filter[exact]", "Filter value ''"),
        ("filter[exact][]=a&filter[exact][]=b", "unsupported_filter_value", "filter[exact][]", "'a, b'"),
        ("filter[any_of]=x", "unsupported_filter_value", "filter[any_of]", "Filter value 'x'"),
        ("filter[longer_than]=x", "unsupported_filter_value", "filter[longer_than]", "Filter value 'x'"),
        ("filter[longer_than]=x&filter[exact]=QA", "unsupported_filter_value", "filter[longer_than]", "'x'"),
    ],
)
def test_stock_filter_rejects_invalid_values(
    query: str, code: str, parameter: str, detail: str, api: Api
) -> None:
    response = api.get(f"service_types?{query}")
    assert response.status == 400
    assert (response.error["code"], response.error["source"]) == (code, {"parameter": parameter})
    assert detail in response.error["detail"]


def test_required_stock_filter_is_required(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    class RequiringFilterSet(ServiceTypeFilterSet):
        exact = django_filters.CharFilter("name", required=True)

    monkeypatch.setattr(ServiceTypeViewSet, "filterset_class", RequiringFilterSet)
    for query in ("", "?filter[name]=QA"):
        response = api.get(f"service_types{query}")
        assert (response.status, response.error["code"]) == (400, "missing_filter")
    assert len(api.get("service_types?filter[exact]=QA").data) == 1


def test_stock_filter_is_described() -> None:
    described = {each["name"]: each for each in parameters.filter_parameters(ExtendedFilterSet.base_filters)}
    assert described["filter[longer_than]"]["description"] == "Longer names"
    assert described["filter[exact]"]["schema"] == {"type": "string"}


def test_filter_set_accepts_a_dictionary() -> None:
    filterset = ServiceTypeFilterSet(
        {"name__contains": "DE", "status": ["1"]}, queryset=ServiceType.objects.order_by("name")
    )
    assert [each.name for each in filterset.qs] == ["Design", "Development"]
    assert ServiceTypeFilterSet({"status": "3"}, queryset=ServiceType.objects.all()).errors.keys() == {
        "status"
    }
    assert ServiceTypeFilterSet(queryset=ServiceType.objects.all()).qs.count() == 3
