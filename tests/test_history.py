"""Test that every change creates one history record per object, with its author, source and change set."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from io import StringIO
from typing import Any

import pytest
from django.apps import apps
from django.contrib.auth.models import Permission
from django.core.exceptions import ValidationError
from django.core.management import call_command
from django.db import connection, transaction
from django.db.models import F, Model
from django.test import Client
from django.test.utils import CaptureQueriesContext
from simple_history.utils import bulk_create_with_history, bulk_update_with_history

from assignments.models import Filter, ProjectAssignment, ServiceAssignment
from catalog.models import Deal, Project, Service, ServiceType
from productive.accounts.idempotency import IdempotencyKey
from productive.accounts.models import ApiToken, Organization, Person, User
from productive.database.current_request import current_state
from productive.database.history import change_set, command_line, current_change_set, record_rows
from productive.database.row_counts import RowCount
from tests.support import factories
from tests.support.admin import FACTORIES, create_row, form_data, superuser, url
from tests.support.api import Api, SocketApi
from tests.support.bulk import apply, preview
from tests.support.factories import (
    ApiTokenFactory,
    FilterFactory,
    OrganizationFactory,
    PersonFactory,
    ServiceAssignmentFactory,
    ServiceFactory,
    ServiceTypeFactory,
    UserFactory,
)
from tests.support.resources import RESOURCES, WRITABLE, change_for, document_for, model_of, new

pytestmark = pytest.mark.django_db

APPS = ("accounts", "catalog", "assignments")
HISTORIES: list[Any] = [
    model for app in APPS for model in apps.get_app_config(app).get_models() if hasattr(model, "change_set")
]
RECORDED: list[Any] = [history.instance_type for history in HISTORIES]
# Fields without history: secrets, and fields that change with every use.
LEFT_OUT = {User: {"password", "last_login", "signed_out_at"}, ApiToken: {"digest", "last_used_at"}}

every_recorded_model = pytest.mark.parametrize("model", RECORDED, ids=lambda model: model.__name__)


@pytest.fixture
def records(request: pytest.FixtureRequest) -> Callable[[], list[tuple[Any, ...]]]:
    """Return the records since the last call: (model, id, type, id of the user, via), by model."""
    seen: set[tuple[Any, int]] = set()

    def since() -> list[tuple[Any, ...]]:
        found = []
        for history in HISTORIES:
            for record in history.objects.order_by("history_id"):
                if (history, record.history_id) not in seen:
                    seen.add((history, record.history_id))
                    found.append(
                        (
                            history.instance_type,
                            record.id,
                            record.history_type,
                            record.history_user_id,
                            record.via,
                        )
                    )
        return found

    return since


Records = Callable[[], list[tuple[Any, ...]]]


def change_sets() -> list[Any]:
    """Return the change sets of all records, the latest last."""
    rows = [row for history in HISTORIES for row in history.objects.values_list("history_date", "change_set")]
    return [change for _, change in sorted(rows)]


def user_of(client: Client) -> int:
    return int(client.session["_auth_user_id"])


# --- Recorded models -----------------------------------------------------------------------------


def test_every_model_is_recorded_without_secrets() -> None:
    ours = [model for app in APPS for model in apps.get_app_config(app).get_models()]
    # Stored responses, and row counts, which follow from the rows.
    unrecorded = {IdempotencyKey, *RowCount.__subclasses__()}
    assert {*RECORDED} == {model for model in ours if model not in HISTORIES} - unrecorded
    assert {*RECORDED} >= {*FACTORIES, Organization}
    for history in HISTORIES:
        model = history.instance_type
        left_out = {field.name for field in model._meta.concrete_fields} - {
            field.name for field in history.tracked_fields
        }
        assert left_out == LEFT_OUT.get(model, set()), model


@every_recorded_model
def test_history_has_no_foreign_keys_and_three_indexes(model: Any) -> None:
    """It has no foreign keys in the database, because their targets may be deleted."""
    table = model.history.model._meta.db_table
    with connection.cursor() as cursor:
        assert connection.introspection.get_relations(cursor, table) == {}
        constraints = connection.introspection.get_constraints(cursor, table)
    indexes = sorted(found["columns"] for found in constraints.values() if found["index"])
    owner = (
        [["organization_id", "history_date", "history_id"]]
        if model in FACTORIES and model is not User
        else []
    )
    assert indexes == sorted(
        [
            ["change_set"],
            ["history_date", "history_id"],
            ["history_user_id"],
            ["id", "history_date", "history_id"],
            *owner,
        ]
    )


def test_history_models_have_no_permissions_or_reverse_relations() -> None:
    assert not Permission.objects.filter(codename__contains="historical").exists()
    for model in RECORDED:
        reverse = {relation.related_model for relation in model._meta.related_objects}
        assert reverse.isdisjoint(HISTORIES), model
    assert not any(view.serializer_class.Meta.model in HISTORIES for view in RESOURCES.values())


# --- The API --------------------------------------------------------------------------------------


@pytest.fixture
def api_via(token: ApiToken) -> tuple[int, str]:
    return token.user_id, f"API: {token.name}"


@pytest.mark.no_cover
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
        assert client.post(change, {**data, name: value}).status_code == 302
        assert records() == expected
    assert client.post(url(model, "delete", row.pk), {"post": "yes"}).status_code == 302
    assert (model, row.pk, "-", *by) in records()
    assert not model.objects.filter(pk=row.pk).exists()


@pytest.mark.no_cover
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


@pytest.fixture(autouse=True)
def forget_user_of_machine() -> Iterator[None]:
    yield
    command_line.cache_clear()


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


# --- Saving ---------------------------------------------------------------------------------------


def test_save_without_changes_is_not_recorded(records: Records) -> None:
    for model in RECORDED:
        row = create_row(model, OrganizationFactory())
        records()
        row.save()
        model.objects.get(pk=row.pk).save()
        assert records() == [], model


def test_true_and_1_in_json_are_different(records: Records) -> None:
    saved = FilterFactory(params={"archived": 1})
    records()
    for params, there in (({"archived": True}, 1), ({"archived": True}, 0), ({"archived": 1}, 1)):
        saved.params = params
        saved.save()
        assert len(records()) == there, params


def test_unsaved_fields_are_not_compared(records: Records) -> None:
    person = PersonFactory()
    records()
    person.title = "Editor"
    person.save(update_fields=["email"])
    assert records() == []
    person.save(update_fields=["title"])
    assert len(records()) == 1


def test_row_without_record_gets_one_on_save(records: Records) -> None:
    person = PersonFactory()
    person.history.all().delete()
    records()
    person.save()
    assert [record[2] for record in records()] == ["~"]


def test_record_is_rolled_back_with_change() -> None:
    with pytest.raises(ZeroDivisionError), transaction.atomic():
        ServiceTypeFactory()
        raise ZeroDivisionError
    assert (ServiceType.objects.count(), ServiceType.history.count()) == (0, 0)


@pytest.mark.django_db(transaction=True)
def test_change_is_rolled_back_with_record() -> None:
    """Also outside of transactions, as in a shell."""
    person = PersonFactory()
    person.title, person._history_date = "Editor", "no date"
    with pytest.raises(ValidationError):
        person.save()
    new = Person(organization=person.organization, first_name="New", last_name="One")
    new._history_date = "no date"
    with pytest.raises(ValidationError):
        new.save()
    assert [*Person.objects.values_list("pk", "title")] == [(person.pk, None)]


def test_bulk_functions_of_simple_history_are_recorded(records: Records) -> None:
    organization = OrganizationFactory()
    records()
    with change_set() as created:
        people = bulk_create_with_history(
            [Person(organization=organization, first_name=name, last_name="Perak") for name in ("A", "B")],
            Person,
        )
    for person in people:
        person.title = "Editor"
    with change_set() as changed:
        bulk_update_with_history(people, Person, ["title"])
    assert records() == [
        (Person, person.pk, kind, None, command_line()) for kind in ("+", "~") for person in people
    ]
    assert change_sets()[-4:] == [created, created, changed, changed]


def test_recorded_update_takes_two_statements_and_changes_no_other_row(
    records: Records, django_assert_num_queries: Any
) -> None:
    first, second, other = PersonFactory.create_batch(3)
    records()
    with django_assert_num_queries(2):
        people = Person.objects.filter(pk__in=[first.pk, second.pk])
        assert people.update_recorded(title="Editor") == 2
    assert records() == [(Person, person.pk, "~", None, command_line()) for person in (first, second)]
    assert [*Person.objects.order_by("pk").values_list("title", flat=True)] == ["Editor", "Editor", None]
    changes = first.history.first().diff_against(first.history.last()).changes
    assert [(change.field, change.old, change.new) for change in changes] == [("title", None, "Editor")]
    assert other.history.count() == 1


@pytest.mark.parametrize(
    ("factory", "do", "undo"),
    [(PersonFactory, "archive", "restore"), (factories.DealFactory, "close", "reopen")],
)
def test_queryset_archive_keeps_earlier_times(factory: Any, do: str, undo: str, records: Records) -> None:
    model = factory._meta.model
    first, second = factory(), factory()
    getattr(model.objects.filter(pk=first.pk), do)()
    before = model.moment.word(model.objects.get(pk=first.pk))
    records()
    assert (before, getattr(model.objects.all(), do)()) == (model.moment.done, 1)
    assert [record[:3] for record in records()] == [(model, second.pk, "~")]
    moments = model.objects.order_by("pk").values_list(model.moment.field, flat=True)
    assert [*moments] == sorted(moments)
    assert (getattr(model.objects.all(), undo)(), {*moments.all()}) == (2, {None})
    assert [record[:3] for record in records()] == [(model, row.pk, "~") for row in (first, second)]


# --- Deleting -------------------------------------------------------------------------------------


def test_deletion_records_cascades_in_few_statements(
    django_assert_num_queries: Any, records: Records
) -> None:
    person = PersonFactory()
    services = ServiceFactory.create_batch(30, organization=person.organization)
    rows = [
        ServiceAssignmentFactory(person=person, service=service, organization=person.organization)
        for service in services
    ]
    records()
    with CaptureQueriesContext(connection) as queries:
        person.delete()
    inserts = [query["sql"].split('"')[1] for query in queries if query["sql"].startswith("INSERT")]
    assert sorted({*inserts}) == ["accounts_historicalperson", "assignments_historicalserviceassignment"]
    # In batches as large as the database allows.
    assert len(inserts) <= 3
    assert [(model, pk, kind) for model, pk, kind, *_ in records()] == [
        (Person, rows[0].person_id, "-"),
        *((ServiceAssignment, row.pk, "-") for row in rows),
    ]
    assert len({*change_sets()[-31:]}) == 1


def test_deletion_with_default_manager_is_recorded_per_row(records: Records) -> None:
    assignment = ServiceAssignmentFactory()
    records()
    Person._base_manager.filter(pk=assignment.person_id).delete()
    assert [record[:3] for record in records()] == [
        (Person, assignment.person_id, "-"),
        (ServiceAssignment, assignment.pk, "-"),
    ]


def test_history_remains_after_deletion_of_organization() -> None:
    organization = OrganizationFactory()
    rows = {model: create_row(model, organization).pk for model in RECORDED}
    token = ApiToken.objects.get(pk=rows[ApiToken])
    organization.delete()
    for model in RECORDED:
        kinds = model.history.filter(id=rows[model]).values_list("history_type", flat=True)
        deleted = ["-"] if model is not User else []
        assert list(kinds) == [*deleted, "+"], model
        assert {*model.history.filter(id=rows[model]).values_list("id", flat=True)} == {rows[model]}
    assert token.history.first().organization_id == rows[Organization]


def test_deletion_of_user_is_recorded_for_its_person(records: Records) -> None:
    person = PersonFactory()
    person.user = UserFactory()
    person.save()
    login, client = person.user_id, superuser()
    records()
    assert client.post(url(User, "delete", login), {"post": "yes"}).status_code == 302
    by = (user_of(client), "admin")
    assert [record for record in records() if record[:2] == (Person, person.pk)] == [
        (Person, person.pk, "~", *by)
    ]
    assert person.history.first().user_id is None


@pytest.mark.django_db(transaction=True)
def test_deletion_of_own_user_clears_author_in_history() -> None:
    client = superuser()
    own = user_of(client)
    project = factories.ProjectFactory()
    change = url(Project, "change", project.pk)
    assert client.post(change, {**form_data(client, change), "name": "New name"}).status_code == 302
    assert project.history.first().history_user_id == own
    assert client.post(url(User, "delete", own), {"post": "yes"}).status_code == 302
    latest = project.history.select_related("history_user").first()
    assert (latest.history_user, latest.via, latest.name) == (None, "admin", "New name")
    deleted = User.history.select_related("history_user").filter(id=own).first()
    assert (deleted.history_type, deleted.history_user, deleted.via) == ("-", None, "admin")


# --- Secrets --------------------------------------------------------------------------------------


def test_no_secret_is_in_any_history(organization: Organization) -> None:
    client = superuser()
    user = UserFactory(is_staff=True)
    user.set_password("correct horse battery")
    user.save()
    password = url(User, "change", user.pk).replace("change/", "password/")
    new = {"password1": "battery horse correct", "password2": "battery horse correct"}
    answer = client.post(password, {**new, "usable_password": "true", "set-password": "1"})
    assert answer.status_code == 302
    token = ApiTokenFactory(organization=organization)
    secret = token.make_secret()
    token.save()
    token.touch(datetime(2030, 1, 1, tzinfo=UTC))
    stored = repr([list(history.objects.values()) for history in HISTORIES])
    hashes = User.objects.values_list("password", flat=True)
    hidden = ["correct horse battery", "battery horse correct", secret, token.digest, *filter(None, hashes)]
    assert [secret for secret in hidden if secret in stored] == []
    assert token.prefix in stored
    assert ApiToken.history.filter(id=token.pk).count() == 2


# --- First records and differences ----------------------------------------------------------------


@every_recorded_model
def test_record_rows_creates_same_records_as_save(model: Any, django_assert_num_queries: Any) -> None:
    rows = [create_row(model, OrganizationFactory()) for _ in range(2)]
    columns = [field.attname for field in model.history.model.tracked_fields]
    own = ["history_type", "history_user_id", "history_change_reason", "via"]
    saved = list(model.history.order_by("history_id").values(*columns, *own))
    model.history.all().delete()
    made_at = "date_joined" if model is User else "created_at"
    with django_assert_num_queries(1):
        record_rows(model.objects.all(), "+", date=F(made_at))
    assert list(model.history.order_by("history_id").values(*columns, *own)) == saved
    for row in rows:
        record = model.history.get(id=row.pk)
        assert (record.history_date, record.change_set) == (getattr(row, made_at), current_change_set())


def test_differences_take_no_query(django_assert_num_queries: Any) -> None:
    person, user = PersonFactory(email="ana@example.com"), UserFactory()
    person.archive()
    person.title, person.user = "Editor", user
    person.save()
    token = ApiTokenFactory()
    token.revoke()
    (edited, archived, created), (revoked, issued) = person.history.all(), token.history.all()
    with django_assert_num_queries(0):
        changes = [
            [(change.field, change.old, change.new) for change in after.diff_against(before).changes]
            for after, before in (
                (archived, created),
                (edited, archived),
                (edited, edited),
                (revoked, issued),
            )
        ]
    assert changes == [
        [("archived_at", None, person.archived_at)],
        [("title", None, "Editor"), ("user", None, user.pk)],
        [],
        [("revoked_at", None, token.revoked_at)],
    ]


def test_relations_by_several_columns_are_recorded_by_id(records: Records) -> None:
    """The relations to saved filters have no column, so the id is recorded."""
    organization = OrganizationFactory()
    saved = FilterFactory(organization=organization)
    assignment = factories.ProjectAssignmentFactory(organization=organization)
    assignment.default_filter_id = saved.pk
    assignment.save()
    after, before = assignment.history.all()
    assert [(c.field, c.old, c.new) for c in after.diff_against(before).changes] == [
        ("default_filter_id", None, saved.pk)
    ]
