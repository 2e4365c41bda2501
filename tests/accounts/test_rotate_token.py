"""rotate_token: another secret for the same rights, and the end of the old one."""

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
from tests.support.commands import refusal, run
from tests.support.factories import ApiTokenFactory, OrganizationFactory, UserFactory

pytestmark = [pytest.mark.django_db, pytest.mark.each_database]

UNKNOWN = "No token that is live has this prefix or name. issue_token makes a new one."


def status(secret: str, method: str = "GET") -> int:
    body = {"data": {"type": "projects", "attributes": {"name": "Bridge"}}} if method == "POST" else None
    return Api(secret).request(method, "projects", json=body).status


def rotated(*arguments: Any) -> tuple[ApiToken, str]:
    """The new token and its secret, which is all that goes to stdout."""
    out, _ = run("rotate_token", *arguments)
    secret = out.removesuffix("\n")
    return find_token(secret), secret


def test_old_secret_is_refused_at_once_and_the_new_one_opens_the_same() -> None:
    out, _ = run("issue_token", "--organization", OrganizationFactory().pk, "--name", "CRM")
    old = ApiToken.objects.get()
    assert status(out.strip(), "POST") == 201
    fresh, secret = rotated(old.prefix)
    assert (status(out.strip()), status(secret, "POST")) == (401, 201)
    for name in ("organization", "user", "name", "read_only", "expires_at"):
        assert getattr(fresh, name) == getattr(old, name), name
    assert (ApiToken.objects.count(), User.objects.count()) == (2, 1)
    assert secret.startswith(fresh.prefix)
    assert fresh.prefix != old.prefix


def test_old_secret_lives_until_the_grace_has_passed() -> None:
    old = ApiTokenFactory()
    before = timezone.now()
    fresh, secret = rotated(old.prefix, "--grace", "24h")
    assert [status(name, "POST") for name in (old.name, secret)] == [201, 201]
    old.refresh_from_db()
    assert (old.revoked_at, fresh.expires_at) == (None, None)
    assert before <= old.expires_at - timedelta(hours=24) <= timezone.now()
    ApiToken.objects.filter(pk=old.pk).update(expires_at=timezone.now())
    assert [status(name, "POST") for name in (old.name, secret)] == [401, 201]


def test_grace_never_prolongs_a_life() -> None:
    soon = timezone.now() + timedelta(hours=1)
    old = ApiTokenFactory(expires_at=soon)
    rotated(old.prefix, "--grace", "7d")
    old.refresh_from_db()
    assert old.expires_at == soon


@pytest.mark.parametrize(
    ("grace", "length"),
    [("90m", timedelta(minutes=90)), ("24h", timedelta(days=1)), ("30d", timedelta(days=30))],
)
def test_grace_is_minutes_hours_or_days(grace: str, length: timedelta) -> None:
    old = ApiTokenFactory()
    rotated(old.prefix, "--grace", grace)
    old.refresh_from_db()
    assert abs(old.expires_at - length - timezone.now()) < timedelta(minutes=1)


@pytest.mark.parametrize("grace", ["24", "h", "-1h", "1.5h", "24 h", "24H", "1w", "31d", "٢h", "999999m", ""])
def test_other_graces_are_refused(grace: str) -> None:
    old = ApiTokenFactory()
    words = "must be minutes, hours or days, such as 90m, 24h or 7d; 30d at most"
    assert words in refusal("rotate_token", old.prefix, f"--grace={grace}")
    assert ApiToken.objects.count() == 1


def test_read_only_stays_read_only() -> None:
    _, secret = rotated(ApiTokenFactory(read_only=True).prefix)
    assert [status(secret), status(secret, "POST")] == [200, 403]


@pytest.mark.parametrize("days", [30, 3650, 7 * 365 * 100])
def test_new_one_lasts_as_long_as_the_old_one_was_given(days: int) -> None:
    """But for one that would outlast what can be issued."""
    made = timezone.now() - timedelta(days=20)
    old = ApiTokenFactory(created_at=made, expires_at=made + timedelta(days=days))
    fresh, _ = rotated(old.prefix)
    assert fresh.expires_at is not None
    assert (
        timedelta(0)
        <= timezone.now() + timedelta(days=min(days, 3650)) - fresh.expires_at
        < timedelta(minutes=1)
    )


def test_token_may_be_named_where_only_one_has_the_name() -> None:
    mine, theirs = ApiTokenFactory(), ApiTokenFactory()
    ApiToken.objects.update(name="CRM")
    several = "Several tokens that are live have this name: say which by its prefix."
    assert refusal("rotate_token", "CRM") == several
    fresh, _ = rotated("CRM", "--organization", mine.organization_id)
    assert fresh.organization == mine.organization
    theirs.refresh_from_db()
    assert theirs.revoked_at is None
    assert refusal("rotate_token", "CRM", "--organization", 10**9) == UNKNOWN


@pytest.mark.parametrize(
    "change",
    [
        {"revoked_at": timezone.now()},
        {"expires_at": datetime(2025, 1, 1, tzinfo=UTC)},
        {"user__is_active": False},
    ],
    ids=["revoked", "expired", "user deactivated"],
)
def test_dead_token_is_not_brought_back(change: dict[str, Any]) -> None:
    old = ApiTokenFactory(**change)
    assert refusal("rotate_token", old.prefix) == UNKNOWN
    assert refusal("rotate_token", "prd_unknown") == UNKNOWN
    assert ApiToken.objects.count() == 1


def test_user_without_a_seat_gets_no_new_one_and_keeps_the_old() -> None:
    user: Any = UserFactory()
    old = ApiTokenFactory(user=user, organization=user.people.get().organization)
    Person.objects.update(archived_at=timezone.now())
    assert refusal("rotate_token", old.prefix) == "user: does not belong to this organization"
    old.refresh_from_db()
    assert (old.revoked_at, ApiToken.objects.count()) == (None, 1)


def test_what_becomes_of_both_is_told() -> None:
    organization = OrganizationFactory(name="Acme", time_zone="Europe/Zagreb")
    user = UserFactory(username="crm", organization=None, serves=organization)
    old = ApiTokenFactory(organization=organization, name="CRM", user=user, read_only=True)
    out, err = run("rotate_token", "CRM", "--grace", "1h")
    old.refresh_from_db()
    ends = old.expires_at.astimezone(organization.zone).strftime("%Y-%m-%d %H:%M %Z")
    assert err.splitlines() == [
        "API token 'CRM' of Acme: acts as user 'crm', reads only, never expires.",
        "The secret is shown this once and kept nowhere. With it in the variable TOKEN:",
        '  curl --header "X-Auth-Token: $TOKEN" <address>/api/v2/service_types',
        f"The old one, CRM…, expires at {ends}.",
    ]
    _, err = run("rotate_token", find_token(out.strip()).prefix)
    assert err.splitlines()[-1] == f"The old one, {out[:12]}…, is revoked."


def test_token_in_its_grace_has_one_successor() -> None:
    out, _ = run("issue_token", "--organization", OrganizationFactory().pk)
    old = find_token(out.strip())
    fresh, _ = rotated(old.prefix, "--grace", "24h")
    assert refusal("rotate_token", old.prefix) == (
        f"It has been rotated: {fresh.prefix}… is its successor. Rotate that one, or revoke it first."
    )
    assert ApiToken.objects.count() == 2
    rotated(fresh.prefix)
    fresh.refresh_from_db()
    assert fresh.revoked_at is not None


def test_both_changes_are_recorded_together_and_tell_no_secret(caplog: pytest.LogCaptureFixture) -> None:
    old = ApiTokenFactory()
    with caplog.at_level(logging.DEBUG):
        fresh, secret = rotated(old.prefix)
    made, *earlier = history_of(ApiToken).objects.filter(id=fresh.pk)
    revoked, issued = history_of(ApiToken).objects.filter(id=old.pk)
    assert (made.history_type, revoked.history_type, issued.history_type, earlier) == ("+", "~", "+", [])
    assert made.change_set == revoked.change_set != issued.change_set
    assert made.via == revoked.via != ""
    assert revoked.revoked_at is not None
    everything = serializers.serialize("json", [*history_of(ApiToken).objects.all(), fresh, old])
    assert secret not in everything
    assert secret not in json.dumps([str(record.__dict__) for record in caplog.records])
    assert fresh.digest not in serializers.serialize("json", history_of(ApiToken).objects.all())


def test_secret_that_was_typed_for_a_prefix_is_not_shown() -> None:
    out, _ = run("issue_token", "--organization", OrganizationFactory().pk)
    assert refusal("rotate_token", out.strip()) == UNKNOWN
