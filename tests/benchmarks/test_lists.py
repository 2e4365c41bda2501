"""Compare compiled reading with the stock viewset, measured in the same run."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import override_settings

from productive.accounts.models import Organization
from tests.benchmarks.timing import TRIES, medians
from tests.support.api import Api
from tests.support.factories import PersonFactory, ProjectAssignmentFactory, ProjectFactory


@pytest.mark.fuzz
@override_settings(ROOT_URLCONF="tests.benchmarks.urls")
def test_list_of_200_takes_a_25th_of_the_stock_viewset(
    api: Api, organization: Organization, django_assert_max_num_queries: Any
) -> None:
    projects = ProjectFactory.create_batch(10, organization=organization)
    people = PersonFactory.create_batch(20, organization=organization)
    for project in projects:
        for person in people:
            ProjectAssignmentFactory(organization=organization, project=project, person=person)
    contenders = {
        "ours": lambda: api.get("project_assignments?page[size]=200"),
        "stock": lambda: api.get("/api/st/project_assignments?page[size]=200"),
    }
    for _ in range(TRIES):
        ms = medians(contenders, rounds=15)
        ratio = ms["stock"] / ms["ours"]
        print(f"\nlist of 200: ours {ms['ours']:.1f} ms, stock {ms['stock']:.1f} ms, ratio {ratio:.1f}")  # noqa: T201
        if ratio >= 25:
            break
    else:
        pytest.fail("the compiled list took more than a 25th of the stock viewset's time")

    with django_assert_max_num_queries(3):
        assert len(contenders["ours"]().data) == 200
