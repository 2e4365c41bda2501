"""Create users who can sign in, and sign in through the form."""

from __future__ import annotations

from typing import Any

from django.test import Client
from django.urls import reverse

from productive.accounts.models import User
from tests.support.factories import UserFactory

PASSWORD = "correct horse battery"


def make_user(username: str) -> User:
    user = UserFactory(username=username, is_staff=True)
    user.set_password(PASSWORD)
    user.save()
    return user


def sign_in(
    username: Any = "ana", password: str = PASSWORD, client: Client | None = None, **extra: Any
) -> Any:
    data = {"username": username, "password": password, "next": "/admin/"}
    return (client or Client()).post(reverse("admin:login"), data, **extra)


def fail_sign_ins(times: int, **extra: Any) -> list[int]:
    """Sign in with a wrong password, and return the statuses."""
    return [sign_in(password="wrong", HTTP_USER_AGENT=f"{n}", **extra).status_code for n in range(times)]
