"""Test the commands create_organization and issue_token."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone

from productive.accounts.authentication import find_token
from productive.accounts.models import ApiToken, Organization, Person, User
from tests.support.commands import command_error, run
from tests.support.factories import OrganizationFactory, PersonFactory, UserFactory

pytestmark = [pytest.mark.django_db, pytest.mark.any_database]


def test_organization_is_created_and_its_id_printed() -> None:
    out, err = run("create_organization", " Acme d.o.o. ", "--time-zone", "Europe/Zagreb")
    organization = Organization.objects.get()
    assert (out, err) == (f"{organization.pk}\n", "")
    assert (organization.name, organization.time_zone) == ("Acme d.o.o.", "Europe/Zagreb")


def test_organization_is_in_utc_by_default() -> None:
    run("create_organization", "Acme")
    assert Organization.objects.get().time_zone == "UTC"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["Acme", "--time-zone", "Mars/Base"], "time_zone: is not an IANA time zone, such as Europe/Zagreb"),
        (["Acme", "--time-zone", ""], "time_zone: This field cannot be blank."),
        ([" "], "name: This field cannot be blank."),
        (
            ["", "--time-zone", "../etc/passwd"],
            "name: This field cannot be blank.; time_zone: is not an IANA time zone, such as Europe/Zagreb",
        ),
    ],
)
def test_invalid_organization_is_not_created(arguments: list[str], message: str) -> None:
    assert command_error("create_organization", *arguments) == message
    assert Organization.objects.count() == 0


def test_printed_secret_is_that_of_the_token() -> None:
    organization = OrganizationFactory()
    out, _ = run("issue_token", "--organization", organization.pk)
    secret = out.removesuffix("\n")
    token = find_token(secret)
    assert token == ApiToken.objects.get()
    assert secret.startswith(token.prefix)
    assert (token.organization, token.name, token.read_only, token.expires_at) == (
        organization,
        "API token",
        False,
        None,
    )
    assert token.is_live(timezone.now())


def test_token_without_a_user_gets_a_service_user() -> None:
    organization = OrganizationFactory()
    for _ in range(3):
        run("issue_token", "--organization", organization.pk, "--name", "CRM sync")
    run("issue_token", "--organization", organization.pk, "--name", "日本")
    users = User.objects.order_by("id")
    assert [user.username for user in users] == [
        f"api-{organization.pk}-{suffix}" for suffix in ("crm-sync", "crm-sync-2", "crm-sync-3", "token")
    ]
    assert {
        (u.service_account_of, u.is_active, u.is_staff, u.is_superuser, u.has_usable_password())
        for u in users
    } == {(organization, True, False, False, False)}
    assert [token.user for token in ApiToken.objects.order_by("id")] == list(users)
    assert Person.objects.count() == 0


def test_name_of_a_service_user_is_truncated() -> None:
    organization = OrganizationFactory()
    run("issue_token", "--organization", organization.pk, "--name", "n" * 255)
    assert User.objects.get().username == f"api-{organization.pk}-{'n' * 100}"


def test_token_has_the_given_user_rights_and_lifetime() -> None:
    person = PersonFactory(user=UserFactory(username="ana", organization=None))
    before = timezone.now()
    run(
        *("issue_token", "--organization", person.organization_id, "--user", "ana", "--name", " Reports "),
        *("--read-only", "--expires-in-days", 30),
    )
    token = ApiToken.objects.get()
    assert (token.user, token.name, token.read_only) == (person.user, "Reports", True)
    assert token.expires_at is not None
    assert before <= token.expires_at - timedelta(days=30) <= timezone.now()
    assert User.objects.count() == 1


def test_superuser_can_have_tokens_of_any_organization() -> None:
    organization = OrganizationFactory()
    UserFactory(username="root", organization=None, is_superuser=True)
    run("issue_token", "--organization", organization.pk, "--user", "root")
    assert ApiToken.objects.get().organization == organization


def test_hints_go_to_stderr_without_the_secret() -> None:
    organization = OrganizationFactory(name="Acme", time_zone="Europe/Zagreb")
    out, err = run("issue_token", "--organization", organization.pk, "--expires-in-days", 3650, "--read-only")
    token = ApiToken.objects.get()
    assert token.expires_at is not None
    expiry = token.expires_at.astimezone(organization.zone).strftime("%Y-%m-%d %H:%M %Z")
    assert err.splitlines() == [
        f"API token 'API token' of Acme: acts as user 'api-{organization.pk}-api-token', reads only, "
        f"expires at {expiry}.",
        "The secret is not stored and is not shown again. To use it from the variable TOKEN:",
        '  curl --header "X-Auth-Token: $TOKEN" <address>/api/v2/service_types',
    ]
    run("issue_token", "--organization", organization.pk)
    assert out.count("\n") == 1


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--user", "nobody"], "There is no user 'nobody'."),
        (["--user", ""], "There is no user ''."),
        (["--user", "stranger"], "user: does not belong to this organization"),
        (["--user", "gone"], "User 'gone' is not active, so the token would not be valid."),
        (["--name", " "], "name: This field cannot be blank."),
        (["--expires-in-days", "0"], "--expires-in-days must be from 1 to 3650."),
        (["--expires-in-days", "-1"], "--expires-in-days must be from 1 to 3650."),
        (["--expires-in-days", "3651"], "--expires-in-days must be from 1 to 3650."),
        (["--expires-in-days", "9" * 30], "--expires-in-days must be from 1 to 3650."),
    ],
)
def test_invalid_token_is_not_created(arguments: list[str], message: str) -> None:
    organization = OrganizationFactory()
    UserFactory(username="stranger")
    UserFactory(username="gone", organization=organization, is_active=False)
    assert command_error("issue_token", "--organization", organization.pk, *arguments) == message
    assert ApiToken.objects.count() == 0
    assert User.objects.count() == 2


@pytest.mark.parametrize("number", ["0", "-1", "9" * 30])
def test_token_of_an_unknown_organization_is_not_created(number: str) -> None:
    assert command_error("issue_token", "--organization", number) == f"There is no organization {number}."
