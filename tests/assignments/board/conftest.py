from __future__ import annotations

import pytest
from django.test import Client

from catalog.models import Deal
from tests.support.admin import staff
from tests.support.boards import person
from tests.support.factories import DealFactory, ServiceFactory


@pytest.fixture
def deal() -> Deal:
    """A budget restricted by person, with the services Audit and Design, and Ana on its project."""
    deal: Deal = DealFactory(name="Spring", project__name="Shop", person_restricted_tracking=True)
    for name in ("Design", "Audit"):
        ServiceFactory(organization=deal.organization, deal=deal, name=name)
    person(deal, "Ana", "Horvat", member=True)
    return deal


@pytest.fixture
def client(deal: Deal) -> Client:
    return staff(deal.organization)
