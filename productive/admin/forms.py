"""Form fields and widgets of the admin that reject invalid ids."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import Any

from django import forms
from django.contrib import admin
from django.contrib.admin.widgets import AutocompleteSelect, AutocompleteSelectMultiple
from django.core.exceptions import ValidationError
from django.db import models
from django.utils.functional import SimpleLazyObject

from productive.database.validators import validate_portable_json


def is_id(value: str) -> bool:
    """Return whether the text is a positive 64-bit integer in ASCII digits."""
    return re.fullmatch("[1-9][0-9]{0,18}", value) is not None and int(value) < 2**63


class Autocomplete(AutocompleteSelect):
    """An autocomplete that ignores invalid ids, which Django can't render."""

    def optgroups(self, name: str, value: Sequence[str], attr: Any = None) -> Any:
        return super().optgroups(name, [selected for selected in value if is_id(selected)], attr)


class AutocompleteMultiple(AutocompleteSelectMultiple):
    """An autocomplete widget for several records."""

    def build_attrs(self, *args: Any, **kwargs: Any) -> dict[str, Any]:
        # Each record has its own button to remove it. The list stays open to choose more.
        own = {"data-allow-clear": "false", "data-close-on-select": "false"}
        return {**super().build_attrs(*args, **kwargs), **own}

    def optgroups(self, name: str, value: Sequence[str], attr: Any = None) -> Any:
        return super().optgroups(name, [selected for selected in value if is_id(selected)], attr)


# Between the parts of a label.
SEPARATOR = " · "


def label_of(record: models.Model | str) -> str:
    """Return the text that tells the record apart from others of the same name.

    It is str(), followed by the `label_fields` of the record's admin that are set. A text is returned as it
    is: earlier states have texts instead of deleted records.
    """
    if isinstance(record, str | LabeledRecord):
        return str(record)
    model_admin = admin.site.get_model_admin(record._meta.model)
    if (label := getattr(model_admin, "label", None)) is not None:
        return str(label(record))
    values = [getattr(record, name) for name in getattr(model_admin, "label_fields", ())]
    return SEPARATOR.join([str(record), *(label_of(value) for value in values if value)])


class LabeledRecord(SimpleLazyObject):
    """A record whose str() is its label, for Django's messages."""

    def __init__(self, record: models.Model) -> None:
        super().__init__(lambda: record)

    def __str__(self) -> str:
        return label_of(self.__dict__["_setupfunc"]())


def label_with_status(record: models.Model) -> str:
    """Return the label, with the status if inactive: "Ana (archived)"."""
    value: Any = record
    lookup, status = getattr(admin.site.get_model_admin(record._meta.model), "inactive", ("", ""))
    for name in lookup.split("__") if lookup else ():
        value = getattr(value, name)
    return f"{label_of(record)} ({status})" if lookup and value is not None else label_of(record)


class RecordField(forms.ModelChoiceField):
    """A field for one record, shown by its label."""

    def label_from_instance(self, obj: models.Model) -> str:
        return label_of(obj)

    def to_python(self, value: Any) -> Any:
        if isinstance(value, str) and value and not is_id(value):
            raise ValidationError(self.error_messages["invalid_choice"], code="invalid_choice")
        return super().to_python(value)


class IdMultipleChoiceField(forms.ModelMultipleChoiceField):
    """A field that rejects invalid ids, some of which SQLite can't compare."""

    def clean(self, value: Any) -> Any:
        if value and not all(map(is_id, value)):
            raise ValidationError("Select valid choices.", code="invalid_choice")
        return super().clean(value)


class RecordsField(IdMultipleChoiceField):
    """A field for several records of a relation, with an autocomplete."""

    def __init__(self, queryset: Any, *, relation: Any, max_choices: int, **kwargs: Any) -> None:
        super().__init__(queryset, widget=AutocompleteMultiple(relation, admin.site), **kwargs)
        self.max_choices = max_choices

    def label_from_instance(self, obj: models.Model) -> str:
        return label_with_status(obj)

    def clean(self, value: Any) -> Any:
        if value and len(value) > self.max_choices:
            raise ValidationError(f"Choose at most {self.max_choices:,}.", code="too_many")
        return super().clean(value)


class PortableDecoder(json.JSONDecoder):
    """A decoder that fails on JSON that a form could not render again."""

    def decode(self, s: str, *args: Any) -> Any:
        try:
            value = super().decode(s, *args)
            validate_portable_json(value)
        except (ValueError, RecursionError, ValidationError) as error:
            raise json.JSONDecodeError("not portable", s[:100], 0) from error
        return value
