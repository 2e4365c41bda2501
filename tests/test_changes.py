"""Test the list of changes, the history of an object, undo and restore."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from uuid import UUID, uuid4

import pytest
from django.contrib.auth.models import Group
from django.db import IntegrityError, connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from assignments.models import ServiceAssignment
from catalog.models import Deal, Project, Service, ServiceType
from productive.accounts.models import Organization, Person, User
from productive.admin.forms import label_of
from productive.database.history import change_set
from tests.support.admin import delete, form_data, save, staff, superuser, url
from tests.support.api import Api
from tests.support.bulk import messages_of
from tests.support.factories import (
    DealFactory,
    OrganizationFactory,
    PersonFactory,
    ProjectFactory,
    ServiceAssignmentFactory,
    ServiceFactory,
    ServiceTypeFactory,
)

pytestmark = pytest.mark.django_db


@pytest.fixture
def organization(db: None) -> Organization:
    return OrganizationFactory()


@pytest.fixture
def client(organization: Organization) -> Client:
    """Return a client of staff with all permissions in the organization."""
    return staff(organization)


def changes(client: Client, **query: str) -> list[tuple[str, list[tuple[str, str]]]]:
    """Return the change sets, newest first: the author, and what happened to which object."""
    response = client.get(reverse("admin:changes"), query)
    assert response.status_code == 200
    return [
        (found.author, [(entry.label, entry.verb) for entry in found.entries])
        for found in response.context["sets"]
    ]


def latest_set(model: type[Any], pk: int) -> str:
    return str(model.history.filter(id=pk).latest("history_id").change_set)


def undo(client: Client, pk: str) -> dict[str, list[tuple[str, ...]]]:
    """Preview and undo a change set; return the labels and notes of the preview by title."""
    address = reverse("admin:undo", args=[pk])
    page = client.get(address)
    assert page.status_code == 200
    preview = page.context["preview"]
    response = client.post(address, {"digest": preview.digest, "_number": preview.removed})
    assert response.status_code == (302 if preview.can_apply else 200)
    return {
        group.title: [(line.text, *line.notes) for line in group.lines]
        for group in preview.groups
        if group.lines
    }


def edit(client: Client, record: Any, **fields: Any) -> None:
    address = url(type(record), "change", record.pk)
    assert save(client, address, {**form_data(client, address), **fields}).status_code == 302


def remove(client: Client, record: Any) -> None:
    assert delete(client, record).status_code == 302


# --- Reading --------------------------------------------------------------------------------------


def test_list_shows_who_changed_what_and_how(client: Client, organization: Organization) -> None:
    user = User.objects.get(pk=client.session["_auth_user_id"])
    with change_set():
        kind = ServiceTypeFactory(organization=organization, name="Design")
    edit(client, kind, name="Product design")
    remove(client, kind)
    found = changes(client, model="catalog.servicetype")
    assert found[:2] == [
        (user.username, [("Product design", "deleted")]),
        (user.username, [("Product design", "changed")]),
    ]
    assert found[2][0].startswith("command line")
    assert found[2][1] == [("Design", "added")]


def test_change_by_api_names_user_of_token(api: Api, token: Any) -> None:
    organization = token.organization
    answer = api.post(
        "/api/v2/service_types", {"data": {"type": "service_types", "attributes": {"name": "Audit"}}}
    )
    assert answer.status == 201
    page = staff(organization).get(reverse("admin:changes"), {"q": "Audit", "model": "catalog.servicetype"})
    (found,) = page.context["sets"]
    assert (found.author, found.first.via) == (token.user.username, f"API: {token.name}")


@pytest.mark.any_database
def test_differences_are_shown_as_text(client: Client, organization: Organization) -> None:
    project = ProjectFactory(organization=organization, name="Old site")
    other = ProjectFactory(organization=organization, name="New site")
    deal = DealFactory(organization=organization, project=project)
    edit(client, deal, project=other.pk, end_date="2026-12-31", person_restricted_tracking="on")
    page = client.get(reverse("admin:change_set", args=[latest_set(Deal, deal.pk)]))
    (entry,) = page.context["entries"]
    shown = {(one.field, one.before, one.after) for one in entry.differences}
    assert shown == {
        ("Project", "Old site", "New site"),
        ("End date", "empty", "31 Dec 2026"),
        ("Restricted by person", "no", "yes"),
    }


@pytest.mark.no_cover
@pytest.mark.any_database
def test_archiving_and_closing_have_labels(client: Client, organization: Organization) -> None:
    project, deal = ProjectFactory(organization=organization), DealFactory(organization=organization)
    for act in (project.archive, project.restore, deal.close, deal.open):
        with change_set():
            act()
    verbs = [created[0][1] for _, created in changes(client)[:4]]
    assert verbs == ["opened", "closed", "restored", "archived"]


@pytest.mark.no_cover
def test_deleted_records_keep_their_names(client: Client, organization: Organization) -> None:
    person = PersonFactory(organization=organization, first_name="Ana", last_name="Horvat", email="ana@x.y")
    service = ServiceFactory(organization=organization, name="QA")
    assignment = ServiceAssignmentFactory(organization=organization, person=person, service=service)
    remove(client, person)
    remove(client, service)
    labels = {
        label for _, created in changes(client, model="assignments.serviceassignment") for label, _ in created
    }
    assert labels == {f"Ana Horvat · ana@x.y on QA · budget {service.deal_id}"}
    history = client.get(url(ServiceAssignment, "history", assignment.pk))
    assert [entry.verb for entry in history.context["entries"]] == ["deleted", "added"]


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ({"q": "needle"}, ["needle"]),
        ({"q": "needle", "kind": "-"}, []),
        ({"model": "catalog.project"}, ["hay"]),
        ({"who": "nobody of this name"}, []),
        ({"who": "command"}, ["hay", "needle"]),
        ({"since": "2999-01-01"}, []),
        ({"until": "1999-01-01"}, []),
        ({"since": "0001-01-01", "until": "9999-12-31"}, ["hay", "needle"]),
        ({"model": "no.model"}, []),
        ({"since": "yesterday"}, []),
        ({"q": "\x00"}, []),
        ({"q": "x" * 300}, []),
        ({"after": "0001-01-01T00:00:00+14:00_x"}, ["hay", "needle"]),
        ({"after": f"9999-12-31T23:59:59-14:00_{UUID(int=7)}"}, ["hay", "needle"]),
    ],
    ids=str,
)
def test_list_is_filtered(
    client: Client, organization: Organization, query: dict[str, str], found: list[str]
) -> None:
    ServiceTypeFactory(organization=organization, name="needle")
    ProjectFactory(organization=organization, name="hay")
    labels = [label for _, created in changes(client, **query) for label, _ in created]
    assert sorted({"needle", "hay"} & {*labels}) == found


def test_every_change_is_on_exactly_one_page(client: Client, organization: Organization) -> None:
    rows = []
    for number in range(70):
        with change_set():
            rows.append(ServiceTypeFactory(organization=organization, name=f"Type {number}").name)
    with change_set():  # longer than a page of records
        for number in range(150):
            ServiceTypeFactory(organization=organization, name=f"Bulk {number}")
    listed_sets, query = [], "?model=catalog.servicetype"
    while query:
        context = client.get(reverse("admin:changes") + query).context
        listed_sets += [(found.total, found.entries[0].label) for found in context["sets"]]
        query = "?" + context["older"] if context.get("older") else ""
    assert listed_sets[0] == (150, "Bulk 149")
    assert [label for _, label in listed_sets[1:]] == rows[::-1]


def test_change_set_with_others_in_between_is_listed_once(client: Client, organization: Organization) -> None:
    with change_set() as before:
        ServiceTypeFactory(organization=organization)
    with change_set() as long:
        ServiceTypeFactory.create_batch(100, organization=organization)
        with change_set() as between:
            ServiceTypeFactory(organization=organization)
        ServiceTypeFactory.create_batch(30, organization=organization)
    listed_sets, query = [], "?model=catalog.servicetype"
    while query:
        context = client.get(reverse("admin:changes") + query).context
        listed_sets += [(found.pk, found.total) for found in context["sets"]]
        query = "?" + context["older"] if context.get("older") else ""
    assert listed_sets == [(long, 130), (between, 1), (before, 1)]


@pytest.mark.no_cover
def test_page_has_same_query_count_for_one_change_and_many(
    client: Client, organization: Organization
) -> None:
    def cost(address: str) -> int:
        with CaptureQueriesContext(connection) as queries:
            assert client.get(address).status_code == 200
        return len(queries)

    person = PersonFactory(organization=organization)
    with change_set() as few:
        ServiceAssignmentFactory(organization=organization, person=person).service.deal.close()
    person.archive()
    pages = [
        reverse("admin:changes"),
        reverse("admin:change_set", args=[few]),
        url(Person, "history", person.pk),
    ]
    before = [cost(page) for page in pages]
    with change_set() as many:
        for _ in range(6):
            ServiceAssignmentFactory(organization=organization, person=person).service.deal.close()
    pages[1] = reverse("admin:change_set", args=[many])
    after = [cost(page) for page in pages[:2]]
    for _ in range(15):
        person.restore()
        person.archive()
    assert [*after, cost(pages[2])] == before


# --- Tenancy and permissions ---------------------------------------------------------------------------


def test_changes_of_other_organization_are_not_found(client: Client) -> None:
    with change_set() as foreign:
        kind = ServiceTypeFactory(name="Theirs")
        kind.archive()
    record = ServiceType.history.filter(id=kind.pk).earliest("history_id")
    assert "Theirs" not in str(changes(client))
    addresses = [
        (reverse("admin:change_set", args=[foreign]), reverse("admin:change_set", args=[uuid4()])),
        (reverse("admin:undo", args=[foreign]), reverse("admin:undo", args=[uuid4()])),
        (
            reverse("admin:restore", args=["catalog.servicetype", record.history_id]),
            reverse("admin:restore", args=["catalog.servicetype", 987_654_321]),
        ),
    ]
    for theirs, missing in addresses:
        for ask in (client.get, client.post):
            assert (ask(theirs).status_code, ask(missing).status_code) == (404, 404)
    kind.refresh_from_db()
    assert kind.archived_at is not None


def test_deleted_record_of_other_organization_is_not_found(client: Client) -> None:
    kind = ServiceTypeFactory()
    pk = kind.pk
    kind.delete()
    for number in (pk, 987_654_321):
        assert client.get(url(ServiceType, "history", number))["Location"] == reverse("admin:index")


@pytest.mark.any_database
def test_list_requires_view_permission(organization: Organization) -> None:
    ServiceTypeFactory(organization=organization, name="Seen")
    PersonFactory(organization=organization, first_name="Hidden")
    viewer = staff(organization, "view_servicetype")
    assert [created for _, created in changes(viewer)] == [[("Seen", "added")]]
    assert staff(organization, "no such right").get(reverse("admin:changes")).status_code == 403


@pytest.mark.any_database
def test_undo_requires_permissions(organization: Organization) -> None:
    kind = ServiceTypeFactory(organization=organization, name="Design")
    viewer = staff(organization, "view_servicetype")
    shown = undo(viewer, latest_set(ServiceType, kind.pk))
    reason = "you don't have permission to delete this, or any service types"
    assert shown == {"Can't be done": [("Design", reason)]}
    assert ServiceType.objects.filter(pk=kind.pk).exists()


@pytest.mark.any_database
@pytest.mark.parametrize(
    "path", ["x", "x/undo", "00000000-0000-0000-0000-00000000000g", "catalog.servicetype/x/restore"]
)
def test_invalid_url_is_not_found(path: str) -> None:
    assert superuser().get(reverse("admin:changes") + path + "/").status_code in (302, 404)


@pytest.mark.parametrize("pk", [0, 2**63, 10**30])
def test_impossible_record_is_not_found(pk: int) -> None:
    assert superuser().get(f"/admin/changes/catalog.servicetype/{pk}/restore/").status_code == 404


# --- Undo -----------------------------------------------------------------------------------------


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


def test_undo_can_not_grant_login_or_permissions(organization: Organization, client: Client) -> None:
    person, user = PersonFactory(organization=organization), User.objects.create(username="left")
    person.user = user
    person.save()
    with change_set() as pk:
        person.user = None
        person.save()
    shown = undo(client, str(pk))
    assert shown == {"Can't be done": [(label_of(person), "only a superuser may change: user")]}
    assert undo(superuser(), str(pk)) == {"Will be changed": [(label_of(person),)]}


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


def test_changes_of_permissions_and_passwords_are_recorded() -> None:
    client, user = superuser(), User.objects.create(username="ops", is_staff=True)
    operations = Group.objects.get(name="Operations")
    edit(client, user, groups=[operations.pk])
    edit(client, user)
    secret = "a rather long secret"
    password = client.post(
        reverse("admin:auth_user_password_change", args=[user.pk]), {"password1": secret, "password2": secret}
    )
    assert password.status_code == 302
    page = client.get(url(User, "history", user.pk))
    reasons = [entry.record.history_change_reason for entry in page.context["entries"]]
    assert reasons == ["password set", "groups: none → Operations", None]
    assert "groups: none → Operations" in page.content.decode()


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
