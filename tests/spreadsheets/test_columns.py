"""Test how columns and records are found, and what users choose for them."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from django.test import Client

from assignments.models import ProjectAssignment, ServiceAssignment
from catalog.models import Project
from productive.accounts.models import Organization, Person, User
from tests.support.admin import hidden_fields, press, staff, url
from tests.support.factories import (
    DealFactory,
    PersonFactory,
    ProjectAssignmentFactory,
    ProjectFactory,
    ServiceFactory,
)
from tests.support.spreadsheets import confirm, csv_file, groups_of, plan_of, preview, rows_of, table_of

pytestmark = pytest.mark.django_db


@pytest.mark.any_database
def test_headings_in_other_words_are_recognized_and_said(client: Client) -> None:
    file = csv_file(
        ["Surname", "First\u00a0 name", "E-mail", "Job title", "Errors", "Empty", "Client"],
        ["Ban", "Ana", "ana@x.org", "QA", "Email: wrong", "", ""],
    )
    page = preview(client, Person, file)
    assert rows_of(page) == [
        (
            2,
            "created",
            [
                ("First name", "", "Ana"),
                ("Last name", "", "Ban"),
                ("Email", "", "ana@x.org"),
                ("Title", "", "QA"),
            ],
        )
    ]
    assert page.context["notes"] == [
        "Columns are imported under other names: “Surname” as Last name, “Job title” as Title, "
        "“Client” as Company."
    ]
    assert page.context["notes"][0] in page.content.decode()


def test_user_chooses_columns_and_the_choice_is_kept(client: Client, organization: Organization) -> None:
    rows = [
        ["Vorname", "", "Nachname", "Elektropost", "Farbe", "Leer", "Ende"],
        ["Ana", "x", "Ban", "ana@x.org", "red", "", ""],
    ]
    page = preview(client, Person, csv_file(*rows))
    unknown = "“Vorname”, column 2, which has no heading, “Nachname”, “Elektropost”, “Farbe”"
    assert page.context["problems"][:2] == [
        f"Unknown columns: {unknown}.",
        "Missing columns: First name, Last name, Email.",
    ]
    text = page.content.decode()
    for shown in ("Vorname", "ana@x.org", "Column 2, which has no heading", "Don&#x27;t import"):
        assert shown in text
    fields = hidden_fields(page)
    # Twice the same column, which isn't possible.
    wrong = {"column-0": "first_name", "column-2": "last_name", "column-3": "last_name"}
    page = client.post(url(Person, "process_import"), {**fields, "step": "preview", **wrong})
    assert page.context["problems"][:2] == ["Repeated columns: Last name.", "Missing columns: Email."]
    right = {**wrong, "column-3": "email", "column-4": "no such column"}
    page = client.post(url(Person, "process_import"), {**hidden_fields(page), "step": "preview", **right})
    assert [row[:2] for row in rows_of(page)] == [(2, "created")]
    assert "Columns that aren't imported: column 2, which has no heading, “Farbe”." in page.context["notes"]
    # The choice can be changed, with a file that is still there.
    columns = press(client, page, "choose").context["columns"]
    assert [field.initial for field in columns.fields.values()] == [
        "first_name",
        "",
        "last_name",
        "email",
        "",
        "",
        "",
    ]
    assert confirm(client, Person, hidden_fields(page)) == ["Imported: 1 created."]

    # The next import knows these headings, but only of this user, and only for people.
    rows[1][0] = "Anna"
    assert plan_of(client, Person, csv_file(*[[row[0], *row[2:]] for row in rows])) == [
        (2, "changed", [("First name", "Ana", "Anna")])
    ]
    assert "problems" in preview(client, Project, csv_file(["Vorname"], ["x"])).context
    assert "problems" in preview(staff(organization), Person, csv_file(*rows)).context
    user = User.objects.get(pk=client.session["_auth_user_id"])
    assert user.import_headings == {
        "accounts.person": {
            "vorname": "first_name",
            "nachname": "last_name",
            "elektropost": "email",
            "farbe": "",
        }
    }
    assert not User.history.filter(id=user.pk, history_type="~").exists()


def test_choice_takes_precedence_over_synonyms(client: Client, organization: Organization) -> None:
    """A file calls the code of a project its name."""
    file = csv_file(["Project", "Code"], ["P-1", "Website"])
    page = press(client, preview(client, Project, file), "choose")
    fields = {**hidden_fields(page), "column-0": "project_number", "column-1": "name", "step": "preview"}
    page = client.post(url(Project, "process_import"), fields)
    assert rows_of(page) == [(2, "created", [("Name", "", "Website"), ("Number", "", "P-1")])]
    assert plan_of(client, Project, csv_file(["Project", "Code"], ["P-2", "App"])) == [
        (2, "created", [("Name", "", "App"), ("Number", "", "P-2")])
    ]


def test_advice_of_errors_can_be_followed(client: Client, organization: Organization) -> None:
    own = {"organization": organization}
    first, second = (ProjectFactory(name="Dup", **own).pk for _ in range(2))
    [(_, _, [error])] = plan_of(client, Project, csv_file(["Name", "Number"], ["Dup", "N-1"]))
    assert error == f"2 projects have this name: use the ID #{first} or #{second}."
    for text in (f"#{first}", f"{first}.0", f" {first} "):
        file = csv_file(["ID", "Name", "Number"], [text, "Dup", "N-1"])
        assert plan_of(client, Project, file) == [(2, "changed", [("Number", "", "N-1")])]
    ana = PersonFactory(first_name="Ana", last_name="Ban", email=None, **own)
    PersonFactory(first_name="Ivo", last_name="Ban", email="ivo@x.org", **own)
    headings = ["Person", "Project"]
    for person in ("Ana Ban", "Ban, Ana", "ivo ban", "Ivo Bang", f"#{ana.pk}"):
        found = plan_of(client, ProjectAssignment, csv_file(headings, [person, f"#{first}"]))
        assert found[0][1] == ("rejected" if person == "Ivo Bang" else "created"), person
    PersonFactory(first_name="Ana", last_name="Ban", email=None, **own)
    [(_, _, [error])] = plan_of(client, ProjectAssignment, csv_file(headings, ["Ana Ban", f"#{first}"]))
    assert error.startswith("Person: 2 people have the name “Ana Ban”: use #")


def test_services_are_found_by_names_in_columns(client: Client, organization: Organization) -> None:
    own = {"organization": organization}
    person = PersonFactory(email="ana@x.org", **own)
    project = ProjectFactory(name="Web", project_number="W-1", **own)
    ProjectAssignmentFactory(person=person, project=project, **own)
    deal = DealFactory(name="Phase / 1", project=project, **own)
    ServiceFactory(name="QA", deal=deal, **own)
    headings = ["Project", "Budget", "Service", "Person"]
    for name in ("Web", "W-1", " Web\u00a0"):
        file = csv_file(headings, [name, "Phase / 1", "QA", "ana@x.org"])
        assert plan_of(client, ServiceAssignment, file) == [
            (
                2,
                "created",
                [
                    ("Person", "", "ana@x.org"),
                    ("Project", "", "Web"),
                    ("Budget", "", "Phase / 1"),
                    ("Service", "", "QA"),
                ],
            )
        ], name
    file = csv_file(headings, ["Web", "", "QA", "ana@x.org"], ["Web", "Phase / 1", "", "ana@x.org"])
    assert plan_of(client, ServiceAssignment, file) == [
        (2, "rejected", ["Service: There is no service “Web /  / QA”."]),
        (3, "rejected", ["Service: This field cannot be blank."]),
    ]


def test_names_beside_addresses_are_not_imported(client: Client, organization: Organization) -> None:
    own = {"organization": organization}
    project = ProjectFactory(name="Web", **own)
    for name in ("Ana", "Ivo"):
        person = PersonFactory(first_name=name, last_name="Ban", email=f"{name}@x.org", **own)
        ProjectAssignmentFactory(person=person, project=project, watched=None, **own)
    headings, first, second = table_of(client, ProjectAssignment, "&o=1")
    assert (first[1:4], second[1:4]) == (["Ana@x.org", "Ana Ban", "Web"], ["Ivo@x.org", "Ivo Ban", "Web"])
    first[2] = "Iva Ban"
    page = preview(client, ProjectAssignment, csv_file(headings, first, second))
    assert [row[1] for row in rows_of(page)] == ["unchanged", "unchanged"]
    assert page.context["notes"] == [
        "Person name differs in 1 row. This column only helps to read, and isn't imported."
    ]
    # Another address with the old name beside it.
    PersonFactory(first_name="Eva", last_name="Ban", email="eva@x.org", **own)
    first[1:3] = "eva@x.org", "Ana Ban"
    page = preview(client, ProjectAssignment, csv_file(headings, first))
    assert page.context["notes"] == []
    assert rows_of(page)[0][1] == "changed"


def test_archived_records_are_said(client: Client, organization: Organization) -> None:
    own = {"organization": organization, "archived_at": datetime(2026, 1, 5, tzinfo=UTC)}
    PersonFactory(first_name="Old", last_name="Ana", email="ana@x.org", **own)
    ProjectFactory(organization=organization, name="Web")
    page = preview(
        client, Person, csv_file(["First name", "Last name", "Email"], ["Anna", "Ana", "ana@x.org"])
    )
    assert groups_of(page) == {"Will be changed": ["Anna Ana · ana@x.org (archived)"]}
    page = preview(client, ProjectAssignment, csv_file(["Person", "Project"], ["ana@x.org", "Web"]))
    [line] = page.context["preview"].groups[1].lines
    assert "Person is archived" in line.notes
