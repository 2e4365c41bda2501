"""Filters of django-filter with operations and lists of values.

A filter set can also declare filters of django-filter itself; clients then send `filter[name]=x`.
`filter_backends` reads the query string.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import reduce
from inspect import getdoc
from operator import or_
from typing import Any, ClassVar, NamedTuple

import django_filters
from django import forms
from django.core.exceptions import ValidationError
from django.db import models
from django.db.models import Q
from django.db.models.constants import LOOKUP_SEP
from django.utils.datastructures import MultiValueDict

from productive.database.functions import ascii_upper
from productive.database.lookups import NO_ROWS, has_words
from productive.database.moments import Moment
from productive.database.text import clean_text, search_words
from productive.jsonapi.parsers import MAX_ID, parse_id

# Operation → the operation whose rows it excludes.
NEGATIONS = {"not_eq": "eq", "not_contain": "contains"}
# Operation → lookup.
TEXT_OPERATIONS = {"eq": "exact", "contains": "folded"}
NUMBER_OPERATIONS = {"gt": "gt", "gt_eq": "gte", "lt": "lt", "lt_eq": "lte"}

# For most filters, each value is a condition. SQLite rejects a thousand conditions, and very long patterns.
MAX_VALUES, MAX_TEXT = 100, 10_000

AnyQuerySet = models.QuerySet[Any, Any]


class Condition(NamedTuple):
    """An operation of a filter and its values, any of which may match."""

    operation: str
    values: list[Any]


def form_key(name: str, operation: str) -> str:
    """Return the form's key for an operation: `name`, `name__contains`."""
    return name if operation == "eq" else f"{name}{LOOKUP_SEP}{operation}"


class ConditionsWidget(forms.Widget):
    """Read the values of each operation from the form's data."""

    def __init__(self, operations: Sequence[str]) -> None:
        super().__init__()
        self.operations = operations

    def value_from_datadict(self, data: Any, files: Any, name: str) -> dict[str, list[str]]:
        keys = {form_key(name, operation): operation for operation in self.operations}
        return {keys[key]: data.getlist(key) for key in data if key in keys}


class ConditionsField(forms.Field):
    """Clean the values of each operation with django-filter's own field."""

    def __init__(self, parent: OperationFilter, value_field: forms.Field) -> None:
        super().__init__(required=False, label="", widget=ConditionsWidget(parent.all_operations()))
        self.parent, self.value_field = parent, value_field

    def clean(self, value: Mapping[str, list[str]]) -> list[Condition]:
        return [
            Condition(operation, self.clean_values(operation, texts)) for operation, texts in value.items()
        ]

    def clean_values(self, operation: str, texts: list[str]) -> list[Any]:
        if self.parent.splits_at_commas:
            texts = [part for text in texts for part in text.split(",")]
        lookup = self.parent.operations[NEGATIONS.get(operation, operation)]
        if len(texts) > MAX_VALUES and lookup != "in":
            raise invalid_value(f"{len(texts)} values", operation)
        values = []
        for text in texts:
            try:
                values.append(self.value_field.clean(text))
            except ValidationError:
                raise invalid_value(text, operation) from None
        if self.parent.takes_one_value and len(values) > 1:
            raise invalid_value(",".join(texts), operation)
        return values


def invalid_value(value: str, operation: str) -> ValidationError:
    return ValidationError(
        "%(value)s is invalid", code="invalid", params={"value": value, "operation": operation}
    )


class OperationFilter(django_filters.Filter):
    """Add operations and lists of values to a filter of django-filter.

    Subclasses have that filter as their second base class. `operations` maps operations to lookups.
    """

    operations: Mapping[str, str] = {"eq": "exact"}
    splits_at_commas = True
    can_be_negated = True
    takes_one_value = False
    takes_blank = False
    # The JSON Schema of one value, for the OpenAPI document.
    value_schema: Mapping[str, Any] = {"type": "string"}

    def __init__(self, field_name: str | None = None, **kwargs: Any) -> None:
        # By default, django-filter creates a label from the model's fields for each request.
        super().__init__(field_name=field_name, **{"label": "", **kwargs})

    @property
    def field(self) -> ConditionsField:
        if not hasattr(self, "_field"):
            value_field = super().field
            value_field.required = not self.takes_blank
            self._field = ConditionsField(self, value_field)
        return self._field

    def takes(self, operation: str) -> bool:
        positive = NEGATIONS.get(operation, operation) if self.can_be_negated else operation
        return positive in self.operations

    def all_operations(self) -> list[str]:
        return [operation for operation in (*self.operations, *NEGATIONS) if self.takes(operation)]

    def describe(self, name: str) -> str:
        """Return a description for the OpenAPI document."""
        return (getdoc(self) or "").partition("\n\n")[0]

    def needs(self, filters: Mapping[str, django_filters.Filter]) -> list[str]:
        """Return the names of filters, of which a request needs one."""
        return []

    def condition(self, operation: str, values: list[Any]) -> Q:
        """Return the condition for rows that match any of the values."""
        lookup = f"{self.field_name}{LOOKUP_SEP}{self.operations[operation]}"
        return reduce(or_, (Q(**{lookup: value}) for value in values))

    def filter(self, qs: AnyQuerySet, value: list[Condition] | None) -> AnyQuerySet:
        for operation, values in value or ():
            condition = self.condition(NEGATIONS.get(operation, operation), values)
            qs = qs.exclude(condition) if operation in NEGATIONS else qs.filter(condition)
        return qs


class TextFilter(OperationFilter, django_filters.CharFilter):
    """Filter by a text or, ignoring case and accents, a part of it; commas don't split."""

    operations = TEXT_OPERATIONS
    splits_at_commas = False
    takes_blank = True
    value_schema = {"type": "string", "maxLength": MAX_TEXT, "pattern": r"^[^\u0000]*$"}

    def __init__(self, field_name: str | None = None, **kwargs: Any) -> None:
        super().__init__(field_name, **{"strip": False, "max_length": MAX_TEXT, **kwargs})

    def describe(self, name: str) -> str:
        return f"By {name.replace('_', ' ')}"

    def condition(self, operation: str, values: list[str]) -> Q:
        # The form in which texts are stored.
        return super().condition(operation, [clean_text(value) for value in values])


class EmailFilter(TextFilter):
    """Filter by an e-mail address, ignoring the case of A to Z as its unique constraint does."""

    operations = {**TEXT_OPERATIONS, "eq": "ascii_upper"}

    def describe(self, name: str) -> str:
        return f"By {name.replace('_', ' ')}, ignoring case"

    def condition(self, operation: str, values: list[str]) -> Q:
        if operation == "eq":
            values = [ascii_upper(value.strip()) for value in values]
        return super().condition(operation, values)


class QueryFilter(TextFilter):
    """Search columns for each word of a text, ignoring case and accents."""

    operations = {"eq": "folded"}

    def __init__(self, *searched: str) -> None:
        super().__init__()
        self.searched = searched

    def describe(self, name: str) -> str:
        names = [each.removesuffix("_key").replace("_", " ") for each in self.searched]
        return f"Words, each of them a part of {' or '.join(names)}, whatever the case and the accents"

    def condition(self, operation: str, values: list[str]) -> Q:
        return reduce(or_, (has_words(self.searched, search_words(value)) for value in values))


class IdFormField(forms.IntegerField):
    """Accept the ids of `parse_id`, and 0, which no record has.

    Clients send 0 for "no record".
    """

    def to_python(self, value: Any) -> int:
        number = 0 if value == "0" else parse_id(value)
        if number is None:
            raise ValidationError(self.error_messages["invalid"], code="invalid")
        return number


class IdFilter(OperationFilter, django_filters.NumberFilter):
    """Filter by ids of related records, of which a row has one at most."""

    field_class = IdFormField
    operations = {"eq": "in"}
    value_schema = {"type": "integer", "format": "int64", "minimum": 0, "maximum": MAX_ID}

    def describe(self, name: str) -> str:
        return f"Of the {name.removesuffix('_id').replace('_', ' ')} that has one of these ids"

    def condition(self, operation: str, values: list[int]) -> Q:
        if self.operations[operation] == "in":
            return Q(**{f"{self.field_name}__in": values})
        return super().condition(operation, values)


class SoftReferenceFilter(IdFilter):
    """Filter by a stored id that need not exist here."""

    def describe(self, name: str) -> str:
        return f"By the stored `{name}`"


class EmptyFilter(SoftReferenceFilter):
    """Filter by ids of records that don't exist here, so no record has one of them."""

    def describe(self, name: str) -> str:
        return "Matches nothing: there are no such records here"

    def condition(self, operation: str, values: list[int]) -> Q:
        return NO_ROWS


class OwnIdFilter(IdFilter):
    """Filter by the record's own id, which can also be compared."""

    operations = {"eq": "in", **NUMBER_OPERATIONS}

    def describe(self, name: str) -> str:
        return "By the record's own id"


class MemberFilter(IdFilter):
    """Filter by ids of related records, of which a row may have many."""

    def condition(self, operation: str, values: list[int]) -> Q:
        # Not a join, which would return a record once for each related record.
        rows = self.model._base_manager.filter(super().condition(operation, values))
        return Q(pk__in=rows.values("pk"))


class ChoiceFilter(OperationFilter, django_filters.ChoiceFilter):
    """Filter by conditions: `{"1": ("active", Q(archived_at=None))}`."""

    def __init__(self, conditions: Mapping[str, tuple[str, Q]]) -> None:
        super().__init__(choices=[(value, meaning) for value, (meaning, _) in conditions.items()])
        self.conditions = conditions
        self.value_schema = {"type": "string", "enum": [*conditions]}

    def describe(self, name: str) -> str:
        return ", ".join(f"{value} = {meaning}" for value, (meaning, _) in self.conditions.items())

    def condition(self, operation: str, values: list[str]) -> Q:
        return reduce(or_, (self.conditions[value][1] for value in values))


class BooleanFilter(ChoiceFilter):
    """Filter by a boolean: true or false, or 1 or 0."""

    def __init__(self, field_name: str) -> None:
        conditions = {"true": True, "1": True, "false": False, "0": False}
        super().__init__({text: (text, Q((field_name, value))) for text, value in conditions.items()})

    def describe(self, name: str) -> str:
        return OperationFilter.describe(self, name)


class MomentFilter(ChoiceFilter):
    """Filter by whether the model's moment is null (1) or set (2)."""

    def __init__(self, moment: Moment) -> None:
        super().__init__({"1": (moment.unset, moment.is_null), "2": (moment.done, ~moment.is_null)})


class FilterSet(django_filters.FilterSet):
    """Add the filter `id`, and build only the filters that a request uses."""

    base_filters: Mapping[str, django_filters.Filter]
    # Whether a view combines several of its filter sets, for `filter[$op]`.
    can_be_grouped: ClassVar[bool] = True
    id = OwnIdFilter()

    def __init__(self, data: Mapping[str, Any] | None = None, *args: Any, **kwargs: Any) -> None:
        if data is not None and not isinstance(data, MultiValueDict):
            data = MultiValueDict({key: v if isinstance(v, list) else [v] for key, v in data.items()})
        # The base class copies each of `base_filters` and creates its form field.
        self.base_filters = {
            name: each for name, each in self.base_filters.items() if is_used(name, each, data or {})
        }
        super().__init__(data, *args, **kwargs)


def is_used(name: str, each: django_filters.Filter, data: Mapping[str, Any]) -> bool:
    if isinstance(each, OperationFilter):
        return any(form_key(name, operation) in data for operation in each.all_operations())
    return name in data or each.extra["required"]
