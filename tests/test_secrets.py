"""Use every secret, then search logs, tables and pages for them."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator
from io import StringIO
from typing import Any

import pytest
from django.apps import apps
from django.conf import settings
from django.contrib.sessions.models import Session
from django.test import Client, override_settings
from django.urls import reverse

from productive.accounts.models import ApiToken, Organization, User
from productive.web.logs import JSONFormatter
from tests.support.admin import url
from tests.support.api import Api
from tests.support.factories import UserFactory

pytestmark = [pytest.mark.django_db, pytest.mark.any_database, pytest.mark.no_cover]

PASSWORD, NEW_PASSWORD, WRONG_PASSWORD = "correct horse battery", "purple staple lantern", "incorrect pony"
SET_PASSWORD = "somebody elses staple"
WRONG_TOKEN = "prd_" + "wrong" * 9


@pytest.fixture
def log() -> Iterator[StringIO]:
    """Return everything that is logged with LOG_LEVEL=DEBUG."""
    written = StringIO()
    handler = logging.StreamHandler(written)
    handler.setFormatter(JSONFormatter())
    levels = {logger: logger.level for logger in (logging.getLogger(), logging.getLogger("django"))}
    for logger in levels:
        logger.setLevel(logging.DEBUG)
    logging.getLogger().addHandler(handler)
    yield written
    logging.getLogger().removeHandler(handler)
    for logger, level in levels.items():
        logger.setLevel(level)


def sign_in(client: Client, password: str) -> int:
    data = {"username": "ana", "password": password, "next": "/admin/"}
    status: int = client.post(reverse("admin:login"), data).status_code
    return status


def use_secrets(client: Client, organization: Organization) -> dict[str, str]:
    """Send requests with valid and invalid secrets. Return the secrets by description."""
    secrets = {
        "password": PASSWORD,
        "new password": NEW_PASSWORD,
        "wrong password": WRONG_PASSWORD,
        "password of another": SET_PASSWORD,
        "wrong token": WRONG_TOKEN,
        "key": settings.SECRET_KEY,
        "pepper": settings.TOKEN_PEPPER,
    }

    def note_session(name: str) -> None:
        secrets[f"session {name}"] = client.cookies[settings.SESSION_COOKIE_NAME].value

    assert [sign_in(client, password) for password in (WRONG_PASSWORD, PASSWORD)] == [200, 302]
    note_session("that began with the password")

    data = {"name": "Sync", "organization": organization.pk, "user": User.objects.get(username="ana").pk}
    page = client.post(url(ApiToken, "add"), data, follow=True).content.decode()
    [secrets["token"]] = re.findall(r"prd_[\w-]{43}", page)

    api = Api(secrets["token"])
    document = {"data": {"type": "filters", "attributes": {"name": "Mine"}}}
    assert [api.get("people").status, api.post("filters", document).status] == [200, 201]
    assert api.get(f"people?X-Auth-Token={secrets['token']}&filter[x]=1").status == 400
    assert api.get("people", headers={"X-Organization-Id": "0"}).status == 403
    assert api.post("filters", body=b'{"data":').status == 400
    assert [Api(WRONG_TOKEN).get(path).status for path in ("people", "nothing")] == [401, 404]

    with override_settings(ROOT_URLCONF="tests.jsonapi.test_errors"):
        assert [api.get(path).status for path in ("RuntimeError", "broken", "OperationalError")] == [
            500,
            500,
            503,
        ]
        client.raise_request_exception = False
        assert client.post("/broken", {"password": PASSWORD, "token": secrets["token"]}).status_code == 500

    other = UserFactory(organization=organization, username="ben")
    new = {
        "password1": SET_PASSWORD,
        "password2": SET_PASSWORD,
        "set-password": "1",
        "usable_password": "true",
    }
    set_password = reverse("admin:auth_user_password_change", args=[other.pk])
    assert client.post(set_password, new).status_code == 302
    changed = {"old_password": PASSWORD, "new_password1": NEW_PASSWORD, "new_password2": NEW_PASSWORD}
    assert client.post(reverse("admin:password_change"), changed).status_code == 302
    note_session("that goes on with the new one")
    client.post(reverse("admin:logout"))
    assert [sign_in(client, password) for password in (PASSWORD, NEW_PASSWORD)] == [200, 302]
    note_session("of the second sign-in")
    ApiToken.objects.get().revoke()
    assert api.get("people").status == 401
    return secrets


def stored() -> Iterator[tuple[str, str]]:
    """Yield every row of every table, except the keys of sessions, which identify them."""
    for model in apps.get_models():
        rows: Any = model._base_manager.values()
        if model is Session:
            rows = [session.get_decoded() for session in Session.objects.all()]
        for row in rows:
            yield model._meta.label, str(row)


def shown(client: Client) -> Iterator[tuple[str, str]]:
    token, users = ApiToken.objects.get(), User.objects.all()
    pages = [reverse("admin:index"), reverse("admin:changes")]
    pages += [url(model, "changelist") for model in (ApiToken, User)]
    pages += [url(ApiToken, page, token.pk) for page in ("change", "history")]
    pages += [url(User, page, user.pk) for user in users for page in ("change", "history")]
    pages += [
        reverse("admin:change_set", args=[change_set])
        for change_set in {*token.history.values_list("change_set", flat=True)}
    ]
    for page in pages:
        answer = client.get(page)
        assert answer.status_code == 200, page
        yield page, answer.content.decode()


def test_no_secret_is_logged_stored_or_shown(log: StringIO) -> None:
    organization = Organization.objects.create(name="Agency")
    ana = UserFactory(organization=organization, username="ana", is_staff=True, is_superuser=True)
    ana.set_password(PASSWORD)
    ana.save()
    client = Client()
    secrets = use_secrets(client, organization)
    assert len({*secrets.values()}) >= len(secrets) - 1  # the pepper may equal the key

    places = [("the log", log.getvalue()), *stored(), *shown(client)]
    assert [
        (place, name) for place, text in places for name, secret in secrets.items() if secret in text
    ] == []
    # The search works: it finds what may be stored.
    token, password = ApiToken.objects.get(), User.objects.get(username="ana").password
    found = [{place for place, text in places if it in text} for it in (token.digest, password)]
    assert found == [{"accounts.ApiToken"}, {"accounts.User"}]
    assert token.prefix in log.getvalue()
