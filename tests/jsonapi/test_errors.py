"""What goes wrong behind a view is told without a word of its insides, and a busy database is no crash."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import timedelta
from threading import Event, Thread
from typing import Any

import pytest
from django.core.exceptions import ValidationError
from django.core.validators import MinLengthValidator, RegexValidator, validate_ipv4_address, validate_slug
from django.db import IntegrityError, InterfaceError, OperationalError, connection, transaction
from django.http import HttpRequest, HttpResponse
from django.test import override_settings
from django.urls import path
from django.utils import timezone
from rest_framework import fields

from catalog.models import ServiceType
from catalog.serializers import ServiceTypeSerializer
from productive import urls
from productive.accounts.models import Organization
from productive.jsonapi.errors import BLANK, FIELD_MESSAGES, INVALID
from productive.jsonapi.serializers import error_messages
from productive.jsonapi.views import ReadOnlyViewSet
from tests.support.api import CONTENT_TYPE, Answer, Api
from tests.support.factories import ApiTokenFactory, OrganizationFactory, ServiceTypeFactory


class BrokenViewSet(ReadOnlyViewSet):
    serializer_class = ServiceTypeSerializer
    failure: type[Exception] = RuntimeError

    def get_queryset(self) -> Any:
        raise self.failure("the password of the database is swordfish")


def broken(request: HttpRequest) -> HttpResponse:
    raise RuntimeError("outside of the API's views")


FAILURES = [RuntimeError, KeyError, IntegrityError, OperationalError, InterfaceError]
urlpatterns = [
    *(path(f"api/v2/{f.__name__}", BrokenViewSet.as_view({"get": "list"}, failure=f)) for f in FAILURES),
    path("api/v2/broken", broken),
    path("broken", broken),
    *urls.urlpatterns,
]
handler400, handler404, handler500 = urls.handler400, urls.handler404, urls.handler500


@pytest.mark.django_db
@override_settings(ROOT_URLCONF=__name__)
@pytest.mark.parametrize(
    ("failure", "status", "code"),
    [
        (RuntimeError, 500, "server_error"),
        (KeyError, 500, "server_error"),
        (IntegrityError, 409, "conflict"),
        (OperationalError, 503, "service_unavailable"),
        (InterfaceError, 503, "service_unavailable"),
    ],
)
def test_failure_is_an_error_document_without_internals(
    failure: type[Exception], status: int, code: str, api: Api
) -> None:
    answer = api.get(failure.__name__)
    assert (answer.status, answer.error["status"], answer.error["code"]) == (status, str(status), code)
    assert answer.headers["Content-Type"] == CONTENT_TYPE
    assert answer.headers["Cache-Control"] == "no-store"
    assert b"swordfish" not in answer.body
    assert answer.headers.get("Retry-After") == ("2" if status == 503 else None)


@pytest.mark.django_db
@override_settings(ROOT_URLCONF=__name__)
def test_failure_outside_the_api_views_is_a_document_under_api_and_a_page_elsewhere(api: Api) -> None:
    answer = api.get("broken")
    assert (answer.status, answer.error["code"]) == (500, "server_error")
    page = api.get("/broken")
    assert (page.status, page.headers["Content-Type"]) == (500, "text/html; charset=utf-8")


@pytest.mark.django_db
def test_wrong_host_is_refused_in_the_dialect_of_its_address(api: Api) -> None:
    for address, kind in (("/api/v2/people", CONTENT_TYPE), ("/admin/", "text/html; charset=utf-8")):
        answer = api.get(address, headers={"Host": "evil.example"})
        assert (answer.status, answer.headers["Content-Type"]) == (400, kind)


@contextmanager
def held(row: ServiceType) -> Iterator[None]:
    """Another connection is changing this row, and does not let go of it."""
    holding, done = Event(), Event()

    def hold() -> None:
        with transaction.atomic():
            ServiceType.objects.filter(pk=row.pk).update(name="held")
            holding.set()
            done.wait(20)
            transaction.set_rollback(True)
        connection.close()

    holder = Thread(target=hold)
    holder.start()
    try:
        assert holding.wait(10)
        yield
    finally:
        done.set()
        holder.join(20)


def test_lock_that_is_held_too_long_is_a_503_and_readers_never_wait(
    transactional_db: None, short_wait: None
) -> None:
    organization = OrganizationFactory()
    row = ServiceTypeFactory(organization=organization, name="Before")
    token = ApiTokenFactory(organization=organization, last_used_at=timezone.now())
    api, path = Api(token.name), f"service_types/{row.pk}"
    body = {"data": {"type": "service_types", "attributes": {"name": "After"}}}
    with held(row):
        refused = api.patch(path, json=body)
        assert (refused.status, refused.error["code"]) == (503, "service_unavailable")
        assert refused.headers["Retry-After"] == "2"
        assert api.get(path).data["attributes"]["name"] == "Before"
    assert api.patch(path, json=body).data["attributes"]["name"] == "After"


def test_key_that_another_request_holds_for_too_long_is_a_503(
    transactional_db: None, short_wait: None
) -> None:
    token = ApiTokenFactory(last_used_at=timezone.now() + timedelta(hours=1))
    api, key = Api(token.name), {"Idempotency-Key": "held"}
    body = {"data": {"type": "service_types", "attributes": {"name": "Once"}}}

    def again() -> Answer:
        try:
            return api.post("service_types", json=body, headers=key)
        finally:
            connection.close()

    with ThreadPoolExecutor(1) as pool, transaction.atomic():
        first = api.post("service_types", json=body, headers=key)
        refused = pool.submit(again).result()
    assert (refused.status, refused.error["code"]) == (503, "service_unavailable")
    assert refused.headers["Retry-After"] == "2"
    assert again().body == first.body


def not_odd(value: str) -> None:
    if len(value) % 2:
        raise ValidationError("must have an even length")


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("validator", "detail"),
    [
        (RegexValidator("^[a-z]+$"), "attribute is invalid"),
        (MinLengthValidator(4), "attribute is invalid"),
        (validate_slug, "attribute is invalid"),
        (validate_ipv4_address, "attribute is invalid"),
        (RegexValidator("^[a-z]+$", "must be lower-case letters"), "must be lower-case letters"),
        (not_odd, "must have an even length"),
    ],
)
def test_validator_of_a_model_field_answers_in_the_words_of_the_api(
    validator: Any, detail: str, api: Api, organization: Organization, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A validator's own message is kept; a message of Django's isn't."""
    name = ServiceType._meta.get_field("name")
    monkeypatch.setattr(name, "validators", [*name.validators, validator])
    document = {"data": {"type": "service_types", "attributes": {"name": "A 1"}}}
    answer = api.post("service_types", document)
    assert answer.invalid == [("name", detail)]
    monkeypatch.undo()
    assert api.post("service_types", document).status == 201


def test_every_message_of_a_serializer_field_is_one_of_this_api() -> None:
    classes = [each for each in vars(fields).values() if isinstance(each, type)]
    ours = {BLANK, INVALID, FIELD_MESSAGES["max_length"]}
    for each in classes:
        assert {*getattr(each, "default_error_messages", ())} <= {*error_messages(each)}
        assert {*error_messages(each).values()} <= ours
