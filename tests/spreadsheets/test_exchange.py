"""Test imports in which records exchange unique values."""

from __future__ import annotations

import pytest
from django.test import Client
from django.urls import reverse

from productive.accounts.models import Organization, Person
from tests.support.admin import press
from tests.support.factories import PersonFactory
from tests.support.spreadsheets import csv_file, groups_of, preview, rows_of, run

pytestmark = pytest.mark.django_db


@pytest.mark.each_database
def test_people_exchange_addresses_and_undo_gives_them_back(
    client: Client, organization: Organization
) -> None:
    own = {"organization": organization}
    first, second, third = (
        PersonFactory(first_name="P", last_name=str(n), email=f"{n}@x.org", **own).pk for n in range(3)
    )
    headings = ["ID", "First name", "Last name", "Email"]
    # Two exchange, and the third gives its address to a new person by name only.
    file = csv_file(
        headings, [first, "P", "0", "1@X.org"], [second, "P", "1", "0@x.org"], [third, "P", "2", ""]
    )
    assert run(client, Person, file) == ["Imported: 3 changed."]

    def addresses() -> list[str | None]:
        return [Person.objects.get(pk=pk).email for pk in (first, second, third)]

    assert addresses() == ["1@X.org", "0@x.org", None]
    change_set = Person.history.filter(id=first).latest("history_id").change_set
    page = client.get(reverse("admin:undo", args=[change_set]))
    assert list(groups_of(page)) == ["Will be changed"]
    press(client, page, "apply")
    assert addresses() == ["0@x.org", "1@x.org", "2@x.org"]

    # A circle of three. Who has an error keeps the address, so nobody else gets it.
    rows = [[first, "P", "0", "1@x.org"], [second, "P", "1", "2@x.org"], [third, "P", "2", "0@x.org"]]
    rows[2][1] = ""
    page = preview(client, Person, csv_file(headings, *rows))
    assert [row[1:] for row in rows_of(page)] == [
        ("rejected", ["Email: has already been taken"]),
        ("rejected", ["Email: has already been taken"]),
        ("rejected", ["First name: This field cannot be blank."]),
    ]
    rows[2][1] = "P"
    assert run(client, Person, csv_file(headings, *rows)) == ["Imported: 3 changed."]
    assert addresses() == ["1@x.org", "2@x.org", "0@x.org"]


def test_undo_of_an_exchange_overwrites_nobody(client: Client, organization: Organization) -> None:
    own = {"organization": organization}
    first, second = (PersonFactory(first_name="P", last_name="P", email=f"{n}@x.org", **own) for n in "01")
    headings = ["ID", "First name", "Last name", "Email"]
    file = csv_file(headings, [first.pk, "P", "P", "1@x.org"], [second.pk, "P", "P", "0@x.org"])
    run(client, Person, file)
    change_set = Person.history.filter(id=first.pk).latest("history_id").change_set
    # The second gets another address, and somebody else its old one.
    Person.objects.get(pk=second.pk)
    later = Person.objects.get(pk=second.pk)
    later.email = "later@x.org"
    later.save()
    PersonFactory(email="0@x.org", **own)
    page = client.get(reverse("admin:undo", args=[change_set]))
    assert list(groups_of(page)) == ["Can't be done"]
    assert sorted(Person.objects.filter(pk__in=[first.pk, second.pk]).values_list("email", flat=True)) == [
        "1@x.org",
        "later@x.org",
    ]
