"""Test what the user chooses in an import: columns, rows without errors, and what is removed."""

from __future__ import annotations

import csv
import io
from datetime import UTC, datetime
from typing import Any

import openpyxl
import pytest
from django.contrib.messages import get_messages
from django.test import Client
from django.urls import reverse

from assignments.models import ProjectAssignment, ServiceAssignment, ServiceTypeAssignment
from catalog.models import Project, ServiceType
from productive.accounts.models import Organization, Person, User
from productive.admin.spreadsheets.uploads import MAX_PENDING
from tests.support.admin import hidden_fields, press, staff, superuser, url
from tests.support.factories import (
    DealFactory,
    OrganizationFactory,
    PersonFactory,
    ProjectAssignmentFactory,
    ProjectFactory,
    ServiceAssignmentFactory,
    ServiceFactory,
    ServiceTypeAssignmentFactory,
    ServiceTypeFactory,
)
from tests.support.spreadsheets import (
    confirm,
    csv_file,
    exported,
    plan_of,
    preview,
    rows_of,
    run,
    table_of,
    upload,
)

pytestmark = pytest.mark.django_db


def groups_of(page: Any) -> dict[str, list[str]]:
    groups = page.context["preview"].groups
    return {group.title: [line.text for line in group.lines] for group in groups if group.lines}


# --- Columns ---


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


# --- Errors ---


def test_rows_without_errors_are_imported_and_the_others_downloaded(
    client: Client, organization: Organization
) -> None:
    file = csv_file(
        ["Job title", "First name", "Last name", "Email"],
        ["=QA", "Ana", "Ban", "ana@x.org"],
        ["", "Iva", "Marić", "nowhere"],
        ["", "Ivo", "Ilić", "ivo@x.org"],
        ["", "", "Nobody", "n@x.org"],
    )
    page = preview(client, Person, file)
    text = page.content.decode()
    assert groups_of(page)["Can't be done"] == ["Iva · Marić · nowhere", "Nobody · n@x.org"]
    assert page.context["preview"].blocked == "2 rows have errors, so nothing can be imported."
    assert "Continue with the other 2 rows" in text
    assert 'value="apply"' not in text
    # Nothing can be imported without a preview of the other rows.
    assert confirm(client, Person, {**hidden_fields(page), "step": "apply"}) == []
    assert Person.objects.filter(email__endswith="x.org").count() == 0

    page = press(client, preview(client, Person, file_again(file)), "skip")
    assert page.context["preview"].blocked == ""
    assert [row[:2] for row in rows_of(page)] == [
        (2, "created"),
        (3, "rejected"),
        (4, "created"),
        (5, "rejected"),
    ]
    response = client.post(url(Person, "process_import"), {**hidden_fields(page), "step": "apply"})
    warning, done = sorted(map(str, get_messages(response.wsgi_request)))
    assert warning.startswith("2 rows with errors left out. <a ")
    assert done.startswith("Imported: 2 created. <a ")
    assert sorted(Person.objects.filter(email__endswith="x.org").values_list("email", "title")) == [
        ("ana@x.org", "=QA"),
        ("ivo@x.org", None),
    ]

    # The file has the rows as they were, and can be corrected and imported.
    link = page.context["rejected_link"]
    data = b"".join(client.get(link).streaming_content)
    headings, *rows = csv.reader(io.StringIO(data.decode("utf-8-sig"), newline=""))
    assert headings == ["Job title", "First name", "Last name", "Email", "Errors"]
    assert rows == [
        ["", "Iva", "Marić", "nowhere", "Email: Enter a valid email address."],
        ["", "", "Nobody", "n@x.org", "First name: This field cannot be blank."],
    ]
    rows[0][3], rows[1][1] = "iva@x.org", "No"
    assert run(client, Person, csv_file(headings, *rows)) == ["Imported: 2 created."]

    # Nobody else can download it.
    assert staff(organization).get(link).status_code == 302
    assert staff(organization, "view_person").get(link).status_code == 403
    assert client.get(url(Project, "import_errors") + "?" + link.partition("?")[2]).status_code == 302
    assert Client().get(link).status_code == 302
    assert client.get(url(Person, "import_errors")).status_code == 302


def file_again(file: Any) -> Any:
    file.seek(0)
    return file


def test_errors_of_xlsx_are_xlsx(client: Client) -> None:
    book = openpyxl.Workbook()
    for row in (["Name", "Description"], [None, 7]):
        book.active.append(row)
    data = io.BytesIO()
    book.save(data)
    page = preview(client, ServiceType, upload(data.getvalue(), "file.xlsx"))
    assert "Continue with" not in page.content.decode()
    response = client.get(page.context["rejected_link"])
    assert response["Content-Disposition"] == 'attachment; filename="service_types-errors.xlsx"'
    errors = openpyxl.load_workbook(io.BytesIO(b"".join(response.streaming_content)))
    assert [[cell.value for cell in row] for row in errors.active.iter_rows()] == [
        ["Name", "Description", "Errors"],
        [None, "7", "Name: This field cannot be blank."],
    ]


def test_preview_can_be_repeated_until_the_import(client: Client) -> None:
    """Back shows a preview again, and each choice another one."""
    page = preview(client, ServiceType, csv_file(["Name"], ["Made"], [""], ["Other"]))
    fields = hidden_fields(page)
    for _ in range(MAX_PENDING + 2):
        page = client.post(url(ServiceType, "process_import"), {**fields, "step": "preview"})
    assert [row[:2] for row in rows_of(page)] == [(2, "created"), (4, "created")]
    assert confirm(client, ServiceType, hidden_fields(page)) == ["Imported: 2 created."]


# --- Exchange ---


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


# --- Ids and names ---


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


# --- Removal ---


def test_import_removes_what_the_file_no_longer_has_in_a_scope(
    client: Client, organization: Organization
) -> None:
    own = {"organization": organization}
    ana, ivo = (PersonFactory(email=f"{name}@x.org", **own) for name in ("ana", "ivo"))
    deal = DealFactory(name="B", project=ProjectFactory(name="P", **own), **own)
    qa, dev = (ServiceFactory(name=name, deal=deal, **own) for name in ("QA", "Dev"))
    other = ServiceFactory(name="Other", **own)
    pairs = [(ana, qa), (ivo, qa), (ana, dev), (ivo, dev), (ana, other), (ivo, other)]
    for person, service in pairs:
        ServiceAssignmentFactory(person=person, service=service, **own)
    foreign = ServiceAssignmentFactory()

    def removed(scope: str) -> list[tuple[str, str]]:
        """Return what an import with only Ana on QA removes, and import it with undo."""
        file = csv_file(["Person", "Service"], ["ana@x.org", "P / B / QA"])
        page = client.post(url(ServiceAssignment, "import"), {"file": file, "scope": scope})
        before = {*ServiceAssignment.objects.values_list("person__email", "service__name")}
        assert page.context["preview"].removed == len(groups_of(page)["Not in the file, will be deleted"])
        messages = confirm(client, ServiceAssignment, {**hidden_fields(page), "step": "apply"})
        after = {*ServiceAssignment.objects.values_list("person__email", "service__name")}
        assert messages == [f"Imported: 1 unchanged, {len(before - after)} deleted."]
        change_set = ServiceAssignment.history.latest("history_id").change_set
        press(client, client.get(reverse("admin:undo", args=[change_set])), "apply")
        assert {*ServiceAssignment.objects.values_list("person__email", "service__name")} == before
        return sorted((person.partition("@")[0], service) for person, service in before - after)

    assert removed("person") == [("ana", "Dev"), ("ana", "Other")]
    assert removed("service") == [("ivo", "QA")]
    assert removed("service.deal") == [("ana", "Dev"), ("ivo", "Dev"), ("ivo", "QA")]
    assert ServiceAssignment.objects.filter(pk=foreign.pk).exists()


def test_import_archives_what_the_file_no_longer_has(client: Client, organization: Organization) -> None:
    kept, gone = (ServiceTypeFactory(name=name, organization=organization) for name in ("Kept", "Gone"))
    ServiceTypeFactory(name="Old", organization=organization, archived_at=datetime(2026, 1, 5, tzinfo=UTC))
    foreign = ServiceTypeFactory()
    file = csv_file(["Name"], ["Kept"], ["New"])
    page = client.post(url(ServiceType, "import"), {"file": file, "scope": "all"})
    assert groups_of(page) == {
        "Will be created": ["New"],
        "Unchanged": ["Kept"],
        "Not in the file, will be archived": ["Gone"],
    }
    messages = confirm(client, ServiceType, {**hidden_fields(page), "step": "apply"})
    assert messages == ["Imported: 1 created, 1 unchanged, 1 archived."]
    active = ServiceType.objects.active().owned_by(organization)
    assert sorted(active.values_list("name", flat=True)) == ["Kept", "New"]
    assert ServiceType.objects.active().filter(pk=foreign.pk).exists()
    assert [kept.archived_at, ServiceType.objects.get(pk=gone.pk).archived_at is None] == [None, False]


def test_removal_needs_permission_and_rows_without_errors(client: Client, organization: Organization) -> None:
    own = {"organization": organization}
    held = ServiceTypeAssignmentFactory(person=PersonFactory(email="ana@x.org", **own), **own)
    file = csv_file(["Person", "Service type"], ["ana@x.org", "No such type"])
    address = url(ServiceTypeAssignment, "import")
    page = client.post(address, {"file": file, "scope": "person"})
    assert page.context["preview"].blocked == "1 row has errors, so nothing can be imported."
    page = press(client, page, "skip")
    assert page.context["preview"].blocked == (
        "1 row has errors, so it isn't known which records aren't in the file, and none can be removed."
    )
    names = [f"{verb}_servicetypeassignment" for verb in ("view", "add", "change")]
    limited = staff(organization, *names)
    assert "scope" not in limited.get(address).context["form"].fields
    page = limited.post(address, {"file": file_again(file), "scope": "person"})
    assert page.context["form"].errors["file"] == [
        "You don't have permission to remove what isn't in the file."
    ]
    assert client.post(address, {"file": file_again(file), "scope": "x"}).context["form"].errors["scope"]
    assert ServiceTypeAssignment.objects.filter(pk=held.pk).exists()


def test_large_removal_is_confirmed_by_its_number(client: Client, organization: Organization) -> None:
    project = ProjectFactory(name="P", organization=organization)
    ProjectAssignmentFactory.create_batch(21, organization=organization, project=project)
    PersonFactory(email="ana@x.org", organization=organization)
    file = csv_file(["Person", "Project"], ["ana@x.org", "P"])
    page = client.post(url(ProjectAssignment, "import"), {"file": file, "scope": "project"})
    assert page.context["preview"].is_large
    untyped = client.post(url(ProjectAssignment, "process_import"), {**hidden_fields(page), "step": "apply"})
    assert untyped.context["is_untyped"]
    assert press(client, untyped, "apply").status_code == 302
    assert ProjectAssignment.objects.owned_by(organization).count() == 1


# --- Exports ---


def test_export_has_order_of_list_names_and_a_sheet_to_work_with(
    client: Client, organization: Organization
) -> None:
    own = {"organization": organization}
    for name in ("B", "C", "A"):
        person = PersonFactory(first_name=name, last_name="Long name " * 10, email=f"{name}@x.org", **own)
        ServiceAssignmentFactory(person=person, **own)
    orders = [
        [row[2] for row in table_of(client, ServiceAssignment, f"&o={order}")[1:]] for order in ("1", "-1")
    ]
    assert [[name[0] for name in names] for names in orders] == [["A", "B", "C"], ["C", "B", "A"]]
    assert [row[3] for row in table_of(client, Person, "&o=-1&q=x.org")[1:]] == [
        "C@x.org",
        "B@x.org",
        "A@x.org",
    ]
    # A column that counts related records.
    assert len(table_of(client, Person, "&o=-6")) == 5
    book = openpyxl.load_workbook(io.BytesIO(exported(client, ServiceAssignment, "xlsx").read()))
    sheet = book.active
    assert [cell.value for cell in sheet[1]] == [
        "ID",
        "Person",
        "Person name",
        "Project",
        "Budget",
        "Service",
    ]
    assert sheet.freeze_panes == "A2"
    assert all(cell.font.b for cell in sheet[1])
    widths = [sheet.column_dimensions[letter].width for letter in "ABC"]
    assert (widths[0], 8 < widths[1] < 60, widths[2]) == (8, True, 60)


def test_other_organization_is_out_of_scope() -> None:
    """A superuser sees all organizations, but a file removes only within its own."""
    first, second = OrganizationFactory(), OrganizationFactory()
    for owner in (first, second):
        ServiceTypeFactory(name="Gone", organization=owner)
    client = superuser()
    file = csv_file(["Organization", "Name"], [f"#{first.pk}", "New"])
    page = client.post(url(ServiceType, "import"), {"file": file, "scope": "all"})
    assert groups_of(page)["Not in the file, will be archived"] == ["Gone"]
    confirm(client, ServiceType, {**hidden_fields(page), "step": "apply"})
    assert ServiceType.objects.active().filter(name="Gone").get().organization == second
