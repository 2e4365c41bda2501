"""Who may send what: the token, its organization, and when it stops opening anything."""

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


def test_secret_is_kept_as_a_digest_and_shown_once(organization: Organization) -> None:
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
def test_dead_token_is_like_an_unknown_one(change: dict[str, Any]) -> None:
    dead = Api(ApiTokenFactory(**change).name)
    unknown = Api("unknown")
    assert dead.get("people") == unknown.get("people")
    assert (unknown.get("people").status, unknown.get("people").error) == (401, UNAUTHENTICATED)
    assert unknown.get("people").headers["WWW-Authenticate"] == "X-Auth-Token"


def test_token_with_a_future_expiry_is_live() -> None:
    soon = timezone.now() + timedelta(minutes=1)
    assert Api(ApiTokenFactory(expires_at=soon).name).get("people").status == 200


def test_revocation_holds_for_the_next_request(api: Api, token: ApiToken) -> None:
    assert api.get("people").status == 200
    token.revoke()
    assert api.get("people").status == 401


def test_user_without_a_seat_opens_nothing() -> None:
    token = ApiTokenFactory()
    User.objects.update(service_account_of=OrganizationFactory())
    answer = Api(token.name).get("people")
    assert (answer.status, answer.error) == (403, DENIED)


def test_person_opens_the_organization_until_archived(django_assert_num_queries: Any) -> None:
    user = UserFactory()
    person = user.people.get()
    token = ApiTokenFactory(user=user, organization=person.organization)
    token.touch(timezone.now())
    with django_assert_num_queries(2):  # the token with its user and seat, the page
        assert Api(token.name).get("people").ids == [person.pk]
    person.archive()
    answer = Api(token.name).get("people")
    assert (answer.status, answer.error) == (403, DENIED)
    person.restore()
    assert Api(token.name).get("people").status == 200
    Person.objects.update(user=None)
    assert Api(token.name).get("people").status == 403


def test_superuser_of_no_organization_may_act_for_one() -> None:
    superuser = UserFactory(organization=None, is_superuser=True)
    assert Api(ApiTokenFactory(user=superuser).name).get("people").status == 200


def test_organization_may_be_confirmed_but_not_chosen(api: Api, organization: Organization) -> None:
    def named(value: Any) -> list[Answer]:
        return [
            api.get("people", headers={"X-Organization-Id": str(value)}),
            api.get(f"people?X-Organization-Id={value}"),
        ]

    assert [answer.status for answer in named(organization.pk)] == [200, 200]
    other = OrganizationFactory()
    refusals = (
        named(other.pk) + named(10**9) + named("x") + named("") + named(f"{organization.pk},{other.pk}")
    )
    assert {(answer.status, answer.body) for answer in refusals} == {(403, refusals[0].body)}
    assert refusals[0].error == DENIED


def test_session_of_the_admin_opens_nothing_in_the_api() -> None:
    client = Client()
    client.force_login(UserFactory(is_superuser=True, is_staff=True))
    assert client.get("/api/v2/people").status_code == 401


def test_use_is_noted_once_a_minute(token: ApiToken) -> None:
    def last_used() -> Any:
        return ApiToken.objects.values_list("last_used_at", flat=True).get(pk=token.pk)

    now = timezone.now()
    for seconds, noted in ((0, 0), (59, 0), (61, 61), (100, 61), (122, 122)):
        token.refresh_from_db()
        token.touch(now + timedelta(seconds=seconds))
        assert last_used() == now + timedelta(seconds=noted)


def test_two_processes_note_the_use_once(token: ApiToken, django_assert_num_queries: Any) -> None:
    stale, now = ApiToken.objects.get(pk=token.pk), timezone.now()
    token.touch(now)
    stale.touch(now + timedelta(seconds=30))
    assert ApiToken.objects.get(pk=token.pk).last_used_at == now


@override_settings(SECURE_SSL_REDIRECT=True)
def test_plain_http_is_refused_not_redirected_where_https_is_on(api: Api) -> None:
    answer = api.get("people")
    assert (answer.status, answer.error["code"]) == (403, "access_denied")


def test_answers_are_never_cached_and_set_no_cookie(api: Api, organization: Organization) -> None:
    ServiceTypeFactory(organization=organization)
    for answer in (api.get("service_types"), api.get("service_types/0"), api.post("service_types")):
        assert answer.headers["Cache-Control"] == "no-store"
        assert "Set-Cookie" not in answer.headers
