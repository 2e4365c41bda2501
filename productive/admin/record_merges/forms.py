"""The form of a merge: which record is kept, and whose value each field gets."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

from django import forms
from django.db.models import Count
from django.http import HttpRequest
from django.utils.text import capfirst

from productive.admin.changes.states import value_text
from productive.admin.forms import label_of, label_with_status
from productive.database.moments import moment_of
from productive.database.record_merges import foreign_keys_to

# Fields that the user doesn't choose.
FIXED_FIELDS = {"id", "organization", "created_at", "merged_into"}


def shown_value(record: Any, field: Any) -> str:
    """Return a field's value as text; of a moment, its state."""
    moment = moment_of(type(record))
    if moment is not None and field.name == moment.field:
        return capfirst(moment.word(record))
    return value_text(getattr(record, field.name))


def field_title(field: Any) -> str:
    moment = moment_of(field.model)
    return "Status" if moment is not None and field.name == moment.field else capfirst(field.verbose_name)


class MergeForm(forms.Form):
    """The choice of the survivor, and of the record from which it gets each field that differs."""

    def __init__(
        self, model_admin: Any, request: HttpRequest, records: Sequence[Any], data: Any = None
    ) -> None:
        super().__init__(data)
        self.uses = uses_of(records)
        self.records = sorted(records, key=self.rank)
        user: Any = request.user
        hidden = FIXED_FIELDS if user.is_superuser else FIXED_FIELDS | {*model_admin.superuser_fields}
        self.columns = [
            field
            for field in model_admin.model._meta.concrete_fields
            if not field.generated
            and field.name not in hidden
            and len({shown_value(record, field) for record in records}) > 1
        ]
        self.fields["survivor"] = self.choice("Keep", self.records[0])
        self.fields["survivor"].required = True
        for field in self.columns:
            filled = [one for one in self.records if getattr(one, field.attname) not in (None, "", [], {})]
            is_moment = field.name == getattr(moment_of(field.model), "field", "")
            default = self.records[0] if is_moment or not filled else filled[0]
            self.fields[self.name_of(field)] = self.choice(field_title(field), default)

    def rank(self, record: Any) -> tuple[Any, ...]:
        """Return the sort key that puts the best survivor first: active, most used, oldest."""
        moment = moment_of(type(record))
        is_inactive = moment is not None and getattr(record, moment.field) is not None
        return is_inactive, -self.uses[record.pk], record.pk

    def choice(self, label: str, initial: Any) -> forms.ChoiceField:
        choices = [(str(record.pk), label_of(record)) for record in self.records]
        return forms.ChoiceField(label=label, choices=choices, initial=str(initial.pk), required=False)

    @staticmethod
    def name_of(field: Any) -> str:
        return f"field-{field.name}"

    def rows(self) -> Iterator[dict[str, Any]]:
        """Yield, for the template, each field with the value of each record."""
        for field in [None, *self.columns]:
            bound = self["survivor" if field is None else self.name_of(field)]
            yield {
                "label": bound.label,
                "name": bound.html_name,
                "errors": bound.errors,
                "cells": [
                    {
                        "pk": record.pk,
                        "is_chosen": str(record.pk) == bound.value(),
                        "text": self.label(record) if field is None else shown_value(record, field),
                    }
                    for record in self.records
                ],
            }

    def label(self, record: Any) -> str:
        number = self.uses[record.pk]
        return f"{label_with_status(record)}, used {number:,} time{'' if number == 1 else 's'}"

    def values(self) -> dict[str, int]:
        """Return, by field, the id of the record whose value is chosen.

        There is none for a field that has come to differ since; the survivor keeps its value.
        """
        chosen = {field.name: self.cleaned_data[self.name_of(field)] for field in self.columns}
        return {name: int(pk) for name, pk in chosen.items() if pk}


def uses_of(records: Sequence[Any]) -> Counter[int]:
    """Return, by id, the number of records that refer to each."""
    uses: Counter[int] = Counter()
    ids = [record.pk for record in records]
    model: Any = type(records[0])
    for relation in foreign_keys_to(model):
        rows = relation.model._base_manager.filter(**{f"{relation.name}__in": ids}).order_by()
        uses.update(dict(rows.values_list(relation.attname).annotate(number=Count("pk"))))
    return uses
