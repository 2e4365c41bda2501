"""Files as spreadsheet programs save them."""

from __future__ import annotations

import csv
import io
import re
import unicodedata
import zipfile
from datetime import date, datetime
from typing import Any

import openpyxl
from openpyxl.styles import Font
from openpyxl.utils.datetime import CALENDAR_MAC_1904

Rows = list[list[str]]
DAY = re.compile(r"\d{4}-\d{2}-\d{2}")


def delimited(rows: Rows, separator: str = ",", end: str = "\r\n", quoting: Any = csv.QUOTE_MINIMAL) -> str:
    text = io.StringIO(newline="")
    csv.writer(text, delimiter=separator, lineterminator=end, quoting=quoting).writerows(rows)
    return text.getvalue()


def rewritten(rows: Rows, day: str, *, decimal: str = ".") -> Rows:
    """Return the rows as a program does that takes days for days and 007 for a number."""

    def cell(text: str) -> str:
        if DAY.fullmatch(text):
            read = date.fromisoformat(text)
            # As %-d isn't known everywhere.
            return day.format(d=read.day, m=read.month, y=read.year, yy=read.year % 100, iso=text)
        if re.fullmatch(r"[0-9]+", text):
            return str(int(text))
        if re.fullmatch(r"[0-9]e[0-9]", text):
            return f"{float(text):.2E}".replace(".", decimal)
        return text.replace("\r\n", "\n")

    return [[cell(text) for text in row] for row in rows]


def excel_german(rows: Rows) -> bytes:
    rows = rewritten(rows, "{d:02}.{m:02}.{y}", decimal=",")
    blank = ";" * (len(rows[0]) - 1) + "\r\n"
    return (delimited(rows, ";") + blank * 3).encode("utf-8-sig")


def excel_croatian_trailing_separators(rows: Rows) -> bytes:
    rows = rewritten(rows, "{d}. {m}. {y}.", decimal=",")
    return delimited([[*row, "", ""] for row in rows], ";").encode("utf-8-sig")


def excel_american(rows: Rows) -> bytes:
    return delimited(rewritten(rows, "{m}/{d}/{y}")).encode("utf-8-sig")


def excel_british_mac(rows: Rows) -> bytes:
    """Excel for the Mac writes two digits of the year, and line ends of old Macs as "CSV (Macintosh)"."""
    rows = rewritten(rows, "{d:02}/{m:02}/{yy:02}")
    return delimited(rows, ";", "\r", csv.QUOTE_ALL).encode("utf-8-sig")


def excel_with_separator_line(rows: Rows) -> bytes:
    return b"\xef\xbb\xbfsep=;\r\n" + delimited(rewritten(rows, "{d:02}/{m:02}/{y}"), ";").encode()


def libreoffice(rows: Rows) -> bytes:
    return delimited(rewritten(rows, "{iso}"), ",", "\n", csv.QUOTE_ALL).encode()


def google_sheets(rows: Rows) -> bytes:
    return delimited(rewritten(rows, "{iso}")).removesuffix("\r\n").encode()


def google_sheets_tsv(rows: Rows) -> bytes:
    flat = [[" ".join(cell.splitlines()) for cell in row] for row in rewritten(rows, "{m}/{d}/{y}")]
    return "\r\n".join("\t".join(row) for row in flat).encode()


def numbers(rows: Rows) -> bytes:
    """Numbers puts the name of the table above it. Other programs of Apple decompose letters."""
    text = "Table 1;;\r\n;;\r\n" + delimited(rewritten(rows, "{d:02}.{m:02}.{yy:02}"), ";")
    return unicodedata.normalize("NFD", text).encode()


def two_byte_order_marks(rows: Rows) -> bytes:
    return b"\xef\xbb\xbf" + delimited(rows).encode("utf-8-sig")


def pandas(rows: Rows) -> bytes:
    """pandas reads a column of numbers with a gap as floats, and days as moments."""
    floats = [[f"{cell}.0" if cell.isdigit() and cell[0] != "0" else cell for cell in row] for row in rows]
    return delimited(rewritten(floats, "{iso} 00:00:00"), ",", "\n").encode()


CSV_DIALECTS = [
    excel_german,
    excel_croatian_trailing_separators,
    excel_american,
    excel_british_mac,
    excel_with_separator_line,
    libreoffice,
    google_sheets,
    numbers,
    two_byte_order_marks,
    pandas,
]


def typed(text: str) -> Any:
    """Return the value that a program stores for the text."""
    if DAY.fullmatch(text):
        return datetime.fromisoformat(text)
    if re.fullmatch(r"[0-9]+", text):
        return float(text)
    return text.replace("\r\n", "\n") or None


def saved(book: openpyxl.Workbook) -> bytes:
    data = io.BytesIO()
    book.save(data)
    return data.getvalue()


def excel_xlsx(rows: Rows) -> bytes:
    """Excel keeps the formats of rows far below, and the lists of choices in a hidden sheet."""
    book = openpyxl.Workbook()
    choices, sheet = book.active, book.create_sheet("People")
    choices.title, choices.sheet_state = "Choices", "hidden"
    choices.append(rows[0])
    choices.append(["hidden"] * len(rows[0]))
    for row in rows:
        sheet.append([typed(cell) for cell in row])
    sheet["A20000"].font = Font(bold=True)
    return saved(book)


def excel_mac_1904(rows: Rows) -> bytes:
    book = openpyxl.Workbook()
    book.epoch = CALENDAR_MAC_1904
    for row in rows:
        book.active.append([typed(cell) for cell in row])
    return saved(book)


def serial_numbers(rows: Rows) -> bytes:
    """A column of days that was formatted as numbers."""
    book = openpyxl.Workbook()
    for row in rows:
        cells = [typed(cell) for cell in row]
        # openpyxl would convert a datetime, and format it as a day.
        book.active.append(
            [(cell - datetime(1899, 12, 30)).days if isinstance(cell, datetime) else cell for cell in cells]  # noqa: DTZ001
        )
    return saved(book)


def libreoffice_xlsx(rows: Rows) -> bytes:
    """LibreOffice writes an empty last row of the sheet."""
    book = openpyxl.Workbook()
    for row in rows:
        book.active.append([typed(cell) for cell in row])
    copy = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(saved(book))) as archive, zipfile.ZipFile(copy, "w") as changed:
        for name in archive.namelist():
            part = archive.read(name)
            end = b'<row r="1048576" customHeight="1"/></sheetData>'
            changed.writestr(name, part.replace(b"</sheetData>", end))
    return copy.getvalue()


def google_sheets_xlsx(rows: Rows) -> bytes:
    """Google Sheets writes a thousand formatted rows, and empty columns beside the table."""
    book = openpyxl.Workbook()
    for row in [*rows, *[[""] * len(rows[0])] * (1000 - len(rows))]:
        book.active.append([*map(typed, row), *[None] * 15])
    for number in range(1, 1001):
        book.active.cell(number, len(rows[0]) + 10).font = Font(bold=True)
    return saved(book)


def numbers_xlsx(rows: Rows) -> bytes:
    """Numbers writes a summary as the first sheet, and the name of the table above it."""
    book = openpyxl.Workbook()
    summary, sheet = book.active, book.create_sheet("Sheet 1 - People")
    summary.title = "Export Summary"
    summary.append(["This document was exported from Numbers. Each table was converted to a worksheet."])
    summary.append(["Numbers Sheet Name", "Numbers Table Name", "Excel Worksheet Name"])
    sheet.append(["People"])
    for row in rows:
        sheet.append([typed(unicodedata.normalize("NFD", cell)) for cell in row])
    return saved(book)


XLSX_DIALECTS = [
    excel_xlsx,
    excel_mac_1904,
    serial_numbers,
    libreoffice_xlsx,
    google_sheets_xlsx,
    numbers_xlsx,
]
