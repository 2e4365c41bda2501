from __future__ import annotations

from typing import Any

from django.db.models import QuerySet

from assignments.tracking_filters import DayFilter, KindFilter
from productive.jsonapi.filters import FilterSet, IdFilter, OperationFilter, QueryFilter, TextFilter


class PairFilter(IdFilter):
    """Ids of people or services; one of these two filters is required."""

    can_be_negated = False

    def describe(self, name: str) -> str:
        return OperationFilter.describe(self, name)


class TrackingDecisionFilterSet(FilterSet):
    can_be_grouped = False
    id = None  # type: ignore[assignment]
    person_id = PairFilter("id")
    service_id = PairFilter("id")
    on = DayFilter()
    kind = KindFilter()

    def filter_by(self, name: str, queryset: QuerySet[Any]) -> QuerySet[Any]:
        """Filter one side of the pairs."""
        filtered: QuerySet[Any] = self.filters[name].filter(queryset, self.form.cleaned_data[name])
        return filtered


class ServiceAssignmentFilterSet(FilterSet):
    service_id = IdFilter()
    person_id = IdFilter()


class ProjectAssignmentFilterSet(FilterSet):
    project_id = IdFilter()
    person_id = IdFilter()


class ServiceTypeAssignmentFilterSet(FilterSet):
    person_id = IdFilter()
    service_type_id = IdFilter()


class FilterFilterSet(FilterSet):
    name = TextFilter()
    query = QueryFilter("name")
