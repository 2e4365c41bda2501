"""Test that every change has one record per object, with its author, source and change set."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from io import StringIO
from typing import Any

import pytest
from django.core.management import call_command
from django.db import connection
from django.db.models import Model
from django.test import Client
from django.test.utils import CaptureQueriesContext

from assignments.models import Filter, ProjectAssignment
from catalog.models import Deal, Project, Service, ServiceType
from productive.accounts.models import ApiToken, Organization, Person, User
from productive.database.current_request import current_state
from productive.database.history import change_set, command_line, current_change_set
from tests.support import factories
from tests.support.admin import create_row, delete, form_data, save, superuser, url
from tests.support.api import Api, SocketApi
from tests.support.bulk import apply, preview
from tests.support.factories import ApiTokenFactory, OrganizationFactory, PersonFactory, UserFactory
from tests.support.history import RECORDED, Records, change_sets, every_recorded_model, user_of
from tests.support.resources import WRITABLE, change_for, document_for, model_of, new

pytestmark = [pytest.mark.django_db, pytest.mark.no_cover]


# --- The API --------------------------------------------------------------------------------------


@pytest.fixture
def api_via(token: ApiToken) -> tuple[int, str]:
    return token.user_id, f"API: {token.name}"


@pytest.mark.parametrize("resource", WRITABLE)
def test_api_records_each_change_once(
    resource: str, api: Api, organization: Organization, api_via: tuple[int, str], records: Records
) -> None:
    model, body = model_of(resource), new(resource, organization)
    changed = change_for(resource, organization)
    records()

    created = api.post(resource, json=body)
    assert created.status == 201, created
    pk = int(created.data["id"])
    assert records() == [(model, pk, "+", *api_via)]
    assert api.patch(f"{resource}/{pk}", json=changed).status == 200
    assert records() == [(model, pk, "~", *api_via)]
    assert api.patch(f"{resource}/{pk}", json=changed).status == 200
    assert records() == []
    assert api.delete(f"{resource}/{pk}").status == 204
    assert records() == [(model, pk, "-", *api_via)]
    assert len({*change_sets()[-3:]}) == 3


def test_actions_are_recorded_if_they_change_something(
    api: Api, organization: Organization, api_via: tuple[int, str], records: Records
) -> None:
    person = PersonFactory(organization=organization)
    records()
    for verb, there in (("archive", 1), ("archive", 0), ("restore", 1), ("restore", 0)):
        assert api.patch(f"people/{person.pk}/{verb}").status == 200
        assert records() == there * [(Person, person.pk, "~", *api_via)], verb


def test_rejected_request_is_not_recorded(api: Api, organization: Organization, records: Records) -> None:
    foreign, own = PersonFactory(), PersonFactory(organization=organization)
    taken = PersonFactory(organization=organization)
    records()
    changed = document_for("people", email="new@example.com")
    assert api.patch(f"people/{foreign.pk}", json=changed).status == 404
    assert api.patch(f"people/{foreign.pk}/archive").status == 404
    assert api.delete(f"people/{foreign.pk}").status == 404
    assert Api("no such secret").delete(f"people/{own.pk}").status == 401
    assert api.patch(f"people/{own.pk}", json=document_for("people", email=taken.email)).status == 422
    assert records() == []


def test_change_and_record_take_few_queries(
    api: Api, organization: Organization, django_assert_num_queries: Any
) -> None:
    person = PersonFactory(organization=organization)
    # the token, the record, the update, the latest record, the new one, the answer; the savepoint
    with django_assert_num_queries(6 + 2):
        assert api.patch(f"people/{person.pk}", json=document_for("people", title="Editor")).status == 200
    # without the new one
    with django_assert_num_queries(5 + 2):
        assert api.patch(f"people/{person.pk}", json=document_for("people", title="Editor")).status == 200


def test_longest_token_name_is_recorded(organization: Organization, records: Records) -> None:
    token = ApiTokenFactory(organization=organization, name="x" * 255)
    assert Api(token.name).post("projects", json=document_for("projects", name="New")).status == 201
    assert records()[-1][-1] == "API: " + "x" * 255


# --- The admin ------------------------------------------------------------------------------------


CHANGES: dict[type[Model], tuple[str, Any]] = {
    Organization: ("name", "New name"),
    Person: ("title", "Editor"),
    User: ("email", "new@example.com"),
    ApiToken: ("name", "New name"),
    ServiceType: ("description", "By hand"),
    Project: ("project_number", "2026-1"),
    Deal: ("end_date", "2030-01-01"),
    Service: ("name", "New name"),
    ProjectAssignment: ("tasks_layout_id", 7),
    Filter: ("params", '{"archived": true}'),
}


@pytest.mark.any_database
@every_recorded_model
def test_admin_records_each_change_once(model: Any, records: Records) -> None:
    row, client = create_row(model, OrganizationFactory()), superuser()
    by = (user_of(client), "admin")
    if model in CHANGES:
        name, value = CHANGES[model]
    elif "name" in {field.name for field in model._meta.fields}:
        name, value = "name", "New name"
    else:
        name, value = "person", PersonFactory(organization=row.organization).pk
    change = url(model, "change", row.pk)
    # A form doesn't distinguish null and empty text, so the first save may change it.
    client.post(change, form_data(client, change))
    records()
    data = form_data(client, change)
    assert client.post(change, data).status_code == 302
    assert records() == []
    for expected in ([(model, row.pk, "~", *by)], []):
        assert save(client, change, {**data, name: value}).status_code == 302
        assert records() == expected
    assert delete(client, row).status_code == 302
    assert (model, row.pk, "-", *by) in records()
    assert not model.objects.filter(pk=row.pk).exists()


def test_action_is_one_change_set(records: Records) -> None:
    client = superuser()
    people = PersonFactory.create_batch(3)
    records()
    apply(client, preview(client, "archive", people))
    assert records() == [(Person, person.pk, "~", user_of(client), "admin") for person in people]
    apply(client, preview(client, "restore", people))
    first, second = change_sets()[-6:-3], change_sets()[-3:]
    assert [len({*first}), len({*second}), len({*first, *second})] == [1, 1, 2]


def test_delete_action_records_every_row(records: Records) -> None:
    client = superuser()
    projects = factories.ProjectFactory.create_batch(3)
    deal = factories.DealFactory(project=projects[0], organization=projects[0].organization)
    records()
    apply(client, preview(client, "delete_selected", projects))
    by = (user_of(client), "admin")
    assert sorted(records(), key=str) == sorted(
        [(Deal, deal.pk, "-", *by), *((Project, row.pk, "-", *by) for row in projects)], key=str
    )


def test_login_and_logout_are_not_recorded(records: Records) -> None:
    user = UserFactory(is_staff=True)
    user.set_password("correct horse battery")
    user.save()
    records()
    client = Client()
    posted = {"username": user.username, "password": "correct horse battery"}
    assert client.post("/admin/login/?next=/admin/", posted).status_code == 302
    assert User.objects.exclude(last_login=None).filter(pk=user.pk).exists()
    with CaptureQueriesContext(connection) as queries:
        user.save(update_fields=["last_login"])
    assert (len(queries), records()) == (1, [])


# --- Commands -------------------------------------------------------------------------------------


def test_commands_record_the_user_of_the_machine(monkeypatch: pytest.MonkeyPatch, records: Records) -> None:
    monkeypatch.setenv("LOGNAME", "ivana")
    command_line.cache_clear()
    via = (None, "command line (ivana)")
    call_command("create_organization", "Studio", stdout=StringIO())
    organization = Organization.objects.get()
    assert records() == [(Organization, organization.pk, "+", *via)]
    with change_set() as issued:
        call_command("issue_token", organization=organization.pk, stdout=StringIO())
    token = ApiToken.objects.get()
    assert records() == [(User, token.user_id, "+", *via), (ApiToken, token.pk, "+", *via)]
    assert change_sets()[1:] == [issued, issued]
    call_command("createsuperuser", username="root", email="root@example.com", interactive=False, verbosity=0)
    assert records() == [(User, User.objects.get(username="root").pk, "+", *via)]


@pytest.mark.parametrize(
    ("name", "via"),
    [
        ("\udcff", "command line (?)"),
        ("x" * 400, f"command line ({'x' * 286}"),
    ],
)
def test_any_user_name_of_the_machine_is_recorded(
    name: str, via: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LOGNAME", name)
    command_line.cache_clear()
    assert PersonFactory().history.get().via == via


def test_command_works_without_user_name(monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in ("LOGNAME", "USER", "LNAME", "USERNAME"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setattr("os.getuid", lambda: 2**31 - 7)
    command_line.cache_clear()
    assert PersonFactory().history.get().via == "command line"


def test_seed_records_each_row_once(records: Records) -> None:
    call_command("seed", people=20, projects=6, stdout=StringIO())
    for model in RECORDED:
        rows = model.objects.order_by("pk")
        columns = [field.attname for field in model.history.model.tracked_fields]
        recorded = model.history.order_by("history_id").values_list(*columns)
        assert list(recorded) == list(rows.values_list(*columns)), model
        if model is not User:
            dates = model.history.order_by("history_id").values_list("history_date", flat=True)
            assert list(dates) == list(rows.values_list("created_at", flat=True)), model
    assert {(kind, user, via) for _, _, kind, user, via in records()} == {("+", None, command_line())}
    assert len({*change_sets()}) == 1
    call_command("seed", people=20, projects=6, stdout=StringIO())
    assert records() == []


# --- Change sets ----------------------------------------------------------------------------------


def test_change_set_ends_with_its_request(api: Api, records: Records) -> None:
    before = current_change_set()
    for name in ("One", "Two"):
        api.post("projects", json=document_for("projects", name=name))
        assert current_state().request is None
    one, two = Project.history.order_by("history_id").values_list("change_set", flat=True)
    assert len({before, one, two}) == 3
    assert current_change_set() == before
    PersonFactory()
    assert records()[0][-1] == command_line()


def test_commands_can_start_and_end_change_sets() -> None:
    outer = current_change_set()
    with change_set() as inner:
        assert current_change_set() == inner != outer
    assert current_change_set() == outer


def test_threads_do_not_share_change_set() -> None:
    with ThreadPoolExecutor(4) as pool:
        sets = [pool.submit(current_change_set) for _ in range(4)]
    own = [future.result() for future in sets]
    assert current_change_set() not in own


@pytest.mark.django_db(transaction=True)
def test_requests_do_not_share_change_set(socket_api: SocketApi) -> None:
    tokens = [ApiTokenFactory() for _ in range(8)]

    def post_two(token: ApiToken) -> None:
        api = SocketApi(token.name, address=socket_api.address)
        for name in ("One", "Two"):
            assert api.post("projects", json=document_for("projects", name=name)).status == 201

    with ThreadPoolExecutor(len(tokens)) as pool:
        list(pool.map(post_two, tokens))
    recorded = list(Project.history.values_list("organization_id", "history_user_id", "via", "change_set"))
    assert len({change for *_, change in recorded}) == 16
    assert sorted((owner, user, via) for owner, user, via, _ in recorded) == sorted(
        2 * [(token.organization_id, token.user_id, f"API: {token.name}") for token in tokens]
    )
