"""Service types and projects as tables, and the names of what other tables refer to."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Any

from django.db.models import QuerySet

from catalog.models import Project, Service, ServiceType
from productive.admin.spreadsheets.cells import Archived, Directory, Identifier, Owner, Text
from productive.admin.spreadsheets.tables import NamedTable, Table


class ServiceTypes(Directory):
    model = ServiceType
    fields = ["name"]


class Projects(Directory):
    model = Project
    fields = ["name", "project_number"]

    @classmethod
    def names(cls, row: Any) -> list[str | None]:
        return [row.name, row.project_number]


class Services(Directory):
    """Services by their path: Project / Budget / Service. A slash within a name is written \\/."""

    model = Service
    fields = ["name", "deal__name", "deal__project__name"]

    def rows(self, organization: Any) -> QuerySet[Any]:
        return super().rows(organization).select_related("deal__project")

    @classmethod
    def names(cls, row: Any) -> list[str | None]:
        steps = (row.deal.project.name, row.deal.name, row.name)
        return [" / ".join(step.replace("\\", "\\\\").replace("/", "\\/") for step in steps)]


class ServiceTypeTable(NamedTable):
    directory_class = ServiceTypes
    key_help = "A row without an ID is found by its name."

    id = Identifier("id", "ID")
    organization = Owner("organization", "Organization")
    name = Text("name", "Name", required=True)
    description = Text("description", "Description")
    archived_at = Archived("archived_at", "Archived")

    class Meta(Table.Meta):
        model = ServiceType
        fields = ["id", "organization", "name", "description", "archived_at"]


class ProjectTable(Table):
    key_help = "A row without an ID is found by its number; without a number, or if none has it, by its name."

    id = Identifier("id", "ID")
    organization = Owner("organization", "Organization")
    name = Text("name", "Name", required=True)
    project_number = Text("project_number", "Number")
    archived_at = Archived("archived_at", "Archived")

    class Meta(Table.Meta):
        model = Project
        fields = ["id", "organization", "name", "project_number", "archived_at"]

    def row_key(self, row: dict[str, str], organization: Any) -> Hashable | None:
        return row["Name"].strip(), row.get("Number", "").strip()

    def record_key(self, record: Any) -> Hashable | None:
        return (record.name or "").strip(), (record.project_number or "").strip()

    def find(self, organization: Any, keys: set[Any]) -> dict[Hashable, list[int]]:
        projects = self.directory(Projects, organization.pk)
        return {key: [project.pk for project in self.called(projects, *key)] for key in keys}

    @staticmethod
    def called(projects: Directory, name: str, number: str) -> list[Any]:
        """A number decides; a project without one takes it from the row that has its name."""
        namesakes = [one for one in projects.named(name) if one.name.strip() == name]
        if not number:
            return namesakes
        numbered = [one for one in projects.named(number) if (one.project_number or "").strip() == number]
        return numbered or [one for one in namesakes if not one.project_number]
