"""Filters beside the lists: by a record, by days, by a choice. Nonsense finds nothing. Knows no model."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, datetime, time, timedelta, tzinfo
from typing import Any

from django import forms
from django.contrib import admin
from django.contrib.admin.filters import ListFilter
from django.db.models import DateTimeField, ForeignKey, Model, Q
from django.db.models.query import QuerySet
from django.http import HttpRequest

from productive.admin.forms import Autocomplete, RecordField, is_id
from productive.admin.theme import AutocompleteSelectFilter, DropdownFilter, RangeDateFilter
from productive.database.moments import Moment

# Beyond these a moment can't be written in every zone.
FIRST_DAY, LAST_DAY = date(1, 1, 3), date(9999, 12, 28)


class ChoiceListFilter(DropdownFilter):
    """One of a few states, each a queryset; a value that isn't offered means none of them."""

    def conditions(self, rows: Any) -> dict[str, Any]:
        """By value, the rows that are in this state."""
        raise NotImplementedError

    def queryset(self, request: HttpRequest, queryset: Any) -> Any:
        wanted = self.value()
        if not wanted:
            return queryset
        return self.conditions(queryset).get(wanted, queryset.none())


class MomentListFilter(ChoiceListFilter):
    """Whether the model's moment is set: archived or not, closed or not."""

    moment: Moment

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("no", "No"), ("yes", "Yes")]

    def conditions(self, rows: Any) -> dict[str, Any]:
        return {"no": rows.filter(self.moment.is_null), "yes": rows.exclude(self.moment.is_null)}


class FormListFilter(ListFilter):
    """A filter that is a form beside the list, with `parameters` of its own in the list's address."""

    parameters: tuple[str, ...] = ()
    form_class: type[forms.Form]

    def __init__(
        self, request: HttpRequest, params: dict[str, Any], model: type[Model], model_admin: Any
    ) -> None:
        super().__init__(request, params, model, model_admin)
        self.request, self.model_admin = request, model_admin
        for name in self.parameters:
            if given := params.pop(name, None):
                self.used_parameters[name] = given[-1]

    def has_output(self) -> bool:
        return True

    def expected_parameters(self) -> list[str | None]:
        return [*self.parameters]

    def choices(self, changelist: Any) -> Iterator[Any]:
        yield {"form": self.form}

    @property
    def form(self) -> Any:
        raise NotImplementedError


class RecordListFilter(FormListFilter):
    """The rows of one record, chosen among those that the user finds."""

    template = AutocompleteSelectFilter.template
    # The theme loads what its form needs.
    form_class = AutocompleteSelectFilter.form_class
    relation: Any
    path: str

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        wanted = str(self.used_parameters.get(self.parameters[0], ""))
        if not wanted:
            return queryset
        return queryset.filter(**{self.path: wanted}) if is_id(wanted) else queryset.none()

    @property
    def form(self) -> forms.Form:
        site, name = self.model_admin.admin_site, self.parameters[0]
        form = forms.Form({name: self.used_parameters.get(name)}, auto_id="filter_%s")
        form.fields[name] = RecordField(
            site.get_model_admin(self.relation.related_model).get_queryset(self.request),
            required=False,
            label=f"By {self.title}",
            widget=Autocomplete(self.relation, site, attrs={"class": "unfold-filter-autocomplete"}),
        )
        return form


def by_record(relation: Any, path: str = "") -> type[RecordListFilter]:
    """A filter by what a foreign key points at, as `relation.name`; `path` leads there from the list's model.

    Where it passes through several rows, these must be unique to the pair: no row is listed twice.
    """
    field: ForeignKey[Any, Any] = relation.field
    names = {
        "title": field.verbose_name,
        "parameters": (field.name,),
        "relation": field,
        "path": path or field.name,
    }
    return type("RecordListFilter", (RecordListFilter,), names)


class DateRangeListFilter(FormListFilter):
    """From one day to another, both included, of a day or of a moment."""

    template = RangeDateFilter.template
    form_class = RangeDateFilter.form_class
    name: str

    @property
    def form(self) -> Any:
        return self.form_class(name=self.name, data=self.used_parameters)

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        form = self.form
        if not form.is_valid():
            return queryset.none()
        first, last = (form.cleaned_data[name] for name in self.parameters)
        if first is None and last is None:
            return queryset
        if not isinstance(queryset.model._meta.get_field(self.name), DateTimeField):
            return queryset.filter(between(self.name, first, last))
        wanted = Q(pk__in=())
        for zone, rows in self.model_admin.zones(request).items():
            begin = first and start_of(first, zone)
            end = last and start_of(min(last, LAST_DAY) + timedelta(days=1), zone)
            wanted |= rows & between(self.name, begin, end, until="lt")
        return queryset.filter(wanted)


def between(name: str, first: Any, last: Any, until: str = "lte") -> Q:
    asked = {f"{name}__gte": first, f"{name}__{until}": last}
    return Q(**{lookup: limit for lookup, limit in asked.items() if limit is not None})


def start_of(day: date, zone: tzinfo) -> datetime:
    return datetime.combine(max(day, FIRST_DAY), time.min, zone)


def by_days(name: str, title: str) -> type[DateRangeListFilter]:
    """A filter by the days of a column."""
    parameters = (f"{name}_from", f"{name}_to")
    return type(
        "DateRangeListFilter",
        (DateRangeListFilter,),
        {"title": title, "name": name, "parameters": parameters},
    )


def get_parameter_names(item: Any) -> tuple[str, ...]:
    """What a filter class may be asked by in the list's address."""
    if issubclass(item, FormListFilter):
        return item.parameters
    return (item.parameter_name,) if issubclass(item, admin.SimpleListFilter) and item.parameter_name else ()
