"""Filters that apply the tracking rule, for the filter sets of people, services and decisions."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Any

from django.db.models import QuerySet

from assignments.access import Access, in_state
from assignments.tracking import Kind, trackable_by, who_may_track
from productive.jsonapi.errors import ParameterError
from productive.jsonapi.filters import Condition, Filter, IdFilter
from productive.jsonapi.parsers import parse_day

AnyQuerySet = QuerySet[Any, Any]


class Qualifier(Filter):
    """A value that another filter asks for. By itself it means nothing, so alone it is refused."""

    can_be_negated = False
    takes_one_value = True

    def needs(self, filters: Mapping[str, Filter]) -> list[str]:
        return [name for name, other in filters.items() if isinstance(other, TrackingFilter)]

    def filter(self, qs: AnyQuerySet, value: list[Condition] | None) -> AnyQuerySet:
        asking = self.needs(self.parent.filters)
        if value and not any(self.parent.form.cleaned_data[name] for name in asking):
            told = f"{self.field_name} without {' or '.join(asking)}"
            raise ParameterError("unsupported_filter", told, value[0].parameter)
        return qs

    def only_value(self, conditions: list[Condition] | None) -> Any:
        """The one value that was sent, or None."""
        if not conditions:
            return None
        values = self.values(conditions[0])
        if len(values) > 1:
            raise ParameterError(
                "unsupported_filter_value", ",".join(conditions[0].values), conditions[0].parameter
            )
        return values[0]


class DayFilter(Qualifier):
    """A calendar day, YYYY-MM-DD; without one it is today in the organization's time zone."""

    value_schema = {"type": "string", "format": "date"}

    def read(self, text: str) -> date | None:
        return parse_day(text)


class KindFilter(Qualifier):
    """time or expense; without one it is time."""

    value_schema = {"type": "string", "enum": [*Kind]}

    def read(self, text: str) -> Kind | None:
        return Kind(text) if text in set(Kind) else None


class TrackingFilter(IdFilter):
    """Ids on the other side of the tracking rule, on the day and for the kind that `on` and `kind` say."""

    def describe(self, name: str) -> str:
        return Filter.describe(self, name)

    def filter(self, qs: AnyQuerySet, value: list[Condition] | None) -> AnyQuerySet:
        for condition in value or ():
            allowed = self.allowed(qs, condition, *asked(self.parent))
            qs = allowed if condition.operation == "eq" else qs.exclude(pk__in=allowed.values("pk"))
        return qs

    def allowed(self, qs: AnyQuerySet, condition: Condition, on: date, kind: Kind) -> AnyQuerySet:
        raise NotImplementedError


def asked(filterset: Any) -> tuple[date, Kind]:
    """The day and the kind that the request asks for."""
    given, filters = filterset.form.cleaned_data, filterset.filters
    on = filters["on"].only_value(given["on"]) or filterset.request.auth.organization.today()
    return on, filters["kind"].only_value(given["kind"]) or Kind.TIME


class TrackableByFilter(TrackingFilter):
    """Services that this one person may track on."""

    takes_one_value = True

    def allowed(self, qs: AnyQuerySet, condition: Condition, on: date, kind: Kind) -> AnyQuerySet:
        person, *others = self.values(condition)
        if others:
            raise ParameterError("unsupported_filter_value", ",".join(condition.values), condition.parameter)
        return trackable_by(qs, person, on, kind)


class MayTrackFilter(TrackingFilter):
    """People who may track on one of these services."""

    def allowed(self, qs: AnyQuerySet, condition: Condition, on: date, kind: Kind) -> AnyQuerySet:
        return who_may_track(qs, self.values(condition), on, kind)


class AccessFilter(Filter):
    """States of `access`."""

    value_schema = {"type": "string", "enum": [*Access]}

    def filter(self, qs: AnyQuerySet, value: list[Condition] | None) -> AnyQuerySet:
        for condition in value or ():
            states = set(self.values(condition))
            qs = in_state(qs, states if condition.operation == "eq" else set(Access) - states)
        return qs

    def read(self, text: str) -> Access | None:
        return Access(text) if text in set(Access) else None
