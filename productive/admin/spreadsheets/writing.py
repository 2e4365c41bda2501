"""Write CSV and XLSX without changing the text."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable
from itertools import chain, islice
from tempfile import TemporaryFile
from typing import IO

from django.core.exceptions import ValidationError
from django.http import FileResponse

from productive.admin.spreadsheets.files import UNESCAPED_SPLIT, XML_UNSAFE, escaped

# The limit of the XLSX format.
MAX_XLSX_CELL_LENGTH = 32_767
# Larger files take too long to write.
MAX_XLSX_ROWS = 100_000
# The widths of columns are those of the longest cells of the first rows, within limits.
MEASURED_ROWS = 500
MIN_WIDTH, MAX_WIDTH = 8, 60

CONTENT_TYPES = {
    "csv": "text/csv; charset=utf-8",
    "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
}


def write_sheet(extension: str, headings: list[str], rows: Iterable[list[str]]) -> IO[bytes]:
    """Write the rows to a temporary file, which is deleted when closed."""
    file = TemporaryFile()  # noqa: SIM115, the response closes it
    writers = {"csv": write_csv, "xlsx": write_xlsx}
    try:
        writers[extension](file, headings, ([escaped(cell) for cell in row] for row in rows))
    except BaseException:
        file.close()
        raise
    file.seek(0)
    return file


def write_csv(file: IO[bytes], headings: list[str], rows: Iterable[list[str]]) -> None:
    # Spreadsheet programs recognize UTF-8 by the byte order mark.
    text = io.TextIOWrapper(file, "utf-8-sig", newline="")
    writer = csv.writer(text, quoting=csv.QUOTE_ALL)
    writer.writerow(headings)
    writer.writerows([UNESCAPED_SPLIT.sub("'", cell) for cell in row] for row in rows)
    text.detach()


def write_xlsx(file: IO[bytes], headings: list[str], rows: Iterable[list[str]]) -> None:
    """Write all cells as text, so that programs don't change 007 or 1-2."""
    import openpyxl  # slow to import
    from openpyxl.cell import WriteOnlyCell
    from openpyxl.styles import Font
    from openpyxl.utils import get_column_letter

    book = openpyxl.Workbook(write_only=True)
    sheet = book.create_sheet()
    rows = iter(rows)
    first = list(islice(rows, MEASURED_ROWS))
    # These must be set before the first row is written.
    sheet.freeze_panes = "A2"
    for column, cells in enumerate(zip(headings, *first, strict=True), start=1):
        width = max(len(line) for cell in cells for line in (cell.splitlines() or [""]))
        width = min(max(width + 2, MIN_WIDTH), MAX_WIDTH)
        sheet.column_dimensions[get_column_letter(column)].width = width
    bold = [WriteOnlyCell(sheet, xml_text(heading)) for heading in headings]
    for cell in bold:
        cell.font = Font(bold=True)
    sheet.append(bold)
    try:
        for number, row in enumerate(chain(first, rows), start=1):
            if number > MAX_XLSX_ROWS:
                raise ValidationError(
                    f"An XLSX export has up to {MAX_XLSX_ROWS:,} rows. Export as CSV, or filter the list."
                )
            sheet.append([xml_text(cell) for cell in row])
    except BaseException:
        sheet.close()
        raise
    book.save(file)


def xml_text(text: str) -> str:
    text = XML_UNSAFE.sub(lambda found: f"_x{ord(found[0]):04X}_", text)
    if len(text) > MAX_XLSX_CELL_LENGTH:
        raise ValidationError(
            f"A text is longer than the {MAX_XLSX_CELL_LENGTH:,} characters of an XLSX cell. Export as CSV."
        )
    return text


def file_response(file: IO[bytes], name: str) -> FileResponse:
    content_type = CONTENT_TYPES[name.rpartition(".")[2]]
    return FileResponse(file, as_attachment=True, filename=name, content_type=content_type)
