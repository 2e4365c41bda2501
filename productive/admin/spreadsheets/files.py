"""Read CSV and XLSX within limits, and write them to be read exactly."""

from __future__ import annotations

import csv
import io
import re
import warnings
import zipfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, time
from tempfile import TemporaryFile
from typing import IO, Any

from django.core.exceptions import ValidationError

MOST_ROWS = 10_000
MOST_MEGABYTES = 5
MOST_COLUMNS = 50
# Limits of the unpacked content: an XLSX file is a zip.
MOST_UNPACKED_MEGABYTES = 50
MOST_PARTS = 100
# Of its XML: a few kilobytes could unpack to gigabytes of objects.
MOST_TAGS = 1_000_000
# The limit of spreadsheet programs, and of the time to write a file.
LONGEST_XLSX_CELL = 32_767
MOST_XLSX_ROWS = 100_000

MEGABYTE = 1024 * 1024
CONTENT_TYPES = {
    "csv": "text/csv; charset=utf-8",
    "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
}
# The csv module stops at 128 KB by default.
csv.field_size_limit(MOST_MEGABYTES * MEGABYTE)

# Text that a spreadsheet program would compute or read as an error, with any apostrophes before it.
# Some programs treat full-width signs alike.
FORMULA = re.compile(r"'*(?:[=+\-@＝＋－＠\t\r\n]|#[A-Z])")  # noqa: RUF001
# Characters that XML can't hold or changes; XLSX has a notation for them, which is escaped in turn.
UNFIT_FOR_XML = re.compile("_(?=x[0-9A-Fa-f]{4}_)|[\x00-\x08\x0b-\x1f\ufffe\uffff]")
WRITTEN_FOR_XML = re.compile("_x(005F|00(?:0[1-9A-F]|1[0-9A-F])|FFF[EF])_", re.IGNORECASE)


@dataclass
class Sheet:
    """Rows of text under headings, and their numbers in the file.

    Empty rows are left out, so the numbers have gaps.
    """

    headers: list[str]
    rows: list[list[str]] = field(default_factory=list)
    numbers: list[int] = field(default_factory=list)

    def __iter__(self) -> Iterator[list[str]]:
        return iter(self.rows)

    def __len__(self) -> int:
        return len(self.rows)


def escaped(text: str) -> str:
    """Escape text that would be a formula; `unescaped` reverses it."""
    return f"'{text}" if FORMULA.match(text) else text


def unescaped(text: str) -> str:
    return text[1:] if text[:1] == "'" and FORMULA.match(text) else text


# --- Reading --------------------------------------------------------------------------------------


def read(name: str, data: bytes) -> Sheet:
    """Return the table in a file, or raise ValidationError with the reason."""
    if len(data) > MOST_MEGABYTES * MEGABYTE:
        raise ValidationError(f"The file is larger than {MOST_MEGABYTES} MB. Split it into several.")
    if not data:
        raise ValidationError("The file is empty.")
    readers = {"csv": csv_rows, "xlsx": xlsx_rows}
    extension = name.rpartition(".")[2].lower()
    if extension not in readers:
        raise ValidationError("The name of the file must end in .csv or .xlsx.")
    return sheet_of(readers[extension](data))


def sheet_of(rows: Iterable[list[str]]) -> Sheet:
    """Return a sheet: the first row has the headings; drop empty rows."""
    sheet: Sheet | None = None
    for number, cells in enumerate(rows, start=1):
        if number > MOST_ROWS + 1:
            raise ValidationError(f"The file has more than {MOST_ROWS:,} rows. Split it into several.")
        for column, cell in enumerate(cells, start=1):
            if "\0" in cell:
                raise ValidationError(
                    f"Row {number}, column {column} holds a NUL character, as text in UTF-16 does. "
                    "Save the file as “CSV UTF-8” or as XLSX."
                )
        if sheet is None:
            sheet = Sheet(headings(cells))
        elif any(cells):
            width = len(sheet.headers)
            if any(cells[width:]):
                raise ValidationError(f"Row {number} has more cells than there are headings.")
            filled = [*map(unescaped, cells), *[""] * width]
            sheet.rows.append(filled[:width])
            sheet.numbers.append(number)
    if sheet is None or not sheet.headers:
        raise ValidationError("The first row must hold the headings of the columns. It is empty.")
    if not sheet.rows:
        raise ValidationError("The file has headings, but no rows below them.")
    return sheet


def headings(cells: list[str]) -> list[str]:
    found = [cell.strip() for cell in cells]
    while found and not found[-1]:
        found.pop()
    if len(found) > MOST_COLUMNS:
        raise ValidationError(f"The file has more than {MOST_COLUMNS} columns.")
    return found


def csv_rows(data: bytes) -> Iterator[list[str]]:
    """Yield the rows of a CSV in UTF-8.

    The delimiter may be a comma, a semicolon or a tab: spreadsheet programs choose it by country.
    """
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise ValidationError("The file is not a CSV in UTF-8. Save it as “CSV UTF-8” or as XLSX.") from None
    first = text.split("\n", 1)[0]
    delimiter = max(",;\t", key=first.count)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    try:
        yield from reader
    except csv.Error:
        raise ValidationError(
            f"Line {reader.line_num} can't be read as CSV. Is a quotation mark not closed, or not doubled?"
        ) from None


def xlsx_rows(data: bytes) -> Iterator[list[str]]:
    """Yield the rows of the first sheet as text; reject formulas and errors."""
    import openpyxl  # slow to import, and few processes need it

    broken = ValidationError(
        "The file can't be read as XLSX. Open it in a spreadsheet program and save it again."
    )
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as parts:
            sizes = [part.file_size for part in parts.infolist()]
            is_large = len(sizes) > MOST_PARTS or sum(sizes) > MOST_UNPACKED_MEGABYTES * MEGABYTE
            is_large = is_large or sum(parts.read(part).count(b"<") for part in parts.infolist()) > MOST_TAGS
    except Exception:  # openpyxl and zipfile raise many kinds for damaged files
        raise broken from None
    if is_large:
        raise ValidationError(
            f"The file holds more than {MOST_UNPACKED_MEGABYTES} MB once it is unpacked, or too many cells. "
            "Copy what you need to a new spreadsheet."
        )
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            book = openpyxl.load_workbook(io.BytesIO(data), read_only=True, keep_links=False)
            if not book.worksheets:
                raise broken
            rows = book.worksheets[0].iter_rows(max_row=MOST_ROWS + 2, max_col=MOST_COLUMNS + 1)
            for number, row in enumerate(rows, start=1):
                yield [text_of(cell, number) for cell in row]
    except ValidationError:
        raise
    except Exception:  # openpyxl and zipfile raise many kinds for damaged files
        raise broken from None


def text_of(cell: Any, row: int) -> str:
    value = cell.value
    match cell.data_type:
        case "f":
            raise ValidationError(
                f"Cell {cell.coordinate} holds a formula. Copy the column and paste it as values."
            )
        case "e":
            raise ValidationError(f"Cell {cell.coordinate} holds an error: {value}.")
    match value:
        case None:
            return ""
        case bool():
            return "yes" if value else "no"
        case float() if value.is_integer():
            return str(int(value))
        case datetime() if value.time() == time():
            return value.date().isoformat()
        case str():
            return WRITTEN_FOR_XML.sub(lambda found: chr(int(found[1], 16)), value)
    return str(value)


# --- Writing --------------------------------------------------------------------------------------


def write(extension: str, headers: list[str], rows: Iterable[list[str]]) -> IO[bytes]:
    """Write the table to a temporary file, which is deleted once closed."""
    file = TemporaryFile()  # noqa: SIM115, the response closes it
    writers = {"csv": write_csv, "xlsx": write_xlsx}
    try:
        writers[extension](file, headers, ([escaped(cell) for cell in row] for row in rows))
    except BaseException:
        file.close()
        raise
    file.seek(0)
    return file


def write_csv(file: IO[bytes], headers: list[str], rows: Iterable[list[str]]) -> None:
    # Spreadsheet programs recognize UTF-8 by the byte order mark.
    text = io.TextIOWrapper(file, "utf-8-sig", newline="")
    writer = csv.writer(text)
    writer.writerow(headers)
    writer.writerows(rows)
    text.detach()


def write_xlsx(file: IO[bytes], headers: list[str], rows: Iterable[list[str]]) -> None:
    """All cells are text, so that a program shows 007 and 1-2 as they are."""
    import openpyxl

    book = openpyxl.Workbook(write_only=True)
    page = book.create_sheet()
    page.append(headers)
    try:
        for number, row in enumerate(rows, start=1):
            if number > MOST_XLSX_ROWS:
                raise ValidationError(
                    f"XLSX is written for up to {MOST_XLSX_ROWS:,} rows. Export as CSV, or filter the list."
                )
            page.append([xml_text(cell) for cell in row])
    except BaseException:
        page.close()
        raise
    book.save(file)


def xml_text(text: str) -> str:
    text = UNFIT_FOR_XML.sub(lambda found: f"_x{ord(found[0]):04X}_", text)
    if len(text) > LONGEST_XLSX_CELL:
        raise ValidationError(
            f"A cell of XLSX holds up to {LONGEST_XLSX_CELL:,} characters, and a text is longer. Take CSV."
        )
    return text
