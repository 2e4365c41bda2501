"""Read and write CSV and XLSX without changing the text."""

from __future__ import annotations

import csv
import io
import re
import warnings
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, time
from tempfile import TemporaryFile
from typing import IO, Any

from django.core.exceptions import ValidationError

from productive.admin.spreadsheets.archives import MEGABYTE, unpack

MAX_ROWS = 10_000
MAX_MEGABYTES = 5
MAX_COLUMNS = 50
# As many as a CSV can have. The cells of an XLSX can share a text, so a small file can have more.
MAX_CHARACTERS = MAX_MEGABYTES * MEGABYTE
# The limit of the XLSX format.
MAX_XLSX_CELL_LENGTH = 32_767
# Larger files take too long to write.
MAX_XLSX_ROWS = 100_000

CONTENT_TYPES = {
    "csv": "text/csv; charset=utf-8",
    "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
}
# The default limit of the csv module is 128 KB.
csv.field_size_limit(MAX_MEGABYTES * MEGABYTE)

# Text that a spreadsheet program reads as a formula or an error, with any apostrophes before it.
# Some programs read full-width signs as formulas, too.
FORMULA = re.compile(r"'*(?:[=+\-@＝＋－＠\t\r\n]|#[A-Z])")  # noqa: RUF001
# The start of a cell in programs that split lines at semicolons or tabs. They misread
# quoted cells, so a line break starts a cell, too.
SPLIT_FORMULA = r"(?<=[;\t\r\n]){}(?='*(?:[=+\-@＝＋－＠]|#[A-Z]))"  # noqa: RUF001
UNESCAPED_SPLIT, ESCAPED_SPLIT = (re.compile(SPLIT_FORMULA.format(quote)) for quote in ("", "'"))
# Characters that XML can't contain or changes. XLSX writes them as _x000B_; such text is escaped too.
XML_UNSAFE = re.compile("_(?=x[0-9A-Fa-f]{4}_)|[\x00-\x08\x0b-\x1f\ufffe\uffff]")
XML_ESCAPED = re.compile("_x(005F|00(?:0[1-9A-F]|1[0-9A-F])|FFF[EF])_", re.IGNORECASE)


@dataclass
class Sheet:
    """Headings and rows of text; `numbers` are the row numbers in the file.

    Empty rows are omitted, so the numbers may have gaps.
    """

    headings: list[str]
    rows: list[list[str]] = field(default_factory=list)
    numbers: list[int] = field(default_factory=list)


def escaped(text: str) -> str:
    """Escape text that would be a formula; `unescaped` reverses it."""
    return f"'{text}" if FORMULA.match(text) else text


def unescaped(text: str) -> str:
    return text[1:] if text[:1] == "'" and FORMULA.match(text) else text


# --- Reading --------------------------------------------------------------------------------------


def read_sheet(name: str, data: bytes) -> Sheet:
    """Return the sheet of a file, or raise ValidationError."""
    if len(data) > MAX_MEGABYTES * MEGABYTE:
        raise ValidationError(f"The file is larger than {MAX_MEGABYTES} MB. Split it into several.")
    if not data:
        raise ValidationError("The file is empty.")
    readers = {"csv": csv_rows, "xlsx": xlsx_rows}
    extension = name.rpartition(".")[2].lower()
    if extension not in readers:
        raise ValidationError("The name of the file must end in .csv or .xlsx.")
    return build_sheet(readers[extension](data))


def build_sheet(rows: Iterable[list[str]]) -> Sheet:
    """Return a sheet from rows, the first of which has the headings."""
    sheet: Sheet | None = None
    for number, cells in enumerate(rows, start=1):
        if number > MAX_ROWS + 1:
            raise ValidationError(f"The file has more than {MAX_ROWS:,} rows. Split it into several.")
        for column, cell in enumerate(cells, start=1):
            if "\0" in cell:
                raise ValidationError(
                    f"Row {number}, column {column} contains a NUL character, as text in UTF-16 does. "
                    "Save the file as “CSV UTF-8” or as XLSX."
                )
        if sheet is None:
            sheet = Sheet(parse_headings(cells))
        elif any(cells):
            width = len(sheet.headings)
            if any(cells[width:]):
                raise ValidationError(f"Row {number} has more cells than there are headings.")
            padded = [*map(unescaped, cells), *[""] * width]
            sheet.rows.append(padded[:width])
            sheet.numbers.append(number)
    if sheet is None or not sheet.headings:
        raise ValidationError("The first row must contain the headings. It is empty.")
    if not sheet.rows:
        raise ValidationError("The file has headings, but no rows below them.")
    return sheet


def parse_headings(cells: list[str]) -> list[str]:
    found = [cell.strip() for cell in cells]
    while found and not found[-1]:
        found.pop()
    if len(found) > MAX_COLUMNS:
        raise ValidationError(f"The file has more than {MAX_COLUMNS} columns.")
    return found


def csv_rows(data: bytes) -> Iterator[list[str]]:
    """Yield the rows of a CSV in UTF-8.

    The delimiter is a comma, a semicolon or a tab, depending on the locale of the spreadsheet program.
    """
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise ValidationError("The file is not a CSV in UTF-8. Save it as “CSV UTF-8” or as XLSX.") from None
    first = text.split("\n", 1)[0]
    delimiter = max(",;\t", key=first.count)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    try:
        for cells in reader:
            yield [ESCAPED_SPLIT.sub("", cell) for cell in cells]
    except csv.Error:
        raise ValidationError(
            f"Line {reader.line_num} can't be read as CSV. Is a quotation mark not closed, or not doubled?"
        ) from None


def xlsx_rows(data: bytes) -> Iterator[list[str]]:
    """Yield the rows of the first sheet as text; reject formulas and errors."""
    import openpyxl  # slow to import

    broken = ValidationError(
        "The file can't be read as XLSX. Open it in a spreadsheet program and save it again."
    )
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            book = openpyxl.load_workbook(unpack(data), read_only=True, keep_links=False)
            if not book.worksheets:
                raise broken
            rows = book.worksheets[0].iter_rows(max_row=MAX_ROWS + 2, max_col=MAX_COLUMNS + 1)
            characters = 0
            for number, row in enumerate(rows, start=1):
                characters += sum(len(cell.value) for cell in row if isinstance(cell.value, str))
                if characters > MAX_CHARACTERS:
                    raise ValidationError(
                        f"The file contains more than {MAX_MEGABYTES} MB of text. Split it into several."
                    )
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
                f"Cell {cell.coordinate} contains a formula. Copy the column and paste it as values."
            )
        case "e":
            raise ValidationError(f"Cell {cell.coordinate} contains an error: {value}.")
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
            return XML_ESCAPED.sub(lambda found: chr(int(found[1], 16)), value)
    return str(value)


# --- Writing --------------------------------------------------------------------------------------


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
    import openpyxl

    book = openpyxl.Workbook(write_only=True)
    sheet = book.create_sheet()
    sheet.append(headings)
    try:
        for number, row in enumerate(rows, start=1):
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
