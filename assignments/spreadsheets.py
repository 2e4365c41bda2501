"""Spreadsheet tables of assignments."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable, Mapping
from typing import Any, ClassVar

from assignments.models import ProjectAssignment, ServiceAssignment, ServiceTypeAssignment
from catalog.spreadsheets import Projects, Services, ServiceTypes
from productive.accounts.spreadsheets import People
from productive.admin.spreadsheets.cells import Identifier, Owner, Reference, YesNo
from productive.admin.spreadsheets.tables import MAX_BATCH, Table


class AssignmentTable(Table):
    """A table whose rows are identified by their person and target."""

    person = Reference("person", "Person", People)
    target: ClassVar[Reference]

    def row_key(self, row: Mapping[str, str], organization: Any) -> Hashable | None:
        return tuple(
            self.directory(column.directory, organization.pk).find(row[column.attribute].strip()).pk
            for column in (self.person, self.target)
        )

    def record_key(self, record: Any) -> Hashable | None:
        pair = (record.person_id, getattr(record, f"{self.target.attribute}_id"))
        return None if None in pair else pair

    def find(self, organization: Any, keys: set[Any]) -> dict[Hashable, list[int]]:
        found: defaultdict[Hashable, list[int]] = defaultdict(list)
        people = sorted({person for person, _ in keys})
        for start in range(0, len(people), MAX_BATCH):
            rows = self.rows().filter(organization=organization, person__in=people[start : start + MAX_BATCH])
            for pk, *pair in rows.values_list("pk", "person", self.target.attribute).iterator():
                if tuple(pair) in keys:
                    found[tuple(pair)].append(pk)
        return found


class ServiceAssignmentTable(AssignmentTable):
    model = ServiceAssignment
    key_help = (
        "A person is written as an e-mail address, a service as “Project / Budget / Service”, "
        "with \\/ for a slash in a name. Either can be written by its ID, as #12."
    )
    target = Reference("service", "Service", Services)
    columns = [Identifier(), Owner(), AssignmentTable.person, target]


class ProjectAssignmentTable(AssignmentTable):
    model = ProjectAssignment
    key_help = (
        "A person is written as an e-mail address, a project by its name or number. "
        "Either can be written as its ID, such as #12."
    )
    target = Reference("project", "Project", Projects)
    columns = [Identifier(), Owner(), AssignmentTable.person, target, YesNo("watched", "Watched")]
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
    target = Reference("service_type", "Service type", ServiceTypes)
    columns = [Identifier(), Owner(), AssignmentTable.person, target]
