"""Test the admin of users and groups."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth.hashers import make_password
from django.contrib.auth.models import Group, Permission
from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction

from productive.accounts.models import ApiToken, Organization, Person, User
from tests.support.admin import autocomplete, form_data, form_errors, listed, staff, superuser, url
from tests.support.api import Api
from tests.support.factories import ApiTokenFactory, OrganizationFactory, PersonFactory, UserFactory

pytestmark = [pytest.mark.django_db, pytest.mark.any_database]


NEW_USER = {"username": "new", "password1": "correct horse battery", "password2": "correct horse battery"}


def permissions_of(user: User) -> tuple[Any, ...]:
    user = User.objects.get(pk=user.pk)
    organizations = [*Organization.objects.filter(pk__in=user.people.values("organization"))]
    return (
        user.is_superuser,
        user.service_account_of,
        organizations,
        [*user.groups.all()],
        [*user.user_permissions.all()],
    )


@pytest.mark.no_cover
def test_staff_cannot_grant_permissions_or_move_users() -> None:
    organization, group = OrganizationFactory(), Group.objects.create(name="Everything")
    client, colleague = staff(organization), UserFactory(organization=organization)
    permission, elsewhere = Permission.objects.earliest("pk"), PersonFactory()
    wanted = {
        "is_superuser": "on",
        "groups": group.pk,
        "user_permissions": permission.pk,
        "organization": elsewhere.organization_id,
        "service_account_of": elsewhere.organization_id,
        "people": elsewhere.pk,
        "person": elsewhere.pk,
    }
    change = url(User, "change", colleague.pk)
    response = client.post(change, {**form_data(client, change), **wanted, "email": "new@example.com"})
    assert (response.status_code, User.objects.get(pk=colleague.pk).email) == (302, "new@example.com")
    assert permissions_of(colleague) == (False, None, [organization], [], [])

    person = PersonFactory(organization=organization)
    added = client.post(url(User, "add"), {**NEW_USER, **wanted, "person": person.pk})
    assert added.status_code == 302
    new = User.objects.get(username="new")
    assert permissions_of(new) == (False, None, [organization], [], [])
    assert new.check_password(NEW_USER["password1"])
    assert [*new.people.all()] == [person]


@pytest.mark.parametrize("choice", ["none", "a stranger", "archived", "has a login", "invalid", "missing"])
def test_user_needs_an_own_active_person_without_a_login(choice: str) -> None:
    organization = OrganizationFactory()
    archived = PersonFactory(organization=organization)
    archived.archive()
    chosen = {
        "none": "",
        "a stranger": PersonFactory().pk,
        "archived": archived.pk,
        "has a login": UserFactory(organization=organization).people.get().pk,
        "invalid": "\x00",
        "missing": 987_654_321,
    }[choice]
    rejected = form_errors(staff(organization).post(url(User, "add"), {**NEW_USER, "person": chosen}))
    wrong = "Select a valid choice. That choice is not one of the available choices."
    assert rejected == {"person": [wrong if chosen else "This field is required."]}
    assert not User.objects.filter(username="new").exists()


def test_superuser_creates_a_user_with_or_without_a_person() -> None:
    person = PersonFactory()
    client = superuser()
    assert client.post(url(User, "add"), {**NEW_USER, "person": person.pk}).status_code == 302
    assert Person.objects.get(pk=person.pk).user == User.objects.get(username="new")
    assert client.post(url(User, "add"), {**NEW_USER, "username": "nobody"}).status_code == 302
    assert permissions_of(User.objects.get(username="nobody")) == (False, None, [], [], [])


@pytest.mark.no_cover
def test_user_of_a_person_is_read_only_for_staff() -> None:
    organization, other = OrganizationFactory(), UserFactory()
    person = PersonFactory(organization=organization)
    client, change = staff(organization), url(Person, "change", person.pk)
    mine = client.session["_auth_user_id"]
    assert client.post(change, {**form_data(client, change), "user": mine}).status_code == 302
    add = url(Person, "add")
    new = {**form_data(client, add), "first_name": "A", "last_name": "B", "user": mine}
    assert client.post(add, new).status_code == 302
    assert Person.objects.filter(user=mine).count() == 1
    assert "Signs in as" in client.get(change).content.decode()

    client = superuser()
    assert client.post(change, {**form_data(client, change), "user": other.pk}).status_code == 302
    assert Person.objects.get(pk=person.pk).user == other
    namesake = PersonFactory(organization=organization)
    change = url(Person, "change", namesake.pk)
    rejected = client.post(change, {**form_data(client, change), "user": other.pk})
    assert form_errors(rejected) == {"user": ["already signs in as another person of this organization"]}


READ_ONLY = {
    "works elsewhere": lambda user: PersonFactory(user=user),
    "worked elsewhere": lambda user: PersonFactory(user=user).archive(),
    "service account elsewhere": lambda user: User.objects.filter(pk=user.pk).update(
        service_account_of=OrganizationFactory()
    ),
    "more permissions": lambda user: user.user_permissions.add(
        Permission.objects.get(codename="add_logentry")
    ),
    "more permissions by group": lambda user: user.groups.add(group_with("add_logentry")),
    "more permissions, inactive": lambda user: (
        user.groups.add(group_with("add_logentry")),
        User.objects.filter(pk=user.pk).update(is_active=False),
    ),
}


SIGN_IN = {"is_staff": True, "is_superuser": True, "password": make_password("correct horse battery")}


@pytest.mark.parametrize("by_superuser", [True, False])
def test_service_account_is_read_only(by_superuser: bool) -> None:
    token = ApiTokenFactory()
    account = User.objects.get(pk=token.user_id)
    # Staff with every permission.
    client = superuser() if by_superuser else staff(token.organization)
    change = url(User, "change", account.pk)
    password = change.replace("change/", "password/")
    page = client.get(change)
    assert (page.status_code, page.context["has_change_permission"]) == (200, False)
    data = {"username": account.username, "is_staff": "on", "is_superuser": "on", "is_active": "on"}
    assert client.post(change, data).status_code == 403
    assert client.get(password).status_code == 403
    passwords = {"password1": NEW_USER["password1"], "password2": NEW_USER["password2"]}
    assert client.post(password, {**passwords, "usable_password": "true"}).status_code == 403
    assert User.objects.filter(pk=account.pk, password="", is_staff=False, is_superuser=False).exists()
    assert Api(token.name).get("people").status == 200


@pytest.mark.parametrize("field", SIGN_IN)
def test_model_rejects_a_service_account_that_signs_in(field: str) -> None:
    account = ApiTokenFactory().user
    account.set_unusable_password()
    account.save()
    account.full_clean()
    setattr(account, field, SIGN_IN[field])
    with pytest.raises(ValidationError, match="can't have a password or access to the admin"):
        account.full_clean()
    with pytest.raises(IntegrityError), transaction.atomic():
        account.save()
    with pytest.raises(IntegrityError), transaction.atomic():
        User.objects.filter(pk=account.pk).update(**{field: SIGN_IN[field]})
    login = UserFactory(**SIGN_IN)
    with pytest.raises(IntegrityError), transaction.atomic():
        User.objects.filter(pk=login.pk).update(service_account_of=account.service_account_of)


def group_with(codename: str) -> Group:
    group = Group.objects.create(name="Auditors")
    group.permissions.add(Permission.objects.get(codename=codename))
    return group


@pytest.mark.no_cover
@pytest.mark.parametrize("why", READ_ONLY)
def test_user_with_more_permissions_is_read_only(why: str) -> None:
    organization = OrganizationFactory()
    client = staff(organization, "view_user", "add_user", "change_user")
    colleague = UserFactory(organization=organization)
    change = url(User, "change", colleague.pk)
    assert client.post(change, {**form_data(client, change), "email": "a@example.com"}).status_code == 302
    READ_ONLY[why](colleague)
    before = User.objects.values().get(pk=colleague.pk)
    password = change.replace("change/", "password/")
    new = {**NEW_USER, "usable_password": "true", "set-password": "1"}
    responses = [client.get(change), client.post(change, new)]
    responses += [client.get(password), client.post(password, new)]
    assert [response.status_code for response in responses] == [200, 403, 403, 403]
    assert User.objects.values().get(pk=colleague.pk) == before
    assert colleague.pk in listed(client, User)


def test_staff_of_both_organizations_change_a_user_of_both() -> None:
    here, there = OrganizationFactory(), OrganizationFactory()
    client, colleague = staff(here), UserFactory(organization=here)
    PersonFactory(organization=there, user=colleague)
    change = url(User, "change", colleague.pk)
    assert client.post(change, {}).status_code == 403
    membership = PersonFactory(organization=there, user=User.objects.get(pk=client.session["_auth_user_id"]))
    assert client.post(change, {**form_data(client, change), "email": "a@example.com"}).status_code == 302
    membership.archive()
    assert client.post(change, {}).status_code == 403


def test_superuser_grants_permissions() -> None:
    user, group = UserFactory(organization=None), Group.objects.create(name="Staff")
    client, change = superuser(), url(User, "change", user.pk)
    wanted = {"is_superuser": "on", "groups": group.pk}
    assert client.post(change, {**form_data(client, change), **wanted}).status_code == 302
    assert permissions_of(user) == (True, None, [], [group], [])


def test_superuser_is_hidden_from_staff_of_the_same_organization() -> None:
    organization = OrganizationFactory()
    client, chief = staff(organization), UserFactory(organization=organization, is_superuser=True)
    assert chief.pk not in listed(client, User)
    offered = autocomplete(client, ApiToken._meta.get_field("user")).json()["results"]
    assert str(chief.pk) not in [user["id"] for user in offered]
    assert client.post(url(User, "change", chief.pk), {"username": "mine"}).status_code == 302
    assert User.objects.get(pk=chief.pk).username == chief.username


def test_password_page_of_another_organizations_user_is_not_found() -> None:
    client, stranger = staff(OrganizationFactory()), UserFactory()
    new = {"password1": "correct horse battery", "password2": "correct horse battery"}
    for pk in (stranger.pk, 987_654_321):
        address = url(User, "change", pk).replace("change/", "password/")
        assert [client.get(address).status_code, client.post(address, new).status_code] == [404, 404]
    stranger.refresh_from_db()
    assert not stranger.check_password(new["password1"])


def test_staff_change_a_colleagues_password() -> None:
    organization = OrganizationFactory()
    client, colleague = staff(organization), UserFactory(organization=organization)
    address = url(User, "change", colleague.pk).replace("change/", "password/")
    new = {"password1": "correct horse battery", "password2": "correct horse battery"}
    assert client.post(address, {**new, "usable_password": "true", "set-password": "1"}).status_code == 302
    colleague.refresh_from_db()
    assert colleague.check_password(new["password1"])


def test_groups_are_hidden_from_staff() -> None:
    group = Group.objects.create(name="Everything")
    client = staff(OrganizationFactory())
    pages = [url(Group, "changelist"), url(Group, "add"), url(Group, "change", group.pk)]
    assert [client.get(page).status_code for page in pages] == [403, 403, 403]
    assert autocomplete(client, User._meta.get_field("groups")).status_code == 403
    by_group = f"?groups__id__exact={group.pk}"
    assert client.get(url(User, "changelist") + by_group).status_code == 400
    assert group.name not in client.get(url(User, "changelist")).content.decode()
