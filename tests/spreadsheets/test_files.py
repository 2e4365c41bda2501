"""Test which files can be read."""

from __future__ import annotations

import io
import os
from collections.abc import Callable
from datetime import datetime
from typing import Any

import openpyxl
import pytest
from django.test import Client

from assignments.models import ServiceAssignment
from catalog.models import ServiceType
from productive.admin.spreadsheets import files as spreadsheets
from tests.support.admin import url
from tests.support.spreadsheets import (
    NOT_XLSX,
    csv_file,
    plan_of,
    preview,
    rejection_of,
    rows_of,
    upload,
    xlsx_file,
    zipped,
)

pytestmark = pytest.mark.django_db


NOT_UTF_8 = ["The file is not a CSV in UTF-8. Save it as “CSV UTF-8” or as XLSX."]
TOO_LONG = ["The file has more than 10,000 rows. Split it into several."]
ALLOWED = "Valid columns: ID, Organization, Name, Description, Archived."


@pytest.mark.any_database
@pytest.mark.parametrize(
    ("file", "expected"),
    [
        (lambda: None, ["This field is required."]),
        (lambda: upload(b""), ["The file is empty."]),
        (
            lambda: upload(b"\xef\xbb\xbf"),
            ["The first row must contain the headings. It is empty."],
        ),
        (
            lambda: upload(b"\r\n\r\n"),
            ["The first row must contain the headings. It is empty."],
        ),
        (lambda: upload(b"Name\r\n"), ["The file has headings, but no rows below them."]),
        (lambda: upload(b"Name\r\n,,\r\n"), ["The file has headings, but no rows below them."]),
        (lambda: upload(b"Name\r\nx", "file.xls"), ["The name of the file must end in .csv or .xlsx."]),
        (lambda: upload(b"Name\r\nx", "file.xlsx"), NOT_XLSX),
        (lambda: upload(os.urandom(2000), "file.xlsx"), NOT_XLSX),
        (lambda: upload(b"PK\x03\x04" + bytes(2000), "file.xlsx"), NOT_XLSX),
        (lambda: upload(zipped(**{"a.txt": b"x"}), "file.xlsx"), NOT_XLSX),
        (lambda: upload(b"\x89PNG\r\n\x1a\n\xff\xfe"), NOT_UTF_8),
        (lambda: csv_file(["Name"], ["Žarko"], encoding="utf-16"), NOT_UTF_8),
        (lambda: csv_file(["Name"], ["Café"], encoding="latin-1"), NOT_UTF_8),
        (
            lambda: upload(b"Name\r\na\0b\r\n"),
            [
                "Row 2, column 1 contains a NUL character, as text in UTF-16 does. "
                "Save the file as “CSV UTF-8” or as XLSX."
            ],
        ),
        (
            lambda: upload(b'Name\r\n"open'),
            ["Line 2 can't be read as CSV. Is a quotation mark not closed, or not doubled?"],
        ),
        (lambda: upload(b"Name\r\nx,y\r\n"), ["Row 2 has more cells than there are headings."]),
        (lambda: upload(b"Name\r\n" + b"x\r\n" * 10_001), TOO_LONG),
        (
            lambda: upload(b"Name\r\nx" + b"x" * 5 * 1024 * 1024),
            ["The file is larger than 5 MB. Split it into several."],
        ),
        (
            lambda: upload(b"name,Colour,<b>,Name\r\nx,y,z,z\r\n"),
            ["Unknown columns: “Colour”, “<b>”.", "Repeated columns: Name.", ALLOWED],
        ),
        (lambda: upload(b"Description\r\nx\r\n"), ["Missing columns: Name.", ALLOWED]),
        (lambda: upload(b"Name," * 60 + b"\r\nx"), ["The file has more than 50 columns."]),
    ],
)
def test_unreadable_file_is_rejected(client: Client, file: Callable[[], Any], expected: list[str]) -> None:
    uploaded = file()
    response = client.post(url(ServiceType, "import"), {"file": uploaded} if uploaded else {"x": 1})
    assert (response.status_code, response.context["form"].errors.get("file")) == (200, expected)
    assert ServiceType.objects.count() == 0


@pytest.mark.any_database
def test_cells_with_errors_are_rejected(client: Client) -> None:
    formula = "Cell B2 contains a formula. Copy the column and paste it as values."
    assert rejection_of(client, ServiceType, xlsx_file(["Name", "Description"], ["x", "=A2"])) == [formula]
    error = "Cell A2 contains an error: #N/A."
    assert rejection_of(client, ServiceType, xlsx_file(["Name"], ["#N/A"])) == [error]


@pytest.mark.any_database
def test_row_far_below_is_imported(client: Client) -> None:
    book = openpyxl.Workbook()
    book.active["A1"], book.active["A1048576"] = "Name", "far below"
    data = io.BytesIO()
    book.save(data)
    file = upload(data.getvalue(), "file.xlsx")
    assert plan_of(client, ServiceType, file) == [(1048576, "created", [("Name", "", "far below")])]


@pytest.mark.any_database
def test_cells_of_a_spreadsheet_are_read_as_text(client: Client) -> None:
    file = xlsx_file(
        ["Name", "Description"],
        [7, 1.5],
        [True, datetime(2026, 1, 5)],  # noqa: DTZ001, spreadsheets have no time zones
        [1e15, datetime(2026, 1, 5, 8, 30)],  # noqa: DTZ001
    )
    assert plan_of(client, ServiceType, file) == [
        (2, "created", [("Name", "", "7"), ("Description", "", "1.5")]),
        (3, "created", [("Name", "", "yes"), ("Description", "", "2026-01-05")]),
        (4, "created", [("Name", "", "1000000000000000"), ("Description", "", "2026-01-05 08:30:00")]),
    ]


@pytest.mark.any_database
@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_csv_can_have_commas_semicolons_or_tabs(client: Client, delimiter: str) -> None:
    file = upload(delimiter.join(["Name", "Description"]).encode() + b"\n" + delimiter.join("ab").encode())
    assert plan_of(client, ServiceType, file) == [
        (2, "created", [("Name", "", "a"), ("Description", "", "b")])
    ]


def test_error_of_large_cell_is_short(client: Client) -> None:
    huge = csv_file(["Name"], ["x" * 1_000_000])
    response = preview(client, ServiceType, huge)
    assert rows_of(response)[0][2] == ["Name: Ensure this value has at most 255 characters (it has 1000000)."]
    unknown = csv_file(["Person", "Service"], ["x" * 1_000_000, "y" * 1_000_000])
    assert len(preview(client, ServiceAssignment, unknown).content) < 200_000


@pytest.mark.any_database
def test_too_large_request_is_rejected_without_login(client: Client) -> None:
    large = b"x" * (4 * spreadsheets.MAX_MEGABYTES * spreadsheets.MEGABYTE + 1)
    assert Client().post("/admin/login/", {"file": upload(large)}).status_code == 400
    # The form rejects a smaller file that is too large for an import.
    errors = rejection_of(client, ServiceType, upload(large[: 6 * spreadsheets.MEGABYTE]))
    assert errors == ["The file is larger than 5 MB. Split it into several."]
