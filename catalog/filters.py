from django.db.models import Q

from assignments.tracking_filters import AccessFilter, DayFilter, KindFilter, TrackableByFilter
from catalog.models import Deal, Project, ServiceType
from productive.jsonapi.filters import (
    ChoiceFilter,
    FilterSet,
    IdFilter,
    MemberFilter,
    MomentFilter,
    QueryFilter,
    TextFilter,
)


class ServiceTypeFilterSet(FilterSet):
    name = TextFilter()
    description = TextFilter()
    person_id = MemberFilter("assignees")
    query = QueryFilter("name", "description")
    status = MomentFilter(ServiceType.moment)


class ProjectFilterSet(FilterSet):
    name = TextFilter()
    query = QueryFilter("name", "project_number")
    status = MomentFilter(Project.moment)
    person_id = MemberFilter("project_assignments__person_id")


class DealFilterSet(FilterSet):
    project_id = IdFilter()
    name = TextFilter()
    query = QueryFilter("name")
    budget_status = MomentFilter(Deal.moment)
    # 1 is a deal, which never exists, and 2 is a budget.
    type = ChoiceFilter({"1": ("deal", Q(budget=False)), "2": ("budget", Q(budget=True))})


class ServiceFilterSet(FilterSet):
    deal_id = IdFilter()
    project_id = IdFilter("deal__project_id")
    service_type_id = IdFilter()
    name = TextFilter()
    query = QueryFilter("name")
    trackable_by_person_id = TrackableByFilter()
    on = DayFilter()
    kind = KindFilter()
    access = AccessFilter()
