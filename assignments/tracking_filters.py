"""Filters that apply the tracking rule, for several filter sets."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Any

import django_filters
from django import forms
from django.core.exceptions import ValidationError

from assignments.access import Access, in_state
from assignments.tracking import Kind, trackable_by, who_may_track
from productive.jsonapi.filter_operations import AnyQuerySet, Condition, OperationFilter
from productive.jsonapi.filters import IdFilter
from productive.jsonapi.parsers import parse_day


class Qualifier(OperationFilter):
    """A parameter of a `TrackingFilter`. It doesn't filter by itself."""

    can_be_negated = False
    takes_one_value = True

    def needs(self, filters: Mapping[str, django_filters.Filter]) -> list[str]:
        return [name for name, other in filters.items() if isinstance(other, TrackingFilter)]

    def filter(self, qs: AnyQuerySet, value: list[Condition] | None) -> AnyQuerySet:
        return qs


class TrackingDayField(forms.DateField):
    """Accept a day as YYYY-MM-DD only."""

    def to_python(self, value: Any) -> date:
        day = parse_day(value)
        if day is None:
            raise ValidationError(self.error_messages["invalid"], code="invalid")
        return day


class DayFilter(Qualifier, django_filters.DateFilter):
    """A day, YYYY-MM-DD; by default today in the organization's zone."""

    field_class = TrackingDayField
    value_schema = {"type": "string", "format": "date"}


class KindFilter(Qualifier, django_filters.TypedChoiceFilter):
    """Either time, the default, or expense."""

    value_schema = {"type": "string", "enum": [*Kind]}

    def __init__(self) -> None:
        super().__init__(choices=[(kind, kind) for kind in Kind], coerce=Kind)


class TrackingFilter(IdFilter):
    """Filter by the tracking rule, on the day `on` and for `kind`."""

    def describe(self, name: str) -> str:
        return OperationFilter.describe(self, name)

    def filter(self, qs: AnyQuerySet, value: list[Condition] | None) -> AnyQuerySet:
        for operation, ids in value or ():
            allowed = self.allowed(qs, ids, *day_and_kind(self.parent))
            qs = allowed if operation == "eq" else qs.exclude(pk__in=allowed.values("pk"))
        return qs

    def allowed(self, qs: AnyQuerySet, ids: list[int], on: date, kind: Kind) -> AnyQuerySet:
        raise NotImplementedError


def day_and_kind(filterset: Any) -> tuple[date, Kind]:
    """Return the values of `on` and `kind`, by default today and time."""
    cleaned = filterset.form.cleaned_data
    on, kind = (
        conditions[0].values[0] if conditions else None
        for conditions in (cleaned.get("on"), cleaned.get("kind"))
    )
    return on or filterset.request.auth.organization.today(), kind or Kind.TIME


class TrackableByFilter(TrackingFilter):
    """Services on which this person may track."""

    takes_one_value = True

    def allowed(self, qs: AnyQuerySet, ids: list[int], on: date, kind: Kind) -> AnyQuerySet:
        return trackable_by(qs, ids[0], on, kind)


class MayTrackFilter(TrackingFilter):
    """People who may track on at least one of these services."""

    def allowed(self, qs: AnyQuerySet, ids: list[int], on: date, kind: Kind) -> AnyQuerySet:
        return who_may_track(qs, ids, on, kind)


class AccessFilter(OperationFilter, django_filters.TypedChoiceFilter):
    """Services with these states of `access`."""

    value_schema = {"type": "string", "enum": [*Access]}

    def __init__(self) -> None:
        super().__init__(choices=[(state, state) for state in Access], coerce=Access)

    def filter(self, qs: AnyQuerySet, value: list[Condition] | None) -> AnyQuerySet:
        for operation, states in value or ():
            qs = in_state(qs, set(states) if operation == "eq" else set(Access).difference(states))
        return qs
