"""Test that each previewed operation that can't be applied any more shows a page that says so."""

from __future__ import annotations

import csv
import io
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from typing import Any

import psycopg
import pytest
from django.contrib import admin
from django.contrib.auth.models import Permission
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection
from django.db.models import Model
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from assignments.models import ServiceAssignment
from assignments.related_bulk import AssigneesToProjects, ChangeRelation, OnRelated, SwitchOn
from catalog.models import Company, Project, ServiceType
from productive.accounts.models import Organization, Person, User
from productive.admin.bulk.actions import BulkAction
from productive.admin.bulk.pairs import PairAction, Unpairing
from productive.admin.bulk.rows import Stamp
from productive.admin.spreadsheets.admin import SpreadsheetAdmin
from productive.database.history import history_of, is_recorded
from tests.support.admin import FACTORIES, create_row, hidden_fields, press, staff, superuser, url
from tests.support.bulk import messages_of, preview
from tests.support.factories import OrganizationFactory
from tests.support.samples import sampled

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.each_database, pytest.mark.no_cover]

BUSY = "Other users are changing the same records right now. Nothing was changed: try again."
SITE_ACTIONS: Any = dict(admin.site.actions).values()
FORBIDDEN = "can give you permission"
ACTIONS: list[tuple[Any, BulkAction]] = [
    (model, action)
    for model, each in admin.site._registry.items()
    for action in {
        one.name: one for one in [*SITE_ACTIONS, *each.actions] if isinstance(one, BulkAction)
    }.values()
    # Users are never deleted.
    if model is not User or action.permission != "delete"
]
IMPORTED = [model for model, each in admin.site._registry.items() if isinstance(each, SpreadsheetAdmin)]
RECORDED = [model for model in FACTORIES if is_recorded(model)]


def some_actions(at: int) -> Any:
    """Parametrize a test with every fourth action, or all of them in `make fuzz`."""
    return pytest.mark.parametrize(
        ("model", "action"), sampled(ACTIONS, at), ids=lambda one: getattr(one, "name", one.__name__)
    )


every_import = pytest.mark.parametrize("model", IMPORTED, ids=lambda model: model.__name__)


@contextmanager
def locked(row: Model) -> Iterator[None]:
    """Lock the row by another connection, and wait only briefly for it."""
    table, settings = row._meta.db_table, connection.settings_dict
    if connection.vendor == "sqlite":
        with closing(sqlite3.connect(settings["NAME"], isolation_level=None)) as other:
            connection.connection.execute("PRAGMA busy_timeout = 50")
            other.execute("BEGIN IMMEDIATE")
            yield
        connection.close()
        return
    with psycopg.connect(**{**connection.get_connection_params(), "cursor_factory": None}) as other:
        connection.cursor().execute("SET lock_timeout = 50")
        other.execute(f"SELECT 1 FROM {table} WHERE id = %s FOR UPDATE", [row.pk])  # noqa: S608
        yield
        other.rollback()
    # Closing the connection would return it to the pool with this setting.
    connection.cursor().execute("RESET lock_timeout")


def client_for(model: type[Model], organization: Organization) -> Client:
    return staff(organization) if model in FACTORIES else superuser()


def permissions_left(client: Client, *codenames: str) -> None:
    user = User.objects.get(pk=client.session["_auth_user_id"])
    user.is_superuser = False
    user.save()
    user.user_permissions.set(Permission.objects.filter(codename__in=codenames))


def previewed(model: Any, action: BulkAction) -> tuple[Client, Any, Any, Any]:
    """Return a client, the page of a preview that could be applied, the selected and the chosen record."""
    organization = OrganizationFactory()
    client, row, chosen = client_for(model, organization), create_row(model, organization), None
    if row is organization:
        row = OrganizationFactory()
    if isinstance(action, Stamp) and action.clears:
        model._default_manager.filter(pk=row.pk).update(**{action.moment.field: timezone.now()})
    if isinstance(action, SwitchOn):
        model._default_manager.filter(pk=row.pk).update(**{action.field_name: False})
    if isinstance(action, AssigneesToProjects):
        FACTORIES[ServiceAssignment](organization=organization, service=row)
    elif isinstance(action, ChangeRelation):
        chosen = create_row(action.relation.field.related_model, organization)
    elif isinstance(action, PairAction):
        other = create_row(action.side(action.other), organization)
        chosen = create_row(model, organization) if action.copies else other
        if action.copies or isinstance(action, Unpairing):
            pair = {action.selected: chosen if action.copies else row, action.other: other}
            FACTORIES[action.model](organization=organization, **pair)
    page = preview(client, action.name, [row], [chosen] if chosen else [])
    assert page.context["preview"].can_apply, page.context["preview"]
    return client, page, row, chosen


def text_of(response: Any) -> str:
    """Return the messages of a response, and its content."""
    return " ".join([*messages_of(response), response.content.decode()])


def changes() -> int:
    """Return the number of historical records, which each change adds to."""
    return sum(history_of(model)._default_manager.count() for model in FACTORIES if is_recorded(model))


def refused(apply: Callable[[], Any]) -> str:
    """Return what the user reads; nothing may have been changed."""
    before = changes()
    response = apply()
    assert response.status_code in (200, 302, 403), response
    assert changes() == before
    return text_of(response)


@some_actions(at=0)
def test_action_on_deleted_row_says_so(model: Any, action: BulkAction) -> None:
    client, page, row, _ = previewed(model, action)
    model._default_manager.filter(pk=row.pk).delete()
    text = refused(lambda: press(client, page, "apply"))
    assert "There is nothing to do." in text or "There was nothing left to do." in text


CHOOSING = [(model, action) for model, action in ACTIONS if action.choice is not None]


@pytest.mark.parametrize(("model", "action"), sampled(CHOOSING, share=3))
def test_action_with_deleted_choice_says_so(model: Any, action: BulkAction) -> None:
    client, page, _, chosen = previewed(model, action)
    type(chosen)._default_manager.filter(pk=chosen.pk).delete()
    text = refused(lambda: press(client, page, "apply"))
    assert f"Select a valid choice. {chosen.pk} is not one of the available choices." in text


@some_actions(at=1)
def test_action_without_permission_says_so(model: Any, action: BulkAction) -> None:
    client, page, *_ = previewed(model, action)
    permissions_left(client, f"view_{model._meta.model_name}")
    text = refused(lambda: press(client, page, "apply"))
    assert "you don't have permission for it. Nothing was changed." in text or FORBIDDEN in text
    permissions_left(client)
    assert FORBIDDEN in refused(lambda: press(client, page, "apply"))


def locked_by(action: BulkAction, row: Any) -> Any:
    """Return the selected row, or the record that the action changes instead."""
    if isinstance(action, AssigneesToProjects):
        return row.deal.project
    for name in action.path.split("__") if isinstance(action, OnRelated) else ():
        row = getattr(row, name)
    return row


@some_actions(at=2)
def test_action_on_locked_row_says_so(model: Any, action: BulkAction) -> None:
    client, page, row, _ = previewed(model, action)
    with locked(locked_by(action, row)):
        response = press(client, page, "apply")
    # While SQLite is locked, Django can't save the session, which has the message. Then it returns 400.
    expected = {200, 302} if connection.vendor == "postgresql" else {200, 302, 400}
    assert response.status_code in expected
    assert BUSY in text_of(response)


def undo_page(model: Any, organization: Organization) -> tuple[Client, str, Any]:
    """Return a client, the address of the undo of a row's creation, and the row."""
    client, row = client_for(model, organization), create_row(model, organization)
    created = model.history.filter(id=row.pk).latest("history_id")
    return client, reverse("admin:undo", args=[created.change_set]), row


@pytest.mark.parametrize("model", sampled(RECORDED, share=2), ids=lambda model: model.__name__)
def test_undo_that_is_not_possible_any_more_says_so(model: Any) -> None:
    organization = OrganizationFactory()
    client, address, row = undo_page(model, organization)
    page = client.get(address)
    if not page.context["preview"].can_apply:
        return
    with locked(row):
        response = client.post(address, {"digest": page.context["preview"].digest})
    assert BUSY in text_of(response)
    model._default_manager.filter(pk=row.pk).delete()
    text = refused(lambda: client.post(address, {"digest": page.context["preview"].digest}))
    assert "left to do" in text or "nothing was done" in text
    permissions_left(client)
    assert client.post(address, {"digest": page.context["preview"].digest}).status_code in (403, 404)


def previewed_import(client: Client, model: type[Model], *, with_ids: bool) -> dict[str, Any]:
    """Return the form of the preview of an import that changes or creates each exported row."""
    file = b"".join(client.get(url(model, "export") + "?format=csv").streaming_content)
    headings, *rows = csv.reader(io.StringIO(file.decode("utf-8-sig"), newline=""))
    if with_ids:
        rows = [[row[0], "Other", *row[2:]] for row in rows]
    else:
        deleted = model._default_manager.filter(pk__in=[row[0] for row in rows])
        (deleted.filter(user=None) if model is Person else deleted).delete()
        headings, rows = headings[1:], [["Other", *row[2:]] if model in NAMED else row[1:] for row in rows]
    text = io.StringIO(newline="")
    csv.writer(text).writerows([headings, *rows])
    page = client.post(url(model, "import"), {"file": SimpleUploadedFile("a.csv", text.getvalue().encode())})
    assert page.context["preview"].can_apply
    return hidden_fields(page)


def confirm(client: Client, model: type[Model], fields: dict[str, Any]) -> Any:
    return client.post(url(model, "process_import"), fields)


NAMED = (Company, Person, ServiceType, Project)


@pytest.mark.parametrize("model", NAMED)
def test_import_of_deleted_record_says_so(model: Any) -> None:
    organization = OrganizationFactory()
    client, row = staff(organization), create_row(model, organization)
    fields = previewed_import(client, model, with_ids=True)
    model._default_manager.filter(pk=row.pk).delete()
    assert "There is no" in refused(lambda: confirm(client, model, fields))


@every_import
def test_import_without_related_record_says_so(model: Any) -> None:
    organization = OrganizationFactory()
    client, row = staff(organization), create_row(model, organization)
    if model in NAMED:
        return
    person, fields = row.person, previewed_import(client, model, with_ids=False)
    person.delete()
    assert "There is no person" in refused(lambda: confirm(client, model, fields))


@every_import
def test_import_without_permission_says_so(model: Any) -> None:
    organization = OrganizationFactory()
    client, _ = staff(organization), create_row(model, organization)
    fields = previewed_import(client, model, with_ids=False)
    permissions_left(client, f"view_{model._meta.model_name}")
    assert FORBIDDEN in refused(lambda: confirm(client, model, fields))


@every_import
def test_import_of_locked_records_says_so(model: Any) -> None:
    organization = OrganizationFactory()
    client, row = staff(organization), create_row(model, organization)
    fields = previewed_import(client, model, with_ids=False)
    # New rows lock their organization; people with a user are changed, because they can't be deleted.
    with locked(row if model is Person else organization):
        response = confirm(client, model, fields)
    assert "Another user is changing the same records." in text_of(response)
    assert response.status_code == 302 or connection.vendor == "sqlite"
