"""Write the rows that an import rejects to a file, with the reasons."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.core.exceptions import ValidationError

from productive.admin.spreadsheets.files import Sheet
from productive.admin.spreadsheets.headings import ERRORS_HEADING
from productive.admin.spreadsheets.records import ImportedRow
from productive.admin.spreadsheets.writing import write_sheet


def rejected_file(name: str, sheet: Sheet, rejected: Sequence[ImportedRow]) -> tuple[str, bytes]:
    """Return the name and content of a file like the imported one, to correct and import."""
    headings = [*sheet.headings, ERRORS_HEADING]
    rows = [[*row.cells, "\n".join(row.errors)] for row in rejected]
    extension = "xlsx" if name.lower().endswith(".xlsx") else "csv"
    try:
        file = write_sheet(extension, headings, rows)
    except ValidationError:  # a cell is longer than XLSX allows
        extension, file = "csv", write_sheet("csv", headings, rows)
    with file:
        return f"errors.{extension}", file.read()


def quantity_of(rows: Sequence[Any]) -> str:
    return f"{len(rows):,} row{'s' if len(rows) > 1 else ''}"
