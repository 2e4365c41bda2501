"""Reading is compiled: the promise is a ratio to the stock viewset, measured in the same run."""

from __future__ import annotations

import time
from statistics import median
from typing import Any

from django.test import override_settings

from productive.accounts.models import Organization
from tests.api import Api
from tests.factories import PersonFactory, ProjectAssignmentFactory, ProjectFactory


def milliseconds(call: Any) -> float:
    start = time.perf_counter()
    answer = call()
    elapsed = (time.perf_counter() - start) * 1000
    assert answer.status == 200
    assert len(answer.data) == 200
    return elapsed


@override_settings(ROOT_URLCONF="tests.benchmarks.stock")
def test_list_of_200_takes_a_25th_of_the_stock_viewset(
    api: Api, organization: Organization, django_assert_max_num_queries: Any, record_property: Any
) -> None:
    projects = ProjectFactory.create_batch(10, organization=organization)
    people = PersonFactory.create_batch(20, organization=organization)
    for project in projects:
        for person in people:
            ProjectAssignmentFactory(organization=organization, project=project, person=person)
    contenders = {
        "ours": lambda: api.get("project_assignments?page[size]=200"),
        "stock": lambda: api.get("/api/stock/project_assignments?page[size]=200"),
    }
    for call in contenders.values():
        call()
    timings: dict[str, list[float]] = {name: [] for name in contenders}
    for _ in range(5):
        for name, call in contenders.items():
            timings[name] += [milliseconds(call) for _ in range(3)]
    ours, stock = median(timings["ours"]), median(timings["stock"])
    print(f"\nlist of 200: ours {ours:.1f} ms, stock {stock:.1f} ms, ratio {stock / ours:.1f}")  # noqa: T201
    assert stock / ours >= 25

    with django_assert_max_num_queries(3):
        assert len(contenders["ours"]().data) == 200
