"""Spreadsheet tables of service types, companies and projects, and names of services."""

from __future__ import annotations

import re
from collections.abc import Hashable, Mapping
from typing import Any

from django.db.models import QuerySet

from catalog.details import CompanyDetails, ProjectDetails
from catalog.models import Company, Project, Service, ServiceType
from productive.accounts.spreadsheets import Companies, People
from productive.admin.spreadsheets.cells import (
    Archived,
    Beside,
    Directory,
    Identifier,
    Owner,
    Reference,
    Text,
)
from productive.admin.spreadsheets.comparison import is_same, tidy
from productive.admin.spreadsheets.tables import WHOLE_TABLE, NamedTable, Table
from productive.database.fields import field_names
from productive.database.text import fold


class ServiceTypes(Directory):
    model = ServiceType
    fields = ["name", "archived_at"]


class Projects(Directory):
    model = Project
    fields = ["name", "project_number", "archived_at"]

    @classmethod
    def names(cls, row: Any) -> list[str | None]:
        return [row.name, row.project_number]


class Services(Directory):
    """Services by their path: Project / Budget / Service.

    A slash in a name is written as \\/. An import also accepts the number of the project in the path.
    """

    model = Service
    # The last one is in the label of a service.
    fields = ["name", "deal__name", "deal__project__name", "deal__project__project_number"]

    def rows(self, organization: Any) -> QuerySet[Any]:
        return super().rows(organization).select_related("deal__project")

    @classmethod
    def names(cls, row: Any) -> list[str | None]:
        return [service_path(row.deal.project.name, row.deal.name, row.name)]

    @classmethod
    def aliases(cls, row: Any) -> list[str | None]:
        number = row.deal.project.project_number
        return [service_path(number, row.deal.name, row.name) if number else None]


def service_path(*names: str) -> str:
    """Return the path of a service: Project / Budget / Service."""
    return " / ".join(name.replace("\\", "\\\\").replace("/", "\\/") for name in names)


def names_in(path: str) -> list[str]:
    """Return the names from which `service_path` made the path."""
    return [re.sub(r"\\(.)", r"\1", name) for name in path.split(" / ")]


class ServiceTypeTable(NamedTable):
    model = ServiceType
    directory_class = ServiceTypes
    key_help = "A row without an ID is found by its name."
    columns = [
        Identifier(),
        Owner(),
        Text("name", "Name", "Service type", required=True),
        Text("description", "Description", "Notes"),
        Archived(),
    ]
    scopes = [WHOLE_TABLE]
    left_out = {"created_at", "merged_into"}


class CompanyTable(NamedTable):
    model = Company
    directory_class = Companies
    key_help = "A row without an ID is found by its name or code."
    columns = [
        Identifier(),
        Owner(),
        Text("name", "Name", "Company", "Client", "Customer", required=True),
        Text("company_code", "Code", "Company number", "Number"),
        Text("billing_name", "Billing name", "Legal name"),
        Text("vat", "VAT number", "VAT ID"),
        Text("domain", "Domain", "Website"),
        Archived(),
    ]
    scopes = [WHOLE_TABLE]
    left_out = {"created_at", *field_names(CompanyDetails)}


PROJECT_MANAGER = Reference(
    "project_manager", "Project manager", People, "PM", "Manager", "Lead", required=False
)


class ProjectTable(Table):
    model = Project
    key_help = "A row without an ID is found by its number; without a number, or if none has it, by its name."
    columns = [
        Identifier(),
        Owner(),
        Text("name", "Name", "Project", required=True),
        Text("project_number", "Number", "No", "Code"),
        Reference("company", "Company", Companies, "Client", "Customer", required=False),
        PROJECT_MANAGER,
        Beside(PROJECT_MANAGER, "name", "Project manager name"),
        Archived(),
    ]
    scopes = [WHOLE_TABLE]
    left_out = {"created_at", *field_names(ProjectDetails)}

    def row_key(self, row: Mapping[str, str], organization: Any) -> Hashable | None:
        return tidy(row["name"]), tidy(row.get("project_number", ""))

    def record_key(self, record: Any) -> Hashable | None:
        return tidy(record.name or ""), tidy(record.project_number or "")

    def find(self, organization: Any, keys: set[Any]) -> dict[Hashable, list[int]]:
        projects = self.directory(Projects, organization.pk)
        return {key: [project.pk for project in self.matching(projects, *key)] for key in keys}

    @staticmethod
    def matching(projects: Directory, name: str, number: str) -> list[Any]:
        """Return the projects with the number, or else with the name.

        A row with a number also matches a project of its name without a number.
        """
        namesakes = [project for project in projects.find_all(name) if fold(project.name) == fold(name)]
        if not number:
            return namesakes
        found = projects.find_all(number)
        numbered = [project for project in found if fold(project.project_number or "") == fold(number)]
        if not numbered:
            # A program may have rewritten the number.
            numbered = [project for project in namesakes if is_same(project.project_number or "", number)]
        return numbered or [project for project in namesakes if not project.project_number]
