"""Spreadsheet tables of assignments."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable, Mapping, Sequence
from typing import Any, ClassVar

from assignments.models import ProjectAssignment, ServiceAssignment, ServiceTypeAssignment
from catalog.spreadsheets import Projects, Services, ServiceTypes, names_in, service_path
from productive.accounts.spreadsheets import EMAIL, People
from productive.admin.spreadsheets.cells import (
    BY_ID,
    Beside,
    Column,
    Identifier,
    Owner,
    Reference,
    YesNo,
)
from productive.admin.spreadsheets.comparison import clean, is_same
from productive.admin.spreadsheets.tables import RemovalScope, Table, in_batches


class ServiceReference(Reference):
    """The service of an assignment, by its name beside columns with those of its project and budget.

    An import without these columns has its path.
    """

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.parts = [
            Beside(self, "project", "Project", lambda service: service.deal.project.name),
            Beside(self, "budget", "Budget", lambda service: service.deal.name),
        ]

    def text_of(self, record: Any, table: Any) -> str:
        text = super().text_of(record, table)
        service = self.row_of(record, table) if table.has_parts else None
        if service is None or BY_ID.fullmatch(text):
            return text
        name = clean(service.name)
        return f"#{service.pk}" if BY_ID.fullmatch(name) else name

    def is_same(self, record: Any, text: str, table: Any) -> bool:
        """Compare the names in a path, of which a program can rewrite each."""
        service, names = self.row_of(record, table), names_in(text)
        if service is None or len(names) != 3:
            return False
        return all(map(is_same, (service.deal.project.name, service.deal.name, service.name), names))


class AssignmentTable(Table):
    """A table whose rows are identified by their person and target."""

    person = Reference("person", "Person", People, "Person email", "Employee", *EMAIL)
    person_name = Beside(person, "name", "Person name")
    scopes = [RemovalScope("person", "Delete those of the people in the file")]
    target: ClassVar[Reference]

    def prepare(self, row: dict[str, str]) -> dict[str, str]:
        """Find a person without an address by the name beside it."""
        return {**row, "person": clean(row["person"]) or row.get(self.person_name.attribute, "")}

    def row_key(self, row: Mapping[str, str], organization: Any) -> Hashable | None:
        return tuple(
            self.directory(column.directory, organization.pk).find(clean(row[column.attribute])).pk
            for column in (self.person, self.target)
        )

    def record_key(self, record: Any) -> Hashable | None:
        pair = (record.person_id, getattr(record, f"{self.target.attribute}_id"))
        return None if None in pair else pair

    def find(self, organization: Any, keys: set[Any]) -> dict[Hashable, list[int]]:
        found: defaultdict[Hashable, list[int]] = defaultdict(list)
        for people in in_batches(sorted({person for person, _ in keys})):
            rows = self.rows().filter(organization=organization, person__in=people)
            for pk, *pair in rows.values_list("pk", "person", self.target.attribute).iterator():
                if tuple(pair) in keys:
                    found[tuple(pair)].append(pk)
        return found


class ServiceAssignmentTable(AssignmentTable):
    model = ServiceAssignment
    key_help = (
        "A person is written as an e-mail address, a service by the names of its project, budget and service "
        "in three columns, or in one as “Project / Budget / Service”, with \\/ for a slash in a name. "
        "Both can also be written by ID, as #12."
    )
    target = ServiceReference("service", "Service", Services)
    project, budget = target.parts
    columns = [
        Identifier(),
        Owner(),
        AssignmentTable.person,
        AssignmentTable.person_name,
        project,
        budget,
        target,
    ]
    scopes = [
        *AssignmentTable.scopes,
        RemovalScope("service", "Delete those on the services in the file"),
        RemovalScope("service", "Delete those on all services of the budgets in the file", "deal"),
    ]

    def use_columns(self, columns: Sequence[Column | None]) -> None:
        self.has_parts = self.project in columns or self.budget in columns

    def prepare(self, row: dict[str, str]) -> dict[str, str]:
        """Join the names of the project, budget and service."""
        row = super().prepare(row)
        names = [clean(row.get(column.attribute, "")) for column in (self.project, self.budget, self.target)]
        if any(names[:2]) and not BY_ID.fullmatch(names[2]):
            row["service"] = service_path(*names) if names[2] else ""
        return row


class ProjectAssignmentTable(AssignmentTable):
    model = ProjectAssignment
    key_help = (
        "A person is written as an e-mail address, a project by its name or number. "
        "Either can be written as its ID, such as #12."
    )
    target = Reference("project", "Project", Projects, "Project name", "Project number")
    columns = [
        Identifier(),
        Owner(),
        AssignmentTable.person,
        AssignmentTable.person_name,
        target,
        YesNo("watched", "Watched", "Subscribed"),
    ]
    scopes = [
        *AssignmentTable.scopes,
        RemovalScope("project", "Delete those on the projects in the file"),
    ]
    # The preferred views of the person.
    left_out = {
        "created_at",
        "preferences",
        "default_filter_id",
        "tasks_layout_id",
        "budgets_filter_id",
        "deals_filter_id",
        "invoices_filter_id",
        "docs_filter_id",
    }


class ServiceTypeAssignmentTable(AssignmentTable):
    model = ServiceTypeAssignment
    key_help = (
        "A person is written as an e-mail address, a service type by its name. "
        "Either can be written as its ID, such as #12."
    )
    target = Reference("service_type", "Service type", ServiceTypes, "Type")
    columns = [Identifier(), Owner(), AssignmentTable.person, AssignmentTable.person_name, target]
    scopes = [
        *AssignmentTable.scopes,
        RemovalScope("service_type", "Delete those of the service types in the file"),
    ]
