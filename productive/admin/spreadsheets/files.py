"""Read CSV and XLSX as text."""

from __future__ import annotations

import csv
import io
import re
import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, time
from functools import partial
from itertools import chain
from typing import Any

from django.core.exceptions import ValidationError

from productive.admin.spreadsheets.archives import MEGABYTE, unpack
from productive.admin.spreadsheets.comparison import BLANK_CHARACTERS, clean, quoted

MAX_ROWS = 10_000
MAX_MEGABYTES = 5
MAX_COLUMNS = 50
# Rows above the headings, such as a title, and sheets that are searched for headings.
MAX_ROWS_ABOVE = 20
MAX_SHEETS = 20
# The limit of the XLSX format.
LAST_XLSX_ROW = 1_048_576
# As many as a CSV can have. The cells of an XLSX can share a text, so a small file can have more.
MAX_SHEET_CHARACTERS = MAX_MEGABYTES * MEGABYTE
NO_HEADINGS = "The first row must contain the headings. It is empty."
SEPARATORS = ",;\t"
SEPARATOR_LINE = re.compile(r'"?sep=([,;\t])"?[,;\t]*(?:\r\n?|\n)', re.IGNORECASE)
QUOTED = re.compile('"[^"]*"')
# Characters in which the separator is searched.
MAX_BEGINNING = 65_536
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

    Empty rows are omitted, so the numbers may have gaps. `notes` say what isn't imported.
    """

    headings: list[str]
    rows: list[list[str]] = field(default_factory=list)
    numbers: list[int] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def escaped(text: str) -> str:
    """Escape text that would be a formula; `unescaped` reverses it."""
    return f"'{text}" if FORMULA.match(text) else text


def unescaped(text: str) -> str:
    return text[1:] if text[:1] == "'" and FORMULA.match(text) else text


# --- Reading --------------------------------------------------------------------------------------

# The rows of a sheet that aren't blank, with their numbers.
SheetRows = Iterator[tuple[int, list[str]]]


@dataclass
class Source:
    """A sheet of a workbook, or a CSV that is split in one of several ways."""

    rows: SheetRows
    note: str = ""


def read_sheet(name: str, data: bytes, recognizes: Callable[[list[str]], bool] = bool) -> Sheet:
    """Return the sheet of a file, or raise ValidationError.

    It is the first with headings that `recognizes` accepts, or else the first that isn't empty.
    """
    if len(data) > MAX_MEGABYTES * MEGABYTE:
        raise ValidationError(f"The file is larger than {MAX_MEGABYTES} MB. Split it into several.")
    if not data:
        raise ValidationError("The file is empty.")
    extension = name.rpartition(".")[2].lower()
    if extension not in READERS:
        raise ValidationError("The name of the file must end in .csv or .xlsx.")
    with READERS[extension](data) as sources:
        return find_sheet(sources, recognizes)


def find_sheet(sources: Iterable[Source], recognizes: Callable[[list[str]], bool]) -> Sheet:
    # Of the first source that isn't empty.
    other: Callable[[], Sheet] | None = None
    for source in sources:
        first: list[tuple[int, list[str]]] = []
        is_found = False
        try:
            while not is_found and len(first) <= MAX_ROWS_ABOVE and (row := next(source.rows, None)):
                first.append(row)
                is_found = recognizes(parse_headings(row[1]))
        except ValidationError as error:
            other = other or partial(raise_error, error)
            continue
        if is_found:
            return build_sheet(source, first[-1:], above=first[:-1])
        if first:
            start = count_titles(first)
            other = other or partial(build_sheet, source, first[start:], first[:start])
    return other() if other else raise_error(ValidationError(NO_HEADINGS))


def count_titles(rows: Sequence[tuple[int, list[str]]]) -> int:
    """Return how many rows of one cell are above a row with more, and so above unknown headings."""
    widths = [sum(not is_blank(cell) for cell in cells) for _, cells in rows]
    return next((number for number, width in enumerate(widths) if width > 1), 0)


def raise_error(error: ValidationError) -> Sheet:
    raise error


def build_sheet(
    source: Source, first: list[tuple[int, list[str]]], above: Sequence[tuple[int, list[str]]] = ()
) -> Sheet:
    """Return a sheet from the rows that are read already, the headings first, and the others."""
    (_, cells), *rest = first
    sheet = Sheet(parse_headings(cells), notes=[source.note] if source.note else [])
    if above:
        numbers = ", ".join(str(number) for number, _ in above)
        rows = f"rows {numbers} aren't" if len(above) > 1 else f"row {numbers} isn't"
        sheet.notes.append(f"Above the headings, {rows} imported.")
    width = len(sheet.headings)
    for number, row in chain(rest, source.rows):
        if len(sheet.rows) == MAX_ROWS:
            raise ValidationError(f"The file has more than {MAX_ROWS:,} rows. Split it into several.")
        if not all(map(is_blank, row[width:])):
            raise ValidationError(f"Row {number} has more cells than there are headings.")
        padded = [*map(unescaped, row), *[""] * width]
        sheet.rows.append(padded[:width])
        sheet.numbers.append(number)
    if not sheet.rows:
        raise ValidationError("The file has headings, but no rows below them.")
    return sheet


def parse_headings(cells: Sequence[str]) -> list[str]:
    found = [" ".join(clean(cell).split()) for cell in cells]
    while found and not found[-1]:
        found.pop()
    if len(found) > MAX_COLUMNS:
        raise ValidationError(f"The file has more than {MAX_COLUMNS} columns.")
    return found


def is_blank(cell: str) -> bool:
    return not cell or not clean(cell)


def numbered(rows: Iterable[Sequence[str]], start: int = 1) -> SheetRows:
    """Yield the rows that aren't blank, with their numbers in the file."""
    for number, cells in enumerate(rows, start):
        # Most blank rows of a spreadsheet have only empty cells.
        if not any(cells) or all(map(is_blank, cells)):
            continue
        for column, cell in enumerate(cells, start=1):
            if "\0" in cell:
                raise ValidationError(
                    f"Row {number}, column {column} contains a NUL character, as text in UTF-16 does. "
                    "Save the file as “CSV UTF-8” or as XLSX."
                )
        yield number, [*cells]


@contextmanager
def csv_sources(data: bytes) -> Iterator[list[Source]]:
    """Read a CSV in UTF-8, split at commas, semicolons or tabs.

    Which of them depends on the locale of the spreadsheet program. The likeliest is the first, unless Excel's
    first line says which: sep=;
    """
    try:
        # Programs that don't know the byte order mark add another one.
        text = data.decode().lstrip("\ufeff")
    except UnicodeDecodeError:
        raise ValidationError("The file is not a CSV in UTF-8. Save it as “CSV UTF-8” or as XLSX.") from None
    if named := SEPARATOR_LINE.match(text):
        yield [Source(csv_rows(text[named.end() :], named[1], start=2))]
        return
    if not text.strip(BLANK_CHARACTERS + SEPARATORS):
        yield []
        return
    beginning = QUOTED.sub("", text[:MAX_BEGINNING])
    lines = [line for line in re.split("[\r\n]+", beginning) if any(one in line for one in SEPARATORS)]
    likeliest = sorted(SEPARATORS, key=(lines[0] if lines else "").count, reverse=True)
    yield [Source(csv_rows(text, separator)) for separator in likeliest]


def csv_rows(text: str, separator: str, start: int = 1) -> SheetRows:
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True)
    try:
        yield from numbered(([ESCAPED_SPLIT.sub("", cell) for cell in cells] for cells in reader), start)
    except csv.Error:
        line = reader.line_num + start - 1
        raise ValidationError(
            f"Line {line} can't be read as CSV. Is a quotation mark not closed, or not doubled?"
        ) from None


@contextmanager
def xlsx_sources(data: bytes) -> Iterator[Iterator[Source]]:
    """Read the visible sheets of an XLSX as text; reject formulas and errors."""
    import openpyxl  # slow to import

    broken = ValidationError(
        "The file can't be read as XLSX. Open it in a spreadsheet program and save it again."
    )
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            book = openpyxl.load_workbook(unpack(data), read_only=True, keep_links=False)
            visible = [sheet for sheet in book.worksheets if sheet.sheet_state == "visible"]
            if not visible:
                raise broken
            has_others = len(book.worksheets) > 1
            hidden = [quoted(sheet.title) for sheet in book.worksheets if sheet not in visible]
            suffix = f" Hidden sheets aren't: {', '.join(hidden[:5])}." if hidden else ""
            yield (
                Source(
                    numbered(xlsx_rows(sheet)),
                    f"The sheet {quoted(sheet.title)} is imported.{suffix}" if has_others else "",
                )
                for sheet in visible[:MAX_SHEETS]
            )
    except ValidationError:
        raise
    except Exception:  # openpyxl and zipfile raise many kinds for damaged files
        raise broken from None


def xlsx_rows(sheet: Any) -> Iterator[Sequence[str]]:
    characters, blank = 0, None
    # Rows far below, which only have a format, don't count.
    for row in sheet.iter_rows(max_row=LAST_XLSX_ROW, max_col=MAX_COLUMNS + 1):
        # openpyxl returns the same object for rows that the file leaves out, up to a million.
        if row is blank or all(cell.value is None for cell in row):
            blank = row
            yield ()
            continue
        characters += sum(len(cell.value) for cell in row if isinstance(cell.value, str))
        if characters > MAX_SHEET_CHARACTERS:
            raise ValidationError(
                f"The file contains more than {MAX_MEGABYTES} MB of text. Split it into several."
            )
        yield [cell_text(cell) for cell in row]


def cell_text(cell: Any) -> str:
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


READERS: dict[str, Callable[[bytes], Any]] = {
    "csv": csv_sources,
    "tsv": csv_sources,
    "xlsx": xlsx_sources,
}
