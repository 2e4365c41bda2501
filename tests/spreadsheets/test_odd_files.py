"""Test how unusual files are read."""

from __future__ import annotations

import re
import unicodedata
from datetime import date, timedelta

import openpyxl
import pytest
from django.core.exceptions import ValidationError

from productive.admin.spreadsheets.comparison import heading_key, is_same, parse_id_cell, tidy
from productive.admin.spreadsheets.files import Sheet, read_sheet
from tests.support.spreadsheet_programs import saved

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
