"""Spreadsheet table of people, and names of companies."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.core.exceptions import ValidationError

from catalog.models import Company
from productive.accounts.details import PersonDetails
from productive.accounts.models import Person
from productive.admin.spreadsheets.cells import (
    Archived,
    Beside,
    Directory,
    Identifier,
    Owner,
    Reference,
    Text,
)
from productive.admin.spreadsheets.comparison import tidy
from productive.admin.spreadsheets.tables import WHOLE_TABLE, NamedTable
from productive.database.fields import field_names
from productive.database.functions import ascii_upper


class People(Directory):
    model = Person
    fields = ["first_name", "last_name", "email", "archived_at"]
    ignores_accents = False  # These are two addresses.

    @classmethod
    def names(cls, row: Any) -> list[str | None]:
        return [row.email]

    @classmethod
    def aliases(cls, row: Any) -> list[str | None]:
        return [f"{row.first_name} {row.last_name}", f"{row.last_name}, {row.first_name}"]

    @staticmethod
    def normalize(name: str) -> str:
        """Compare addresses as the unique constraint of people does."""
        return ascii_upper(tidy(name))


class Companies(Directory):
    model = Company
    fields = ["name", "company_code", "archived_at"]

    @classmethod
    def names(cls, row: Any) -> list[str | None]:
        return [row.name, row.company_code]


EMAIL = ["Email address", "E-mail address", "Mail", "Work email"]
MANAGER = Reference("manager", "Manager", People, "Line manager", "Supervisor", "Reports to", required=False)


class PersonTable(NamedTable):
    model = Person
    directory_class = People
    name_field = "email"
    key_help = "A row without an ID is found by its e-mail address."
    columns = [
        Identifier(),
        Owner(),
        Text("first_name", "First name", "Given name", "Forename", required=True),
        Text("last_name", "Last name", "Surname", "Family name", required=True),
        Text("email", "Email", *EMAIL, required=True),
        Text("title", "Title", "Job title", "Position", "Role"),
        Reference("company", "Company", Companies, "Client", "Customer", required=False),
        MANAGER,
        Beside(MANAGER, "name", "Manager name"),
        Archived(),
    ]
    # Two people can exchange their addresses in one file.
    exchangeable = "email"
    scopes = [WHOLE_TABLE]
    # A file can't give a person a login.
    left_out = {"created_at", "merged_into", "user", *field_names(PersonDetails)}

    def new_record(self, row: Mapping[str, str], organization: Any) -> Any:
        if self.row_key(row, organization) is None:
            # Importing the file twice would create the person twice.
            raise ValidationError(
                {"email": "A new person needs an email, by which the next import finds it."}
            )
        return super().new_record(row, organization)
