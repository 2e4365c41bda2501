"""Check that the pages that `make bench` measures exist, whatever the figures."""

from __future__ import annotations

import pytest

from assignments.models import ProjectAssignment, ServiceAssignment
from productive.accounts.models import Organization
from tests.benchmarks.admin_pages.measure import Page, Result, measure
from tests.support.factories import (
    PersonFactory,
    ProjectAssignmentFactory,
    ServiceAssignmentFactory,
    ServiceTypeAssignmentFactory,
)

pytestmark = [pytest.mark.django_db, pytest.mark.any_database, pytest.mark.no_cover]


def test_every_page_is_measured(organization: Organization) -> None:
    for factory in (ProjectAssignmentFactory, ServiceAssignmentFactory, ServiceTypeAssignmentFactory):
        factory(organization=organization)
    PersonFactory.create_batch(3, organization=organization)
    result = measure(organization, services=1, assignments=6, rounds=1)
    assert ServiceAssignment.objects.count() == ProjectAssignment.objects.count() == 3
    assert len(result.pages) == 20
    assert all(page.queries > 0 < page.kilobytes for page in result.pages)


def test_result_passes_if_each_page_does() -> None:
    quick, slow, large = Page("a", 150, 60, 5), Page("b", 151, 60, 5), Page("c", 150, 61, 5)
    assert Result("SQLite", "", [quick, quick]).passed()
    assert not Result("SQLite", "", [quick, slow]).passed()
    assert [line[-3] for line in Result("SQLite", "", [quick, large]).lines()][2:] == ["✓", "✗"]
