"""Test exports, and that importing them again changes nothing."""

from __future__ import annotations

import csv
import io
import re
import unicodedata
from datetime import UTC, datetime
from inspect import GEN_CLOSED, getgeneratorstate
from typing import Any

import openpyxl
import pytest
from django.db.models import Model
from django.test import Client

from assignments.models import ProjectAssignment, ServiceAssignment, ServiceTypeAssignment
from catalog.models import Company, Project, ServiceType
from productive.accounts.models import Organization, Person
from productive.admin.preview import RecordOutcome
from productive.admin.spreadsheets import exports as spreadsheet_exports
from productive.admin.spreadsheets.files import ESCAPED_SPLIT, escaped, unescaped
from productive.admin.spreadsheets.writing import xml_text
from productive.database.text import clean_line
from tests.support.admin import hidden_fields, staff, url
from tests.support.factories import (
    CompanyFactory,
    DealFactory,
    OrganizationFactory,
    PersonFactory,
    ProjectAssignmentFactory,
    ProjectFactory,
    ServiceAssignmentFactory,
    ServiceFactory,
    ServiceTypeAssignmentFactory,
    ServiceTypeFactory,
)
from tests.support.spreadsheets import (
    EXCHANGED,
    csv_file,
    each_format,
    each_model,
    exported,
    plan_of,
    preview,
    records,
    run,
    table_of,
    xlsx_file,
)

pytestmark = pytest.mark.django_db


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
    elif model is Company:
        for text in AWKWARD:
            CompanyFactory(organization=organization, name=text, billing_name=text, company_code=text[:50])
        CompanyFactory(organization=organization, name="Twice", company_code="")
        CompanyFactory(organization=organization, name="Twice", company_code=None, archived_at=archived)
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

    query = "&archived=all" if hasattr(model, "archived_at") else ""
    response = preview(client, model, exported(client, model, extension, query))
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
    for number, text in enumerate(texts):
        ServiceTypeFactory(organization=organization, name=f"{text[:250]} {number}", description=text)
    other = OrganizationFactory()
    rows = table_of(client, ServiceType)
    make = {"csv": csv_file, "xlsx": xlsx_file}[extension]
    names = [[row[1], row[2]] for row in rows]
    if extension == "xlsx":
        # Only a CSV has formulas within a cell escaped.
        unsplit = ESCAPED_SPLIT
        names = [[xml_text(unsplit.sub("", cell)) for cell in row] for row in names]
    assert run(staff(other), ServiceType, make(*names)) == [f"Imported: {len(texts)} created."]
    copied = ServiceType.objects.owned_by(other).order_by("pk").values_list("name", "description")
    expected = [(clean_line(f"{text[:250]} {number}"), text) for number, text in enumerate(texts)]
    assert sorted(copied) == sorted(expected)


@pytest.mark.any_database
def test_export_escapes_formulas(client: Client, organization: Organization) -> None:
    for name in ["=HYPERLINK(1)", "+1", "-1", "@SUM", "\tx", "\rx", "plain", "'=x"]:
        ServiceTypeFactory(organization=organization, description=name)
    names = [row[2] for row in table_of(client, ServiceType)[1:]]
    assert sorted(names) == sorted(["'=HYPERLINK(1)", "'+1", "'-1", "'@SUM", "'\tx", "'\rx", "plain", "''=x"])
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
        organization=organization, name="Zoë", archived_at=datetime(2026, 1, 5, 23, 30, tzinfo=UTC)
    )
    company, lead = CompanyFactory(organization=organization), PersonFactory(organization=organization)
    links = {"company": company, "project_manager": lead}
    kept = ProjectFactory(organization=organization, name="B", project_number="007", **links)
    headings = ["ID", "Name", "Number", "Company", "Project manager", "Project manager name", "Archived"]
    assert table_of(client, Project, "&archived=all&o=-1") == [
        headings,
        # In the time zone of the organization, it was already the sixth.
        [str(archived_project.pk), "Zoë", "", "", "", "", "2026-01-06"],
        [str(kept.pk), "B", "007", company.name, lead.email, str(lead), ""],
    ]
    assert [row[1] for row in table_of(client, Project)] == ["Name", "B"]
    assert [row[1] for row in table_of(client, Project, "&q=b")] == ["Name", "B"]
    assert table_of(client, Project, "&q=nobody") == [headings]


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
    exports, write_sheet = [], spreadsheet_exports.write_sheet

    def recorded_write_sheet(extension: str, headings: list[str], rows: Any) -> Any:
        exports.append(rows)
        return write_sheet(extension, headings, rows)

    monkeypatch.setattr(spreadsheet_exports, "write_sheet", recorded_write_sheet)
    client.get(url(ServiceType, "export") + "?format=xlsx")
    assert [getgeneratorstate(rows) for rows in exports] == [GEN_CLOSED]


@pytest.mark.any_database
@pytest.mark.parametrize("name", ["EQUALS SIGN", "PLUS SIGN", "HYPHEN-MINUS", "COMMERCIAL AT"])
def test_full_width_signs_are_escaped(name: str) -> None:
    text = unicodedata.lookup(f"FULLWIDTH {name}") + "1"
    assert escaped(text) == f"'{text}"
    assert unescaped(f"'{text}") == text


def test_export_has_order_of_list_names_and_a_sheet_to_work_with(
    client: Client, organization: Organization
) -> None:
    own = {"organization": organization}
    for name in ("B", "C", "A"):
        person = PersonFactory(first_name=name, last_name="Long name " * 10, email=f"{name}@x.org", **own)
        ServiceAssignmentFactory(person=person, **own)
    orders = [
        [row[2] for row in table_of(client, ServiceAssignment, f"&o={order}")[1:]] for order in ("1", "-1")
    ]
    assert [[name[0] for name in names] for names in orders] == [["A", "B", "C"], ["C", "B", "A"]]
    assert [row[3] for row in table_of(client, Person, "&o=-1&q=x.org")[1:]] == [
        "C@x.org",
        "B@x.org",
        "A@x.org",
    ]
    # A column that counts related records.
    assert len(table_of(client, Person, "&o=-6")) == 5
    book = openpyxl.load_workbook(io.BytesIO(exported(client, ServiceAssignment, "xlsx").read()))
    sheet = book.active
    assert [cell.value for cell in sheet[1]] == [
        "ID",
        "Person",
        "Person name",
        "Project",
        "Budget",
        "Service",
    ]
    assert sheet.freeze_panes == "A2"
    assert all(cell.font.b for cell in sheet[1])
    widths = [sheet.column_dimensions[letter].width for letter in "ABC"]
    assert (widths[0], 8 < widths[1] < 60, widths[2]) == (8, True, 60)
