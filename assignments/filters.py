from __future__ import annotations

import django_filters

from assignments.tracking_filters import DayFilter, KindFilter
from productive.jsonapi.filters import Filter, FilterSet, IdFilter, QueryFilter, TextFilter


class PairFilter(IdFilter):
    """The people or the services of which all pairs are judged. One side at least is required."""

    can_be_negated = False

    def describe(self, name: str) -> str:
        return Filter.describe(self, name)


class TrackingDecisionFilterSet(django_filters.FilterSet):
    person_id = PairFilter("id")
    service_id = PairFilter("id")
    on = DayFilter()
    kind = KindFilter()


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
