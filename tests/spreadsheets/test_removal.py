"""Test imports that remove what the file no longer has."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from django.test import Client
from django.urls import reverse

from assignments.models import ProjectAssignment, ServiceAssignment, ServiceTypeAssignment
from catalog.models import ServiceType
from productive.accounts.models import Organization
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
from tests.support.spreadsheets import confirm, csv_file, file_again, groups_of

pytestmark = pytest.mark.django_db


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
