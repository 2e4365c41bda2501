from __future__ import annotations

from datetime import date

import pytest

from catalog.models import Service
from productive.accounts.models import Organization, Person
from tests.support.factories import (
    DealFactory,
    PersonFactory,
    ProjectAssignmentFactory,
    ProjectFactory,
    ServiceAssignmentFactory,
    ServiceFactory,
)


@pytest.fixture
def people(organization: Organization) -> list[Person]:
    """Return Ana, Ivo and Eve.

    Ana and Ivo are on the project, and Ana is assigned to its first service. Eve is not on it.
    """
    return [
        PersonFactory(organization=organization, first_name=first, last_name=last)
        for first, last in (("Ana", "Horvat"), ("Ivo", "Ban"), ("Eve", "Kos"))
    ]


@pytest.fixture
def services(organization: Organization, people: list[Person]) -> list[Service]:
    """Return services of a budget for 2026 that is restricted by person.

    Time tracking is off for the last one.
    """
    project = ProjectFactory(organization=organization, name="Acme")
    for person in people[:2]:
        ProjectAssignmentFactory(organization=organization, project=project, person=person)
    deal = DealFactory(
        organization=organization,
        project=project,
        name="Acme 2026",
        date=date(2026, 1, 1),
        end_date=date(2026, 12, 31),
        person_restricted_tracking=True,
    )
    rows = [
        ServiceFactory(organization=organization, deal=deal, name=name, time_tracking_enabled=name != "QA")
        for name in ("Design", "Code", "QA")
    ]
    ServiceAssignmentFactory(organization=organization, service=rows[0], person=people[0])
    return rows
