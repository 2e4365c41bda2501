"""Test that files come back from spreadsheet programs without changes."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from django.contrib import admin
from django.db import transaction

from assignments.models import ProjectAssignment, ServiceAssignment, ServiceTypeAssignment
from catalog.models import Company, Project, ServiceType
from productive.accounts.models import Organization, Person
from productive.admin.preview import RecordOutcome
from productive.admin.spreadsheets.files import escaped, read_sheet
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
from tests.support.spreadsheet_programs import CSV_DIALECTS, XLSX_DIALECTS, google_sheets_tsv
from tests.support.spreadsheets import EXCHANGED


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
