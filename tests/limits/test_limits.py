"""Test which requests the rate limits reject, and with which response."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from random import randrange
from typing import Any

import pytest
from django.db import connection
from django.utils import timezone

from catalog.models import ServiceType
from productive.accounts import throttles
from productive.accounts.models import ApiToken, Organization, Person
from productive.limits import limiter as limiter_module
from productive.limits.limiter import PURGE_SECONDS, RETRY_SECONDS, Limiter, get_limiter
from productive.limits.rates import Rate
from productive.limits.stores import FileStore, PostgreSQLStore, Store
from productive.limits.windows import Limit
from tests.support.api import Answer, Api, SocketApi
from tests.support.commands import GOOD_KEY, manage
from tests.support.factories import ApiTokenFactory, OrganizationFactory, UserFactory
from tests.support.servers import WARNINGS, database_url_of_tests, gunicorn

pytestmark = [pytest.mark.django_db, pytest.mark.each_database]

START = 1_790_000_000.5


class Clock:
    """The limiter's clock, which only advances if a test sets it."""

    def __init__(self) -> None:
        self.now = START

    def __call__(self) -> float:
        return self.now


def too_many(limit: int, period: int) -> dict[str, Any]:
    return {
        "status": "429",
        "code": "too_many_requests",
        "title": "Too many requests",
        "detail": "You have sent too many requests",
        "limit": limit,
        "period": period,
    }


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(limiter_module, "time", clock)
    monkeypatch.setattr(limiter_module, "monotonic", clock)
    return clock


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    """Return an empty store of the kind that the tests' database has."""
    if connection.vendor == "postgresql":
        yield PostgreSQLStore()
    else:
        file = FileStore(tmp_path / "limits.sqlite3")
        yield file
        file.close()


@pytest.fixture
def limiter(clock: Clock, store: Store, monkeypatch: pytest.MonkeyPatch) -> Limiter:
    limiter = Limiter(store)
    monkeypatch.setattr(throttles, "get_limiter", lambda: limiter)
    return limiter


def statuses(api: Api, times: int) -> list[int]:
    return [api.get("organizations").status for _ in range(times)]


def test_token_is_limited_until_its_window_ends(
    api: Api, limiter: Limiter, clock: Clock, settings: Any
) -> None:
    settings.RATE_LIMIT_TOKEN = Rate(100, 10)
    assert statuses(api, 100) == [200] * 100
    clock.now += 6.25
    response = api.get("organizations")
    assert (response.status, response.json) == (429, {"errors": [too_many(100, 10)]})
    names = ("Retry-After", "X-RateLimit-Reset", "Content-Type", "Cache-Control")
    assert {name: response.headers.get(name) for name in names} == {
        "Retry-After": "4",
        "X-RateLimit-Reset": "4",
        "Content-Type": "application/vnd.api+json; charset=utf-8",
        "Cache-Control": "no-store",
    }
    clock.now = START + 9.99
    assert statuses(api, 1) == [429]
    clock.now = START + int(response.headers["Retry-After"]) + 6.25
    assert statuses(api, 101) == [200] * 100 + [429]


def test_rejected_requests_count(
    api: Api, organization: Organization, limiter: Limiter, settings: Any
) -> None:
    settings.RATE_LIMIT_TOKEN = Rate(2, 10)
    reader = Api(ApiTokenFactory(organization=organization, read_only=True).name)
    assert [reader.post("people", {}).status for _ in range(3)] == [403, 403, 429]
    stranger = Api(api.token, {"X-Organization-Id": "9999"})
    assert statuses(stranger, 3) == [403, 403, 429]
    user: Any = UserFactory()
    leaver = ApiTokenFactory(user=user, organization=user.people.get().organization)
    Person.objects.filter(user=user).update(archived_at=timezone.now())
    assert statuses(Api(leaver.name), 3) == [403, 403, 429]


def test_accepted_requests_have_no_rate_limit_headers(api: Api, limiter: Limiter, settings: Any) -> None:
    before = api.get("people")
    settings.RATE_LIMIT_TOKEN = Rate(100, 10)
    assert api.get("people") == before


def test_tokens_of_an_organization_share_its_limit(
    api: Api, organization: Organization, limiter: Limiter, clock: Clock, settings: Any
) -> None:
    settings.RATE_LIMIT_ORGANIZATION = Rate(4, 1800)
    second = Api(ApiTokenFactory(organization=organization).name)
    stranger = Api(ApiTokenFactory().name)
    assert statuses(api, 2) + statuses(second, 3) + statuses(api, 1) == [200] * 4 + [429] * 2
    response = second.get("people")
    assert (response.error, response.headers["Retry-After"]) == (too_many(4, 1800), "1800")
    assert statuses(stranger, 5) == [200] * 4 + [429]
    clock.now += 1800
    assert statuses(second, 1) == [200]


def test_request_above_the_token_limit_does_not_count_against_the_organization(
    api: Api, organization: Organization, limiter: Limiter, settings: Any
) -> None:
    settings.RATE_LIMIT_TOKEN, settings.RATE_LIMIT_ORGANIZATION = Rate(2, 10), Rate(3, 1800)
    second = Api(ApiTokenFactory(organization=organization).name)
    assert statuses(api, 6) == [200] * 2 + [429] * 4
    assert [second.get("people").status, second.get("people").error["limit"]] == [200, 3]


def test_change_above_the_limit_is_not_saved(
    api: Api, organization: Organization, limiter: Limiter, settings: Any
) -> None:
    settings.RATE_LIMIT_TOKEN = Rate(1, 10)
    body = {"data": {"type": "service_types", "attributes": {"name": "Design"}}}
    assert [api.post("service_types", json=body).status for _ in range(3)] == [201, 429, 429]
    assert ServiceType.objects.owned_by(organization).count() == 1


def test_revoked_token_above_the_limit_is_unauthenticated(
    api: Api, token: ApiToken, limiter: Limiter, settings: Any
) -> None:
    settings.RATE_LIMIT_TOKEN = Rate(1, 10)
    assert statuses(api, 2) == [200, 429]
    token.revoke()
    assert statuses(api, 2) == [401, 401]


def test_counting_takes_at_most_one_query(
    api: Api, limiter: Limiter, settings: Any, django_assert_num_queries: Any
) -> None:
    """The token and the page; on PostgreSQL, one more for both counts."""
    with django_assert_num_queries(2):
        api.get("people")
    settings.RATE_LIMIT_TOKEN, settings.RATE_LIMIT_ORGANIZATION = Rate(100, 10), Rate(4000, 1800)
    with django_assert_num_queries(3 if connection.vendor == "postgresql" else 2):
        api.get("people")


# --- Failed authentication ------------------------------------------------------------------------


def fail(times: int, **kwargs: Any) -> list[int]:
    return [Api(f"wrong {n}").get("people", **kwargs).status for n in range(times)]


@pytest.fixture
def failure_limit(limiter: Limiter, settings: Any) -> None:
    settings.RATE_LIMIT_FAILED_AUTHENTICATION = Rate(30, 180)
    settings.TRUST_PROXY = True


def test_address_is_locked_out_for_a_whole_period(failure_limit: None, clock: Clock, token: ApiToken) -> None:
    assert fail(30) == [401] * 30
    clock.now += 150
    response = Api("wrong").get("people")
    assert (response.error, response.headers["Retry-After"]) == (too_many(30, 180), "180")
    dead = Api(ApiTokenFactory(revoked_at=token.created_at).name).get("people")
    assert dead == response
    assert Api(token.name).get("people").status == 200
    clock.now += 179
    assert fail(1) == [429]
    clock.now += 1
    assert fail(31) == [401] * 30 + [429]


def test_request_without_a_token_is_not_counted(failure_limit: None) -> None:
    assert [Api().get("people").status for _ in range(31)] == [401] * 31
    assert fail(1) == [401]


def test_failures_are_counted_by_address(failure_limit: None) -> None:
    def forwarded_for(address: str) -> dict[str, str]:
        return {"X-Forwarded-For": f"198.51.100.1, {address}"}

    assert fail(31, headers=forwarded_for("203.0.113.9"))[-1] == 429
    assert fail(1, headers=forwarded_for("203.0.113.10")) == [401]
    # One client can choose any IPv6 address of its /64.
    network = [fail(1, headers=forwarded_for(f"2001:db8:1:2::{n:x}"))[0] for n in range(31)]
    assert network == [401] * 30 + [429]
    assert fail(1, headers=forwarded_for("2001:db8:1:3::1")) == [401]


# --- Unavailable store ----------------------------------------------------------------------------


@pytest.fixture
def warnings(caplog: pytest.LogCaptureFixture) -> Any:
    def warnings() -> list[str]:
        found = (record for record in caplog.records if record.name == "productive.limits.limiter")
        return [record.getMessage().partition(":")[0] for record in found]

    caplog.set_level(logging.WARNING)
    return warnings


NOT_ENFORCED = "Rate limits are not enforced until their store is available again"


def test_requests_are_served_without_a_writable_file(
    api: Api, clock: Clock, monkeypatch: pytest.MonkeyPatch, settings: Any, tmp_path: Path, warnings: Any
) -> None:
    settings.RATE_LIMIT_TOKEN = Rate(1, 10)
    file = FileStore(tmp_path / "later" / "limits.sqlite3")
    limiter = Limiter(file)
    monkeypatch.setattr(throttles, "get_limiter", lambda: limiter)
    assert statuses(api, 3) == [200] * 3
    clock.now += RETRY_SECONDS
    assert statuses(api, 3) == [200] * 3
    assert warnings() == [NOT_ENFORCED]
    file.path.parent.mkdir()
    assert statuses(api, 2) == [200] * 2
    clock.now += RETRY_SECONDS
    assert statuses(api, 2) == [200, 429]
    file.close()
    file.path.unlink()
    file.path.write_text("This is no database. " * 100)
    assert statuses(api, 2) == [200] * 2
    assert warnings() == [NOT_ENFORCED] * 2
    clock.now += RETRY_SECONDS
    assert statuses(api, 2) == [200, 429]
    file.close()


@pytest.mark.postgresql
@pytest.mark.django_db(transaction=True)
def test_requests_are_served_without_the_table(
    api: Api, limiter: Limiter, clock: Clock, settings: Any, warnings: Any
) -> None:
    settings.RATE_LIMIT_TOKEN = Rate(1, 10)
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE accounts_rate_window RENAME TO accounts_rate_window_renamed")
        try:
            assert statuses(api, 3) == [200] * 3
        finally:
            cursor.execute("ALTER TABLE accounts_rate_window_renamed RENAME TO accounts_rate_window")
    assert warnings() == [NOT_ENFORCED]
    clock.now += RETRY_SECONDS
    assert statuses(api, 2) == [200, 429]


def test_unavailable_store_uncounts_nothing(clock: Clock, tmp_path: Path, warnings: Any) -> None:
    limiter, limit = Limiter(FileStore(tmp_path / "later" / "limits.sqlite3")), Limit("key", Rate(1, 10))
    limiter.uncount(limit)
    limiter.uncount(limit)
    assert (limiter.is_open, warnings()) == (True, [NOT_ENFORCED])


def test_one_request_retries_the_store(clock: Clock, store: Store) -> None:
    limiter = Limiter(store)
    limiter.open_circuit(OSError("not available"))
    assert limiter.may_retry() is False
    clock.now += RETRY_SECONDS
    assert [limiter.may_retry(), limiter.may_retry()] == [True, False]


def test_ended_windows_are_purged_from_time_to_time(
    api: Api, limiter: Limiter, clock: Clock, store: Store, settings: Any
) -> None:
    settings.RATE_LIMIT_FAILED_AUTHENTICATION, settings.TRUST_PROXY = Rate(30, 180), True
    for n in range(3):
        fail(1, headers={"X-Forwarded-For": f"203.0.113.{n}"})
    clock.now += PURGE_SECONDS
    fail(1, headers={"X-Forwarded-For": "203.0.113.9"})
    assert keys(store) == ["address:203.0.113.9"]


def keys(store: Any) -> list[str]:
    sql = "SELECT key FROM {} WHERE key LIKE 'address:%'"
    if isinstance(store, FileStore):
        with store.transaction() as file:
            return [key for (key,) in file.execute(sql.format("windows"))]
    with connection.cursor() as cursor:
        cursor.execute(sql.format("accounts_rate_window").replace("%", "%%"), [])
        return [key for (key,) in cursor.fetchall()]


# --- Several processes ----------------------------------------------------------------------------


@pytest.mark.no_cover
@pytest.mark.django_db(transaction=True)
def test_processes_count_together(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Send 150 requests by 10 threads to 2 processes."""
    # Counts are kept after the test, so use ids that no other test uses.
    organization = OrganizationFactory(pk=randrange(2**40, 2**41))
    tokens = [ApiTokenFactory(pk=randrange(2**40, 2**41), organization=organization) for _ in range(2)]
    for name, value in {"TOKEN": "100/1h", "ORGANIZATION": "130/2h", "FAILED_AUTHENTICATION": "off"}.items():
        monkeypatch.setenv(f"RATE_LIMIT_{name}", value)
    environment = {**os.environ, **WARNINGS, "DATABASE_URL": database_url_of_tests()}
    with gunicorn(environment, tmp_path / "log", workers=2) as server:

        def send(token: ApiToken, times: int) -> list[Answer]:
            api = SocketApi(token.name, address=server.netloc)
            with ThreadPoolExecutor(10) as pool:
                return list(pool.map(lambda _: api.get("organizations"), range(times)))

        first, second = send(tokens[0], 150), send(tokens[1], 50)
        errors_logged = server.complaints()
    assert [[a.status for a in each].count(200) for each in (first, second)] == [100, 30]
    errors = [[a.error for a in each if a.status != 200] for each in (first, second)]
    assert errors == [[too_many(100, 3600)] * 50, [too_many(130, 7200)] * 20]
    assert errors_logged == []


def test_store_is_not_used_while_limits_are_off(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    def limiter() -> Limiter:
        raise AssertionError("the store is used")

    monkeypatch.setattr(throttles, "get_limiter", limiter)
    assert [*statuses(api, 1), *fail(1)] == [200, 401]


def test_process_has_one_limiter_with_the_store_of_its_database() -> None:
    limiter = get_limiter()
    assert limiter is get_limiter()
    assert type(limiter.store) is (PostgreSQLStore if connection.vendor == "postgresql" else FileStore)


# --- Settings -------------------------------------------------------------------------------------

SHOW = """
from django.conf import settings as s
names = ("TOKEN", "ORGANIZATION", "FAILED_AUTHENTICATION", "SIGN_IN")
print(*[rate and tuple(rate) for rate in (getattr(s, f"RATE_LIMIT_{name}") for name in names)])
"""


@pytest.mark.parametrize(
    ("environment", "shown"),
    [
        ({"SECRET_KEY": GOOD_KEY}, "(100, 10) (4000, 1800) (30, 180) (30, 600)"),
        ({"DEBUG": "true", "RATE_LIMIT_ORGANIZATION": "7/2h"}, "None (7, 7200) None None"),
    ],
)
def test_limits_are_on_by_default_unless_for_development(environment: dict[str, str], shown: str) -> None:
    assert manage("shell", "--verbosity", "0", "--command", SHOW, **environment).stdout == f"{shown}\n"


def test_invalid_rate_prevents_the_start() -> None:
    result = manage("check", SECRET_KEY=GOOD_KEY, ALLOWED_HOSTS="example.com", RATE_LIMIT_TOKEN="many")
    message = (
        "RATE_LIMIT_TOKEN must be a number of requests and a time in s, min or h, such as 100/10s, or off"
    )
    assert (result.returncode, result.stderr) == (1, f"Cannot start: {message}\n")
