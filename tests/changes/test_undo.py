"""Test undo and restore."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.db import IntegrityError, connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from assignments.models import ServiceAssignment
from catalog.models import Deal, Project, Service, ServiceType
from productive.accounts.models import Organization
from productive.admin.forms import label_of
from productive.database.history import change_set
from tests.support.admin import staff, superuser, url
from tests.support.bulk import messages_of
from tests.support.factories import (
    DealFactory,
    PersonFactory,
    ProjectFactory,
    ServiceAssignmentFactory,
    ServiceFactory,
    ServiceTypeFactory,
)
from tests.support.history import changes, edit, latest_set, remove, undo

pytestmark = pytest.mark.django_db


def test_preview_of_undo_changes_nothing(client: Client, organization: Organization) -> None:
    kind = ServiceTypeFactory(organization=organization)
    records = ServiceType.history.count()
    assert client.get(reverse("admin:undo", args=[latest_set(ServiceType, kind.pk)])).status_code == 200
    assert (ServiceType.objects.filter(pk=kind.pk).exists(), ServiceType.history.count()) == (True, records)


def test_addition_change_and_deletion_are_undone_together(client: Client, organization: Organization) -> None:
    person = PersonFactory(organization=organization, first_name="Ana", last_name="Horvat")
    service = ServiceFactory(organization=organization, name="QA")
    deleted = ServiceAssignmentFactory(organization=organization, person=person, service=service)
    before_values = ServiceAssignment.objects.values().get()
    project = ProjectFactory(organization=organization, name="Website")
    with change_set() as pk:
        deleted.delete()
        project.name = "Web shop"
        project.save()
        created = ServiceTypeFactory(organization=organization, name="New")
    assert undo(client, str(pk)) == {
        "Will be created": [(f"{label_of(person)} on {label_of(service)}",)],
        "Will be changed": [("Web shop",)],
        "Will be deleted": [("New",)],
    }
    project.refresh_from_db()
    assert project.name == "Website"
    assert ServiceAssignment.objects.values().get() == before_values
    assert not ServiceType.objects.filter(pk=created.pk).exists()


def test_undo_can_be_undone(client: Client, organization: Organization) -> None:
    project = ProjectFactory(organization=organization)
    project.archive()
    with change_set():
        project.restore()
    edit(client, project, name="Renamed")
    undo(client, latest_set(Project, project.pk))
    assert changes(client)[0][1] == [(project.name, "changed")]
    undo(client, latest_set(Project, project.pk))
    project.refresh_from_db()
    assert project.name == "Renamed"


def test_deletion_is_undone_with_cascades(client: Client, organization: Organization) -> None:
    deal = DealFactory(organization=organization)
    services = [ServiceFactory(organization=organization, deal=deal) for _ in range(3)]
    assignments = [ServiceAssignmentFactory(organization=organization, service=one) for one in services]
    before = (
        list(ServiceAssignment.objects.values()),
        list(Service.objects.values()),
        list(Deal.objects.values()),
    )
    remove(client, deal)
    assert not ServiceAssignment.objects.filter(pk__in=[one.pk for one in assignments]).exists()
    undo(client, latest_set(Deal, deal.pk))
    after = (
        list(ServiceAssignment.objects.values()),
        list(Service.objects.values()),
        list(Deal.objects.values()),
    )
    assert after == before


def test_undo_skips_records_changed_since(client: Client, organization: Organization) -> None:
    project = ProjectFactory(organization=organization, name="First")
    edit(client, project, name="Second")
    mistake = latest_set(Project, project.pk)
    edit(client, project, name="Third")
    assert undo(client, mistake) == {"Can't be done": [("Third", "it was changed again since")]}
    project.refresh_from_db()
    assert project.name == "Third"


def test_undo_keeps_later_changes_of_other_fields(client: Client, organization: Organization) -> None:
    project = ProjectFactory(organization=organization, name="First")
    edit(client, project, name="Second")
    mistake = latest_set(Project, project.pk)
    edit(client, project, project_number="7")
    undo(client, mistake)
    project.refresh_from_db()
    assert (project.name, project.project_number) == ("First", "7")


def test_undo_does_not_delete_records_in_use(client: Client, organization: Organization) -> None:
    with change_set() as pk:
        kind = ServiceTypeFactory(organization=organization, name="Design")
    with change_set():
        ServiceFactory(organization=organization, service_type=kind)
    assert undo(client, str(pk)) == {"Can't be done": [("Design", "it has services now")]}


def test_undo_skips_pair_that_exists_again(client: Client, organization: Organization) -> None:
    deleted = ServiceAssignmentFactory(organization=organization)
    person, service = deleted.person, deleted.service
    with change_set() as pk:
        deleted.delete()
    ServiceAssignmentFactory(organization=organization, person=person, service=service)
    shown = undo(client, str(pk))
    assert shown == {
        "Can't be done": [
            (
                f"{label_of(person)} on {label_of(service)}",
                "service: only one assignment per service, per person is allowed",
            )
        ]
    }


def test_outdated_undo_preview_is_shown_again(client: Client, organization: Organization) -> None:
    one, other = (ProjectFactory(organization=organization, name=name) for name in ("One", "Other"))
    with change_set() as pk:
        for project in (one, other):
            project.archive()
    address = reverse("admin:undo", args=[pk])
    digest = client.get(address).context["preview"].digest
    with change_set():
        one.restore()
    answer = client.post(address, {"digest": digest})
    assert (answer.status_code, answer.context["is_stale"]) == (200, True)
    other.refresh_from_db()
    assert other.archived_at is not None
    assert client.post(address, {"digest": answer.context["preview"].digest}).status_code == 302
    other.refresh_from_db()
    assert other.archived_at is None


def test_second_undo_changes_nothing(client: Client, organization: Organization) -> None:
    project = ProjectFactory(organization=organization)
    edit(client, project, name="Renamed")
    address = reverse("admin:undo", args=[latest_set(Project, project.pk)])
    digest = client.get(address).context["preview"].digest
    first, second = (client.post(address, {"digest": digest}) for _ in range(2))
    assert messages_of(first) == ["Undone: 1 changed."]
    assert messages_of(second)[-1] == "There was nothing left to do."
    assert Project.history.filter(id=project.pk).count() == 3


def test_earlier_state_is_restored(client: Client, organization: Organization) -> None:
    project = ProjectFactory(organization=organization, name="First", project_number="1")
    edit(client, project, name="Second")
    edit(client, project, name="Third", project_number="3")
    history = client.get(url(Project, "history", project.pk)).context["entries"]
    assert [entry.verb for entry in history] == ["changed", "changed", "added"]
    address = history[-1].restore_url
    preview = client.get(address).context["preview"]
    [line] = [line for group in preview.groups for line in group.lines]
    assert [(one.field, one.before, one.after) for one in line.differences] == [
        ("Name", "Third", "First"),
        ("Project number", "3", "1"),
    ]
    assert client.post(address, {"digest": preview.digest}).status_code == 302
    project.refresh_from_db()
    assert (project.name, project.project_number) == ("First", "1")


def test_deleted_record_is_restored_from_its_history(client: Client, organization: Organization) -> None:
    kind = ServiceTypeFactory(organization=organization, name="Design")
    before = ServiceType.objects.filter(pk=kind.pk).values().get()
    remove(client, kind)
    page = client.get(url(ServiceType, "history", kind.pk))
    assert "Restore this state" in page.content.decode()
    address = page.context["entries"][0].restore_url
    client.post(address, {"digest": client.get(address).context["preview"].digest})
    assert ServiceType.objects.filter(pk=kind.pk).values().get() == before


@pytest.mark.parametrize("actor", [superuser, None], ids=["superuser", "staff"])
def test_changes_of_tokens_are_not_undone(
    actor: Callable[[], Client] | None, organization: Organization, token: Any
) -> None:
    rows_of_user = actor() if actor else staff(token.organization)
    with change_set() as pk:
        token.revoke()
    assert undo(rows_of_user, str(pk)) == {
        "Can't be done": [(str(token), "API tokens can only be changed on their own pages")]
    }
    token.refresh_from_db()
    assert token.revoked_at is not None


@pytest.mark.no_cover
def test_undo_of_many_additions_has_same_query_count_as_of_few(
    client: Client, organization: Organization
) -> None:
    service = ServiceFactory(organization=organization)

    def cost(number: int) -> int:
        people = PersonFactory.create_batch(number, organization=organization)
        with change_set() as pk:
            for person in people:
                ServiceAssignment.objects.create(organization=organization, person=person, service=service)
        with CaptureQueriesContext(connection) as queries:
            undo(client, str(pk))
        assert ServiceAssignment.objects.count() == 0
        undone = ServiceAssignment.history.filter(history_type="-").latest("history_id").change_set
        assert ServiceAssignment.history.filter(change_set=undone).count() == number
        return len(queries)

    cost(1)  # from here on, each page shows the message of the previous one
    assert cost(40) == cost(2)


def test_undo_skips_lost_race_and_undoes_the_rest(client: Client, organization: Organization) -> None:
    lucky, late = (
        PersonFactory(organization=organization),
        PersonFactory(organization=organization, id=987_654),
    )
    service = ServiceFactory(organization=organization)
    own = {"organization": organization, "service": service}
    with change_set():
        for person in (lucky, late):
            ServiceAssignmentFactory(person=person, **own)
    with change_set() as pk:
        for assignment in ServiceAssignment.objects.all():
            assignment.delete()

    def fail_late_insert(execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        if sql.startswith('INSERT INTO "assignments_serviceassignment"') and str(late.pk) in str(params):
            raise IntegrityError
        return execute(sql, params, many, context)

    with connection.execute_wrapper(fail_late_insert):
        shown = undo(client, str(pk))
    assert shown == {
        "Will be created": [(f"{label_of(lucky)} on {label_of(service)}",)],
        "Can't be done": [
            (
                f"{label_of(late)} on {label_of(service)}",
                "another user has just changed it",
            )
        ],
    }
    assert [one.person for one in ServiceAssignment.objects.all()] == [lucky]
