"""Test the error pages of the admin."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.admin import AdminSite
from django.test import Client

from productive.accounts.models import Organization
from tests.support.admin import staff, superuser
from tests.support.factories import OrganizationFactory

pytestmark = [pytest.mark.django_db, pytest.mark.any_database]

INDEX = "/admin/"


@pytest.fixture
def organization() -> Organization:
    return OrganizationFactory()


@pytest.mark.parametrize("address", ["/admin/nonsense/", "/admin/accounts/nonsense/", "/nonsense"])
def test_404_page_leaks_nothing(address: str) -> None:
    page = superuser().get(address)
    assert page.status_code == 404
    assert "Page not found" in page.content.decode()
    assert "nonsense" not in page.content.decode()
    assert ("error.css" in page.content.decode()) is address.startswith("/admin/")


def test_403_page_has_message(organization: Organization) -> None:
    page = staff(organization, "view_person").get("/admin/accounts/apitoken/")
    assert page.status_code == 403
    assert "You don't have permission to view this page" in page.content.decode()


def test_csrf_failure_has_message() -> None:
    client = Client(enforce_csrf_checks=True)
    page = client.post("/admin/login/", {"username": "a", "password": "b"})
    assert page.status_code == 403
    assert "The form has expired" in page.content.decode()


def test_500_page_does_not_show_cause(monkeypatch: pytest.MonkeyPatch, caplog: Any) -> None:
    def fail(*args: Any) -> None:
        raise RuntimeError("the secret cause")

    client = superuser()
    client.raise_request_exception = False
    monkeypatch.setattr(AdminSite, "each_context", fail)
    page = client.get(INDEX)
    assert page.status_code == 500
    assert "Server error" in page.content.decode()
    assert "secret cause" not in page.content.decode()
