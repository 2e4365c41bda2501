"""Fields of admin forms that answer nonsense with a message, and tell records by a name of their own."""

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

from productive.database.validators import validate_portable_json


def is_id(value: str) -> bool:
    """Whether it is written as links write an id. int() alone takes "1_0", full-width digits and 2**63."""
    return re.fullmatch("[1-9][0-9]{0,18}", value) is not None and int(value) < 2**63


class Autocomplete(AutocompleteSelect):
    """Django's; what isn't an id selects nothing, where Django's fails to draw the form again."""

    def optgroups(self, name: str, value: Sequence[str], attr: Any = None) -> Any:
        return super().optgroups(name, [selected for selected in value if is_id(selected)], attr)


class AutocompleteMultiple(AutocompleteSelectMultiple):
    """Likewise, of several, each of which is taken away by its own cross: a cross for all is one too many."""

    def build_attrs(self, *args: Any, **kwargs: Any) -> dict[str, Any]:
        # Open until all are chosen: the next is often beside the last.
        own = {"data-allow-clear": "false", "data-close-on-select": "false"}
        return {**super().build_attrs(*args, **kwargs), **own}

    def optgroups(self, name: str, value: Sequence[str], attr: Any = None) -> Any:
        return super().optgroups(name, [selected for selected in value if is_id(selected)], attr)


def label_of(record: models.Model) -> str:
    """What stands for a record where it is chosen: its admin's `label`, or else its own name."""
    label = getattr(admin.site.get_model_admin(type(record)), "label", str)
    return label(record)


def marked_label_of(record: models.Model) -> str:
    """Likewise, and whether it is put away: "Ana Horvat (archived)"."""
    value: Any = record
    path, word = getattr(admin.site.get_model_admin(type(record)), "ended", ("", ""))
    for name in path.split("__") if path else ():
        value = getattr(value, name)
    return f"{label_of(record)} ({word})" if path and value is not None else label_of(record)


class RecordField(forms.ModelChoiceField):
    """One record, under a name that tells it from others."""

    def label_from_instance(self, obj: models.Model) -> str:
        return label_of(obj)

    def to_python(self, value: Any) -> Any:
        if isinstance(value, str) and value and not is_id(value):
            raise ValidationError(self.error_messages["invalid_choice"], code="invalid_choice")
        return super().to_python(value)


class ChoicesById(forms.ModelMultipleChoiceField):
    """Django's, which asks SQLite for ids that it can't compare."""

    def clean(self, value: Any) -> Any:
        if value and not all(map(is_id, value)):
            raise ValidationError("Select valid choices.", code="invalid_choice")
        return super().clean(value)


class RecordsField(ChoicesById):
    """Several records of the other end of a relation, found by their names; never all of them in a list."""

    def __init__(self, queryset: Any, *, relation: Any, most: int, **kwargs: Any) -> None:
        super().__init__(queryset, widget=AutocompleteMultiple(relation, admin.site), **kwargs)
        self.most = most

    def label_from_instance(self, obj: models.Model) -> str:
        return marked_label_of(obj)

    def clean(self, value: Any) -> Any:
        if value and len(value) > self.most:
            raise ValidationError(f"Choose at most {self.most:,}.", code="too_many")
        return super().clean(value)


class PortableDecoder(json.JSONDecoder):
    """Takes for a syntax error what the models refuse: not all of it could be shown in the form again."""

    def decode(self, s: str, *args: Any) -> Any:
        try:
            value = super().decode(s, *args)
            validate_portable_json(value)
        except (ValueError, RecursionError, ValidationError) as error:
            raise json.JSONDecodeError("not portable", s[:100], 0) from error
        return value
