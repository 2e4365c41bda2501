"""Merge a posted form with changes that were saved since it was shown.

Django saves all fields of a form, so a form that was open for a while would restore earlier values. Therefore
each form also sends the values that it showed, for all its fields and rows, in one hidden field. A field that
the user didn't change gets its current value. What the user and somebody else changed differently is a
conflict.

Django's `show_hidden_initial` does this with a hidden field for each field. That would double the number of
form fields, which is limited, and it knows nothing of deleted rows. The history doesn't have all fields of a
form, such as the groups of a user. The values are signed, so that they always have the expected structure.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from django.core import signing
from django.core.exceptions import ValidationError
from django.forms import BoundField, ModelChoiceField, ModelMultipleChoiceField
from django.forms.formsets import DELETION_FIELD_NAME, INITIAL_FORM_COUNT, TOTAL_FORM_COUNT
from django.http import HttpRequest
from django.utils.datastructures import MultiValueDict

from productive.database.constraints import unique_together

# The hidden fields with the values that the form showed, and those that the page with the conflicts showed.
SHOWN, SEEN = "_shown", "_seen"
# Posted once a field has got a value of another user, so that the message after a preview says so.
MERGED = "_merged"
# The beginning of the names of radio buttons, and their values.
CHOICE, MINE, THEIRS = "_choice:", "mine", "theirs"

# Values of a form's fields, as a browser sends them.
Values = dict[str, list[str]]
# Values of all forms of a page by key: "" for the record, "services:12" for a row of an inline.
PageValues = dict[str, Values]


def sign_values(values: PageValues) -> str:
    return signing.dumps(values, salt=SHOWN, compress=True)


def load(text: str) -> PageValues:
    """Return the values, or none for invalid text."""
    try:
        values: PageValues = signing.loads(text, salt=SHOWN)
    except signing.BadSignature:
        return {}
    return values


def row_key(formset: Any, pk: Any) -> str:
    return f"{formset.prefix}:{pk}"


def page_values(form: Any, formsets: Iterable[Any]) -> PageValues:
    """Return the values in the database, as the forms were constructed with."""
    rows = [(row_key(each, row.instance.pk), row) for each in formsets for row in each.initial_forms]
    return {key: form_values(each) for key, each in [("", form), *rows]}


def form_values(form: Any) -> Values:
    return {name: value for bound in editable(form) for name, value in field_values(bound).items()}


def editable(form: Any) -> Iterator[BoundField]:
    """Yield the fields that the user can change.

    `base_fields` doesn't have those that a formset adds: the ids and the checkbox to delete the row.
    """
    for name in form.base_fields:
        field = form.fields.get(name)
        if field is not None and not field.disabled:
            yield form[name]


def field_values(bound: BoundField) -> Values:
    """Return the value in the database, as the field's hidden widget would send it."""
    field: Any = bound.field
    widget = field.hidden_widget().get_context(bound.name, field.prepare_value(bound.initial), {})["widget"]
    values: Values = {}
    for part in widget.get("subwidgets", [widget]):
        values.setdefault(part["name"], []).extend([] if part["value"] is None else [part["value"]])
    return values or {bound.name: []}


def value_of(widget: Any, bound: BoundField, values: Values) -> Any:
    return browser_line_breaks(widget.value_from_datadict(MultiValueDict(values), {}, bound.name))


def browser_line_breaks(data: Any) -> Any:
    """Return text with line breaks as browsers send them."""
    return re.sub(r"\r?\n", "\r\n", data) if isinstance(data, str) else data


def differs(bound: BoundField, values: Values) -> bool:
    """Return whether the posted value of the field differs from these values."""
    field: Any = bound.field
    initial = value_of(field.hidden_widget(), bound, values)
    # A relation compares ids, so it needs no query for the record.
    if not isinstance(field, ModelChoiceField):
        try:
            initial = field.to_python(initial)
        except ValidationError:
            return True
    return bool(field.has_changed(initial, browser_line_breaks(bound.data)))


@dataclass(frozen=True, slots=True)
class Conflict:
    """A field that two users changed to different values, or a row that only one of them deleted."""

    key: str
    form: Any
    # The id of the record, even if it was deleted.
    pk: int
    # The field and its current value, or None and all current values of the row.
    bound: BoundField | None
    current: Values
    shown: Values

    @property
    def name(self) -> str:
        """Return the name of the radio buttons."""
        return choice_name(self.key, self.bound)


def choice_name(key: str, bound: BoundField | None = None) -> str:
    return f"{CHOICE}{key}:{bound.name if bound else ''}"


class FormMerge:
    """Merge the forms of a page into `data`, the posted fields.

    `data` then says that the merged values were shown, so that a second merge changes nothing. `conflicts`
    are those without a choice, or whose current values have changed since the choice.
    """

    def __init__(self, request: HttpRequest) -> None:
        self.request = request
        self.data = request.POST.copy()
        self.shown = load(self.data.get(SHOWN, ""))
        self.seen = load(self.data.get(SEEN, ""))
        self.conflicts: list[Conflict] = []

    def merge(self, form: Any, formsets: Iterable[tuple[Any, bool]]) -> None:
        """Merge the form and its formsets, each with whether the user may change its rows."""
        self.merge_form("", form, form.instance.pk)
        for formset, can_change in formsets:
            self.merge_formset(formset, can_change)
        self.data[SHOWN] = sign_values(self.shown)

    def choice(self, key: str, current: Values, bound: BoundField | None = None) -> str:
        """Return the choice of the user, if the page with the conflict showed the current values."""
        seen = self.seen.get(key, {})
        has_seen = key in self.seen and {name: seen.get(name) for name in current} == current
        return self.data.get(choice_name(key, bound), "") if has_seen else ""

    def merge_form(self, key: str, form: Any, pk: int) -> None:
        shown = self.shown[key]
        for bound in editable(form):
            current = field_values(bound)
            # A field is missing if the user got the permission for it since. Then it wasn't posted, either.
            earlier = {name: shown[name] for name in current if name in shown}
            if current == earlier:
                continue
            choice = self.choice(key, current, bound)
            if earlier.keys() != current.keys() or choice == THEIRS or not differs(bound, earlier):
                self.put(form, current)
            elif isinstance(bound.field, ModelMultipleChoiceField):
                name = bound.name
                self.put(form, {name: merge_lists(earlier[name], current[name], bound.data)})
            elif choice != MINE and differs(bound, current):
                self.conflicts.append(Conflict(key, form, pk, bound, current, earlier))
                continue
            shown |= current

    def put(self, form: Any, values: Values) -> None:
        self.data[MERGED] = "1"
        for name, value in values.items():
            self.data.setlist(form.add_prefix(name), value)

    def merge_formset(self, formset: Any, can_change: bool) -> None:
        """Merge the rows. A row that both deleted, or both added, isn't posted."""
        dropped, added = added_by_both(formset, self.shown), []
        for index, form in enumerate(formset.initial_forms):
            pk = self.data.get(form.add_prefix(formset.model._meta.pk.name), "")
            key = row_key(formset, pk)
            if key not in self.shown:  # invalid, as the validation of the formset says
                continue
            is_deletion = DELETION_FIELD_NAME in form.fields and bool(form[DELETION_FIELD_NAME].data)
            if form.instance.pk is None:
                choice = self.choice(key, {})
                if is_deletion or choice == THEIRS or not (can_change and self.is_changed(key, form)):
                    dropped.append(index)
                elif choice == MINE:
                    added.append(index)
                else:
                    self.conflicts.append(Conflict(key, form, int(pk), None, {}, self.shown[key]))
            elif is_deletion:
                self.merge_deletion(key, form)
            elif can_change:
                self.merge_form(key, form, form.instance.pk)
        if dropped or added:
            self.renumber(formset, dropped, added)

    def is_changed(self, key: str, form: Any) -> bool:
        """Return whether the user changed the row."""
        shown = self.shown[key]
        return any(differs(bound, shown) for bound in editable(form) if bound.name in shown)

    def merge_deletion(self, key: str, form: Any) -> None:
        """Delete the row only as the user saw it."""
        current, shown = form_values(form), self.shown[key]
        if current == shown:
            return
        choice = self.choice(key, current)
        if not choice:
            self.conflicts.append(Conflict(key, form, form.instance.pk, None, current, shown))
            return
        self.shown[key] = current
        if choice == THEIRS:
            self.put(form, current)
            del self.data[form.add_prefix(DELETION_FIELD_NAME)]

    def renumber(self, formset: Any, dropped: list[int], added: list[int]) -> None:
        """Drop forms of the formset, and post others as new rows."""
        initial, total = formset.initial_form_count(), formset.total_form_count()
        kept = [index for index in range(initial) if index not in (*dropped, *added)]
        new = [*added, *(index for index in range(initial, total) if index not in dropped)]
        numbers = {str(index): number for number, index in enumerate([*kept, *new])}
        pk_name = formset.model._meta.pk.name
        pattern = re.compile(f"{re.escape(formset.prefix)}-([0-9]+)-(.+)")
        posted = {
            match: self.data.pop(match[0]) for name in [*self.data] if (match := pattern.fullmatch(name))
        }
        for match, values in posted.items():
            number = numbers.get(match[1])
            if number is not None:
                is_added_id = match[2] == pk_name and number >= len(kept)
                self.data.setlist(f"{formset.prefix}-{number}-{match[2]}", [] if is_added_id else values)
        self.data[f"{formset.prefix}-{INITIAL_FORM_COUNT}"] = str(len(kept))
        self.data[f"{formset.prefix}-{TOTAL_FORM_COUNT}"] = str(len(numbers))


def merge_lists(shown: list[str], current: list[str], posted: list[str]) -> list[str]:
    """Return the current values with the additions and removals of the user."""
    kept = [value for value in current if value in posted or value not in shown]
    return [*kept, *(value for value in posted if value not in shown and value not in current)]


def added_by_both(formset: Any, shown: PageValues) -> list[int]:
    """Return the indexes of new rows that somebody else has added since the form was shown."""
    found = []
    for index, form in enumerate(formset.extra_forms, formset.initial_form_count()):
        for constraint in unique_together(formset.model):
            names = [name for name in constraint.fields if name != formset.fk.name]
            fields = [formset.model._meta.get_field(name).attname for name in names]
            posted = [form[name].data if name in form.fields else None for name in names]
            if any(
                [str(getattr(row, field)) for field in fields] == posted
                for row in formset.get_queryset()
                if row_key(formset, row.pk) not in shown
            ):
                found.append(index)
    return found
