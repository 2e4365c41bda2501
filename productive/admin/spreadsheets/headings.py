"""Match the headings of a file with the columns of a table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django import forms
from django.contrib.auth import get_user_model
from django.utils.text import capfirst

from productive.admin.spreadsheets.cells import Column
from productive.admin.spreadsheets.comparison import heading_key, quoted
from productive.admin.spreadsheets.files import Sheet, is_blank
from productive.admin.spreadsheets.tables import Table
from productive.admin.theme import Select

# The column that the download of rejected rows has in addition. An import ignores it.
ERRORS_HEADING = "Errors"
# The field that only the page with the choices has.
CHOSEN = "chosen"
# The field of a form with the choice for a column of the file, by its position.
FIELD = "column-{}"
# Cells of a column that are shown beside its heading.
MAX_SAMPLES = 3
# Choices that are remembered for each table.
MAX_REMEMBERED = 200


@dataclass
class Match:
    """The table's column for each column of a file; None for one that isn't imported."""

    columns: list[Column | None]
    problems: Sequence[str]
    # For each heading that isn't the name of its column, what is imported.
    notes: Sequence[str]

    @property
    def choices(self) -> list[tuple[str, str]]:
        """Return the fields of a form that make the same choice."""
        return [
            (FIELD.format(number), column.attribute if column else "")
            for number, column in enumerate(self.columns)
        ]


class ColumnsForm(forms.Form):
    """The choice of a column of the table for each column of a file."""

    def __init__(self, table: Table, sheet: Sheet, match: Match) -> None:
        super().__init__(label_suffix="")
        columns = [(column.attribute, column.heading) for column in table.exported]
        for number, column in enumerate(match.columns):
            self.fields[FIELD.format(number)] = forms.ChoiceField(
                choices=[("", "Don't import"), *columns],
                initial=column.attribute if column else "",
                label=sheet.headings[number] or capfirst(column_title(number, "")),
                widget=Select,
                required=False,
            )
            self.fields[FIELD.format(number)].samples = samples_of(sheet, number)  # type: ignore[attr-defined]


class Headings:
    """The headings that a table knows: names of columns, synonyms, and what the user has chosen before."""

    def __init__(self, table: Table, remembered: Mapping[str, str]) -> None:
        self.table = table
        self.columns = {column.attribute: column for column in table.columns}
        self.known: dict[str, Column | None] = {}
        for column in table.columns:
            for synonym in (column.attribute, *column.synonyms):
                self.known.setdefault(heading_key(synonym), column)
        # A name takes precedence over the synonym of another column, and a choice over both.
        self.known |= {heading_key(column.heading): column for column in table.columns}
        self.known[heading_key(ERRORS_HEADING)] = None
        for key, attribute in remembered.items():
            if not attribute or attribute in self.columns:
                self.known[key] = self.columns.get(attribute)

    def recognizes(self, headings: Sequence[str]) -> bool:
        """Return whether a row has the headings of all required columns."""
        found = {self.known.get(heading_key(heading)) for heading in headings}
        return found.issuperset(column for column in self.table.columns if column.required)

    def match(self, sheet: Sheet, chosen: Mapping[str, str]) -> Match:
        """Return the columns for the headings, or those that the user has chosen in a form."""
        has_choice = FIELD.format(0) in chosen
        found: list[Column | None] = []
        unknown = []
        for number, heading in enumerate(sheet.headings):
            key = heading_key(heading)
            if has_choice:
                found.append(self.columns.get(chosen.get(FIELD.format(number), "")))
            else:
                found.append(self.known.get(key))
                if key not in self.known and samples_of(sheet, number):
                    unknown.append(column_title(number, heading))
        used = [column for column in found if column]
        repeated = sorted({column.heading for column in used if used.count(column) > 1})
        missing = [column.heading for column in self.table.columns if column.required and column not in used]
        problems = [
            f"{problem}: {', '.join(names)}."
            for problem, names in [
                ("Unknown columns", unknown),
                ("Repeated columns", repeated),
                ("Missing columns", missing),
            ]
            if names
        ]
        if problems:
            problems.append(f"Valid columns: {', '.join(column.heading for column in self.table.columns)}.")
        return Match(found, problems, self.notes_of(sheet, found))

    def notes_of(self, sheet: Sheet, columns: Sequence[Column | None]) -> list[str]:
        """Return sentences about the columns that have another heading, or aren't imported."""
        renamed, left_out = [], []
        for number, (heading, column) in enumerate(zip(sheet.headings, columns, strict=True)):
            if column is None and heading_key(heading) != heading_key(ERRORS_HEADING):
                left_out += [column_title(number, heading)] if samples_of(sheet, number) else []
            elif column and heading_key(heading) != heading_key(column.heading):
                renamed.append(f"{quoted(heading)} as {column.heading}")
        notes = [f"Columns are imported under other names: {', '.join(renamed)}."] if renamed else []
        return [*notes, *([f"Columns that aren't imported: {', '.join(left_out)}."] if left_out else [])]

    def choices_to_remember(self, sheet: Sheet, match: Match) -> dict[str, str]:
        """Return the choices that differ from what the table knows, by heading."""
        return {
            key: column.attribute if column else ""
            for number, (heading, column) in enumerate(zip(sheet.headings, match.columns, strict=True))
            if (key := heading_key(heading))
            and (key not in self.known or self.known[key] is not column)
            # Nobody chooses to leave out a column that is empty.
            and (column or samples_of(sheet, number))
        }


def column_title(number: int, heading: str) -> str:
    return quoted(heading) if heading else f"column {number + 1}, which has no heading"


def samples_of(sheet: Sheet, number: int) -> list[str]:
    """Return the first different cells of a column that aren't blank."""
    samples: list[str] = []
    for row in sheet.rows:
        if row[number] not in samples and not is_blank(row[number]):
            samples.append(row[number])
            if len(samples) == MAX_SAMPLES:
                break
    return samples


def remember(user: Any, label: str, choices: Mapping[str, str]) -> None:
    """Store the choices for the next import of the table."""
    if choices:
        stored = {**user.import_headings.get(label, {}), **choices}
        kept = dict([*stored.items()][-MAX_REMEMBERED:])
        user.import_headings = {**user.import_headings, label: kept}
        # `user` can be lazy.
        get_user_model()._default_manager.filter(pk=user.pk).update(import_headings=user.import_headings)
