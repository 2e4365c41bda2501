"""Filters of the assignments, and those filters of people and projects that only assignments can answer."""

from catalog.filters import ProjectFilterSet as CatalogProjectFilterSet
from productive.accounts.filters import PersonFilterSet as AccountsPersonFilterSet
from productive.jsonapi.filters import FilterSet, IdFilter, MemberFilter, QueryFilter, TextFilter


class PersonFilterSet(AccountsPersonFilterSet):
    project_id = MemberFilter("project_assignments__project_id")


class ProjectFilterSet(CatalogProjectFilterSet):
    person_id = MemberFilter("project_assignments__person_id")


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
