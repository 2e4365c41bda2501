"""Test sign-in and lockout."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from axes.models import AccessAttempt, AccessLog
from django.test import Client, override_settings
from django.urls import reverse
from django.utils import timezone

from productive.accounts.models import User
from tests.support.sign_in import PASSWORD, fail_sign_ins, make_user, sign_in

pytestmark = [pytest.mark.django_db, pytest.mark.any_database]

LOCKED = ["Too many failed sign-ins with this user name. Wait ten minutes, then try again."]


@pytest.fixture
def ana() -> User:
    return make_user("ana")


def test_fifth_failure_locks_the_user_name_for_the_address(ana: User) -> None:
    ben = make_user("ben")
    assert fail_sign_ins(5) == [200, 200, 200, 200, 429]
    locked = sign_in()
    assert (locked.status_code, locked.templates[0].name) == (429, "admin/login.html")
    assert locked.context["form"].non_field_errors() == LOCKED
    assert "_auth_user_id" not in locked.client.session

    assert sign_in(ben.username).status_code == 302
    assert sign_in(REMOTE_ADDR="192.0.2.7").status_code == 302
    assert sign_in().status_code == 429


def test_unknown_user_name_is_locked_likewise() -> None:
    assert [*fail_sign_ins(6, username="nobody")] == [200, 200, 200, 200, 429, 429]


def test_lock_ends_ten_minutes_after_the_fifth_failure(ana: User) -> None:
    fail_sign_ins(8)
    for minutes, status in ((9, 429), (11, 302)):
        AccessAttempt.objects.update(attempt_time=timezone.now() - timedelta(minutes=minutes))
        assert sign_in().status_code == status


def test_success_deletes_the_failures(ana: User) -> None:
    for _ in range(3):
        assert fail_sign_ins(4) == [200] * 4
        assert sign_in().status_code == 302
    assert AccessAttempt.objects.count() == AccessLog.objects.count() == 0


def test_failures_are_recorded_without_the_password(ana: User, caplog: Any) -> None:
    fail_sign_ins(5)
    sign_in(password="a secret that is wrong")
    recorded = str([*AccessAttempt.objects.values()]) + caplog.text
    assert ("wrong" in recorded, "a secret" in recorded) == (False, False)


@pytest.mark.parametrize("trusted", [False, True])
def test_forwarded_address_is_used_only_from_a_trusted_proxy(ana: User, trusted: bool) -> None:
    with override_settings(TRUST_PROXY=trusted):
        for n in range(5):
            sign_in(password="wrong", HTTP_X_FORWARDED_FOR=f"198.51.100.{n}, 203.0.113.9")
        assert {*AccessAttempt.objects.values_list("ip_address", flat=True)} == {
            "203.0.113.9" if trusted else "127.0.0.1"
        }
        assert sign_in(HTTP_X_FORWARDED_FOR="198.51.100.77, 203.0.113.9").status_code == 429
        other = sign_in(HTTP_X_FORWARDED_FOR="203.0.113.9, 203.0.113.10")
        assert other.status_code == (302 if trusted else 429)


@override_settings(TRUST_PROXY=True)
@pytest.mark.parametrize(
    ("forwarded", "address"),
    [
        ("", "127.0.0.1"),
        ("nonsense", "127.0.0.1"),
        ("203.0.113.9, ", "127.0.0.1"),
        ("2001:DB8::0001", "2001:db8::1"),
        ("fe80::1%eth0", "fe80::1"),
        ("::ffff:203.0.113.9", "203.0.113.9"),
        ("9" * 10_000, "127.0.0.1"),
    ],
)
def test_invalid_forwarded_address_is_replaced_by_the_proxys(forwarded: str, address: str) -> None:
    assert sign_in("nobody", HTTP_X_FORWARDED_FOR=forwarded).status_code == 200
    assert AccessAttempt.objects.get().ip_address == address


@pytest.mark.parametrize("name", ["\x00", "ana\x00", "a" * 10_000, "", "😀", "\uff21\uff2e\uff21"])
def test_invalid_user_name_is_rejected(ana: User, name: str) -> None:
    assert [sign_in(name, password).status_code for password in (PASSWORD, "\x00", "")] == [200] * 3


@pytest.mark.parametrize("field", ["username", "password", "next", "other"])
def test_lone_surrogates_are_rejected(ana: User, field: str) -> None:
    parts = {"username": "ana", "password": PASSWORD, field: r"\ud800"}
    body = "".join(
        f'--x\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'
        for name, value in parts.items()
    )
    response = Client().post(
        reverse("admin:login") + r"?also=%5Cud800",
        f"{body}--x--\r\n",
        content_type="multipart/form-data; boundary=x; charset=raw_unicode_escape",
    )
    assert (response.status_code, [*response.context["form"].errors]) == (200, ["__all__"])


def test_form_without_a_csrf_token_is_rejected(ana: User) -> None:
    client = Client(enforce_csrf_checks=True)
    assert sign_in(client=client).status_code == 403
