"""Fixtures of the tests of the changes."""

from __future__ import annotations

import pytest
from django.test import Client

from productive.accounts.models import Organization
from tests.support.admin import staff
from tests.support.factories import OrganizationFactory


@pytest.fixture
def organization(db: None) -> Organization:
    return OrganizationFactory()


@pytest.fixture
def client(organization: Organization) -> Client:
    """Return a client of staff with all permissions in the organization."""
    return staff(organization)
