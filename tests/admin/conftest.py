"""Fixtures of the tests of lists."""

from __future__ import annotations

import pytest
from django.test import Client

from productive.accounts.models import Organization
from tests.support.admin import staff
from tests.support.factories import OrganizationFactory


@pytest.fixture
def organization() -> Organization:
    return OrganizationFactory(time_zone="Europe/Zagreb")


@pytest.fixture
def client(organization: Organization) -> Client:
    return staff(organization)
