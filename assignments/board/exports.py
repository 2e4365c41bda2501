"""Export the rows of a board as a spreadsheet. Pasted into the board, they set its cells."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from typing import Any

from django.http import FileResponse
from django.utils import timezone

from assignments.board.cells import Pair
from productive.admin.spreadsheets.writing import file_response, write_sheet


def export_board(
    title: str,
    people: Sequence[Any],
    columns: Sequence[Any],
    labels: dict[int, str],
    assigned: Collection[Pair],
    extension: str,
) -> FileResponse:
    """Return a file with a row for each person, and an x for each assignment."""
    rows = [
        [
            str(person),
            person.email or "",
            *("x" if (person.pk, column.pk) in assigned else "" for column in columns),
        ]
        for person in people
    ]
    headings = ["Person", "E-mail", *(labels[column.pk] for column in columns)]
    name = re.sub(r"\W+", "_", title).strip("_")
    return file_response(write_sheet(extension, headings, rows), f"{name}-{timezone.localdate()}.{extension}")
