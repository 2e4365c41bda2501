"""Test the command rotate_token."""

from __future__ import annotations

import json
import logging
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.core import serializers
from django.utils import timezone

from productive.accounts.authentication import find_token
from productive.accounts.models import ApiToken, Person, User
from productive.database.history import history_of
from tests.support.api import Api
from tests.support.commands import command_error, run
from tests.support.factories import ApiTokenFactory, OrganizationFactory, UserFactory

pytestmark = [pytest.mark.django_db, pytest.mark.each_database]

UNKNOWN = "No live token has this prefix or name. Use issue_token to create one."


def status(secret: str, method: str = "GET") -> int:
    body = {"data": {"type": "projects", "attributes": {"name": "Bridge"}}} if method == "POST" else None
    return Api(secret).request(method, "projects", json=body).status


def rotate(*arguments: Any) -> tuple[ApiToken, str]:
    """Return the new token and its secret, which is all of stdout."""
    out, _ = run("rotate_token", *arguments)
    secret = out.removesuffix("\n")
    return find_token(secret), secret


def test_new_secret_has_the_rights_of_the_old_one_which_is_rejected() -> None:
    out, _ = run("issue_token", "--organization", OrganizationFactory().pk, "--name", "CRM")
    old = ApiToken.objects.get()
    assert status(out.strip(), "POST") == 201
    new, secret = rotate(old.prefix)
    assert (status(out.strip()), status(secret, "POST")) == (401, 201)
    for name in ("organization", "user", "name", "read_only", "expires_at"):
        assert getattr(new, name) == getattr(old, name), name
    assert (ApiToken.objects.count(), User.objects.count()) == (2, 1)
    assert secret.startswith(new.prefix)
    assert new.prefix != old.prefix


def test_old_secret_is_valid_for_the_grace_period() -> None:
    old = ApiTokenFactory()
    before = timezone.now()
    new, secret = rotate(old.prefix, "--grace", "24h")
    assert [status(name, "POST") for name in (old.name, secret)] == [201, 201]
    old.refresh_from_db()
    assert (old.revoked_at, new.expires_at) == (None, None)
    assert before <= old.expires_at - timedelta(hours=24) <= timezone.now()
    ApiToken.objects.filter(pk=old.pk).update(expires_at=timezone.now())
    assert [status(name, "POST") for name in (old.name, secret)] == [401, 201]


def test_grace_does_not_extend_the_lifetime() -> None:
    soon = timezone.now() + timedelta(hours=1)
    old = ApiTokenFactory(expires_at=soon)
    rotate(old.prefix, "--grace", "7d")
    old.refresh_from_db()
    assert old.expires_at == soon


@pytest.mark.parametrize(
    ("grace", "length"),
    [("90m", timedelta(minutes=90)), ("24h", timedelta(days=1)), ("30d", timedelta(days=30))],
)
def test_grace_is_minutes_hours_or_days(grace: str, length: timedelta) -> None:
    old = ApiTokenFactory()
    rotate(old.prefix, "--grace", grace)
    old.refresh_from_db()
    assert abs(old.expires_at - length - timezone.now()) < timedelta(minutes=1)


@pytest.mark.parametrize("grace", ["24", "h", "-1h", "1.5h", "24 h", "24H", "1w", "31d", "٢h", "999999m", ""])
def test_invalid_grace_is_rejected(grace: str) -> None:
    old = ApiTokenFactory()
    message = "must be minutes, hours or days, such as 90m, 24h or 7d; 30d at most"
    assert message in command_error("rotate_token", old.prefix, f"--grace={grace}")
    assert ApiToken.objects.count() == 1


def test_new_token_is_read_only_if_the_old_one_is() -> None:
    _, secret = rotate(ApiTokenFactory(read_only=True).prefix)
    assert [status(secret), status(secret, "POST")] == [200, 403]


@pytest.mark.parametrize("days", [30, 3650, 7 * 365 * 100])
def test_new_token_has_the_lifetime_of_the_old_one(days: int) -> None:
    """But at most the longest that can be issued."""
    created_at = timezone.now() - timedelta(days=20)
    old = ApiTokenFactory(created_at=created_at, expires_at=created_at + timedelta(days=days))
    new, _ = rotate(old.prefix)
    assert new.expires_at is not None
    assert (
        timedelta(0)
        <= timezone.now() + timedelta(days=min(days, 3650)) - new.expires_at
        < timedelta(minutes=1)
    )


def test_token_can_be_found_by_a_unique_name() -> None:
    mine, theirs = ApiTokenFactory(), ApiTokenFactory()
    ApiToken.objects.update(name="CRM")
    several = "Several live tokens have this name. Use the prefix instead."
    assert command_error("rotate_token", "CRM") == several
    new, _ = rotate("CRM", "--organization", mine.organization_id)
    assert new.organization == mine.organization
    theirs.refresh_from_db()
    assert theirs.revoked_at is None
    assert command_error("rotate_token", "CRM", "--organization", 10**9) == UNKNOWN


@pytest.mark.parametrize(
    "change",
    [
        {"revoked_at": timezone.now()},
        {"expires_at": datetime(2025, 1, 1, tzinfo=UTC)},
        {"user__is_active": False},
    ],
    ids=["revoked", "expired", "user deactivated"],
)
def test_token_that_is_not_live_is_not_rotated(change: dict[str, Any]) -> None:
    old = ApiTokenFactory(**change)
    assert command_error("rotate_token", old.prefix) == UNKNOWN
    assert command_error("rotate_token", "prd_unknown") == UNKNOWN
    assert ApiToken.objects.count() == 1


def test_token_of_a_former_member_is_not_rotated() -> None:
    user: Any = UserFactory()
    old = ApiTokenFactory(user=user, organization=user.people.get().organization)
    Person.objects.update(archived_at=timezone.now())
    assert command_error("rotate_token", old.prefix) == "user: does not belong to this organization"
    old.refresh_from_db()
    assert (old.revoked_at, ApiToken.objects.count()) == (None, 1)


def test_both_tokens_are_described() -> None:
    organization = OrganizationFactory(name="Acme", time_zone="Europe/Zagreb")
    user = UserFactory(username="crm", organization=None, service_account_of=organization)
    old = ApiTokenFactory(organization=organization, name="CRM", user=user, read_only=True)
    out, err = run("rotate_token", "CRM", "--grace", "1h")
    old.refresh_from_db()
    ends = old.expires_at.astimezone(organization.zone).strftime("%Y-%m-%d %H:%M %Z")
    assert err.splitlines() == [
        "API token 'CRM' of Acme: acts as user 'crm', reads only, never expires.",
        "The secret is not stored and is not shown again. To use it from the variable TOKEN:",
        '  curl --header "X-Auth-Token: $TOKEN" <address>/api/v2/service_types',
        f"The old token, CRM…, expires at {ends}.",
    ]
    _, err = run("rotate_token", find_token(out.strip()).prefix)
    assert err.splitlines()[-1] == f"The old token, {out[:12]}…, is revoked."


def test_token_in_its_grace_period_has_one_successor() -> None:
    out, _ = run("issue_token", "--organization", OrganizationFactory().pk)
    old = find_token(out.strip())
    new, _ = rotate(old.prefix, "--grace", "24h")
    assert command_error("rotate_token", old.prefix) == (
        f"This token has been replaced by {new.prefix}…. Rotate that one, or revoke it first."
    )
    assert ApiToken.objects.count() == 2
    rotate(new.prefix)
    new.refresh_from_db()
    assert new.revoked_at is not None


def test_both_changes_are_in_one_change_set_without_the_secret(caplog: pytest.LogCaptureFixture) -> None:
    old = ApiTokenFactory()
    with caplog.at_level(logging.DEBUG):
        new, secret = rotate(old.prefix)
    created, *earlier = history_of(ApiToken).objects.filter(id=new.pk)
    revoked, issued = history_of(ApiToken).objects.filter(id=old.pk)
    assert (created.history_type, revoked.history_type, issued.history_type, earlier) == ("+", "~", "+", [])
    assert created.change_set == revoked.change_set != issued.change_set
    assert created.via == revoked.via != ""
    assert revoked.revoked_at is not None
    everything = serializers.serialize("json", [*history_of(ApiToken).objects.all(), new, old])
    assert secret not in everything
    assert secret not in json.dumps([str(record.__dict__) for record in caplog.records])
    assert new.digest not in serializers.serialize("json", history_of(ApiToken).objects.all())


def test_secret_given_as_prefix_is_not_printed() -> None:
    out, _ = run("issue_token", "--organization", OrganizationFactory().pk)
    assert command_error("rotate_token", out.strip()) == UNKNOWN
