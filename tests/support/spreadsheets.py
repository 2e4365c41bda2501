"""Write spreadsheets, and export and import them through the admin."""

from __future__ import annotations

import csv
import io
import zipfile
from collections.abc import Callable
from typing import Any

import openpyxl
import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db.models import Model
from django.test import Client

from assignments.models import ProjectAssignment, ServiceAssignment, ServiceTypeAssignment
from catalog.models import Company, Project, ServiceType
from productive.accounts.models import Person
from productive.admin.spreadsheets.writing import CONTENT_TYPES
from tests.support.admin import hidden_fields, url
from tests.support.bulk import messages_of
from tests.support.factories import (
    CompanyFactory,
    PersonFactory,
    ProjectAssignmentFactory,
    ProjectFactory,
    ServiceAssignmentFactory,
    ServiceTypeAssignmentFactory,
    ServiceTypeFactory,
)

EXCHANGED: dict[type[Any], Callable[..., Any]] = {
    Person: PersonFactory,
    ServiceType: ServiceTypeFactory,
    Company: CompanyFactory,
    Project: ProjectFactory,
    ServiceAssignment: ServiceAssignmentFactory,
    ProjectAssignment: ProjectAssignmentFactory,
    ServiceTypeAssignment: ServiceTypeAssignmentFactory,
}
each_model = pytest.mark.parametrize("model", EXCHANGED, ids=lambda model: model.__name__)
each_format = pytest.mark.parametrize("extension", ["csv", "xlsx"])
NOT_XLSX = ["The file can't be read as XLSX. Open it in a spreadsheet program and save it again."]


def csv_file(*rows: list[Any], encoding: str = "utf-8", name: str = "file.csv") -> SimpleUploadedFile:
    text = io.StringIO(newline="")
    csv.writer(text).writerows(rows)
    return SimpleUploadedFile(name, text.getvalue().encode(encoding))


def xlsx_file(*rows: list[Any]) -> SimpleUploadedFile:
    book = openpyxl.Workbook()
    for row in rows:
        book.active.append(row)
    data = io.BytesIO()
    book.save(data)
    return SimpleUploadedFile("file.xlsx", data.getvalue())


def exported(
    client: Client, model: type[Model], extension: str = "csv", query: str = ""
) -> SimpleUploadedFile:
    response = client.get(url(model, "export") + f"?format={extension}{query}")
    assert response.status_code == 200
    assert response["Content-Type"] == CONTENT_TYPES[extension]
    data = b"".join(response.streaming_content)
    return SimpleUploadedFile(f"file.{extension}", data)


def table_of(client: Client, model: type[Model], query: str = "") -> list[list[str]]:
    """Return the rows of an export, headings first."""
    file = exported(client, model, "csv", query)
    return list(csv.reader(io.StringIO(file.read().decode("utf-8-sig"), newline="")))


def preview(client: Client, model: type[Model], file: Any) -> Any:
    response = client.post(url(model, "import"), {"file": file})
    assert response.status_code == 200
    return response


def rows_of(page: Any) -> list[tuple[int, str, Any]]:
    """Return the number of each previewed row, its outcome, and its errors or differences."""
    return sorted(
        (
            int(line.prefix.removeprefix("Row ")),
            str(group.outcome),
            line.notes or [(one.field, one.before, one.after) for one in line.differences],
        )
        for group in page.context["preview"].groups
        for line in group.lines
    )


def plan_of(client: Client, model: type[Model], file: Any) -> list[tuple[int, str, Any]]:
    """Preview the import of a file."""
    page = preview(client, model, file)
    assert "preview" in page.context, page.context["form"].errors
    return rows_of(page)


def rejection_of(client: Client, model: type[Model], file: Any) -> list[str]:
    """Return the errors of a file that can't be read."""
    context = preview(client, model, file).context
    assert "preview" not in context
    errors: list[str] = context["form"].errors.get("file", [])
    return errors


def run(client: Client, model: type[Model], file: Any) -> list[str]:
    """Preview and confirm; return the messages."""
    return confirm(client, model, hidden_fields(preview(client, model, file)))


def confirm(client: Client, model: type[Model], fields: dict[str, Any]) -> list[str]:
    """Send the form of a preview; return the messages."""
    response = client.post(url(model, "process_import"), fields)
    assert response.status_code in (200, 302)
    messages = messages_of(response)
    if response.status_code == 302:
        assert client.get(response["Location"]).status_code == 200
    return messages


def records(model: Any) -> int:
    count: int = model.history.count()
    return count


def upload(data: bytes, name: str = "file.csv") -> SimpleUploadedFile:
    return SimpleUploadedFile(name, data)


def zipped(**parts: bytes) -> bytes:
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w", zipfile.ZIP_DEFLATED) as file:
        for name, part in parts.items():
            file.writestr(name, part)
    return data.getvalue()


def waiting(client: Client, name: str = "Made") -> dict[str, Any]:
    """Return the form of a preview that can be confirmed."""
    return hidden_fields(preview(client, ServiceType, csv_file(["Name"], [name])))


def groups_of(page: Any) -> dict[str, list[str]]:
    """Return the groups of a preview that have lines, without the notes of these."""
    groups = page.context["preview"].groups
    return {group.title: [line.text for line in group.lines] for group in groups if group.lines}


def file_again(file: Any) -> Any:
    file.seek(0)
    return file
