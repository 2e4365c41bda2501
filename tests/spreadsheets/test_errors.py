"""Test imports of rows of which some have errors."""

from __future__ import annotations

import csv
import io

import openpyxl
import pytest
from django.contrib.messages import get_messages
from django.test import Client

from catalog.models import Project, ServiceType
from productive.accounts.models import Organization, Person
from productive.admin.spreadsheets.uploads import MAX_PENDING
from tests.support.admin import hidden_fields, press, staff, url
from tests.support.spreadsheets import confirm, csv_file, file_again, groups_of, preview, rows_of, run, upload

pytestmark = pytest.mark.django_db


def test_rows_without_errors_are_imported_and_the_others_downloaded(
    client: Client, organization: Organization
) -> None:
    file = csv_file(
        ["Job title", "First name", "Last name", "Email"],
        ["=QA", "Ana", "Ban", "ana@x.org"],
        ["", "Iva", "Marić", "nowhere"],
        ["", "Ivo", "Ilić", "ivo@x.org"],
        ["", "", "Nobody", "n@x.org"],
    )
    page = preview(client, Person, file)
    text = page.content.decode()
    assert groups_of(page)["Can't be done"] == ["Iva · Marić · nowhere", "Nobody · n@x.org"]
    assert page.context["preview"].blocked == "2 rows have errors, so nothing can be imported."
    assert "Continue with the other 2 rows" in text
    assert 'value="apply"' not in text
    # Nothing can be imported without a preview of the other rows.
    assert confirm(client, Person, {**hidden_fields(page), "step": "apply"}) == []
    assert Person.objects.filter(email__endswith="x.org").count() == 0

    page = press(client, preview(client, Person, file_again(file)), "skip")
    assert page.context["preview"].blocked == ""
    assert [row[:2] for row in rows_of(page)] == [
        (2, "created"),
        (3, "rejected"),
        (4, "created"),
        (5, "rejected"),
    ]
    response = client.post(url(Person, "process_import"), {**hidden_fields(page), "step": "apply"})
    warning, done = sorted(map(str, get_messages(response.wsgi_request)))
    assert warning.startswith("2 rows with errors left out. <a ")
    assert done.startswith("Imported: 2 created. <a ")
    assert sorted(Person.objects.filter(email__endswith="x.org").values_list("email", "title")) == [
        ("ana@x.org", "=QA"),
        ("ivo@x.org", None),
    ]

    # The file has the rows as they were, and can be corrected and imported.
    link = page.context["rejected_link"]
    data = b"".join(client.get(link).streaming_content)
    headings, *rows = csv.reader(io.StringIO(data.decode("utf-8-sig"), newline=""))
    assert headings == ["Job title", "First name", "Last name", "Email", "Errors"]
    assert rows == [
        ["", "Iva", "Marić", "nowhere", "Email: Enter a valid email address."],
        ["", "", "Nobody", "n@x.org", "First name: This field cannot be blank."],
    ]
    rows[0][3], rows[1][1] = "iva@x.org", "No"
    assert run(client, Person, csv_file(headings, *rows)) == ["Imported: 2 created."]

    # Nobody else can download it.
    assert staff(organization).get(link).status_code == 302
    assert staff(organization, "view_person").get(link).status_code == 403
    assert client.get(url(Project, "import_errors") + "?" + link.partition("?")[2]).status_code == 302
    assert Client().get(link).status_code == 302
    assert client.get(url(Person, "import_errors")).status_code == 302


def test_errors_of_xlsx_are_xlsx(client: Client) -> None:
    book = openpyxl.Workbook()
    for row in (["Name", "Description"], [None, 7]):
        book.active.append(row)
    data = io.BytesIO()
    book.save(data)
    page = preview(client, ServiceType, upload(data.getvalue(), "file.xlsx"))
    assert "Continue with" not in page.content.decode()
    response = client.get(page.context["rejected_link"])
    assert response["Content-Disposition"] == 'attachment; filename="service_types-errors.xlsx"'
    errors = openpyxl.load_workbook(io.BytesIO(b"".join(response.streaming_content)))
    assert [[cell.value for cell in row] for row in errors.active.iter_rows()] == [
        ["Name", "Description", "Errors"],
        [None, "7", "Name: This field cannot be blank."],
    ]


def test_preview_can_be_repeated_until_the_import(client: Client) -> None:
    """Back shows a preview again, and each choice another one."""
    page = preview(client, ServiceType, csv_file(["Name"], ["Made"], [""], ["Other"]))
    fields = hidden_fields(page)
    for _ in range(MAX_PENDING + 2):
        page = client.post(url(ServiceType, "process_import"), {**fields, "step": "preview"})
    assert [row[:2] for row in rows_of(page)] == [(2, "created"), (4, "created")]
    assert confirm(client, ServiceType, hidden_fields(page)) == ["Imported: 2 created."]
