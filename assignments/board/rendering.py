"""The HTML of a board's rows.

A template would take a second for the 18,000 cells of a large board.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from django.utils.html import escape
from django.utils.safestring import SafeString, mark_safe

from assignments.board.cells import Cell, Grid, Pair


class Reasons:
    """The sentences of the cells, which the page has once, with a number for each."""

    def __init__(self) -> None:
        self.numbers: dict[str, int] = {}

    def number(self, cell: Cell) -> int:
        return self.numbers.setdefault(cell.why, len(self.numbers))

    @property
    def texts(self) -> list[str]:
        return list(self.numbers)


def describe_columns(columns: Sequence[Any], labels: Mapping[int, str], grid: Grid) -> list[dict[str, Any]]:
    """Return the columns for the template."""
    return [
        {
            "pk": column.pk,
            "label": labels[column.pk],
            "name": str(column),
            "count": grid.counts.get(column.pk, 0),
            "state": grid.states.get(column.pk),
        }
        for column in columns
    ]


def headings_of(columns: Sequence[Any], heading: Callable[[Any], str]) -> list[tuple[str, int]]:
    """Return the headings above neighboring columns, with the number of columns of each."""
    found = [(text, len(list(group))) for text, group in groupby(map(heading, columns))]
    return found if any(text for text, _ in found) else []


@dataclass
class RowRenderer:
    """Renders rows of the table.

    `pairs` are the ids of the assignments. With `is_form`, the cells are checkboxes that a browser without
    JavaScript sends; `checked` are those that the user has sent before.
    """

    columns: Sequence[Any]
    labels: Mapping[int, str]
    pairs: Mapping[Pair, int]
    reasons: Reasons
    checked: Collection[str] | None = None
    is_form: bool = False

    def render(self, people: Sequence[Any], grid: Grid, added: Collection[int] = ()) -> SafeString:
        """Return the rows of the people, with a heading row before each group."""
        parts: list[str] = []
        group = ""
        for person, cells in zip(people, grid.cells, strict=True):
            name = "board-added" if person.pk in added else ""
            others = "Others" if added else ""
            text = "Added" if name else others if person.group_label == "" else person.group_label or "None"
            if text != group:
                group = text
                parts.append(
                    f'<tr class="board-group {name}"><th colspan="{len(self.columns) + 1}" scope="rowgroup">'
                    f"<span>{escape(text)}</span></th></tr>"
                )
            parts.append(self.render_row(person, cells))
        return mark_safe("".join(parts))  # noqa: S308, all texts are escaped

    def render_row(self, person: Any, cells: Sequence[Cell]) -> str:
        number = self.reasons.number
        ids = {c.pk: self.pairs[person.pk, c.pk] for c in self.columns if (person.pk, c.pk) in self.pairs}
        seen = ",".join(f"{column}={pk}" for column, pk in ids.items())
        name, hint = escape(str(person)), escape(person.title or person.email or "")
        title = escape(" · ".join(filter(None, [str(person), person.title, person.email])))
        head = (
            f'<tr data-person="{person.pk}"><th scope="row" title="{title}">'
            f'<span class="board-name">{name}</span>'
            f'<span class="board-hint">{hint}</span>'
            f'<input type="hidden" name="row" value="{person.pk}:{seen}"></th>'
        )
        if not self.is_form:
            body = [f'<td class="{c.mark}" data-why="{number(c)}">' for c in cells]
            return f"{head}{''.join(body)}</tr>"
        body = []
        for column, cell in zip(self.columns, cells, strict=True):
            value, label = f"{person.pk}-{column.pk}", escape(self.labels[column.pk])
            is_checked = column.pk in ids if self.checked is None else value in self.checked
            body.append(
                f'<td class="{cell.mark}" data-why="{number(cell)}" title="{escape(cell.why)}">'
                f'<input type="checkbox" name="cell" value="{value}"'
                f' aria-label="{name}, {label}"{" checked" if is_checked else ""}></td>'
            )
        return f"{head}{''.join(body)}</tr>"
