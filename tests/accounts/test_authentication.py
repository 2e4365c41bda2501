"""Test authentication and authorization by API tokens."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.test import Client, override_settings
from django.utils import timezone

from productive.accounts.models import ApiToken, Organization, Person, User
from tests.support.api import Answer, Api
from tests.support.errors import DENIED, UNAUTHENTICATED
from tests.support.factories import ApiTokenFactory, OrganizationFactory, ServiceTypeFactory, UserFactory

pytestmark = pytest.mark.django_db


def test_secret_is_stored_as_a_digest(organization: Organization) -> None:
    token = ApiToken(organization=organization, name="Sync", user=UserFactory(organization=organization))
    secret = token.make_secret()
    token.full_clean()
    token.save()
    stored = ApiToken.objects.values().get(pk=token.pk)
    assert len(secret) >= 40
    assert stored["prefix"] == secret[:12]
    assert secret not in str(stored)
    assert Api(secret).get("organizations").ids == [organization.pk]


@pytest.mark.parametrize(
    "change",
    [
        {"expires_at": timezone.now() - timedelta(seconds=1)},
        {"revoked_at": timezone.now()},
        {"user__is_active": False},
    ],
    ids=["expired", "revoked", "user deactivated"],
)
def test_token_that_is_not_live_is_like_an_unknown_one(change: dict[str, Any]) -> None:
    api = Api(ApiTokenFactory(**change).name)
    unknown = Api("unknown")
    assert api.get("people") == unknown.get("people")
    assert (unknown.get("people").status, unknown.get("people").error) == (401, UNAUTHENTICATED)
    assert unknown.get("people").headers["WWW-Authenticate"] == "X-Auth-Token"


def test_token_with_a_future_expiry_is_live() -> None:
    soon = timezone.now() + timedelta(minutes=1)
    assert Api(ApiTokenFactory(expires_at=soon).name).get("people").status == 200


def test_revoked_token_is_rejected_at_once(api: Api, token: ApiToken) -> None:
    assert api.get("people").status == 200
    token.revoke()
    assert api.get("people").status == 401


def test_token_of_a_former_member_is_denied() -> None:
    token = ApiTokenFactory()
    User.objects.update(service_account_of=OrganizationFactory())
    response = Api(token.name).get("people")
    assert (response.status, response.error) == (403, DENIED)


def test_token_of_a_person_is_valid_until_archived(django_assert_num_queries: Any) -> None:
    user = UserFactory()
    person = user.people.get()
    token = ApiTokenFactory(user=user, organization=person.organization)
    token.touch(timezone.now())
    with django_assert_num_queries(2):  # the token with its user and membership, the page
        assert Api(token.name).get("people").ids == [person.pk]
    person.archive()
    response = Api(token.name).get("people")
    assert (response.status, response.error) == (403, DENIED)
    person.restore()
    assert Api(token.name).get("people").status == 200
    Person.objects.update(user=None)
    assert Api(token.name).get("people").status == 403


def test_superuser_can_act_for_any_organization() -> None:
    superuser = UserFactory(organization=None, is_superuser=True)
    assert Api(ApiTokenFactory(user=superuser).name).get("people").status == 200


def test_organization_header_must_match_the_token(api: Api, organization: Organization) -> None:
    def with_organization(value: Any) -> list[Answer]:
        return [
            api.get("people", headers={"X-Organization-Id": str(value)}),
            api.get(f"people?X-Organization-Id={value}"),
        ]

    assert [response.status for response in with_organization(organization.pk)] == [200, 200]
    other = OrganizationFactory()
    values = [other.pk, 10**9, "x", "", f"{organization.pk},{other.pk}"]
    denials = [response for value in values for response in with_organization(value)]
    assert {(response.status, response.body) for response in denials} == {(403, denials[0].body)}
    assert denials[0].error == DENIED


def test_admin_session_is_not_valid_in_the_api() -> None:
    client = Client()
    client.force_login(UserFactory(is_superuser=True, is_staff=True))
    assert client.get("/api/v2/people").status_code == 401


def test_last_use_is_updated_once_a_minute(token: ApiToken) -> None:
    def last_used() -> Any:
        return ApiToken.objects.values_list("last_used_at", flat=True).get(pk=token.pk)

    now = timezone.now()
    for seconds, expected in ((0, 0), (59, 0), (61, 61), (100, 61), (122, 122)):
        token.refresh_from_db()
        token.touch(now + timedelta(seconds=seconds))
        assert last_used() == now + timedelta(seconds=expected)


def test_two_processes_update_the_last_use_once(token: ApiToken, django_assert_num_queries: Any) -> None:
    stale, now = ApiToken.objects.get(pk=token.pk), timezone.now()
    token.touch(now)
    stale.touch(now + timedelta(seconds=30))
    assert ApiToken.objects.get(pk=token.pk).last_used_at == now


@override_settings(SECURE_SSL_REDIRECT=True)
def test_http_is_rejected_instead_of_redirected(api: Api) -> None:
    response = api.get("people")
    assert (response.status, response.error["code"]) == (403, "access_denied")


def test_responses_are_not_cached_and_set_no_cookie(api: Api, organization: Organization) -> None:
    ServiceTypeFactory(organization=organization)
    for response in (api.get("service_types"), api.get("service_types/0"), api.post("service_types")):
        assert response.headers["Cache-Control"] == "no-store"
        assert "Set-Cookie" not in response.headers
