"""Test what the search of the admin's lists finds."""

from __future__ import annotations

from typing import Any

import pytest

from assignments.models import ProjectAssignment, ServiceAssignment, ServiceTypeAssignment
from catalog.models import Deal, Project, Service, ServiceType
from productive.accounts.models import Person
from tests.support.admin import listed, staff
from tests.support.factories import (
    DealFactory,
    OrganizationFactory,
    PersonFactory,
    ProjectAssignmentFactory,
    ProjectFactory,
    ServiceAssignmentFactory,
    ServiceFactory,
    ServiceTypeAssignmentFactory,
    ServiceTypeFactory,
)

pytestmark = [pytest.mark.django_db, pytest.mark.no_cover]


@pytest.mark.parametrize(
    ("term", "models"),
    [
        ("Ana Horvat", {Person, ServiceAssignment, ProjectAssignment, ServiceTypeAssignment}),
        ("horvat ana", {Person, ServiceAssignment, ProjectAssignment, ServiceTypeAssignment}),
        ("ana@agency", {Person, ServiceAssignment, ProjectAssignment, ServiceTypeAssignment}),
        ("P-007", {Project, Deal, Service, ServiceAssignment, ProjectAssignment}),
        ("spring", {Deal, Service, ServiceAssignment}),
        ("relaunch", {Project, Deal, Service, ServiceAssignment, ProjectAssignment}),
        ("horvat spring wireframes", {ServiceAssignment}),
        ('"spring offer"', {Deal, Service, ServiceAssignment}),
        ('"offer spring"', set()),
        ("ux", {ServiceType, Service, ServiceAssignment, ServiceTypeAssignment}),
        ("ux " * 20, {ServiceType, Service, ServiceAssignment, ServiceTypeAssignment}),
        ("ux " * 21, {ServiceType, Service, ServiceAssignment, ServiceTypeAssignment}),
        # No name is that long, and each word would add a condition to the query.
        (" ".join(f"u{'x' * n}" for n in range(21)), set()),
    ],
)
def test_search_finds_term(term: str, models: set[Any]) -> None:
    organization = OrganizationFactory()
    own, client = {"organization": organization}, staff(organization)
    ana = PersonFactory(**own, first_name="Ana", last_name="Horvat", email="ana@agency.example")
    project = ProjectFactory(**own, name="Relaunch", project_number="P-007")
    deal = DealFactory(**own, project=project, name="Spring offer")
    service_type = ServiceTypeFactory(**own, name="UX")
    service = ServiceFactory(**own, deal=deal, service_type=service_type, name="Wireframes")
    for other in (ServiceAssignmentFactory, ProjectAssignmentFactory, ServiceTypeAssignmentFactory):
        other(**own)
    rows = {
        ana,
        project,
        deal,
        service_type,
        service,
        ServiceAssignmentFactory(**own, person=ana, service=service),
        ProjectAssignmentFactory(**own, person=ana, project=project),
        ServiceTypeAssignmentFactory(**own, person=ana, service_type=service_type),
    }
    found = {type(row): listed(client, type(row), f"?q={term.replace(' ', '+')}") for row in rows}
    assert found == {type(row): {row.pk} if type(row) in models else set() for row in rows}
