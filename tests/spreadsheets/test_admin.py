"""Test the columns, permissions, pages and query counts of imports and exports."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.admin import site
from django.contrib.auth.models import Permission
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from assignments.models import ProjectAssignment, ServiceAssignment
from catalog.models import ServiceType
from productive.accounts.models import Organization
from productive.admin.spreadsheets.admin import SpreadsheetAdmin
from productive.admin.spreadsheets.cells import Beside
from productive.admin.spreadsheets.tables import Table
from tests.support.admin import signed_in, staff, superuser, url
from tests.support.factories import (
    DealFactory,
    OrganizationFactory,
    PersonFactory,
    ProjectAssignmentFactory,
    ProjectFactory,
    ServiceFactory,
    ServiceTypeFactory,
    UserFactory,
)
from tests.support.spreadsheets import (
    EXCHANGED,
    csv_file,
    each_model,
    exported,
    plan_of,
    preview,
    run,
    table_of,
)

pytestmark = [pytest.mark.django_db, pytest.mark.no_cover]


@each_model
def test_table_has_every_field_of_model_as_column_or_in_left_out(model: type[Any]) -> None:
    table: type[Table] = site.get_model_admin(model).table_class  # type: ignore[attr-defined]
    columns = [column.attribute for column in table.columns if not isinstance(column, Beside)]
    written = [field.name for field in model._meta.concrete_fields if not field.generated]
    assert sorted([*columns, *table.left_out]) == sorted(written)


def test_all_lists_with_an_import_are_tested() -> None:
    with_tables = {model for model, each in site._registry.items() if isinstance(each, SpreadsheetAdmin)}
    assert with_tables == {*EXCHANGED}


@each_model
def test_other_organization_exports_nothing_and_finds_no_id(model: type[Any], client: Client) -> None:
    foreign = EXCHANGED[model]()
    _, *rows = table_of(client, model)
    assert str(foreign.pk) not in {row[0] for row in rows}
    foreign_rows = table_of(superuser(), model)
    position = foreign_rows[0].index("Organization")
    # As a user of that organization would enter them.
    stolen = [
        row[:position] + row[position + 1 :] for row in foreign_rows if row[0] in ("ID", str(foreign.pk))
    ]
    name = model._meta.verbose_name
    assert plan_of(client, model, csv_file(*stolen)) == [
        (2, "rejected", [f"ID: There is no {name} “{foreign.pk}”."])
    ]
    unknown = [stolen[0], ["987654", *stolen[1][1:]]]
    assert plan_of(client, model, csv_file(*unknown)) == [
        (2, "rejected", [f"ID: There is no {name} “987654”."])
    ]


@each_model
def test_names_find_no_records_of_other_organization(
    model: type[Any], client: Client, organization: Organization
) -> None:
    """With the values of another organization's record, the import creates a new one or rejects the names."""
    foreign = EXCHANGED[model]()
    foreign_rows = table_of(superuser(), model)
    [row] = [row for row in foreign_rows if row[0] == str(foreign.pk)]
    columns = {
        name: value
        for name, value in zip(foreign_rows[0], row, strict=True)
        if name not in ("ID", "Organization")
    }
    [(number, status, found)] = plan_of(client, model, csv_file([*columns], [*columns.values()]))
    unknown = {
        "Person": "There is no person “{}”.",
        "Service": "There is no service “{}”.",
        "Project": "There is no project “{}”.",
        "Service type": "There is no service type “{}”.",
    }
    if model is ServiceAssignment:
        columns["Service"] = " / ".join([columns.pop("Project"), columns.pop("Budget"), columns["Service"]])
    errors = [f"{name}: {unknown[name].format(value)}" for name, value in columns.items() if name in unknown]
    assert (number, status) == (2, "rejected" if errors else "created")
    assert not errors or found == errors


@pytest.mark.parametrize("reference", ["person", "project"])
def test_ids_in_cells_find_no_records_of_other_organization(
    reference: str, client: Client, organization: Organization
) -> None:
    foreign = ProjectAssignmentFactory()
    own = ProjectAssignmentFactory(organization=organization)
    pair = {
        "person": own.person_id,
        "project": own.project_id,
        reference: getattr(foreign, f"{reference}_id"),
    }
    file = csv_file(["Person", "Project"], [f"#{pair['person']}", f"#{pair['project']}"])
    expected = f"{reference.capitalize()}: There is no {reference} “#{pair[reference]}”."
    assert plan_of(client, ProjectAssignment, file) == [(2, "rejected", [expected])]


def test_organization_column_accepts_own_organization_only(
    client: Client, organization: Organization
) -> None:
    foreign = OrganizationFactory()
    row = ServiceTypeFactory(organization=organization, name="QA")
    file = csv_file(
        ["Organization", "ID", "Name"],
        [organization.pk, "", "Mine"],
        [foreign.pk, "", "Theirs"],
        ["987654", "", "Nobody's"],
        ["x", "", "Nonsense"],
        [foreign.pk, row.pk, "QA"],
    )
    assert plan_of(client, ServiceType, file) == [
        (2, "created", [("Organization", "", str(organization.pk)), ("Name", "", "Mine")]),
        (3, "rejected", [f"Organization: There is no organization “{foreign.pk}”."]),
        (4, "rejected", ["Organization: There is no organization “987654”."]),
        (5, "rejected", ["Organization: There is no organization “x”."]),
        (6, "rejected", ["Organization: can't be changed by an import"]),
    ]


def test_staff_of_two_organizations_must_name_one(organization: Organization) -> None:
    user = UserFactory(organization=organization, is_staff=True, is_superuser=False)
    second = OrganizationFactory()
    PersonFactory(organization=second, user=user)
    user.user_permissions.set(Permission.objects.all())
    client = signed_in(user)
    for owner in (organization, second):
        ServiceTypeFactory(organization=owner, name="QA")
    headings, *rows = table_of(client, ServiceType)
    assert headings == ["ID", "Organization", "Name", "Description", "Archived"]
    assert [row[1] for row in rows] == [str(organization.pk), str(second.pk)]
    file = csv_file(["Organization", "Name"], ["", "Nowhere"], [second.pk, "QA"], [second.pk, "Made"])
    assert plan_of(client, ServiceType, file) == [
        (2, "rejected", ["Organization: Enter the ID of one of your organizations."]),
        (3, "unchanged", []),
        (4, "created", [("Organization", "", str(second.pk)), ("Name", "", "Made")]),
    ]
    assert run(client, ServiceType, csv_file(["Organization", "Name"], [second.pk, "Made"])) == [
        "Imported: 1 created."
    ]
    assert ServiceType.objects.get(name="Made").organization_id == second.pk


@pytest.mark.any_database
@each_model
def test_import_and_export_require_permissions(model: type[Any], organization: Organization) -> None:
    name = model._meta.model_name
    pages = [url(model, "import"), url(model, "export")]

    def answers(*codenames: str) -> list[int]:
        client = staff(organization, *codenames)
        listed = client.get(url(model, "changelist")).content.decode()
        shown = [f'href="{page}' in listed for page in pages]
        got = [client.get(page).status_code for page in pages]
        assert shown == [status == 200 for status in got] or got == [403, 403]
        posted = [client.post(page, {"file": csv_file(["x"])}).status_code for page in pages[:1]]
        done = client.post(url(model, "process_import"), {"token": "x"}).status_code
        assert [*posted, done] == ([200, 302] if got[0] == 200 else [403, 403])
        return got

    assert answers(f"view_{name}") == [403, 200]
    assert answers(f"view_{name}", f"add_{name}") == [403, 200]
    assert answers(f"view_{name}", f"change_{name}") == [403, 200]
    assert answers(f"view_{name}", f"add_{name}", f"change_{name}") == [200, 200]
    assert answers("no such right") == [403, 403]
    assert [Client().get(page).status_code for page in pages] == [302, 302]


@pytest.mark.any_database
@each_model
def test_pages_have_no_inline_script(model: type[Any], client: Client, organization: Organization) -> None:
    EXCHANGED[model](organization=organization)
    pages = [
        client.get(url(model, "import")),
        client.get(url(model, "export")),
        preview(client, model, exported(client, model)),
    ]
    for page in pages:
        text = page.content.decode()
        assert page.status_code == 200
        assert [tag for tag in text.split("<script")[1:] if " src=" not in tag.split(">")[0]] == []
        assert " onclick=" not in text


@pytest.mark.any_database
def test_preview_escapes_values_of_file(client: Client) -> None:
    file = csv_file(["Name"], ["<script>alert(1)</script>"])
    assert "<script>alert" not in preview(client, ServiceType, file).content.decode()


def queries(act: Callable[[], Any]) -> int:
    with CaptureQueriesContext(
        connection,
    ) as captured:
        act()
    return len(captured)


def new_assignments(organization: Organization, count: int) -> list[list[str]]:
    own = {"organization": organization}
    person = PersonFactory(email=f"person-of-{count}@x.org", **own)
    deal = DealFactory(name=f"Budget of {count}", project=ProjectFactory(name="P", **own), **own)
    kind = ServiceTypeFactory(**own)
    for n in range(count):
        ServiceFactory(name=f"Service {n}", deal=deal, service_type=kind, **own)
    return [["Person", "Service"], *([person.email, f"P / {deal.name} / Service {n}"] for n in range(count))]


@pytest.mark.any_database
@each_model
def test_export_has_same_query_count_for_any_number_of_rows(
    model: type[Any], client: Client, organization: Organization
) -> None:
    EXCHANGED[model](organization=organization)
    exported(client, model)
    one = queries(lambda: exported(client, model))
    EXCHANGED[model].create_batch(29, organization=organization)
    assert queries(lambda: exported(client, model)) == one


@pytest.mark.any_database
@each_model
def test_preview_of_existing_rows_has_same_query_count_for_any_number(
    model: type[Any], client: Client, organization: Organization
) -> None:
    EXCHANGED[model](organization=organization)
    preview(client, model, exported(client, model))
    file = exported(client, model)
    one = queries(lambda: preview(client, model, file))
    EXCHANGED[model].create_batch(29, organization=organization)
    more = exported(client, model)
    assert queries(lambda: preview(client, model, more)) == one


@pytest.mark.any_database
def test_import_of_new_rows_has_same_query_count_for_any_number(
    client: Client, organization: Organization
) -> None:
    """User and permissions, related records, pairs, one INSERT of all rows and one of their history."""
    costs = []
    for count in (1, 30):
        file = csv_file(*new_assignments(organization, count))
        begun = ServiceAssignment.objects.count()
        costs.append(queries(lambda file=file: run(client, ServiceAssignment, file)))  # type: ignore[misc]
        assert ServiceAssignment.objects.count() == begun + count
    assert costs[0] == costs[1]
