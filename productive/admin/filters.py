"""Base classes of list filters: by a record, a range of days, or a choice.

An invalid value matches no rows.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import date, datetime, time, timedelta, tzinfo
from typing import Any

from django import forms
from django.contrib import admin
from django.contrib.admin.filters import ListFilter
from django.db.models import DateTimeField, ForeignKey, Model, Q
from django.db.models.query import QuerySet
from django.http import HttpRequest
from django.utils.text import capfirst

from productive.admin.days import LocalDayField
from productive.admin.forms import Autocomplete, RecordField, is_id
from productive.admin.theme import AutocompleteSelectFilter, DropdownFilter, RangeDateFilter
from productive.database.lookups import NO_ROWS
from productive.database.moments import Moment
from productive.database.validators import FIRST_DAY, LAST_DAY


class ChoiceListFilter(DropdownFilter):
    """Filter by one of several choices, each of which is a queryset."""

    template = "admin/filter_fields.html"

    # Titles of the filtered list, by choice.
    list_titles: Mapping[str, str] = {}

    @property
    def list_title(self) -> str:
        return self.list_titles.get(self.value() or "", "")

    def conditions(self, rows: Any) -> dict[str, Any]:
        """Return the queryset of each choice, by its value."""
        raise NotImplementedError

    def queryset(self, request: HttpRequest, queryset: Any) -> Any:
        value = self.value()
        return self.conditions(queryset).get(value, queryset.none()) if value else queryset

    def choices(self, changelist: Any) -> Iterator[Any]:
        """Label the field with the title only; the theme's label is "By status"."""
        for choice in super().choices(changelist):
            choice["form"].fields[self.parameter_name].label = capfirst(self.title)
            yield choice


class MomentListFilter(ChoiceListFilter):
    """Filter by whether a moment is set: archived or not, closed or not.

    By default, the list hides rows with the moment. It has a switch to show these, or all.
    """

    title = "status"
    moment: Moment
    # The choice "All" isn't the default.
    all_option = None

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("no", capfirst(self.moment.unset)), ("yes", capfirst(self.moment.done)), ("all", "All")]

    def conditions(self, rows: Any) -> dict[str, Any]:
        is_null = self.moment.is_null
        return {"no": rows.filter(is_null), "yes": rows.exclude(is_null), "all": rows}

    def value(self) -> str:
        return super().value() or "no"

    def queryset(self, request: HttpRequest, queryset: Any) -> Any:
        """Filter the rows, unless an action names them: it restores hidden rows, too."""
        is_default = not self.used_parameters.get(self.parameter_name)
        names_rows = request.method == "POST" and request.POST.get("select_across", "0") == "0"
        return queryset if is_default and names_rows else super().queryset(request, queryset)

    def links(self, changelist: Any) -> list[tuple[str, str, bool]]:
        """Return the text and the URL of each choice, and whether it is the current one."""
        return [
            (
                text,
                changelist.get_query_string({self.parameter_name: None if value == "no" else value}, ["p"]),
                value == self.value(),
            )
            for value, text in self.lookup_choices
        ]


class FormListFilter(ListFilter):
    """A list filter with a form, whose fields are `parameters` of the URL."""

    parameters: tuple[str, ...] = ()
    form_class: type[forms.Form]

    def __init__(
        self, request: HttpRequest, params: dict[str, Any], model: type[Model], model_admin: Any
    ) -> None:
        super().__init__(request, params, model, model_admin)
        self.request, self.model_admin = request, model_admin
        for name in self.parameters:
            if values := params.pop(name, None):
                self.used_parameters[name] = values[-1]

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
    """Filter by a related record, among those that the user may see."""

    template = "admin/filter_fields.html"
    # The theme collects the media of this form.
    form_class = AutocompleteSelectFilter.form_class
    relation: Any
    path: str

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        pk = str(self.used_parameters.get(self.parameters[0], ""))
        if not pk:
            return queryset
        return queryset.filter(**{self.path: pk}) if is_id(pk) else queryset.none()

    @property
    def form(self) -> forms.Form:
        site, name = self.model_admin.admin_site, self.parameters[0]
        form = forms.Form({name: self.used_parameters.get(name)}, auto_id="filter_%s")
        form.fields[name] = RecordField(
            site.get_model_admin(self.relation.related_model).get_queryset(self.request),
            required=False,
            label=capfirst(self.title),
            widget=Autocomplete(self.relation, site, attrs={"class": "unfold-filter-autocomplete"}),
        )
        return form


def by_record(relation: Any, path: str = "") -> type[RecordListFilter]:
    """Return a filter by the target of a foreign key, such as `Service.deal`.

    `path` is the lookup from the list's model, by default the name of the foreign key. If it spans a
    many-valued relation, each row may match once only: the filter doesn't remove duplicates.
    """
    field: ForeignKey[Any, Any] = relation.field
    attrs = {
        "title": field.verbose_name,
        "parameters": (field.name,),
        "relation": field,
        "path": path or field.name,
    }
    return type("RecordListFilter", (RecordListFilter,), attrs)


class DateRangeListFilter(FormListFilter):
    """Filter a date or datetime by a range of days, both inclusive."""

    template = "admin/filter_days.html"
    form_class = RangeDateFilter.form_class
    name: str

    @property
    def form(self) -> Any:
        form = self.form_class(name=self.name, data=self.used_parameters)
        for name in self.parameters:
            form.fields[name] = LocalDayField(label="", required=False, widget=form.fields[name].widget)
        return form

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        form = self.form
        if not form.is_valid():
            return queryset.none()
        first, last = (form.cleaned_data[name] for name in self.parameters)
        if first is None and last is None:
            return queryset
        if not isinstance(queryset.model._meta.get_field(self.name), DateTimeField):
            return queryset.filter(between(self.name, first, last))
        condition = NO_ROWS
        for zone, rows in self.model_admin.time_zones(request).items():
            condition |= rows & within_days(self.name, first, last, zone)
        return queryset.filter(condition)


def between(name: str, first: Any, last: Any, until: str = "lte") -> Q:
    """Return a condition for the range; None is no limit."""
    lookups = {f"{name}__gte": first, f"{name}__{until}": last}
    return Q(**{lookup: value for lookup, value in lookups.items() if value is not None})


def within_days(name: str, first: date | None, last: date | None, zone: tzinfo) -> Q:
    """Return a condition for a datetime within these days of a time zone."""
    begin = first and start_of_day(first, zone)
    end = last and start_of_day(min(last, LAST_DAY) + timedelta(days=1), zone)
    return between(name, begin, end, until="lt")


def start_of_day(day: date, zone: tzinfo) -> datetime:
    return datetime.combine(max(day, FIRST_DAY), time.min, zone)


def by_days(name: str, title: str) -> type[DateRangeListFilter]:
    """Return a filter of this date or datetime field by a range of days."""
    attrs = {"title": title, "name": name, "parameters": (f"{name}_from", f"{name}_to")}
    return type("DateRangeListFilter", (DateRangeListFilter,), attrs)


def get_parameter_names(filter_class: type[ListFilter]) -> tuple[str, ...]:
    """Return the names of the filter's parameters in the query string."""
    if issubclass(filter_class, FormListFilter):
        return filter_class.parameters
    name = filter_class.parameter_name if issubclass(filter_class, admin.SimpleListFilter) else None
    return (name,) if name else ()
