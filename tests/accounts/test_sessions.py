"""Test that sessions end with the right to sign in, and stay invalid."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.conf import settings
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from productive.accounts.models import Person, User
from productive.database.history import change_set
from tests.support import bulk
from tests.support.admin import form_data, superuser, url
from tests.support.api import Api
from tests.support.factories import ApiTokenFactory, PersonFactory
from tests.support.sign_in import PASSWORD, make_user, sign_in

pytestmark = [pytest.mark.django_db, pytest.mark.any_database, pytest.mark.no_cover]


@pytest.fixture
def ana() -> User:
    return make_user("ana")


def test_sign_in_starts_a_new_session_and_sign_out_ends_it(ana: User) -> None:
    client = Client()
    session = client.session
    session["planted"] = True
    session.save()
    client.cookies[settings.SESSION_COOKIE_NAME] = session.session_key
    cookie = sign_in(client=client).cookies[settings.SESSION_COOKIE_NAME]
    assert cookie.value != session.session_key
    assert (cookie["httponly"], cookie["samesite"], cookie["max-age"]) == (True, "Lax", 12 * 60 * 60)

    assert client.get(reverse("admin:logout")).status_code == 405
    assert client.get(reverse("admin:index")).status_code == 200
    client.post(reverse("admin:logout"))
    assert client.get(reverse("admin:index")).status_code == 302
    stolen = Client()
    stolen.cookies[settings.SESSION_COOKIE_NAME] = cookie.value
    assert stolen.get(reverse("admin:index")).status_code == 302


def test_new_password_ends_the_other_sessions(ana: User) -> None:
    here, elsewhere = Client(), Client()
    for client in (here, elsewhere):
        sign_in(client=client)
    new = {"old_password": PASSWORD, "new_password1": "battery horse", "new_password2": "battery horse"}
    assert here.post(reverse("admin:password_change"), new).status_code == 302
    responses = [client.get(reverse("admin:index")).status_code for client in (here, elsewhere)]
    assert responses == [200, 302]


def is_signed_in(client: Client) -> bool:
    return client.get(reverse("admin:password_change")).status_code == 200


@pytest.fixture
def session(ana: User) -> Client:
    """Return a client that is signed in as Ana."""
    client = Client()
    sign_in(client=client)
    assert is_signed_in(client)
    return client


def change_in_admin(row: Any, **values: Any) -> None:
    client = superuser()
    data = form_data(client, url(type(row), "change", row.pk)) | values
    data = {name: value for name, value in data.items() if value is not None}
    assert client.post(url(type(row), "change", row.pk), data).status_code == 302


def save(user: User, **values: Any) -> None:
    for name, value in values.items():
        setattr(user, name, value)
    user.save(update_fields=[*values])


def update(user: User, **values: Any) -> None:
    User.objects.filter(pk=user.pk).update(**values)


def bulk_update(user: User, **values: Any) -> None:
    for name, value in values.items():
        setattr(user, name, value)
    User.objects.bulk_update([user], [*values])


@pytest.mark.parametrize("field", ["is_active", "is_staff"])
@pytest.mark.parametrize("write", [save, update, bulk_update, change_in_admin])
def test_session_of_a_deactivated_user_stays_invalid(
    ana: User, session: Client, write: Callable[..., None], field: str
) -> None:
    write(ana, **{field: None if write is change_in_admin else False})
    assert not is_signed_in(session)
    write(User.objects.get(), **{field: True}) if write is not change_in_admin else save(ana, **{field: True})
    assert User.objects.filter(pk=ana.pk, is_active=True, is_staff=True).exists()
    assert not is_signed_in(session)
    assert sign_in(client=session).status_code == 302
    assert is_signed_in(session)


def bulk_archive(person: Person) -> None:
    client = superuser()
    bulk.press(client, bulk.preview(client, "archive", [person]), "apply")


def undo_restore(person: Person) -> None:
    """Archive the person by undoing that it was restored."""
    person.archive()
    User.objects.update(signed_out_at=None)
    with change_set() as restored:
        person.restore()
    client, address = superuser(), reverse("admin:undo", args=[restored])
    client.post(address, {"digest": client.get(address).context["preview"].digest})


def api_archive(person: Person) -> None:
    token = ApiTokenFactory(organization=person.organization)
    assert Api(token.name).patch(f"people/{person.pk}/archive").status == 200


def unlink(person: Person) -> None:
    person.user = None
    person.save()


def give_to_another_user(person: Person) -> None:
    person.user = make_user("other")
    person.save(update_fields=["user"])


@pytest.mark.parametrize(
    "end",
    [
        lambda person: person.archive(),
        lambda person: Person.objects.filter(pk=person.pk).archive(),
        lambda person: Person.objects.filter(pk=person.pk).update(archived_at=timezone.now()),
        lambda person: Person.objects.filter(pk=person.pk).update(user=None),
        bulk_archive,
        undo_restore,
        api_archive,
        unlink,
        give_to_another_user,
        lambda person: person.delete(),
        lambda person: Person.objects.filter(pk=person.pk).delete(),
        lambda person: person.organization.delete(),
    ],
)
def test_session_without_an_active_person_stays_invalid(
    ana: User, session: Client, end: Callable[[Person], None]
) -> None:
    person = ana.people.get()
    end(Person.objects.get(pk=person.pk))
    assert not ana.people.active().exists()
    assert not is_signed_in(session)
    PersonFactory(user=ana)
    assert not is_signed_in(session)


def test_session_lasts_while_another_person_is_active(ana: User, session: Client) -> None:
    first, second = ana.people.get(), PersonFactory(user=ana)
    first.archive()
    first.restore()
    Person.objects.filter(pk=first.pk).archive()
    assert is_signed_in(session)
    second.delete()
    assert not is_signed_in(session)


def test_session_of_a_superuser_needs_no_person(ana: User, session: Client) -> None:
    User.objects.update(is_superuser=True)
    ana.people.get().archive()
    ana.people.all().delete()
    assert is_signed_in(session)


def test_ending_sessions_takes_a_query_only_if_a_user_leaves(
    ana: User, django_assert_num_queries: Any
) -> None:
    person, other = Person.objects.get(), PersonFactory()
    with django_assert_num_queries(3):  # the latest entry, the person, the entry
        person.title = "Lead"
        person.save()
    with django_assert_num_queries(4):  # also the user
        person.archive()
    with django_assert_num_queries(3):
        other.archive()
    Person.objects.restore()
    with django_assert_num_queries(4):  # the entries, their users, the people, the users
        Person.objects.archive()
