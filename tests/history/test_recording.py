"""Test which models and changes are recorded, and how."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from django.apps import apps
from django.contrib.auth.models import Permission
from django.core.exceptions import ValidationError
from django.db import connection, transaction
from django.db.models import F
from simple_history.utils import bulk_create_with_history, bulk_update_with_history

from catalog.models import ServiceType
from productive.accounts.idempotency import IdempotencyKey
from productive.accounts.models import ApiToken, Organization, Person, User
from productive.database.history import change_set, command_line, current_change_set, record_rows
from productive.database.row_counts import RowCount
from tests.support import factories
from tests.support.admin import FACTORIES, create_row, superuser, url
from tests.support.factories import (
    ApiTokenFactory,
    FilterFactory,
    OrganizationFactory,
    PersonFactory,
    ServiceTypeFactory,
    UserFactory,
)
from tests.support.history import (
    APPS,
    HISTORIES,
    LEFT_OUT,
    RECORDED,
    Records,
    change_sets,
    every_recorded_model,
)
from tests.support.resources import RESOURCES

pytestmark = pytest.mark.django_db


# --- Recorded models ------------------------------------------------------------------------------


def test_every_model_is_recorded_without_secrets() -> None:
    ours = [model for app in APPS for model in apps.get_app_config(app).get_models()]
    # Stored responses, and row counts, which follow from the rows.
    unrecorded = {IdempotencyKey, *RowCount.__subclasses__()}
    assert {*RECORDED} == {model for model in ours if model not in HISTORIES} - unrecorded
    assert {*RECORDED} >= {*FACTORIES, Organization}
    for history in HISTORIES:
        model = history.instance_type
        # The database computes generated columns from recorded ones.
        written = {field.name for field in model._meta.concrete_fields if not field.generated}
        left_out = written - {field.name for field in history.tracked_fields}
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
