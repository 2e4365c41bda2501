"""Spreadsheet table of people, and names of companies."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.core.exceptions import ValidationError

from catalog.models import Company
from productive.accounts.details import PersonDetails
from productive.accounts.models import Person
from productive.admin.spreadsheets.cells import Archived, Directory, Identifier, Owner, Reference, Text
from productive.admin.spreadsheets.tables import NamedTable
from productive.database.fields import field_names
from productive.database.functions import ascii_upper
from productive.database.text import clean_line


class People(Directory):
    model = Person
    fields = ["first_name", "last_name", "email"]
    ignores_accents = False  # These are two addresses.

    @classmethod
    def names(cls, row: Any) -> list[str | None]:
        return [row.email]

    @staticmethod
    def normalize(name: str) -> str:
        """Compare addresses as the unique constraint of people does."""
        return ascii_upper(clean_line(name))


class Companies(Directory):
    model = Company
    fields = ["name", "company_code"]

    @classmethod
    def names(cls, row: Any) -> list[str | None]:
        return [row.name, row.company_code]


class PersonTable(NamedTable):
    model = Person
    directory_class = People
    name_field = "email"
    key_help = "A row without an ID is found by its e-mail address."
    columns = [
        Identifier(),
        Owner(),
        Text("first_name", "First name", required=True),
        Text("last_name", "Last name", required=True),
        Text("email", "Email", required=True),
        Text("title", "Title"),
        Reference("company", "Company", Companies, required=False),
        Reference("manager", "Manager", People, required=False),
        Archived(),
    ]
    # A file can't give a person a login.
    left_out = {"created_at", "user", *field_names(PersonDetails)}

    def new_record(self, row: Mapping[str, str], organization: Any) -> Any:
        if self.row_key(row, organization) is None:
            # Importing the file twice would create the person twice.
            raise ValidationError(
                {"email": "A new person needs an email, by which the next import finds it."}
            )
        return super().new_record(row, organization)
