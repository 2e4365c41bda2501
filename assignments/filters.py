from __future__ import annotations

from typing import Any

import django_filters
from django import forms
from django.core.exceptions import ValidationError
from django.db.models import Q, QuerySet

from assignments.activities import BY_HISTORY, EVENT_OF_CHANGE, ITEM_TYPES
from assignments.tracking_filters import DayFilter, KindFilter
from productive.accounts.models import Person
from productive.database.lookups import ALL_ROWS, NO_ROWS
from productive.jsonapi.date_filters import TimeBoundFilter
from productive.jsonapi.filter_operations import AnyQuerySet, Condition, OperationFilter
from productive.jsonapi.filters import ChoiceFilter, FilterSet, IdFilter, QueryFilter, TextFilter


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


class RelatedItemFilter(IdFilter):
    """Filter activities of a record and of those that belong to it."""

    def describe(self, name: str) -> str:
        return f"Of the {name.removesuffix('_id')}, and of what is linked to it"

    def condition(self, operation: str, values: list[int]) -> Q:
        # The parent's queryset has the entries of one model.
        column = BY_HISTORY[self.parent.queryset.model].column(str(self.field_name))
        return NO_ROWS if column is None else Q((f"{column}__in", values))


class CreatorFilter(IdFilter):
    """Filter activities by the person who acted."""

    def describe(self, name: str) -> str:
        return "By the person who acted"

    def condition(self, operation: str, values: list[int]) -> Q:
        people = Person.objects.owned_by(self.parent.request.auth.organization)
        return Q(history_user_id__in=people.filter(pk__in=values).exclude(user=None).values("user"))


class ItemTypeField(forms.Field):
    """Accept `service_type`, and as in Productive's API `ServiceType`."""

    def to_python(self, value: Any) -> str:
        plain = str(value).replace("_", "").lower()
        for name in ITEM_TYPES:
            if name.replace("_", "") == plain:
                return name
        raise ValidationError("is invalid", code="invalid")


class ItemTypeFilter(OperationFilter, django_filters.Filter):
    """Filter activities by the kind of their record."""

    field_class = ItemTypeField
    value_schema = {"type": "string", "enum": [*ITEM_TYPES]}

    def filter(self, qs: AnyQuerySet, value: list[Condition] | None) -> AnyQuerySet:
        for operation, types in value or ():
            if (BY_HISTORY[qs.model].type in types) is not (operation == "eq"):
                return qs.none()
        return qs


class ActivityFilterSet(FilterSet):
    """Filters of the entries of one model."""

    id = None  # type: ignore[assignment]
    after = TimeBoundFilter("history_date", "gt_eq")
    before = TimeBoundFilter("history_date", "lt_eq")
    event = ChoiceFilter({name: (name, Q(history_type=kind)) for kind, name in EVENT_OF_CHANGE.items()})
    item_type = ItemTypeFilter()
    item_id = IdFilter("id")
    person_id = RelatedItemFilter("person")
    company_id = RelatedItemFilter("company")
    deal_id = RelatedItemFilter("deal")
    project_id = RelatedItemFilter("project")
    creator_id = CreatorFilter()
    # Only changes are recorded.
    type = ChoiceFilter({"1": ("comment", NO_ROWS), "2": ("change", ALL_ROWS), "3": ("email", NO_ROWS)})
