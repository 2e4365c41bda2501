"""Base classes of inlines, which limit the number of form fields."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.db import connection, models
from django.forms.formsets import INITIAL_FORM_COUNT
from django.forms.models import BaseInlineFormSet
from django.http import HttpRequest

from productive.admin.choices import RelatedChoicesMixin
from productive.admin.forms import Autocomplete, label_of
from productive.admin.theme import TabularInline
from productive.admin.urls import unhidden_list_url
from productive.database.constraints import unique_together

# The form fields of all inlines: fewer than DATA_UPLOAD_MAX_NUMBER_FIELDS, to leave some for new lines.
MAX_FIELDS = 700


class LineForm(forms.ModelForm):
    """The form of one line; its record gets the organization of the parent."""

    parent: Any

    def clean(self) -> dict[str, Any] | None:
        self.instance.organization_id = self.parent.organization_id
        return super().clean()

    def validate_unique(self) -> None:
        super().validate_unique()
        # Django excludes the parent, and so doesn't check the constraints that include it.
        if not self.errors:
            try:
                self.instance.validate_constraints()
            except ValidationError as error:
                self.add_error(None, error)

    def add_error(self, field: str | None, error: Any) -> None:
        # Errors of fields that the line doesn't show, such as the parent, go to its first field.
        if isinstance(error, ValidationError) and hasattr(error, "error_dict"):
            by_field: dict[str, list[Any]] = defaultdict(list)
            visible = [name for name, field in self.fields.items() if not field.widget.is_hidden]
            for name, errors in error.error_dict.items():
                by_field[name if name in visible else visible[0]] += errors
            error = ValidationError(by_field)
        super().add_error(field, error)


class LineFormSet(BaseInlineFormSet):
    def add_fields(self, form: Any, index: int | None) -> None:
        super().add_fields(form, index)
        form.parent = self.instance

    def validate_unique(self) -> None:
        """Reject lines that repeat others, with the constraint's message."""
        opts: Any = self.model._meta  # type: ignore[union-attr]
        seen = set()
        for form in self.extra_forms:
            if not form.has_changed() or form.errors or form in self.deleted_forms:
                continue
            for constraint in unique_together(self.model):
                columns = [opts.get_field(name).attname for name in constraint.fields]
                values = (constraint.name, *(getattr(form.instance, column) for column in columns))
                if values in seen:
                    message = constraint.get_violation_error_message()
                    form.add_error(None, ValidationError({constraint.blame: message}))
                seen.add(values)


class ActiveAutocomplete(Autocomplete):
    """An autocomplete of active records; previous choices stay valid."""

    def get_url(self) -> str:
        return f"{super().get_url()}?active=yes"


def set_chosen(field: Any, records: Iterable[models.Model]) -> None:
    """Set the chosen records, so that the widget needs no query for them."""
    widget = getattr(field.widget, "widget", field.widget)
    labels = {str(record.pk): label_of(record) for record in records}
    query_optgroups = widget.optgroups

    def optgroups(name: str, value: Any, attrs: Any = None) -> Any:
        if not value or not labels.keys() >= {str(pk) for pk in value}:
            return query_optgroups(name, value, attrs)
        options = [
            widget.create_option(name, pk, labels[str(pk)], True, index) for index, pk in enumerate(value)
        ]
        return [(None, options, 0)]

    widget.optgroups = optgroups


class LineInline(RelatedChoicesMixin, TabularInline):
    """A tabular inline, or a link to its list if it has too many fields."""

    form = LineForm
    formset = LineFormSet
    extra = 0
    # The columns show the same, and str() of a record may need a query.
    hide_title = True
    fields_per_line = 3
    # The number of lines and the URL of their change list, for `inline_link.html`.
    list_link: tuple[int, str] | None = None

    def formfield_for_foreignkey(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        kwargs.setdefault("widget", ActiveAutocomplete(db_field, self.admin_site))
        return super().formfield_for_foreignkey(db_field, request, **kwargs)

    def lines_of(self, record: models.Model) -> Any:
        return self.model._default_manager.filter(**{self.parent_name: record})

    @property
    def parent_name(self) -> str:
        own = {self.parent_model, *self.parent_model._meta.parents}
        return next(field.name for field in self.model._meta.fields if field.related_model in own)

    def count_fields(self, lines: Any) -> int:
        return int(lines.count()) * self.fields_per_line

    def replace_with_link(self, record: models.Model) -> None:
        url = unhidden_list_url(self.model, **{self.parent_name: record.pk})
        self.list_link = self.lines_of(record).count(), url
        self.template, self.max_num, self.can_delete = "admin/inline_link.html", 0, False

    def get_queryset(self, request: HttpRequest) -> Any:
        """Return the lines, locked if they are about to be changed."""
        rows = super().get_queryset(request)
        if request.method == "POST" and self.has_change_permission(request) and connection.in_atomic_block:
            rows = rows.select_for_update(of=("self",), no_key=True)
        return rows.none() if self.list_link else rows

    def is_posted(self, request: HttpRequest) -> bool:
        """Return whether the request has lines that the form showed."""
        relation: Any = self.model._meta.get_field(self.parent_name).remote_field
        count = request.POST.get(f"{relation.get_accessor_name(model=self.model)}-{INITIAL_FORM_COUNT}", "0")
        return count != "0"


class PairInline(LineInline):
    """An inline of joining records, which can only be added or deleted."""

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


def limit_inlines(inlines: Iterable[Any], record: models.Model, request: HttpRequest) -> None:
    """Replace inlines with links, once the form has MAX_FIELDS fields.

    Other users may have added lines since the form was shown, so a posted inline stays.
    """
    available = MAX_FIELDS
    for inline in inlines:
        if isinstance(inline, LineInline) and not inline.is_posted(request):
            needed = inline.count_fields(inline.lines_of(record))
            if needed <= available:
                available -= needed
            else:
                inline.replace_with_link(record)
