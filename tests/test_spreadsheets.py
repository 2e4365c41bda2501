"""Test the import and export of the six lists that have them."""

from __future__ import annotations

import csv
import io
import os
import re
import struct
import tracemalloc
import unicodedata
import zipfile
import zlib
from collections.abc import Callable
from datetime import UTC, datetime
from inspect import GEN_CLOSED, getgeneratorstate
from pathlib import Path
from typing import Any

import openpyxl
import pytest
from defusedxml import EntitiesForbidden
from django.contrib.admin import site
from django.core.exceptions import ValidationError
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection
from django.db.models import Model
from django.test import Client
from django.test.utils import CaptureQueriesContext

from assignments.models import ProjectAssignment, ServiceAssignment, ServiceTypeAssignment
from catalog.models import Project, ServiceType
from productive.accounts.models import Organization, Person, User
from productive.admin.preview import RecordOutcome
from productive.admin.spreadsheets import files as spreadsheets
from productive.admin.spreadsheets import uploads
from productive.admin.spreadsheets.admin import SpreadsheetAdmin
from productive.admin.spreadsheets.imports import Import
from productive.admin.spreadsheets.tables import Table
from productive.database.functions import ascii_upper
from tests.support.admin import signed_in, staff, superuser, url
from tests.support.bulk import hidden_fields, messages_of
from tests.support.factories import (
    DealFactory,
    OrganizationFactory,
    PersonFactory,
    ProjectAssignmentFactory,
    ProjectFactory,
    ServiceAssignmentFactory,
    ServiceFactory,
    ServiceTypeAssignmentFactory,
    ServiceTypeFactory,
    UserFactory,
)

pytestmark = pytest.mark.django_db

EXCHANGED: dict[type[Any], Callable[..., Any]] = {
    Person: PersonFactory,
    ServiceType: ServiceTypeFactory,
    Project: ProjectFactory,
    ServiceAssignment: ServiceAssignmentFactory,
    ProjectAssignment: ProjectAssignmentFactory,
    ServiceTypeAssignment: ServiceTypeAssignmentFactory,
}
each_model = pytest.mark.parametrize("model", EXCHANGED, ids=lambda model: model.__name__)
each_format = pytest.mark.parametrize("extension", ["csv", "xlsx"])

AWKWARD = [
    "=1+1",
    "'=quoted",
    "''=twice",
    "+385 1 234",
    "-5",
    "@home",
    "\ttab",
    "'plain",
    'He said "no"',
    "a;b,c",
    "two\nlines",
    "two\r\nlines",
    "carriage\rreturn",
    "trailing ",
    " leading",
    "Žarko Ćosić 漢字 🎈",
    "007",
    "1e5",
    "2026-01-05",
    "TRUE",
    "#N/A",
    "#12",
    "_x000D_ and _x000D_x000A_",
    "back\\slash / slash",
    "\x0bvertical",
    "x;=1+1;y",
    "x;'=1+1",
    "x\t''-1\t",
    "x\n=1+1\n- item",
    "x\r\n@SUM",
    ";\t;#REF!",
    "n" * 255,
]


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Store the uploaded files in a folder of the test."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    return tmp_path


@pytest.fixture
def organization() -> Organization:
    return OrganizationFactory()


@pytest.fixture
def client(organization: Organization) -> Client:
    """Return a client of staff with all permissions in the organization."""
    return staff(organization)


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
    assert response["Content-Type"] == spreadsheets.CONTENT_TYPES[extension]
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


# --- Round trips -------------------------------------------------------------------------------


def create_awkward_rows(model: type[Model], organization: Organization) -> None:
    """Create rows with every text that a spreadsheet or parser could misread."""
    archived = datetime(2026, 1, 5, 23, 30, tzinfo=UTC)
    if model is Person:
        for n, text in enumerate(AWKWARD):
            PersonFactory(
                organization=organization, first_name=text, last_name=text, title=text, email=f"{n}@x.org"
            )
        PersonFactory(organization=organization, email=None, title="", archived_at=archived)
        PersonFactory(organization=organization, email="-dash+plus@x.org", title=None)
    elif model is ServiceType:
        for text in AWKWARD:
            ServiceTypeFactory(organization=organization, name=text, description=text)
        ServiceTypeFactory(organization=organization, name="Twice", description="")
        ServiceTypeFactory(organization=organization, name="Twice", archived_at=archived)
    elif model is Project:
        for text in AWKWARD:
            ProjectFactory(organization=organization, name=text, project_number=text[:50])
        ProjectFactory(organization=organization, name="Twice", project_number="")
        ProjectFactory(organization=organization, name="Twice", project_number=None, archived_at=archived)
    else:
        create_awkward_assignments(model, organization)


def create_awkward_assignments(model: type[Model], organization: Organization) -> None:
    own = {"organization": organization}
    without_email = PersonFactory(email=None, **own)
    for n, text in enumerate([*AWKWARD, "Twice", "Twice"]):
        person = PersonFactory(email=f"P{n}@x.org", **own) if n % 3 else without_email
        if model is ServiceTypeAssignment:
            ServiceTypeAssignmentFactory(
                person=person, service_type=ServiceTypeFactory(name=text, **own), **own
            )
            continue
        project = ProjectFactory(name=text, project_number=AWKWARD[-n % len(AWKWARD)][:50], **own)
        if model is ProjectAssignment:
            watched = [True, False, None][n % 3]
            ProjectAssignmentFactory(person=person, project=project, watched=watched, **own)
        else:
            deal = DealFactory(name=text, project=project, **own)
            service = ServiceFactory(name=text, deal=deal, **own)
            ServiceAssignmentFactory(person=person, service=service, **own)


@pytest.mark.no_cover
@each_format
@each_model
def test_import_of_export_changes_nothing(
    model: type[Any], extension: str, client: Client, organization: Organization
) -> None:
    create_awkward_rows(model, organization)
    before, recorded = list(model.objects.order_by("pk").values()), records(model)

    response = preview(client, model, exported(client, model, extension))
    plan = response.context["preview"]
    assert [(group.outcome, len(group.lines)) for group in plan.groups if group.lines] == [
        (RecordOutcome.UNCHANGED, len(before))
    ]
    assert len(before) >= len(AWKWARD)
    assert "token" not in hidden_fields(response)
    assert "There is nothing to do." in response.content.decode()
    assert (list(model.objects.order_by("pk").values()), records(model)) == (before, recorded)


@pytest.mark.no_cover
@each_format
@each_model
def test_import_without_ids_finds_same_records(
    model: type[Any], extension: str, client: Client, organization: Organization
) -> None:
    EXCHANGED[model].create_batch(3, organization=organization)
    count = model.objects.count()
    headings, *rows = table_of(client, model)
    make = {"csv": csv_file, "xlsx": xlsx_file}[extension]
    assert headings[0] == "ID"
    plan = plan_of(client, model, make(headings[1:], *[row[1:] for row in rows]))
    assert plan == [(number, "unchanged", []) for number in range(2, count + 2)]


@each_format
def test_import_into_another_organization_copies_values(
    extension: str, client: Client, organization: Organization
) -> None:
    """In the same organization, an import wouldn't change values that only differ in their format."""
    texts = [text for text in AWKWARD if text == text.strip()]
    for text in texts:
        ServiceTypeFactory(organization=organization, name=text, description=text)
    other = OrganizationFactory()
    rows = table_of(client, ServiceType)
    make = {"csv": csv_file, "xlsx": xlsx_file}[extension]
    names = [[row[1], row[2]] for row in rows]
    if extension == "xlsx":
        # Only a CSV has formulas within a cell escaped.
        unsplit = spreadsheets.ESCAPED_SPLIT
        names = [[spreadsheets.xml_text(unsplit.sub("", cell)) for cell in row] for row in names]
    assert run(staff(other), ServiceType, make(*names)) == [f"Imported: {len(texts)} created."]
    copied = ServiceType.objects.owned_by(other).order_by("pk").values_list("name", "description")
    assert list(copied) == [(text, text) for text in texts]


@pytest.mark.any_database
def test_export_escapes_formulas(client: Client, organization: Organization) -> None:
    for name in ["=HYPERLINK(1)", "+1", "-1", "@SUM", "\tx", "\rx", "plain", "'=x"]:
        ServiceTypeFactory(organization=organization, name=name)
    names = [row[1] for row in table_of(client, ServiceType)[1:]]
    assert names == ["'=HYPERLINK(1)", "'+1", "'-1", "'@SUM", "'\tx", "'\rx", "plain", "''=x"]
    book = openpyxl.load_workbook(io.BytesIO(exported(client, ServiceType, "xlsx").read()))
    assert {cell.data_type for row in book.active.iter_rows() for cell in row if cell.value} == {"s"}


@pytest.mark.parametrize("delimiter", [";", "\t", ","])
def test_csv_has_no_formula_for_any_delimiter(
    client: Client, organization: Organization, delimiter: str
) -> None:
    for text in AWKWARD:
        ServiceTypeFactory(organization=organization, name=text, description=f"x;{text};\t{text}\n{text}\ny")
    file = exported(client, ServiceType).read().decode("utf-8-sig")
    cells = [cell for row in csv.reader(io.StringIO(file, newline=""), delimiter=delimiter) for cell in row]
    assert [cell for cell in cells if re.match(r"\s*[=+@-]", cell)] == []
    assert len(re.findall('^"', file, re.MULTILINE)) >= len(AWKWARD)


def test_export_has_rows_of_list(client: Client, organization: Organization) -> None:
    archived_project = ProjectFactory(
        organization=organization, name="Ä", archived_at=datetime(2026, 1, 5, 23, 30, tzinfo=UTC)
    )
    kept = ProjectFactory(organization=organization, name="B", project_number="007")
    assert table_of(client, Project) == [
        ["ID", "Name", "Number", "Archived"],
        # In the time zone of the organization, it was already the sixth.
        [str(archived_project.pk), "Ä", "", "2026-01-06"],
        [str(kept.pk), "B", "007", ""],
    ]
    assert [row[1] for row in table_of(client, Project, "&archived=no")] == ["Name", "B"]
    assert [row[1] for row in table_of(client, Project, "&q=b")] == ["Name", "B"]
    assert table_of(client, Project, "&q=nobody") == [["ID", "Name", "Number", "Archived"]]


@pytest.mark.any_database
@pytest.mark.parametrize(
    "query", ["archived=x", "p=77", "q=%00", "created_at__gte=never", "organization__name=x", "x=y", "o=-9.x"]
)
def test_export_handles_invalid_query_like_list(client: Client, query: str) -> None:
    pages = [url(Project, page) + f"?{query}" for page in ("changelist", "export")]
    first, second = (client.get(page).status_code for page in pages)
    assert (first, first in (200, 302, 400)) == (second, True)


@pytest.mark.any_database
def test_text_too_long_for_xlsx_is_rejected(client: Client, organization: Organization) -> None:
    ServiceTypeFactory(organization=organization, description="x" * 40_000)
    response = client.get(url(ServiceType, "export") + "?format=xlsx")
    assert [str(message) for message in response.context["messages"]] == [
        "A text is longer than the 32,767 characters of an XLSX cell. Export as CSV."
    ]
    assert plan_of(client, ServiceType, exported(client, ServiceType)) == [(2, "unchanged", [])]


def test_rejected_export_closes_query(
    client: Client, organization: Organization, monkeypatch: pytest.MonkeyPatch
) -> None:
    ServiceTypeFactory.create_batch(2, organization=organization, description="x" * 40_000)
    exports, write_sheet = [], spreadsheets.write_sheet

    def recorded_write_sheet(extension: str, headings: list[str], rows: Any) -> Any:
        exports.append(rows)
        return write_sheet(extension, headings, rows)

    monkeypatch.setattr(spreadsheets, "write_sheet", recorded_write_sheet)
    client.get(url(ServiceType, "export") + "?format=xlsx")
    assert [getgeneratorstate(rows) for rows in exports] == [GEN_CLOSED]


# --- Imports -----------------------------------------------------------------------------


def test_import_creates_and_changes_people(client: Client, organization: Organization) -> None:
    ana = PersonFactory(
        organization=organization, first_name="Ana", last_name="Ban", email="ana@x.org", title="QA"
    )
    file = csv_file(
        ["Title", "email", "First name", "Last name"],
        ["", "ANA@x.org ", "Ana", "Ban-Kos"],
        [],
        ["Designer", "ivo@x.org", " Ivo ", "Ilić"],
    )
    response = preview(client, Person, file)
    assert rows_of(response) == [
        (
            2,
            "changed",
            [("Last name", "Ban", "Ban-Kos"), ("Email", "ana@x.org", "ANA@x.org"), ("Title", "QA", "")],
        ),
        (
            4,
            "created",
            [
                ("First name", "", "Ivo"),
                ("Last name", "", "Ilić"),
                ("Email", "", "ivo@x.org"),
                ("Title", "", "Designer"),
            ],
        ),
    ]
    assert Person.objects.filter(email="ivo@x.org").count() == 0

    assert confirm(client, Person, hidden_fields(response)) == ["Imported: 1 created, 1 changed."]
    values = Person.objects.owned_by(organization).filter(user=None).order_by("pk")
    assert list(values.values_list("first_name", "last_name", "email", "title", "archived_at")) == [
        ("Ana", "Ban-Kos", "ANA@x.org", None, None),
        ("Ivo", "Ilić", "ivo@x.org", "Designer", None),
    ]
    assert Person.objects.get(last_name="Ban-Kos").pk == ana.pk


@pytest.mark.each_database
@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("m@strasse.de", "m@straße.de"),
        ("smith@x.org", "\N{LATIN SMALL LETTER LONG S}mith@x.org"),
        ("é@x.org", "É@x.org"),
        ("\N{LATIN SMALL LETTER DOTLESS I}@x.org", "I@x.org"),
    ],
)
def test_addresses_that_differ_in_other_than_ascii_case_are_two_people(
    client: Client, organization: Organization, first: str, second: str
) -> None:
    PersonFactory(organization=organization, email=first)
    Person(organization=organization, email=second).validate_constraints()
    assert ascii_upper(first) != ascii_upper(second)
    if second == "m@straße.de":  # Django's form field allows other letters in the domain only
        file = csv_file(["First name", "Last name", "Email"], ["Ana", "Ban", second])
        assert run(client, Person, file) == ["Imported: 1 created."]
    else:
        PersonFactory(organization=organization, email=second)
    assert Person.objects.filter(email__in=[first, second]).count() == 2


@pytest.mark.each_database
def test_addresses_that_differ_in_ascii_case_are_one_person(
    client: Client, organization: Organization
) -> None:
    PersonFactory(organization=organization, email="ana@straße.de")
    with pytest.raises(ValidationError, match="has already been taken"):
        Person(organization=organization, email="ANA@STRAßE.DE").validate_constraints()
    file = csv_file(["First name", "Last name", "Email"], ["Ana", "Ban", "ANA@STRAßE.de"])
    assert run(client, Person, file) == ["Imported: 1 changed."]


def test_import_is_one_change_set_of_user(client: Client, organization: Organization) -> None:
    kept = ServiceTypeFactory(organization=organization, name="Kept")
    changed = ServiceTypeFactory(organization=organization, name="Old")
    before = records(ServiceType)
    file = csv_file(["ID", "Name"], [kept.pk, "Kept"], [changed.pk, "New name"], ["", "Made"])
    assert run(client, ServiceType, file) == ["Imported: 1 created, 1 changed, 1 unchanged."]
    new_type = ServiceType.objects.get(name="Made")
    written = ServiceType.history.order_by("-history_id")[: records(ServiceType) - before]
    user = int(client.session["_auth_user_id"])
    assert sorted(
        (one.id, one.name, one.history_type, one.history_user_id, one.via) for one in written
    ) == sorted([(new_type.pk, "Made", "+", user, "admin"), (changed.pk, "New name", "~", user, "admin")])
    assert len({one.change_set for one in written}) == 1


def test_projects_are_found_by_number_or_name(client: Client, organization: Organization) -> None:
    own = {"organization": organization}
    numbered = ProjectFactory(name="Website", project_number="007", **own)
    ProjectFactory(name="App", **own)
    twice = [ProjectFactory(name="Twice", **own).pk for _ in range(2)]
    file = xlsx_file(
        ["Name", "Number"], ["Website 2", "007"], ["App", 8], ["Website", None], ["Twice", ""], ["Other", "9"]
    )
    assert plan_of(client, Project, file) == [
        (2, "changed", [("Name", "Website", "Website 2")]),
        (3, "changed", [("Number", "", "8")]),
        (4, "rejected", ["Row 2 has the same project."]),
        (5, "rejected", [f"2 projects have this name: use the ID #{twice[0]} or #{twice[1]}."]),
        (6, "created", [("Name", "", "Other"), ("Number", "", "9")]),
    ]
    assert numbered.name == Project.objects.get(pk=numbered.pk).name


def test_assignments_are_found_by_person_and_path(client: Client, organization: Organization) -> None:
    own = {"organization": organization}
    deal = DealFactory(name="Phase 1", project=ProjectFactory(name="A/B", **own), **own)
    service = ServiceFactory(name="Design", deal=deal, **own)
    person = PersonFactory(email="ana@x.org", **own)
    file = csv_file(
        ["Person", "Service"],
        ["Ana@X.org", "A\\/B / Phase 1 / Design"],
        ["ana@x.org", "A/B / Phase 1 / Design"],
        ["nobody@x.org", f"#{service.pk}"],
        ["", ""],
        [f"#{person.pk}", f"#{service.pk}"],
    )
    assert plan_of(client, ServiceAssignment, file) == [
        (2, "created", [("Person", "", "ana@x.org"), ("Service", "", "A\\/B / Phase 1 / Design")]),
        (3, "rejected", ["Service: There is no service “A/B / Phase 1 / Design”."]),
        (4, "rejected", ["Person: There is no person “nobody@x.org”."]),
        (6, "rejected", ["Row 2 has the same service assignment."]),
    ]
    good = csv_file(["Person", "Service"], ["ana@x.org", "A\\/B / Phase 1 / Design"])
    assert run(client, ServiceAssignment, good) == ["Imported: 1 created."]
    assert list(ServiceAssignment.objects.values_list("organization", "person", "service")) == [
        (organization.pk, person.pk, service.pk)
    ]


def test_ambiguous_name_is_error_with_ids(client: Client, organization: Organization) -> None:
    own = {"organization": organization}
    PersonFactory(email="ana@x.org", **own)
    first, second = (ProjectFactory(name="Website", **own).pk for _ in range(2))
    file = csv_file(
        ["Person", "Project", "Watched"],
        ["ana@x.org", "Website", "maybe"],
        ["ana@x.org", f"#{second}", "YES"],
    )
    assert plan_of(client, ProjectAssignment, file) == [
        (
            2,
            "rejected",
            [
                f"Project: 2 projects have the name “Website”: use #{first} or #{second}.",
                "Watched: “maybe” is neither yes nor no.",
            ],
        ),
        (3, "created", [("Person", "", "ana@x.org"), ("Project", "", f"#{second}"), ("Watched", "", "yes")]),
    ]


def test_row_errors_are_those_of_model(client: Client, organization: Organization) -> None:
    own = {"organization": organization}
    PersonFactory(email="taken@x.org", **own)
    ivo = PersonFactory(email="ivo@x.org", archived_at=datetime(2026, 1, 5, tzinfo=UTC), **own)
    file = csv_file(
        ["ID", "First name", "Last name", "Email", "Archived"],
        [ivo.pk, "Ivo", "Ilić", "TAKEN@x.org", "2026-01-05"],
        ["", "", "x" * 300, "not an address", ""],
        ["", "No", "Address", "", ""],
        ["99999999999999999999", "No", "Body", "a@x.org", ""],
        [ivo.pk, "Ivo", "Ilić", "ivo@x.org", ""],
    )
    assert plan_of(client, Person, file) == [
        (2, "rejected", ["Email: has already been taken"]),
        (
            3,
            "rejected",
            [
                "First name: This field cannot be blank.",
                "Last name: Ensure this value has at most 255 characters (it has 300).",
                "Email: Enter a valid email address.",
            ],
        ),
        (4, "rejected", ["Email: A new person needs an email, by which the next import finds it."]),
        (5, "rejected", ["ID: There is no person “99999999999999999999”."]),
        (6, "rejected", ["Row 2 has the same person."]),
    ]


def test_import_can_not_archive(client: Client, organization: Organization) -> None:
    row = ServiceTypeFactory(organization=organization, name="QA")
    file = csv_file(["ID", "Name", "Archived"], [row.pk, "QA", "2026-01-05"], ["", "New", "yes"])
    expected = "Archived: can't be changed by an import; use the actions of the list"
    assert plan_of(client, ServiceType, file) == [(2, "rejected", [expected]), (3, "rejected", [expected])]


def test_one_error_prevents_import(client: Client, organization: Organization) -> None:
    response = preview(client, ServiceType, csv_file(["Name", "Description"], ["Good", ""], ["", "no name"]))
    assert "token" not in hidden_fields(response)
    assert "so nothing can be imported" in response.content.decode()
    assert 'value="apply"' not in response.content.decode()
    assert ServiceType.objects.count() == 0


# --- Files that can't be read ---------------------------------------------------------------------


def upload(data: bytes, name: str = "file.csv") -> SimpleUploadedFile:
    return SimpleUploadedFile(name, data)


def zipped(**parts: bytes) -> bytes:
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w", zipfile.ZIP_DEFLATED) as file:
        for name, part in parts.items():
            file.writestr(name, part)
    return data.getvalue()


NOT_UTF_8 = ["The file is not a CSV in UTF-8. Save it as “CSV UTF-8” or as XLSX."]
NOT_XLSX = ["The file can't be read as XLSX. Open it in a spreadsheet program and save it again."]
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
def test_zip_bomb_is_rejected(client: Client) -> None:
    bomb = zipped(**{"xl/worksheets/sheet1.xml": bytes(60 * 1024 * 1024)})
    assert len(bomb) < 100_000
    assert rejection_of(client, ServiceType, upload(bomb, "file.xlsx")) == [
        "The file contains more than 50 MB of unpacked data, or too many cells. Copy what you need to a new "
        "spreadsheet."
    ]


SHARED_STRINGS = "xl/sharedStrings.xml"
SHEET = "xl/worksheets/sheet1.xml"
XMLNS = 'xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"'
RELATIONS = 'xmlns:r="http://schemas.openxmlformats.org/officeDocument/2006/relationships"'


def workbook(**parts: bytes | str) -> bytes:
    """Return an XLSX with these parts in place of its own."""
    own = dict.fromkeys(parts, b"") | {SHARED_STRINGS: f"<sst {XMLNS}/>".encode()}
    with zipfile.ZipFile(io.BytesIO(xlsx_file(["Name"], ["Made"]).read())) as archive:
        own |= {name: archive.read(name) for name in archive.namelist()}
    kind = "application/vnd.openxmlformats-officedocument.spreadsheetml.sharedStrings+xml"
    strings = f'<Override PartName="/{SHARED_STRINGS}" ContentType="{kind}"/></Types>'
    own["[Content_Types].xml"] = own["[Content_Types].xml"].replace(b"</Types>", strings.encode())
    return zipped(**{**own, **{name: as_bytes(part) for name, part in parts.items()}})


def as_bytes(part: bytes | str) -> bytes:
    return part.encode() if isinstance(part, str) else part


def sheet_of(cells: str) -> str:
    return f"<worksheet {XMLNS}><sheetData>{cells}</sheetData></worksheet>"


def peak_memory(act: Callable[[], Any]) -> tuple[Any, int]:
    """Return the result, and the megabytes of Python objects that existed at once."""
    tracemalloc.start()
    try:
        return act(), tracemalloc.get_traced_memory()[1] // 1024**2
    finally:
        tracemalloc.stop()


DTD = [
    "The file contains a document type definition (DTD), which could expand to any size. "
    "Open it in a spreadsheet program and save it again."
]
PARTS = [
    "[Content_Types].xml",
    "_rels/.rels",
    "docProps/core.xml",
    "xl/workbook.xml",
    "xl/_rels/workbook.xml.rels",
    "xl/styles.xml",
    "xl/theme/theme1.xml",
    "xl/drawings/drawing1.xml",
    SHARED_STRINGS,
    SHEET,
    "anything.bin",
]


@pytest.mark.any_database
@pytest.mark.parametrize("part", PARTS)
def test_document_type_definition_is_rejected(client: Client, part: str) -> None:
    entities = '<!ENTITY a "{}"><!ENTITY b "&a;&a;">'.format("A" * 290)
    for encoding in ("utf-8", "utf-8-sig", "utf-16", "iso-8859-2", "windows-1250"):
        declaration = f'<?xml version="1.0" encoding="{encoding.removesuffix("-sig")}"?>'
        text = f"{declaration}\n<!-- x -->\n<!DOCTYPE x [{entities}]><x>&b;</x>"
        file = workbook(**{part: text.encode(encoding)})
        assert rejection_of(client, ServiceType, upload(file, "file.xlsx")) == DTD, encoding


@pytest.mark.any_database
@pytest.mark.parametrize(
    "doctype", ["<!DOCTYPE x>", '<!DOCTYPE x SYSTEM "file:///etc/passwd">', "<!DOCTYPE x []>"]
)
def test_document_type_definition_without_entities_is_rejected(client: Client, doctype: str) -> None:
    file = workbook(**{SHARED_STRINGS: f"{doctype}<sst {XMLNS}/>"})
    assert rejection_of(client, ServiceType, upload(file, "file.xlsx")) == DTD


def test_openpyxl_rejects_entities(tmp_path: Path) -> None:
    """Without defusedxml, openpyxl would expand them."""
    strings = f'<!DOCTYPE x [<!ENTITY a "A">]><sst {XMLNS}><si><t>&a;</t></si></sst>'
    with pytest.raises(ValueError, match="could not read strings") as error:
        openpyxl.load_workbook(io.BytesIO(workbook(**{SHARED_STRINGS: strings})), read_only=True)
    assert isinstance(error.value.__cause__, EntitiesForbidden)


TOO_LARGE = [
    "The file contains more than 50 MB of unpacked data, or too many cells. Copy what you need to a new "
    "spreadsheet."
]
SHARED_TEXT = f"<sst {XMLNS}><si><t>{'A' * 100_000}</t></si></sst>"
SHARING_ROWS = "<row><c t='s'><v>0</v></c></row>" * 60
ATTRIBUTES = " ".join(f"a{n}='0'" for n in range(1_001))
SAME_SHEET = "".join(f'<sheet name="{n}" sheetId="{n + 1}" r:id="rId1"/>' for n in range(2000))
# Small files that took gigabytes of memory or minutes of processor time.
BOMBS: dict[str, tuple[dict[str, str], list[str]]] = {
    "styles": (
        {"xl/styles.xml": f"<styleSheet {XMLNS}><cellXfs>{'<xf/>' * 60_000}</cellXfs></styleSheet>"},
        TOO_LARGE,
    ),
    "prefix": ({SHEET: f'<x:worksheet xmlns:x="x">{"<x:xf/>" * 60_000}</x:worksheet>'}, TOO_LARGE),
    "cells": ({SHEET: sheet_of(f"<row>{'<c/>' * 500_000}</row>")}, TOO_LARGE),
    "attributes": ({SHEET: sheet_of(f"<row {ATTRIBUTES}/>")}, TOO_LARGE),
    "attribute": ({SHEET: sheet_of(f'<row a="{"A" * 2_000_000}"/>')}, TOO_LARGE),
    "namespace": ({SHEET: sheet_of(f'<row xmlns:a="{"A" * 2_000_000}"/>')}, TOO_LARGE),
    "comment": ({SHEET: sheet_of(f"<!--{'<A' * 1_000_000}-->")}, TOO_LARGE),
    "instruction": ({SHEET: sheet_of(f"<?a {'A' * 2_000_000}?>")}, TOO_LARGE),
    "unclosed comment": ({SHEET: f"<worksheet {XMLNS}><!--{'A' * 40_000_000}"}, NOT_XLSX),
    "text": ({SHARED_STRINGS: f"<sst {XMLNS}><si><t>{'A' * 21_000_000}</t></si></sst>"}, TOO_LARGE),
    "shared text": (
        {SHARED_STRINGS: SHARED_TEXT, SHEET: sheet_of(SHARING_ROWS)},
        ["The file contains more than 5 MB of text. Split it into several."],
    ),
    "sheets with one part": (
        {
            "xl/workbook.xml": f"<workbook {XMLNS} {RELATIONS}><sheets>{SAME_SHEET}</sheets></workbook>",
            SHEET: f"<worksheet {XMLNS}><x>{' ' * 1_000_000}</x><sheetData/></worksheet>",
        },
        NOT_XLSX,
    ),
}


@pytest.mark.any_database
@pytest.mark.parametrize("name", BOMBS)
def test_small_file_does_not_take_much_memory_or_time(client: Client, name: str) -> None:
    parts, expected = BOMBS[name]
    file = workbook(**parts)
    assert len(file) < 200_000
    errors, megabytes = peak_memory(lambda: rejection_of(client, ServiceType, upload(file, "file.xlsx")))
    assert (errors, megabytes < 200) == (expected, True), megabytes


@pytest.mark.any_database
@pytest.mark.parametrize("compression", [zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_wrong_size_in_file_does_not_take_memory(client: Client, compression: int) -> None:
    data = io.BytesIO(workbook())
    with zipfile.ZipFile(data, "a", compression) as archive:
        archive.writestr("xl/media/image1.png", bytes(300 * 1024 * 1024))
    # The last entry of the directory says that the content has a hundred bytes.
    file, entry = bytearray(data.getvalue()), data.getvalue().rfind(b"PK\x01\x02")
    file[entry + 16 : entry + 20] = struct.pack("<I", zlib.crc32(bytes(100)))
    file[entry + 24 : entry + 28] = struct.pack("<I", 100)
    page, megabytes = peak_memory(lambda: preview(client, ServiceType, upload(bytes(file), "file.xlsx")))
    if compression == zipfile.ZIP_DEFLATED:
        assert rows_of(page) == [(2, "created", [("Name", "", "Made")])]
    else:
        assert page.context["form"].errors["file"] == NOT_XLSX
    assert megabytes < 20


def test_part_with_two_contents_is_rejected(client: Client) -> None:
    data = io.BytesIO(workbook())
    with zipfile.ZipFile(data, "a") as archive, pytest.warns(UserWarning, match="Duplicate name"):
        archive.writestr(SHEET, sheet_of("<row/>"))
    assert rejection_of(client, ServiceType, upload(data.getvalue(), "file.xlsx")) == NOT_XLSX


def test_pictures_and_other_sheets_are_ignored(client: Client) -> None:
    book = openpyxl.Workbook()
    book.active.append(["Name"])
    book.active.append(["Made"])
    for _ in range(50):
        book.create_sheet().append(["x"] * 100)
    data = io.BytesIO()
    book.save(data)
    with zipfile.ZipFile(data, "a") as archive:
        archive.writestr("xl/media/image1.png", b"\x89PNG\r\n\x1a\n" + bytes(100))
        archive.writestr("xl/embeddings/book.xlsx", workbook())
    file = upload(data.getvalue(), "file.xlsx")
    assert plan_of(client, ServiceType, file) == [(2, "created", [("Name", "", "Made")])]


@pytest.mark.any_database
def test_spreadsheet_of_a_million_rows_is_rejected(client: Client) -> None:
    book = openpyxl.Workbook()
    book.active["A1"], book.active["A1048576"] = "Name", "far below"
    data = io.BytesIO()
    book.save(data)
    assert rejection_of(client, ServiceType, upload(data.getvalue(), "file.xlsx")) == TOO_LONG


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


# --- Between the preview and the confirmation -----------------------------------------------------


def waiting(client: Client, name: str = "Made") -> dict[str, Any]:
    """Return the form of a preview that can be confirmed."""
    return hidden_fields(preview(client, ServiceType, csv_file(["Name"], [name])))


GONE = ["The file has already been imported or has expired. Choose the file again."]


def test_file_can_be_confirmed_once(client: Client, folder: Path) -> None:
    fields = waiting(client)
    assert [path.stat().st_mode & 0o777 for path in folder.iterdir()] == [0o600]
    assert confirm(client, ServiceType, fields) == ["Imported: 1 created."]
    assert list(folder.iterdir()) == []
    assert confirm(client, ServiceType, fields) == GONE
    assert ServiceType.objects.count() == 1


def test_file_of_another_user_can_not_be_confirmed(client: Client, organization: Organization) -> None:
    fields = waiting(client)
    assert confirm(staff(organization), ServiceType, fields) == GONE
    assert confirm(client, Project, fields) == GONE
    assert confirm(client, ServiceType, fields) == ["Imported: 1 created."]


@pytest.mark.any_database
@pytest.mark.parametrize("token", ["", "../../etc/passwd", "a:b:c", "\0", "é" * 5000])
def test_forged_path_is_rejected(client: Client, token: str) -> None:
    assert confirm(client, ServiceType, {"token": token, "digest": "0" * 64}) == GONE


def test_modified_file_is_not_imported(client: Client, folder: Path) -> None:
    fields = waiting(client)
    for path in folder.iterdir():
        path.write_bytes(b"Name\r\nOther\r\n")
    assert confirm(client, ServiceType, fields) == GONE
    assert ServiceType.objects.count() == 0


def test_files_expire(client: Client, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fields = waiting(client)
    for path in folder.iterdir():
        os.utime(path, (0, 0))
    waiting(client)
    assert len(list(folder.iterdir())) == 1
    assert confirm(client, ServiceType, fields) == GONE
    late = waiting(client)
    monkeypatch.setattr(uploads, "MAX_AGE", -1)
    assert confirm(client, ServiceType, late) == GONE


def test_outdated_preview_is_shown_again(client: Client, organization: Organization) -> None:
    file = csv_file(["Name"], ["Made"], ["Other"])
    fields = hidden_fields(preview(client, ServiceType, file))
    ServiceTypeFactory(organization=organization, name="Made")
    response = client.post(url(ServiceType, "process_import"), fields)
    assert "The records have changed since the preview, so nothing was done." in response.content.decode()
    assert [row[:2] for row in rows_of(response)] == [(2, "unchanged"), (3, "created")]
    assert ServiceType.objects.count() == 1
    assert confirm(client, ServiceType, hidden_fields(response)) == ["Imported: 1 created, 1 unchanged."]


def test_lost_race_imports_nothing(
    client: Client, organization: Organization, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another request uses the address between validation and write."""
    file = csv_file(["First name", "Last name", "Email"], ["Ana", "Ban", "ana@x.org"])
    fields = hidden_fields(preview(client, Person, file))
    write = Import.write

    def overtaken(operation: Any, *args: Any) -> None:
        PersonFactory(organization=organization, email="Ana@x.org")
        write(operation, *args)

    monkeypatch.setattr(Import, "write", overtaken)
    assert confirm(client, Person, fields) == [
        "Nothing was imported. Another user is changing the same records. Choose the file again."
    ]
    assert Person.objects.filter(email__iexact="ana@x.org").count() == 0


# --- Columns ------------------------------------------------------------------------------------------


@each_model
def test_table_has_every_field_of_model_as_column_or_in_left_out(model: type[Any]) -> None:
    table: type[Table] = site.get_model_admin(model).table_class  # type: ignore[attr-defined]
    columns = [column.attribute for column in table.columns]
    assert sorted([*columns, *table.left_out]) == sorted(field.name for field in model._meta.concrete_fields)


def test_all_lists_with_an_import_are_tested() -> None:
    with_tables = {model for model, each in site._registry.items() if isinstance(each, SpreadsheetAdmin)}
    assert with_tables == {*EXCHANGED}


# --- Tenancy and permissions --------------------------------------------------------------------------------


@pytest.mark.no_cover
@each_model
def test_other_organization_exports_nothing_and_finds_no_id(model: type[Any], client: Client) -> None:
    foreign = EXCHANGED[model]()
    _, *rows = table_of(client, model)
    assert str(foreign.pk) not in {row[0] for row in rows}
    foreign_rows = table_of(superuser(), model)
    position = foreign_rows[0].index("Organization")
    # As a user of that organization would enter them.
    stolen = [
        row[:position] + row[position + 1 :] for row in foreign_rows if row[0] in ("ID", str(foreign.pk))
    ]
    name = model._meta.verbose_name
    assert plan_of(client, model, csv_file(*stolen)) == [
        (2, "rejected", [f"ID: There is no {name} “{foreign.pk}”."])
    ]
    unknown = [stolen[0], ["987654", *stolen[1][1:]]]
    assert plan_of(client, model, csv_file(*unknown)) == [
        (2, "rejected", [f"ID: There is no {name} “987654”."])
    ]


@each_model
def test_names_find_no_records_of_other_organization(
    model: type[Any], client: Client, organization: Organization
) -> None:
    """With the values of another organization's record, the import creates a new one or rejects the names."""
    foreign = EXCHANGED[model]()
    foreign_rows = table_of(superuser(), model)
    [row] = [row for row in foreign_rows if row[0] == str(foreign.pk)]
    columns = {
        name: value
        for name, value in zip(foreign_rows[0], row, strict=True)
        if name not in ("ID", "Organization")
    }
    [(number, status, found)] = plan_of(client, model, csv_file([*columns], [*columns.values()]))
    unknown = {
        "Person": "There is no person “{}”.",
        "Service": "There is no service “{}”.",
        "Project": "There is no project “{}”.",
        "Service type": "There is no service type “{}”.",
    }
    errors = [f"{name}: {unknown[name].format(value)}" for name, value in columns.items() if name in unknown]
    assert (number, status) == (2, "rejected" if errors else "created")
    assert not errors or found == errors


@pytest.mark.parametrize("reference", ["person", "project"])
def test_ids_in_cells_find_no_records_of_other_organization(
    reference: str, client: Client, organization: Organization
) -> None:
    foreign = ProjectAssignmentFactory()
    own = ProjectAssignmentFactory(organization=organization)
    pair = {
        "person": own.person_id,
        "project": own.project_id,
        reference: getattr(foreign, f"{reference}_id"),
    }
    file = csv_file(["Person", "Project"], [f"#{pair['person']}", f"#{pair['project']}"])
    expected = f"{reference.capitalize()}: There is no {reference} “#{pair[reference]}”."
    assert plan_of(client, ProjectAssignment, file) == [(2, "rejected", [expected])]


def test_organization_column_accepts_own_organization_only(
    client: Client, organization: Organization
) -> None:
    foreign = OrganizationFactory()
    row = ServiceTypeFactory(organization=organization, name="QA")
    file = csv_file(
        ["Organization", "ID", "Name"],
        [organization.pk, "", "Mine"],
        [foreign.pk, "", "Theirs"],
        ["987654", "", "Nobody's"],
        ["x", "", "Nonsense"],
        [foreign.pk, row.pk, "QA"],
    )
    assert plan_of(client, ServiceType, file) == [
        (2, "created", [("Organization", "", str(organization.pk)), ("Name", "", "Mine")]),
        (3, "rejected", [f"Organization: There is no organization “{foreign.pk}”."]),
        (4, "rejected", ["Organization: There is no organization “987654”."]),
        (5, "rejected", ["Organization: There is no organization “x”."]),
        (6, "rejected", ["Organization: can't be changed by an import"]),
    ]


def test_staff_of_two_organizations_must_name_one(organization: Organization) -> None:
    user = UserFactory(organization=organization, is_staff=True, is_superuser=False)
    second = OrganizationFactory()
    PersonFactory(organization=second, user=user)
    user.user_permissions.set(factories_permissions())
    client = signed_in(user)
    for owner in (organization, second):
        ServiceTypeFactory(organization=owner, name="QA")
    headings, *rows = table_of(client, ServiceType)
    assert headings == ["ID", "Organization", "Name", "Description", "Archived"]
    assert [row[1] for row in rows] == [str(organization.pk), str(second.pk)]
    file = csv_file(["Organization", "Name"], ["", "Nowhere"], [second.pk, "QA"], [second.pk, "Made"])
    assert plan_of(client, ServiceType, file) == [
        (2, "rejected", ["Organization: Enter the ID of one of your organizations."]),
        (3, "unchanged", []),
        (4, "created", [("Organization", "", str(second.pk)), ("Name", "", "Made")]),
    ]
    assert run(client, ServiceType, csv_file(["Organization", "Name"], [second.pk, "Made"])) == [
        "Imported: 1 created."
    ]
    assert ServiceType.objects.get(name="Made").organization_id == second.pk


def factories_permissions() -> Any:
    from django.contrib.auth.models import Permission

    return Permission.objects.all()


@pytest.mark.any_database
@each_model
def test_import_and_export_require_permissions(model: type[Any], organization: Organization) -> None:
    name = model._meta.model_name
    pages = [url(model, "import"), url(model, "export")]

    def answers(*codenames: str) -> list[int]:
        client = staff(organization, *codenames)
        listed = client.get(url(model, "changelist")).content.decode()
        shown = [f'href="{page}' in listed for page in pages]
        got = [client.get(page).status_code for page in pages]
        assert shown == [status == 200 for status in got] or got == [403, 403]
        posted = [client.post(page, {"file": csv_file(["x"])}).status_code for page in pages[:1]]
        done = client.post(url(model, "process_import"), {"token": "x"}).status_code
        assert [*posted, done] == ([200, 302] if got[0] == 200 else [403, 403])
        return got

    assert answers(f"view_{name}") == [403, 200]
    assert answers(f"view_{name}", f"add_{name}") == [403, 200]
    assert answers(f"view_{name}", f"change_{name}") == [403, 200]
    assert answers(f"view_{name}", f"add_{name}", f"change_{name}") == [200, 200]
    assert answers("no such right") == [403, 403]
    assert [Client().get(page).status_code for page in pages] == [302, 302]


@pytest.mark.parametrize("loss", ["permissions", "organization", "session"])
def test_confirmation_checks_permissions_again(organization: Organization, loss: str) -> None:
    user = UserFactory(organization=organization, is_staff=True)
    user.user_permissions.set(factories_permissions())
    client = signed_in(user)
    fields = waiting(client)
    if loss == "permissions":
        user.user_permissions.clear()
    else:
        user.people.update(archived_at=datetime(2026, 1, 5, tzinfo=UTC))
    if loss == "organization":
        client = signed_in(User.objects.get(pk=user.pk))
    response = client.post(url(ServiceType, "process_import"), fields)
    assert response.status_code == (302 if loss == "session" else 403)
    assert ServiceType.objects.count() == 0


# --- Pages and query counts -----------------------------------------------------------------


@pytest.mark.any_database
@each_model
def test_pages_have_no_inline_script(model: type[Any], client: Client, organization: Organization) -> None:
    EXCHANGED[model](organization=organization)
    pages = [
        client.get(url(model, "import")),
        client.get(url(model, "export")),
        preview(client, model, exported(client, model)),
    ]
    for page in pages:
        text = page.content.decode()
        assert page.status_code == 200
        assert [tag for tag in text.split("<script")[1:] if " src=" not in tag.split(">")[0]] == []
        assert " onclick=" not in text


@pytest.mark.any_database
def test_preview_escapes_values_of_file(client: Client) -> None:
    file = csv_file(["Name"], ["<script>alert(1)</script>"])
    assert "<script>alert" not in preview(client, ServiceType, file).content.decode()


def queries(act: Callable[[], Any]) -> int:
    with CaptureQueriesContext(
        connection,
    ) as captured:
        act()
    return len(captured)


def new_assignments(organization: Organization, count: int) -> list[list[str]]:
    own = {"organization": organization}
    person = PersonFactory(email=f"person-of-{count}@x.org", **own)
    deal = DealFactory(name=f"Budget of {count}", project=ProjectFactory(name="P", **own), **own)
    kind = ServiceTypeFactory(**own)
    for n in range(count):
        ServiceFactory(name=f"Service {n}", deal=deal, service_type=kind, **own)
    return [["Person", "Service"], *([person.email, f"P / {deal.name} / Service {n}"] for n in range(count))]


@pytest.mark.no_cover
@each_model
def test_export_has_same_query_count_for_any_number_of_rows(
    model: type[Any], client: Client, organization: Organization
) -> None:
    EXCHANGED[model](organization=organization)
    exported(client, model)
    one = queries(lambda: exported(client, model))
    EXCHANGED[model].create_batch(29, organization=organization)
    assert queries(lambda: exported(client, model)) == one


@pytest.mark.no_cover
@each_model
def test_preview_of_existing_rows_has_same_query_count_for_any_number(
    model: type[Any], client: Client, organization: Organization
) -> None:
    EXCHANGED[model](organization=organization)
    preview(client, model, exported(client, model))
    file = exported(client, model)
    one = queries(lambda: preview(client, model, file))
    EXCHANGED[model].create_batch(29, organization=organization)
    more = exported(client, model)
    assert queries(lambda: preview(client, model, more)) == one


def test_import_of_new_rows_has_same_query_count_for_any_number(
    client: Client, organization: Organization
) -> None:
    """User and permissions, related records, pairs, one INSERT of all rows and one of their history."""
    costs = []
    for count in (1, 30):
        file = csv_file(*new_assignments(organization, count))
        begun = ServiceAssignment.objects.count()
        costs.append(queries(lambda file=file: run(client, ServiceAssignment, file)))  # type: ignore[misc]
        assert ServiceAssignment.objects.count() == begun + count
    assert costs[0] == costs[1]


def test_preview_shows_limited_number_of_lines(client: Client) -> None:
    rows = [[f"Type {n}"] for n in range(400)]
    response = preview(client, ServiceType, csv_file(["Name"], *rows, ["x" * 300]))
    refused, created = (group for group in response.context["preview"].groups if group.lines)
    assert (refused.outcome, refused.lines[0].prefix) == (RecordOutcome.REJECTED, "Row 402")
    assert (created.count, len(created.shown), created.hidden) == ("400", 300, "100")
    assert "and 100 more" in response.content.decode()


@pytest.mark.any_database
def test_spreadsheet_with_too_many_cells_is_rejected_before_reading(client: Client) -> None:
    """Each takes twelve bytes in the file, almost none compressed, and hundreds in memory."""
    row = b"<row>" + b"<c/>" * 1_000_000 + b"</row>"
    assert rejection_of(client, ServiceType, upload(zipped(**{"xl/sheet.xml": row}), "file.xlsx")) == [
        "The file contains more than 50 MB of unpacked data, or too many cells. Copy what you need to a new "
        "spreadsheet."
    ]


@pytest.mark.any_database
@pytest.mark.parametrize("name", ["EQUALS SIGN", "PLUS SIGN", "HYPHEN-MINUS", "COMMERCIAL AT"])
def test_full_width_signs_are_escaped(name: str) -> None:
    text = unicodedata.lookup(f"FULLWIDTH {name}") + "1"
    assert spreadsheets.escaped(text) == f"'{text}"
    assert spreadsheets.unescaped(f"'{text}") == text


def test_only_latest_files_of_user_are_kept(client: Client, organization: Organization, folder: Path) -> None:
    other_client = staff(organization)
    kept = waiting(other_client, "Theirs")
    forms = [waiting(client, f"Made {number}") for number in range(uploads.MAX_PENDING + 1)]
    assert len(list(folder.iterdir())) == uploads.MAX_PENDING + 1
    assert confirm(client, ServiceType, forms[0]) == GONE
    assert confirm(client, ServiceType, forms[1]) == ["Imported: 1 created."]
    assert confirm(other_client, ServiceType, kept) == ["Imported: 1 created."]


def test_concurrent_confirmations_succeed_once(
    client: Client, organization: Organization, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Projects can have equal names, so only the deletion of the file prevents a second import."""
    fields = hidden_fields(preview(client, Project, csv_file(["Name"], ["Made"])))
    read = Path.read_bytes

    def overtaken(path: Path) -> bytes:
        data = read(path)
        path.unlink()
        return data

    monkeypatch.setattr(Path, "read_bytes", overtaken)
    assert confirm(client, Project, fields) == GONE
    assert Project.objects.count() == 0


@pytest.mark.any_database
def test_too_large_request_is_rejected_without_login(client: Client) -> None:
    large = b"x" * (4 * spreadsheets.MAX_MEGABYTES * spreadsheets.MEGABYTE + 1)
    assert Client().post("/admin/login/", {"file": upload(large)}).status_code == 400
    # The form rejects a smaller file that is too large for an import.
    errors = rejection_of(client, ServiceType, upload(large[: 6 * spreadsheets.MEGABYTE]))
    assert errors == ["The file is larger than 5 MB. Split it into several."]
