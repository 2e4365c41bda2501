"""Test that files come back from spreadsheet programs without changes, and how odd ones are read."""

from __future__ import annotations

import csv
import io
import re
import unicodedata
import zipfile
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from typing import Any

import openpyxl
import pytest
from django.contrib import admin
from django.core.exceptions import ValidationError
from django.db import transaction
from openpyxl.styles import Font
from openpyxl.utils.datetime import CALENDAR_MAC_1904

from assignments.models import ProjectAssignment, ServiceAssignment, ServiceTypeAssignment
from catalog.models import Company, Project, ServiceType
from productive.accounts.models import Organization, Person
from productive.admin.preview import RecordOutcome
from productive.admin.spreadsheets.comparison import heading_key, is_same, parse_id_cell, tidy
from productive.admin.spreadsheets.files import Sheet, escaped, read_sheet
from productive.admin.spreadsheets.headings import Headings
from productive.admin.spreadsheets.imports import Import
from productive.admin.spreadsheets.tables import Table
from tests.support.factories import (
    CompanyFactory,
    DealFactory,
    PersonFactory,
    ProjectAssignmentFactory,
    ProjectFactory,
    ServiceAssignmentFactory,
    ServiceFactory,
    ServiceTypeAssignmentFactory,
    ServiceTypeFactory,
)
from tests.support.spreadsheets import EXCHANGED

Rows = list[list[str]]
DAY = re.compile(r"\d{4}-\d{2}-\d{2}")


# --- Programs ---


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


# --- Round trips ---


@pytest.fixture
def table(organization: Organization) -> Callable[[type[Any]], Table]:
    def table_of(model: type[Any]) -> Table:
        model_admin: Any = admin.site.get_model_admin(model)
        table: Table = model_admin.table_class([organization], shows_owner=False)
        return table

    return table_of


def imported(table: Table, data: bytes, name: str = "file.csv", **options: Any) -> Import:
    """Attempt the import of a file."""
    headings = Headings(table, {})
    sheet = read_sheet(name, data, headings.recognizes)
    match = headings.match(sheet, {})
    assert match.problems == []
    operation = Import(table, sheet, match, **options)
    with transaction.atomic():
        operation.attempt(apply=False)
        transaction.set_rollback(True)
    return operation


def outcomes(operation: Import) -> set[tuple[RecordOutcome, str]]:
    return {(row.outcome, f"{[*row.errors, *row.differences]}") for row in operation.rows}


UNCHANGED = {(RecordOutcome.UNCHANGED, "[]")}


def create_rows(organization: Organization) -> dict[type[Any], int]:
    """Create rows that programs rewrite. Return their number."""
    own = {"organization": organization}
    # 4 March can also be read as 3 April.
    archived = datetime(2026, 3, 4, 12, tzinfo=UTC)
    lead = PersonFactory(first_name="Šime", last_name="Đurić-Müller", email="sime@x.org", title="007", **own)
    texts = ["1e5", "2026-12-31", "e\u0301", "a;b,c", "'=1", "=1+1", "1.50", "two\r\nlines", "a\u00a0b"]
    people = [
        PersonFactory(first_name=text, last_name="Ó", email=f"{n}@x.org", title=text, manager=lead, **own)
        for n, text in enumerate(texts)
    ]
    PersonFactory(email="archived@x.org", archived_at=archived, **own)
    for n, text in enumerate(["007", "12", "3.10", "P-1", ""]):
        company = CompanyFactory(name=f"Café {text}", company_code=text, **own)
        project = ProjectFactory(
            name=f"Å/{n}", project_number=text, company=company, project_manager=lead, **own
        )
        deal = DealFactory(name=f"{text} / 2026", project=project, **own)
        service = ServiceFactory(name="2026-03-04" if n else "#12", deal=deal, **own)
        ServiceAssignmentFactory(person=people[n], service=service, **own)
        ProjectAssignmentFactory(person=people[n], project=project, watched=n > 2, **own)
        kind = ServiceTypeFactory(name=text or "3/4", description="10\n2026-03-04\n", **own)
        ServiceTypeAssignmentFactory(person=people[n], service_type=kind, **own)
    ProjectFactory(name="Old", archived_at=archived, **own)
    # The factories of services make a type for each.
    return {
        Person: 11,
        Company: 5,
        ServiceType: 10,
        Project: 6,
        ServiceAssignment: 5,
        ProjectAssignment: 5,
        ServiceTypeAssignment: 5,
    }


@pytest.mark.django_db
def test_file_comes_back_from_every_program_without_changes(
    table: Callable[[type[Any]], Table], organization: Organization
) -> None:
    counts = create_rows(organization)
    assert counts.keys() == {*EXCHANGED}
    for model, count in counts.items():
        exporting = table(model)
        # The formulas are escaped in the file that a program opens.
        rows = [[escaped(cell) for cell in row] for row in exporting.export(exporting.rows().order_by("pk"))]
        rows.insert(0, exporting.headings())
        for write in CSV_DIALECTS:
            operation = imported(table(model), write(rows))
            assert outcomes(operation) == UNCHANGED, (model, write)
            assert len(operation.rows) == count, (model, write)
        for write in XLSX_DIALECTS:
            operation = imported(table(model), write(rows), "file.xlsx")
            assert outcomes(operation) == UNCHANGED, (model, write)
            assert len(operation.rows) == count, (model, write)
    flat = [row for row in rows if not any("\n" in cell for cell in row)]
    assert outcomes(imported(table(model), google_sheets_tsv(flat), "file.tsv")) == UNCHANGED


# --- Odd files ---

NAME_AND_TITLE = ["Name", "Title"]


def read(text: str | bytes, name: str = "file.csv", required: set[str] | None = None) -> Sheet:
    known = required or {"name"}
    data = text.encode() if isinstance(text, str) else text
    return read_sheet(name, data, lambda cells: known <= {*map(heading_key, cells)})


@pytest.mark.any_database
@pytest.mark.parametrize(
    "text",
    [
        "Name,Title\na,b\n",
        "\ufeff\ufeffName,Title\na,b\n",
        "Name;Title\ra;b\r",
        # Commas in the cells don't make it a separator.
        'Name;Title\ra;"b"\r',
        "sep=;\nName;Title\na;b",
        "SEP=,\r\nName,Title\r\na,b\r\n",
        '"sep=\t"\nName\tTitle\na\tb',
        "Name\tTitle\r\na\tb",
        "\n\n ,\n\u00a0,\u200b\nName,Title\na,b\n",
        "Name,Title,,\na,b,,\n,,,\n \u00a0,\t,\u2003,\ufeff\n",
        "People 2026\n\nName;Title\na;b\n",
        "People, all of them, 2026\nName;Title\na;b\n",
        "Exported;on;Monday\n;;\nName;Title\na;b\n",
        "\u00a0Name\u200b,Title \na,b",
    ],
)
def test_csv_is_read_as_programs_save_it(text: str) -> None:
    sheet = read(text)
    assert (sheet.headings, sheet.rows) == (NAME_AND_TITLE, [["a", "b"]])


@pytest.mark.any_database
def test_rows_have_their_numbers_in_the_file() -> None:
    sheet = read("sep=;\r\nPeople\r\n\r\nName;Title\r\na;b\r\n;\r\nc;d")
    assert sheet.numbers == [5, 7]
    assert sheet.notes == ["Above the headings, row 2 isn't imported."]
    sheet = read("A\nB\nName;Title\na;b")
    assert (sheet.numbers, sheet.notes) == ([4], ["Above the headings, rows 1, 2 aren't imported."])
    quoted = 'Name;Title\ra;"b, c, d, e, f, g"\r'
    assert read(quoted).rows == [["a", "b, c, d, e, f, g"]]


@pytest.mark.any_database
@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("Name;Title\na;b;c", "Row 2 has more cells than there are headings."),
        ('Name;Title\n"a;b', "Line 2 can't be read as CSV."),
        ('sep=;\nName;Title\n"a;b', "Line 3 can't be read as CSV."),
        ("sep=;", "The file has headings, but no rows below them."),
        ("sep=;\n", "The first row must contain the headings."),
        ("\u00a0\n\u200b;\ufeff", "The first row must contain the headings."),
        ("Name\n" + ",\n" * 20 + "\n".join(["x"] * 10_001), "more than 10,000 rows"),
    ],
)
def test_what_is_wrong_with_a_csv_is_said(text: str, message: str) -> None:
    with pytest.raises(ValidationError, match=re.escape(message)):
        read(text)


@pytest.mark.any_database
def test_first_visible_sheet_with_the_headings_is_read_and_said() -> None:
    book = openpyxl.Workbook()
    book.active.title, book.active.sheet_state = "Secret", "hidden"
    book.active.append(NAME_AND_TITLE)
    book.active.append(["no", "no"])
    book.create_sheet("Very").sheet_state = "veryHidden"
    book.create_sheet("Notes").append(["Ask Ana"])
    for title, row in [("Staff", ["a", "b"]), ("Later", ["c", "d"])]:
        sheet = book.create_sheet(title)
        sheet["A3"], sheet["B3"], sheet["A5"], sheet["B5"] = *NAME_AND_TITLE, *row
    found = read(saved(book), "file.xlsx")
    assert (found.headings, found.rows, found.numbers) == (NAME_AND_TITLE, [["a", "b"]], [5])
    assert found.notes == ["The sheet “Staff” is imported. Hidden sheets aren't: “Secret”, “Very”."]
    # Unknown headings can have a title above them.
    unknown = read("Table 1;;\n;;\nVorname;;Nachname\nAna;;Ban\n")
    assert (unknown.headings, unknown.numbers) == (["Vorname", "", "Nachname"], [4])
    assert unknown.notes == ["Above the headings, row 1 isn't imported."]
    # Without the headings, it is the first sheet that isn't empty.
    with pytest.raises(ValidationError, match="The file has headings, but no rows below them"):
        read(saved(book), "file.xlsx", {"unknown"})


@pytest.mark.any_database
def test_numbers_of_a_spreadsheet_are_read_as_they_are_shown() -> None:
    book = openpyxl.Workbook()
    for row in (NAME_AND_TITLE, [12.0, 1.5], [2**53, 0], ["12.0", True]):
        book.active.append(row)
    assert read(saved(book), "file.xlsx").rows == [["12", "1.5"], [str(2**53), "0"], ["12.0", "yes"]]


@pytest.mark.any_database
def test_cells_and_headings_are_compared_as_programs_rewrite_them() -> None:
    for stored, cell in [
        ("007", "7"),
        ("1e5", "1,00E+05"),
        ("12", "12.0"),
        ("2026-03-04", "04/03/2026"),
        ("2026-03-04", "3/4/2026"),
        ("2026-03-04", "4.3.26"),
        ("2026-03-04", "2026-03-04T00:00:00"),
        ("2026-03-04", "04.03.2026 00:00"),
        ("2026-03-04", "46085"),
        ("2026-03-04", "44623.0"),  # of the Mac
        ("Šime", unicodedata.normalize("NFD", "Šime")),
        ("a\r\nb", "a\nb"),
        ("a", "\u00a0a\u200b"),
    ]:
        assert is_same(stored, cell), (stored, cell)
    for stored, cell in [
        ("2026-03-04", "05/03/2026"),
        ("2026-03-04", "2026-03-04 10:00"),
        ("2026-03-04", "46086"),
        ("2026-03-04", ""),
        ("", "0"),
        # Two days, of which nobody knows which was meant.
        ("03/04/2026", "04/03/2026"),
        ("007", "70"),
        ("7", "seven"),
        ("a b", "ab"),
        ("a", "A"),
    ]:
        assert not is_same(stored, cell), (stored, cell)
    assert date(2026, 3, 4) == date(1899, 12, 30) + timedelta(46085)
    assert {heading_key(one) for one in ("E-mail", "e mail", "E\u00a0MAIL:", "Email*")} == {"email"}
    assert heading_key("First\u00a0name") == heading_key("first_name") == heading_key("First  Name")
    assert heading_key(unicodedata.normalize("NFD", "Größe")) == heading_key("GRÖSSE")
    assert tidy(" Ana\u00a0 Ban ") == "Ana Ban"
    assert [
        parse_id_cell(text)
        for text in ("12", "#12", " 12.0 ", "12,00", "1.000", "0", "-1", "1e3", "x", "9" * 19)
    ] == [
        *[12] * 4,
        *[None] * 6,
    ]
