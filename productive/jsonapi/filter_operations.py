"""Operations and lists of values for the filters of django-filter."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import reduce
from inspect import getdoc
from operator import or_
from typing import Any, NamedTuple

import django_filters
from django import forms
from django.core.exceptions import ValidationError
from django.db import models
from django.db.models import Q
from django.db.models.constants import LOOKUP_SEP

# Operation → the operation whose rows it excludes.
NEGATIONS = {"not_eq": "eq", "not_contain": "contains"}
# Operation → lookup.
NUMBER_OPERATIONS = {"gt": "gt", "gt_eq": "gte", "lt": "lt", "lt_eq": "lte"}

# For most filters, each value is a condition. SQLite rejects a thousand conditions.
MAX_VALUES = 100

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
