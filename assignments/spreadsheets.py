"""The three kinds of assignments as tables: a person's e-mail address, and what the person is assigned to."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable
from typing import Any, ClassVar

from assignments.models import ProjectAssignment, ServiceAssignment, ServiceTypeAssignment
from catalog.spreadsheets import Projects, Services, ServiceTypes
from productive.accounts.spreadsheets import People
from productive.admin.spreadsheets.cells import Identifier, Owner, Reference, YesNo
from productive.admin.spreadsheets.tables import BATCH, Table


class AssignmentTable(Table):
    """Rows that are told apart by the person and by what they are assigned to."""

    target: ClassVar[str]

    def row_key(self, row: dict[str, str], organization: Any) -> Hashable | None:
        pair = []
        for name in ("person", self.target):
            column = self.fields[name]
            directory = self.directory(column.directory, organization.pk)
            pair.append(directory.find(row[column.column_name].strip()).pk)
        return tuple(pair)

    def record_key(self, record: Any) -> Hashable | None:
        pair = (record.person_id, getattr(record, f"{self.target}_id"))
        return None if None in pair else pair

    def find(self, organization: Any, keys: set[Any]) -> dict[Hashable, list[int]]:
        found: defaultdict[Hashable, list[int]] = defaultdict(list)
        people = sorted({person for person, _ in keys})
        for start in range(0, len(people), BATCH):
            rows = self.rows().filter(organization=organization, person__in=people[start : start + BATCH])
            for pk, *pair in rows.values_list("pk", "person", self.target).iterator():
                if tuple(pair) in keys:
                    found[tuple(pair)].append(pk)
        return found


class ServiceAssignmentTable(AssignmentTable):
    target = "service"
    key_help = (
        "A person is written as an e-mail address, a service as “Project / Budget / Service”, "
        "with \\/ for a slash within a name. Either can be written by its ID, as #12."
    )

    id = Identifier("id", "ID")
    organization = Owner("organization", "Organization")
    person = Reference("person", "Person", People)
    service = Reference("service", "Service", Services)

    class Meta(Table.Meta):
        model = ServiceAssignment
        fields = ["id", "organization", "person", "service"]


class ProjectAssignmentTable(AssignmentTable):
    target = "project"
    key_help = (
        "A person is written as an e-mail address, a project by its name or number. "
        "Either can be written by its ID, as #12."
    )

    id = Identifier("id", "ID")
    organization = Owner("organization", "Organization")
    person = Reference("person", "Person", People)
    project = Reference("project", "Project", Projects)
    watched = YesNo("watched", "Watched")

    class Meta(Table.Meta):
        model = ProjectAssignment
        fields = ["id", "organization", "person", "project", "watched"]


class ServiceTypeAssignmentTable(AssignmentTable):
    target = "service_type"
    key_help = (
        "A person is written as an e-mail address, a service type by its name. "
        "Either can be written by its ID, as #12."
    )

    id = Identifier("id", "ID")
    organization = Owner("organization", "Organization")
    person = Reference("person", "Person", People)
    service_type = Reference("service_type", "Service type", ServiceTypes)

    class Meta(Table.Meta):
        model = ServiceTypeAssignment
        fields = ["id", "organization", "person", "service_type"]
