"""The admin of users, tokens and people: what it never gives away."""

from __future__ import annotations

import re
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Group, Permission
from django.test import Client
from django.utils import timezone

from productive.accounts.models import ApiToken, Organization, Person, User
from tests.factories import ApiTokenFactory, OrganizationFactory, PersonFactory, UserFactory
from tests.test_admin import autocomplete, form_data, listed, staff, superuser, url

pytestmark = pytest.mark.django_db


def errors(answer: Any) -> dict[str, list[str]]:
    return dict(answer.context["adminform"].form.errors)


# --- Users ----------------------------------------------------------------------------------------


def rights(user: User) -> tuple[Any, ...]:
    user = User.objects.get(pk=user.pk)
    return (user.is_superuser, user.organization_id, [*user.groups.all()], [*user.user_permissions.all()])


def test_staff_can_grant_no_rights_and_move_nobody() -> None:
    organization, group = OrganizationFactory(), Group.objects.create(name="Everything")
    client, colleague = staff(organization), UserFactory(organization=organization)
    permission = Permission.objects.earliest("pk")
    wanted = {
        "is_superuser": "on",
        "groups": group.pk,
        "user_permissions": permission.pk,
        "organization": OrganizationFactory().pk,
    }
    change = url(User, "change", colleague.pk)
    answer = client.post(change, {**form_data(client, change), **wanted, "email": "new@example.com"})
    assert (answer.status_code, User.objects.get(pk=colleague.pk).email) == (302, "new@example.com")
    assert rights(colleague) == (False, organization.pk, [], [])

    new = {"username": "new", "password1": "correct horse battery", "password2": "correct horse battery"}
    assert client.post(url(User, "add"), {**new, **wanted}).status_code == 302
    added = User.objects.get(username="new")
    assert rights(added) == (False, organization.pk, [], [])
    assert added.check_password("correct horse battery")


def test_superuser_grants_rights_and_moves_a_user() -> None:
    user, group, elsewhere = UserFactory(), Group.objects.create(name="Staff"), OrganizationFactory()
    client, change = superuser(), url(User, "change", user.pk)
    wanted = {"is_superuser": "on", "groups": group.pk, "organization": elsewhere.pk}
    assert client.post(change, {**form_data(client, change), **wanted}).status_code == 302
    assert rights(user) == (True, elsewhere.pk, [group], [])


def test_superuser_is_missing_for_staff_of_the_same_organization() -> None:
    organization = OrganizationFactory()
    client, chief = staff(organization), UserFactory(organization=organization, is_superuser=True)
    assert chief.pk not in listed(client, User)
    offered = autocomplete(client, ApiToken._meta.get_field("user")).json()["results"]
    assert str(chief.pk) not in [user["id"] for user in offered]
    assert client.post(url(User, "change", chief.pk), {"username": "mine"}).status_code == 302
    assert User.objects.get(pk=chief.pk).username == chief.username


def test_password_of_another_organizations_user_is_missing() -> None:
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


def test_groups_are_out_of_reach_of_staff() -> None:
    group = Group.objects.create(name="Everything")
    client = staff(OrganizationFactory())
    pages = [url(Group, "changelist"), url(Group, "add"), url(Group, "change", group.pk)]
    assert [client.get(page).status_code for page in pages] == [403, 403, 403]
    assert autocomplete(client, User._meta.get_field("groups")).status_code == 403
    by_group = f"?groups__id__exact={group.pk}"
    assert client.get(url(User, "changelist") + by_group).status_code == 400
    assert group.name not in client.get(url(User, "changelist")).content.decode()


# --- Tokens ---------------------------------------------------------------------------------------


def add_token(client: Client, **data: Any) -> Any:
    return client.post(url(ApiToken, "add"), {"name": "Sync", **data})


def test_secret_of_a_new_token_is_shown_exactly_once() -> None:
    user = UserFactory()
    client = staff(user.organization)
    page = client.get(add_token(client, user=user.pk)["Location"]).content.decode()
    [secret] = re.findall(r"prd_[\w-]{43}", page)
    token = ApiToken.objects.with_secret(secret).get()
    assert (token.name, token.user, token.organization) == ("Sync", user, user.organization)

    pages = [url(ApiToken, "changelist"), *(url(ApiToken, page, token.pk) for page in ("change", "history"))]
    later = "".join(client.get(page).content.decode() for page in [*pages, url(ApiToken, "delete", token.pk)])
    entries = "".join(f"{entry.object_repr} {entry.change_message}" for entry in LogEntry.objects.all())
    for hidden in (secret, token.digest):
        assert (later.count(hidden), entries.count(hidden)) == (0, 0)
    assert token.digest not in page


def test_token_is_only_made_in_the_name_of_own_users() -> None:
    organization = OrganizationFactory()
    client = staff(organization)
    others = [
        UserFactory(),
        UserFactory(organization=organization, is_superuser=True),
        UserFactory(organization=None, is_superuser=True),
    ]
    for user in others:
        refused = errors(add_token(client, user=user.pk))
        assert refused == {
            "user": ["Select a valid choice. That choice is not one of the available choices."]
        }
    assert ApiToken.objects.count() == 0


def test_superuser_makes_a_token_for_any_organization_but_not_for_a_stranger() -> None:
    organization, stranger = OrganizationFactory(), UserFactory()
    refused = add_token(superuser(), user=stranger.pk, organization=organization.pk)
    assert errors(refused) == {"user": ["does not belong to this organization"]}
    member = UserFactory(organization=organization)
    assert add_token(superuser(), user=member.pk, organization=organization.pk).status_code == 302
    assert ApiToken.objects.get().organization == organization


@pytest.mark.parametrize("by_superuser", [True, False])
def test_token_keeps_all_but_its_name_reach_and_expiry(by_superuser: bool) -> None:
    token = ApiTokenFactory()
    client = superuser() if by_superuser else staff(token.organization)
    colleague = UserFactory(organization=token.organization)
    posted = {
        "name": "New name",
        "read_only": "on",
        "expires_at_0": "2030-01-02",
        "expires_at_1": "03:04:05",
        "user": colleague.pk,
        "organization": OrganizationFactory().pk,
        "digest": "0" * 64,
        "prefix": "prd_mine",
        "revoked_at_0": "2020-01-01",
        "revoked_at_1": "00:00:00",
    }
    assert client.post(url(ApiToken, "change", token.pk), posted).status_code == 302
    changed = ApiToken.objects.get(pk=token.pk)
    assert (changed.name, changed.read_only) == ("New name", True)
    assert changed.expires_at == timezone.datetime(
        2030, 1, 2, 3, 4, 5, tzinfo=timezone.get_current_timezone()
    )
    kept = ("user_id", "organization_id", "digest", "prefix", "revoked_at")
    assert [getattr(changed, name) for name in kept] == [getattr(token, name) for name in kept]


@pytest.mark.parametrize("by_superuser", [True, False])
def test_token_whose_user_lost_the_seat_is_not_prolonged(by_superuser: bool) -> None:
    token = ApiTokenFactory()
    User.objects.filter(pk=token.user_id).update(organization=OrganizationFactory())
    client = superuser() if by_superuser else staff(token.organization)
    answer = client.post(url(ApiToken, "change", token.pk), {"name": "New name"})
    assert list(errors(answer)) == ["user"]


def test_revoking_tokens_takes_effect_once() -> None:
    organization = OrganizationFactory()
    first, second = ApiTokenFactory.create_batch(2, organization=organization)
    first.revoke()
    client = staff(organization)
    data = {"action": "revoke", "index": 0, "_selected_action": [first.pk, second.pk]}
    page = client.post(url(ApiToken, "changelist"), data, follow=True)
    assert [str(message) for message in page.context["messages"]] == ["1 API token revoked."]
    assert ApiToken.objects.get(pk=first.pk).revoked_at == first.revoked_at
    assert ApiToken.objects.filter(revoked_at=None).count() == 0


# --- People and organizations ---------------------------------------------------------------------


@pytest.mark.parametrize("by_superuser", [True, False])
def test_email_that_a_colleague_has_is_refused(by_superuser: bool) -> None:
    colleague = PersonFactory(email="ana@example.com")
    namesake = PersonFactory(organization=colleague.organization)
    client = superuser() if by_superuser else staff(colleague.organization)
    data = {"organization": colleague.organization_id, "first_name": "Ana", "last_name": "B"}
    for address in (url(Person, "add"), url(Person, "change", namesake.pk)):
        answer = client.post(address, {**data, "email": "ANA@example.com"})
        assert errors(answer) == {"email": ["has already been taken"]}


def test_email_that_a_stranger_has_is_free() -> None:
    PersonFactory(email="ana@example.com")
    organization = OrganizationFactory()
    data = {"first_name": "Ana", "last_name": "B", "email": "ana@example.com"}
    assert staff(organization).post(url(Person, "add"), data).status_code == 302
    assert Person.objects.get(organization=organization).email == "ana@example.com"


def test_unknown_time_zone_is_refused() -> None:
    answer = superuser().post(url(Organization, "add"), {"name": "Agency", "time_zone": "Europe/Nowhere"})
    assert errors(answer) == {"time_zone": ["is not an IANA time zone, such as Europe/Zagreb"]}
