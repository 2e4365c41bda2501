"""Test the admin of API tokens."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.test import Client

from productive.accounts.authentication import find_token
from productive.accounts.models import ApiToken, User
from tests.support.admin import form_errors, staff, superuser, url
from tests.support.bulk import apply, preview
from tests.support.factories import ApiTokenFactory, OrganizationFactory, UserFactory

pytestmark = [pytest.mark.django_db, pytest.mark.any_database]


def add_token(client: Client, **data: Any) -> Any:
    return client.post(url(ApiToken, "add"), {"name": "Sync", **data})


def test_secret_of_a_new_token_is_shown_once() -> None:
    organization = OrganizationFactory()
    client, user = staff(organization), UserFactory(organization=organization)
    page = client.get(add_token(client, user=user.pk)["Location"]).content.decode()
    [secret] = re.findall(r"prd_[\w-]{43}", page)
    token = find_token(secret)
    assert (token.name, token.user, token.organization) == ("Sync", user, organization)

    pages = [url(ApiToken, "changelist"), *(url(ApiToken, page, token.pk) for page in ("change", "history"))]
    later = "".join(client.get(page).content.decode() for page in [*pages, url(ApiToken, "delete", token.pk)])
    entries = "".join(f"{entry.object_repr} {entry.change_message}" for entry in LogEntry.objects.all())
    for hidden in (secret, token.digest):
        assert (later.count(hidden), entries.count(hidden)) == (0, 0)
    assert token.digest not in page


def test_token_needs_an_own_user() -> None:
    organization = OrganizationFactory()
    client = staff(organization)
    others = [
        UserFactory(),
        UserFactory(organization=organization, is_superuser=True),
        UserFactory(organization=None, is_superuser=True),
    ]
    for user in others:
        rejected = form_errors(add_token(client, user=user.pk))
        assert rejected == {
            "user": ["Select a valid choice. That choice is not one of the available choices."]
        }
    assert ApiToken.objects.count() == 0


def test_superuser_creates_a_token_only_for_a_member() -> None:
    organization, stranger = OrganizationFactory(), UserFactory()
    rejected = add_token(superuser(), user=stranger.pk, organization=organization.pk)
    assert form_errors(rejected) == {"user": ["does not belong to this organization"]}
    member = UserFactory(organization=organization)
    assert add_token(superuser(), user=member.pk, organization=organization.pk).status_code == 302
    assert ApiToken.objects.get().organization == organization


@pytest.mark.parametrize("by_superuser", [True, False])
def test_only_name_read_only_and_expiry_of_a_token_change(by_superuser: bool) -> None:
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
    # In the time zone of the user who entered it, which is UTC for superusers.
    zone = UTC if by_superuser else token.organization.zone
    assert changed.expires_at == datetime(2030, 1, 2, 3, 4, 5, tzinfo=zone)
    kept = ("user_id", "organization_id", "digest", "prefix", "revoked_at")
    assert [getattr(changed, name) for name in kept] == [getattr(token, name) for name in kept]


@pytest.mark.parametrize("by_superuser", [True, False])
def test_token_of_a_former_member_is_not_changed(by_superuser: bool) -> None:
    token = ApiTokenFactory()
    User.objects.filter(pk=token.user_id).update(service_account_of=OrganizationFactory())
    client = superuser() if by_superuser else staff(token.organization)
    response = client.post(url(ApiToken, "change", token.pk), {"name": "New name"})
    assert list(form_errors(response)) == ["user"]


def test_revoking_keeps_the_first_timestamp() -> None:
    organization = OrganizationFactory()
    first, second = ApiTokenFactory.create_batch(2, organization=organization)
    first.revoke()
    client = staff(organization)
    assert apply(client, preview(client, "revoke", [first, second])) == ["1 API token revoked."]
    assert ApiToken.objects.get(pk=first.pk).revoked_at == first.revoked_at
    assert ApiToken.objects.filter(revoked_at=None).count() == 0


@pytest.mark.parametrize(
    ("zone", "day", "time"),
    [("America/Los_Angeles", "9999-12-31", "23:30:00"), ("Asia/Tokyo", "0001-01-01", "00:10:00")],
)
def test_expiry_that_overflows_in_a_time_zone_is_rejected(zone: str, day: str, time: str) -> None:
    """PostgreSQL would store it, but the list of tokens couldn't be rendered."""
    user = UserFactory(organization=OrganizationFactory(time_zone=zone))
    data = {"user": user.pk, "expires_at_0": day, "expires_at_1": time}
    response = add_token(staff(user.people.get().organization), **data)
    assert form_errors(response) == {"expires_at": ["must be between the years 2 and 9998"]}
    assert not ApiToken.objects.exists()
