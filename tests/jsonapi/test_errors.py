"""Test that errors don't contain internals, and lock timeouts."""

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
from productive.jsonapi.fields import error_messages
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
def test_exception_is_an_error_document_without_internals(
    failure: type[Exception], status: int, code: str, api: Api
) -> None:
    response = api.get(failure.__name__)
    assert (response.status, response.error["status"], response.error["code"]) == (status, str(status), code)
    assert response.headers["Content-Type"] == CONTENT_TYPE
    assert response.headers["Cache-Control"] == "no-store"
    assert b"swordfish" not in response.body
    assert response.headers.get("Retry-After") == ("2" if status == 503 else None)


@pytest.mark.django_db
@override_settings(ROOT_URLCONF=__name__)
def test_exception_outside_of_api_views(api: Api) -> None:
    response = api.get("broken")
    assert (response.status, response.error["code"]) == (500, "server_error")
    page = api.get("/broken")
    assert (page.status, page.headers["Content-Type"]) == (500, "text/html; charset=utf-8")


@pytest.mark.django_db
def test_invalid_host_is_rejected_in_the_format_of_the_url(api: Api) -> None:
    for address, kind in (("/api/v2/people", CONTENT_TYPE), ("/admin/", "text/html; charset=utf-8")):
        response = api.get(address, headers={"Host": "evil.example"})
        assert (response.status, response.headers["Content-Type"]) == (400, kind)


@contextmanager
def locked(row: ServiceType) -> Iterator[None]:
    """Lock this row in another connection."""
    is_locked, done = Event(), Event()

    def lock() -> None:
        with transaction.atomic():
            ServiceType.objects.filter(pk=row.pk).update(name="locked")
            is_locked.set()
            done.wait(20)
            transaction.set_rollback(True)
        connection.close()

    thread = Thread(target=lock)
    thread.start()
    try:
        assert is_locked.wait(10)
        yield
    finally:
        done.set()
        thread.join(20)


def test_lock_timeout_is_503_and_readers_never_wait(transactional_db: None, short_wait: None) -> None:
    organization = OrganizationFactory()
    row = ServiceTypeFactory(organization=organization, name="Before")
    token = ApiTokenFactory(organization=organization, last_used_at=timezone.now())
    api, path = Api(token.name), f"service_types/{row.pk}"
    body = {"data": {"type": "service_types", "attributes": {"name": "After"}}}
    with locked(row):
        rejected = api.patch(path, json=body)
        assert (rejected.status, rejected.error["code"]) == (503, "service_unavailable")
        assert rejected.headers["Retry-After"] == "2"
        assert api.get(path).data["attributes"]["name"] == "Before"
    assert api.patch(path, json=body).data["attributes"]["name"] == "After"


@pytest.mark.no_cover
def test_lock_timeout_for_an_idempotency_key_is_503(transactional_db: None, short_wait: None) -> None:
    token = ApiTokenFactory(last_used_at=timezone.now() + timedelta(hours=1))
    api, key = Api(token.name), {"Idempotency-Key": "locked"}
    body = {"data": {"type": "service_types", "attributes": {"name": "Once"}}}

    def repeat() -> Answer:
        try:
            return api.post("service_types", json=body, headers=key)
        finally:
            connection.close()

    with ThreadPoolExecutor(1) as pool, transaction.atomic():
        first = api.post("service_types", json=body, headers=key)
        rejected = pool.submit(repeat).result()
    assert (rejected.status, rejected.error["code"]) == (503, "service_unavailable")
    assert rejected.headers["Retry-After"] == "2"
    assert repeat().body == first.body


def validate_even_length(value: str) -> None:
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
        (validate_even_length, "must have an even length"),
    ],
)
def test_messages_of_model_validators(
    validator: Any, detail: str, api: Api, organization: Organization, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A validator's own message is kept; a message of Django isn't."""
    name = ServiceType._meta.get_field("name")
    monkeypatch.setattr(name, "validators", [*name.validators, validator])
    document = {"data": {"type": "service_types", "attributes": {"name": "A 1"}}}
    response = api.post("service_types", document)
    assert response.invalid == [("name", detail)]
    monkeypatch.undo()
    assert api.post("service_types", document).status == 201


def test_serializer_fields_have_messages_of_this_api() -> None:
    classes = [each for each in vars(fields).values() if isinstance(each, type)]
    ours = {BLANK, INVALID, FIELD_MESSAGES["max_length"]}
    for each in classes:
        assert {*getattr(each, "default_error_messages", ())} <= {*error_messages(each)}
        assert {*error_messages(each).values()} <= ours
