"""Test imports of the six lists that have them."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from django.core.exceptions import ValidationError
from django.test import Client

from assignments.models import ProjectAssignment, ServiceAssignment
from catalog.models import Project, ServiceType
from productive.accounts.models import Organization, Person
from productive.admin.preview import RecordOutcome
from productive.database.functions import ascii_upper
from tests.support.admin import hidden_fields
from tests.support.factories import (
    DealFactory,
    PersonFactory,
    ProjectFactory,
    ServiceFactory,
    ServiceTypeFactory,
)
from tests.support.spreadsheets import confirm, csv_file, plan_of, preview, records, rows_of, run, xlsx_file

pytestmark = pytest.mark.django_db


def test_import_creates_and_changes_people(client: Client, organization: Organization) -> None:
    ana = PersonFactory(
        organization=organization, first_name="Ana", last_name="Ban", email="ana@x.org", title="QA"
    )
    file = csv_file(
        ["Title", "email", "First name", "Last name"],
        ["", "ANA@x.org ", "Ana", "Ban-Kos"],
        [],
        ["Designer", "ivo@x.org", " Ivo ", "Ilić"],
    )
    response = preview(client, Person, file)
    assert rows_of(response) == [
        (
            2,
            "changed",
            [("Last name", "Ban", "Ban-Kos"), ("Email", "ana@x.org", "ANA@x.org"), ("Title", "QA", "")],
        ),
        (
            4,
            "created",
            [
                ("First name", "", "Ivo"),
                ("Last name", "", "Ilić"),
                ("Email", "", "ivo@x.org"),
                ("Title", "", "Designer"),
            ],
        ),
    ]
    assert Person.objects.filter(email="ivo@x.org").count() == 0

    assert confirm(client, Person, hidden_fields(response)) == ["Imported: 1 created, 1 changed."]
    values = Person.objects.owned_by(organization).filter(user=None).order_by("pk")
    assert list(values.values_list("first_name", "last_name", "email", "title", "archived_at")) == [
        ("Ana", "Ban-Kos", "ANA@x.org", None, None),
        ("Ivo", "Ilić", "ivo@x.org", "Designer", None),
    ]
    assert Person.objects.get(last_name="Ban-Kos").pk == ana.pk


@pytest.mark.each_database
@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("m@strasse.de", "m@straße.de"),
        ("smith@x.org", "\N{LATIN SMALL LETTER LONG S}mith@x.org"),
        ("é@x.org", "É@x.org"),
        ("\N{LATIN SMALL LETTER DOTLESS I}@x.org", "I@x.org"),
    ],
)
def test_addresses_that_differ_in_other_than_ascii_case_are_two_people(
    client: Client, organization: Organization, first: str, second: str
) -> None:
    PersonFactory(organization=organization, email=first)
    Person(organization=organization, email=second).validate_constraints()
    assert ascii_upper(first) != ascii_upper(second)
    if second == "m@straße.de":  # Django's form field allows other letters in the domain only
        file = csv_file(["First name", "Last name", "Email"], ["Ana", "Ban", second])
        assert run(client, Person, file) == ["Imported: 1 created."]
    else:
        PersonFactory(organization=organization, email=second)
    assert Person.objects.filter(email__in=[first, second]).count() == 2


@pytest.mark.each_database
def test_addresses_that_differ_in_ascii_case_are_one_person(
    client: Client, organization: Organization
) -> None:
    PersonFactory(organization=organization, email="ana@straße.de")
    with pytest.raises(ValidationError, match="has already been taken"):
        Person(organization=organization, email="ANA@STRAßE.DE").validate_constraints()
    file = csv_file(["First name", "Last name", "Email"], ["Ana", "Ban", "ANA@STRAßE.de"])
    assert run(client, Person, file) == ["Imported: 1 changed."]


def test_import_is_one_change_set_of_user(client: Client, organization: Organization) -> None:
    kept = ServiceTypeFactory(organization=organization, name="Kept")
    changed = ServiceTypeFactory(organization=organization, name="Old")
    before = records(ServiceType)
    file = csv_file(["ID", "Name"], [kept.pk, "Kept"], [changed.pk, "New name"], ["", "Made"])
    assert run(client, ServiceType, file) == ["Imported: 1 created, 1 changed, 1 unchanged."]
    new_type = ServiceType.objects.get(name="Made")
    written = ServiceType.history.order_by("-history_id")[: records(ServiceType) - before]
    user = int(client.session["_auth_user_id"])
    assert sorted(
        (one.id, one.name, one.history_type, one.history_user_id, one.via) for one in written
    ) == sorted([(new_type.pk, "Made", "+", user, "admin"), (changed.pk, "New name", "~", user, "admin")])
    assert len({one.change_set for one in written}) == 1


def test_projects_are_found_by_number_or_name(client: Client, organization: Organization) -> None:
    own = {"organization": organization}
    numbered = ProjectFactory(name="Website", project_number="007", **own)
    ProjectFactory(name="App", **own)
    twice = [ProjectFactory(name="Twice", **own).pk for _ in range(2)]
    file = xlsx_file(
        ["Name", "Number"], ["Website 2", "007"], ["App", 8], ["Website", None], ["Twice", ""], ["Other", "9"]
    )
    # Without the id, a number that a program has rewritten finds the project of that name only.
    rewritten = csv_file(["Name", "Number"], ["Website", "7.0"], ["Site", "7"])
    assert [row[:2] for row in plan_of(client, Project, rewritten)] == [(2, "unchanged"), (3, "created")]
    assert plan_of(client, Project, file) == [
        (2, "changed", [("Name", "Website", "Website 2")]),
        (3, "changed", [("Number", "", "8")]),
        (4, "rejected", ["Row 2 has the same project."]),
        (5, "rejected", [f"2 projects have this name: use the ID #{twice[0]} or #{twice[1]}."]),
        (6, "created", [("Name", "", "Other"), ("Number", "", "9")]),
    ]
    assert numbered.name == Project.objects.get(pk=numbered.pk).name


def test_assignments_are_found_by_person_and_path(client: Client, organization: Organization) -> None:
    own = {"organization": organization}
    deal = DealFactory(name="Phase 1", project=ProjectFactory(name="A/B", **own), **own)
    service = ServiceFactory(name="Design", deal=deal, **own)
    person = PersonFactory(email="ana@x.org", **own)
    file = csv_file(
        ["Person", "Service"],
        ["Ana@X.org", "A\\/B / Phase 1 / Design"],
        ["ana@x.org", "A/B / Phase 1 / Design"],
        ["nobody@x.org", f"#{service.pk}"],
        ["", ""],
        [f"#{person.pk}", f"#{service.pk}"],
    )
    assert plan_of(client, ServiceAssignment, file) == [
        (2, "created", [("Person", "", "ana@x.org"), ("Service", "", "A\\/B / Phase 1 / Design")]),
        (3, "rejected", ["Service: There is no service “A/B / Phase 1 / Design”."]),
        (4, "rejected", ["Person: There is no person “nobody@x.org”."]),
        (6, "rejected", ["Row 2 has the same service assignment."]),
    ]
    good = csv_file(["Person", "Service"], ["ana@x.org", "A\\/B / Phase 1 / Design"])
    assert run(client, ServiceAssignment, good) == ["Imported: 1 created."]
    assert list(ServiceAssignment.objects.values_list("organization", "person", "service")) == [
        (organization.pk, person.pk, service.pk)
    ]


def test_ambiguous_name_is_error_with_ids(client: Client, organization: Organization) -> None:
    own = {"organization": organization}
    PersonFactory(email="ana@x.org", **own)
    first, second = (ProjectFactory(name="Website", **own).pk for _ in range(2))
    file = csv_file(
        ["Person", "Project", "Watched"],
        ["ana@x.org", "Website", "maybe"],
        ["ana@x.org", f"#{second}", "YES"],
    )
    assert plan_of(client, ProjectAssignment, file) == [
        (
            2,
            "rejected",
            [
                f"Project: 2 projects have the name “Website”: use #{first} or #{second}.",
                "Watched: “maybe” is neither yes nor no.",
            ],
        ),
        (3, "created", [("Person", "", "ana@x.org"), ("Project", "", f"#{second}"), ("Watched", "", "yes")]),
    ]


def test_row_errors_are_those_of_model(client: Client, organization: Organization) -> None:
    own = {"organization": organization}
    PersonFactory(email="taken@x.org", **own)
    ivo = PersonFactory(email="ivo@x.org", archived_at=datetime(2026, 1, 5, tzinfo=UTC), **own)
    file = csv_file(
        ["ID", "First name", "Last name", "Email", "Archived"],
        [ivo.pk, "Ivo", "Ilić", "TAKEN@x.org", "2026-01-05"],
        ["", "", "x" * 300, "not an address", ""],
        ["", "No", "Address", "", ""],
        ["99999999999999999999", "No", "Body", "a@x.org", ""],
        [ivo.pk, "Ivo", "Ilić", "ivo@x.org", ""],
    )
    assert plan_of(client, Person, file) == [
        (2, "rejected", ["Email: has already been taken"]),
        (
            3,
            "rejected",
            [
                "First name: This field cannot be blank.",
                "Last name: Ensure this value has at most 255 characters (it has 300).",
                "Email: Enter a valid email address.",
            ],
        ),
        (4, "rejected", ["Email: A new person needs an email, by which the next import finds it."]),
        (5, "rejected", ["ID: There is no person “99999999999999999999”."]),
        (6, "rejected", ["Row 2 has the same person."]),
    ]


def test_import_can_not_archive(client: Client, organization: Organization) -> None:
    row = ServiceTypeFactory(organization=organization, name="QA")
    file = csv_file(["ID", "Name", "Archived"], [row.pk, "QA", "2026-01-05"], ["", "New", "yes"])
    expected = "Archived: can't be changed by an import; use the actions of the list"
    assert plan_of(client, ServiceType, file) == [(2, "rejected", [expected]), (3, "rejected", [expected])]


def test_one_error_prevents_import(client: Client, organization: Organization) -> None:
    response = preview(client, ServiceType, csv_file(["Name", "Description"], ["Good", ""], ["", "no name"]))
    assert confirm(client, ServiceType, {**hidden_fields(response), "step": "apply"}) == []
    assert "so nothing can be imported" in response.content.decode()
    assert 'value="apply"' not in response.content.decode()
    assert ServiceType.objects.count() == 0


def test_preview_shows_limited_number_of_lines(client: Client) -> None:
    rows = [[f"Type {n}"] for n in range(400)]
    response = preview(client, ServiceType, csv_file(["Name"], *rows, ["x" * 300]))
    refused, created = (group for group in response.context["preview"].groups if group.lines)
    assert (refused.outcome, refused.lines[0].prefix) == (RecordOutcome.REJECTED, "Row 402")
    assert (created.count, len(created.shown), created.hidden) == ("400", 300, "100")
    assert "and 100 more" in response.content.decode()
