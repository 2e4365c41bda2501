"""Records on the lines of another record's form. Knows no model."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.db import models
from django.forms.models import BaseInlineFormSet
from django.http import HttpRequest
from django.urls import reverse
from django.utils.http import urlencode

from productive.admin.forms import Autocomplete, label_of
from productive.admin.options import RelatedChoicesMixin
from productive.admin.theme import TabularInline
from productive.database.constraints import UniqueTogether

# What all lines of a form may send; Django takes 1,000 fields, and new lines need some of them.
MOST_FIELDS = 700


class LineForm(forms.ModelForm):
    """A record on a line of another record's form; it belongs to the other's organization."""

    parent: Any

    def clean(self) -> dict[str, Any] | None:
        self.instance.organization_id = self.parent.organization_id
        return super().clean()

    def validate_unique(self) -> None:
        super().validate_unique()
        # Django leaves the parent out of the constraints, and so all those that name it.
        if not self.errors:
            try:
                self.instance.validate_constraints()
            except ValidationError as error:
                self.add_error(None, error)

    def add_error(self, field: str | None, error: Any) -> None:
        # The model may blame the parent, which has no place on the line: then the line's own record is.
        if isinstance(error, ValidationError) and hasattr(error, "error_dict"):
            said: dict[str, list[Any]] = defaultdict(list)
            own = [name for name, field in self.fields.items() if not field.widget.is_hidden]
            for blamed, errors in error.error_dict.items():
                said[blamed if blamed in own else own[0]] += errors
            error = ValidationError(said)
        super().add_error(field, error)


class LineFormSet(BaseInlineFormSet):
    def add_fields(self, form: Any, index: int | None) -> None:
        super().add_fields(form, index)
        form.parent = self.instance

    def validate_unique(self) -> None:
        """A line that repeats another is told what it would be told if the other were saved already."""
        opts: Any = self.model._meta  # type: ignore[union-attr]
        rules = [rule for rule in opts.constraints if isinstance(rule, UniqueTogether)]
        seen = set()
        for form in self.extra_forms:
            if not form.has_changed() or form.errors or form in self.deleted_forms:
                continue
            for rule in rules:
                columns = [opts.get_field(name).attname for name in rule.fields]
                values = (rule.name, *(getattr(form.instance, column) for column in columns))
                if values in seen:
                    message = rule.get_violation_error_message()
                    form.add_error(None, ValidationError({rule.blame: message}))
                seen.add(values)


class AutocompleteOfActive(Autocomplete):
    """Offers what is not put away. What was chosen before stays a choice."""

    def get_url(self) -> str:
        return f"{super().get_url()}?active=yes"


def know(field: Any, records: Iterable[models.Model]) -> None:
    """Give a line's autocomplete its chosen records, so that drawing many lines asks for none of them."""
    widget = getattr(field.widget, "widget", field.widget)
    labels = {str(record.pk): label_of(record) for record in records}
    ask = widget.optgroups

    def optgroups(name: str, value: Any, attrs: Any = None) -> Any:
        if not value or not labels.keys() >= {str(pk) for pk in value}:
            return ask(name, value, attrs)
        options = [
            widget.create_option(name, pk, labels[str(pk)], True, index) for index, pk in enumerate(value)
        ]
        return [(None, options, 0)]

    widget.optgroups = optgroups


class LineInline(RelatedChoicesMixin, TabularInline):
    """Lines of a form, unless there are more than it can send: then a link to their own list."""

    form = LineForm
    formset = LineFormSet
    extra = 0
    # Its columns say it all, and a record's name may ask the database.
    hide_title = True
    fields_of_a_line = 3
    # What the lines' own list is asked for, besides the record that the form is of.
    listed: dict[str, str] = {}
    elsewhere: tuple[int, str] | None = None

    def formfield_for_foreignkey(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        kwargs.setdefault("widget", AutocompleteOfActive(db_field, self.admin_site))
        return super().formfield_for_foreignkey(db_field, request, **kwargs)

    def lines_of(self, record: models.Model) -> Any:
        return self.model._default_manager.filter(**{self.parent_name: record})

    @property
    def parent_name(self) -> str:
        own = {self.parent_model, *self.parent_model._meta.parents}
        return next(field.name for field in self.model._meta.fields if field.related_model in own)

    def fields_sent(self, lines: Any) -> int:
        return int(lines.count()) * self.fields_of_a_line

    def leave_to_the_list(self, record: models.Model) -> None:
        opts = self.model._meta
        query = urlencode({self.parent_name: record.pk, **self.listed})
        changelist = reverse(f"{self.admin_site.name}:{opts.app_label}_{opts.model_name}_changelist")
        self.elsewhere = self.lines_of(record).count(), f"{changelist}?{query}"
        self.template, self.max_num, self.can_delete = "admin/lines_elsewhere.html", 0, False

    def get_queryset(self, request: HttpRequest) -> Any:
        rows = super().get_queryset(request)
        return rows.none() if self.elsewhere else rows


class PairInline(LineInline):
    """Pairs of the form's record and another: added and taken away here, never edited."""

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


def leave_out(inlines: Iterable[Any], record: models.Model) -> None:
    """Of the inlines of a form, those for whose lines there is no room any more leave them to their list."""
    room = MOST_FIELDS
    for inline in inlines:
        if isinstance(inline, LineInline):
            needed = inline.fields_sent(inline.lines_of(record))
            if needed <= room:
                room -= needed
            else:
                inline.leave_to_the_list(record)
