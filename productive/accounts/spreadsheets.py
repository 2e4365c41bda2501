"""People as a table."""

from __future__ import annotations

from typing import Any

from django.core.exceptions import ValidationError

from productive.accounts.models import Person
from productive.admin.spreadsheets.cells import Archived, Directory, Identifier, Owner, Text
from productive.admin.spreadsheets.tables import NamedTable, Table


class People(Directory):
    model = Person
    fields = ["first_name", "last_name", "email"]

    @classmethod
    def names(cls, row: Any) -> list[str | None]:
        return [row.email]

    @staticmethod
    def folded(name: str) -> str:
        return name.strip().upper()


class PersonTable(NamedTable):
    """Who signs in as the person is not in it: a file gives nobody a way in."""

    directory_class = People
    name_field = "email"
    key_help = "A row without an ID is found by its e-mail address."

    id = Identifier("id", "ID")
    organization = Owner("organization", "Organization")
    first_name = Text("first_name", "First name", required=True)
    last_name = Text("last_name", "Last name", required=True)
    email = Text("email", "Email", required=True)
    title = Text("title", "Title")
    archived_at = Archived("archived_at", "Archived")

    class Meta(Table.Meta):
        model = Person
        fields = ["id", "organization", "first_name", "last_name", "email", "title", "archived_at"]

    def init_instance(self, row: Any = None) -> Any:
        if self.row_key(row, None) is None:
            # Importing the file twice would make the person twice.
            raise ValidationError({"email": "A new person needs one, to be found by in the next file."})
        return super().init_instance(row)
