"""Fixtures of the tests of spreadsheets."""

from __future__ import annotations

from pathlib import Path

import pytest
from django.test import Client

from productive.accounts.models import Organization
from tests.support.admin import staff
from tests.support.factories import OrganizationFactory


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Store the uploaded files in a folder of the test."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    return tmp_path


@pytest.fixture
def organization() -> Organization:
    return OrganizationFactory()


@pytest.fixture
def client(organization: Organization) -> Client:
    """Return a client of staff with all permissions in the organization."""
    return staff(organization)
