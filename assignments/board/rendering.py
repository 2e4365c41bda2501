"""The HTML of a board's rows.

A template would take a second for the 18,000 cells of a large board.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
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


def render_rows(
    people: Sequence[Any],
    columns: Sequence[Any],
    grid: Grid,
    pairs: Mapping[Pair, int],
    labels: Mapping[int, str],
    reasons: Reasons,
    *,
    checked: Collection[str] | None = None,
    is_form: bool = False,
    added: Collection[int] = (),
) -> SafeString:
    """Return the rows of the table, with a heading row before each group.

    `pairs` are the ids of the assignments. With `is_form`, the cells are checkboxes that a browser without
    JavaScript sends; `checked` are those that the user has sent before.
    """
    parts: list[str] = []
    group = ""
    for person, cells in zip(people, grid.cells, strict=True):
        name = "board-added" if person.pk in added else ""
        others = "Others" if added else ""
        text = "Added" if name else others if person.group_label == "" else person.group_label or "None"
        if text != group:
            group = text
            parts.append(
                f'<tr class="board-group {name}"><th colspan="{len(columns) + 1}" scope="rowgroup">'
                f"<span>{escape(text)}</span></th></tr>"
            )
        parts.append(render_row(person, columns, cells, pairs, labels, reasons, checked, is_form))
    return mark_safe("".join(parts))  # noqa: S308, all texts are escaped


def render_row(
    person: Any,
    columns: Sequence[Any],
    cells: Sequence[Cell],
    pairs: Mapping[Pair, int],
    labels: Mapping[int, str],
    reasons: Reasons,
    checked: Collection[str] | None,
    is_form: bool,
) -> str:
    seen = ",".join(f"{c.pk}={pairs[person.pk, c.pk]}" for c in columns if (person.pk, c.pk) in pairs)
    name, hint = escape(str(person)), escape(person.title or person.email or "")
    title = escape(" · ".join(filter(None, [str(person), person.title, person.email])))
    head = (
        f'<tr data-person="{person.pk}"><th scope="row" title="{title}">'
        f'<span class="board-name">{name}</span>'
        f'<span class="board-hint">{hint}</span>'
        f'<input type="hidden" name="row" value="{person.pk}:{seen}"></th>'
    )
    if not is_form:
        return (
            head + "".join([f'<td class="{c.mark}" data-why="{reasons.number(c)}">' for c in cells]) + "</tr>"
        )
    body = []
    for column, cell in zip(columns, cells, strict=True):
        value = f"{person.pk}-{column.pk}"
        is_checked = (person.pk, column.pk) in pairs if checked is None else value in checked
        body.append(
            f'<td class="{cell.mark}" data-why="{reasons.number(cell)}" title="{escape(cell.why)}">'
            f'<input type="checkbox" name="cell" value="{value}"'
            f' aria-label="{name}, {escape(labels[column.pk])}"{" checked" if is_checked else ""}></td>'
        )
    return f"{head}{''.join(body)}</tr>"
