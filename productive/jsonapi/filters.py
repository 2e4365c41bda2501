"""The filters of this API, and the base class of filter sets.

A filter set can also declare filters of django-filter itself; clients then send `filter[name]=x`.
`filter_backends` reads the query string.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import reduce
from operator import or_
from typing import Any, ClassVar

import django_filters
from django import forms
from django.core.exceptions import ValidationError
from django.db.models import Q
from django.utils.datastructures import MultiValueDict

from productive.database.functions import ascii_upper
from productive.database.lookups import NO_ROWS, has_words
from productive.database.moments import Moment
from productive.database.text import clean_text, search_words
from productive.jsonapi.filter_operations import NUMBER_OPERATIONS, OperationFilter, form_key
from productive.jsonapi.parsers import MAX_ID, parse_id

# Operation → lookup.
TEXT_OPERATIONS = {"eq": "exact", "contains": "folded"}
# SQLite rejects very long patterns.
MAX_TEXT = 10_000


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
