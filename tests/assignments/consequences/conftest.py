from __future__ import annotations

import pytest
from django.test import Client

from catalog.models import Service
from productive.accounts.models import Organization, Person
from tests.support.admin import staff
from tests.support.factories import (
    DealFactory,
    OrganizationFactory,
    PersonFactory,
    ProjectAssignmentFactory,
    ProjectFactory,
    ServiceAssignmentFactory,
    ServiceFactory,
    ServiceTypeFactory,
)


@pytest.fixture
def organization() -> Organization:
    return OrganizationFactory()


@pytest.fixture
def client(organization: Organization) -> Client:
    return staff(organization)


@pytest.fixture
def people(organization: Organization) -> list[Person]:
    """Ana and Bo, who are on the project."""
    return [
        PersonFactory(first_name=name, last_name="Z", email=None, organization=organization)
        for name in ("Ana", "Bo")
    ]


@pytest.fixture
def service(organization: Organization, people: list[Person]) -> Service:
    """Return QA, to which Ana is assigned, of the unrestricted Budget."""
    own = {"organization": organization}
    project = ProjectFactory(name="Portal", **own)
    for person in people:
        ProjectAssignmentFactory(person=person, project=project, **own)
    deal = DealFactory(name="Budget", project=project, **own)
    service_type = ServiceTypeFactory(name="Testing", **own)
    service = ServiceFactory(name="QA", deal=deal, service_type=service_type, **own)
    ServiceAssignmentFactory(service=service, person=people[0], **own)
    return service
