from django.db.models import Q

from productive.accounts.filters import ACTIVE_OR_ARCHIVED
from productive.jsonapi.filters import (
    ChoiceFilter,
    FilterSet,
    IdFilter,
    MemberFilter,
    QueryFilter,
    TextFilter,
)


class ServiceTypeFilterSet(FilterSet):
    name = TextFilter()
    description = TextFilter()
    person_id = MemberFilter("assignees")
    query = QueryFilter("name", "description")
    status = ChoiceFilter(ACTIVE_OR_ARCHIVED)


class ProjectFilterSet(FilterSet):
    name = TextFilter()
    query = QueryFilter("name", "project_number")
    status = ChoiceFilter(ACTIVE_OR_ARCHIVED)


class DealFilterSet(FilterSet):
    project_id = IdFilter()
    name = TextFilter()
    query = QueryFilter("name")
    budget_status = ChoiceFilter({"1": ("open", Q(closed_at=None)), "2": ("closed", ~Q(closed_at=None))})
    # The wire numbers deals 1 and budgets 2; a deal that is no budget is never kept.
    type = ChoiceFilter({"1": ("deal", Q(budget=False)), "2": ("budget", Q(budget=True))})


class ServiceFilterSet(FilterSet):
    deal_id = IdFilter()
    project_id = IdFilter("deal__project_id")
    service_type_id = IdFilter()
    name = TextFilter()
    query = QueryFilter("name")
