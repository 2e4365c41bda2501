"""Test the list of changes and the history of an object."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import pytest
from django.contrib.auth.models import Group
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from assignments.models import ServiceAssignment
from catalog.models import Deal
from productive.accounts.models import Organization, Person, User
from productive.database.history import change_set
from tests.support.admin import staff, superuser, url
from tests.support.api import Api
from tests.support.factories import (
    DealFactory,
    PersonFactory,
    ProjectFactory,
    ServiceAssignmentFactory,
    ServiceFactory,
    ServiceTypeFactory,
)
from tests.support.history import changes, edit, latest_set, remove

pytestmark = pytest.mark.django_db


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
