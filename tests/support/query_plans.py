"""Read the plans of a request's queries on PostgreSQL."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from django.db import connection
from django.test.utils import CaptureQueriesContext

from tests.support.api import Api
from tests.support.many_organizations import rows_by_table


def plans(api: Api, path: str) -> list[Any]:
    """Return the plans of the SELECTs of a request, but that for the token."""
    with CaptureQueriesContext(connection) as captured:
        response = api.get(path)
    assert response.status == 200, (path, response)
    _, *statements = (query["sql"] for query in captured if query["sql"].startswith(("SELECT", "WITH")))
    found = []
    with connection.cursor() as cursor:
        for statement in statements:
            cursor.execute(f"EXPLAIN (ANALYZE, TIMING OFF, FORMAT JSON) {statement}")
            ((plan,),) = cursor.fetchone()
            found.append(plan["Plan"])
    return found


def nodes(plan: Any) -> Iterator[Any]:
    yield plan
    for child in plan.get("Plans", ()):
        yield from nodes(child)


def returned(node: Any) -> int:
    """Return the number of rows that a node returned."""
    return round(node["Actual Rows"] * node["Actual Loops"])


def rows_read(node: Any) -> int:
    """Return the number of rows that a node read from its table."""
    removed = node.get("Rows Removed by Filter", 0) + node.get("Rows Removed by Index Recheck", 0)
    return returned(node) + round(removed * node["Actual Loops"])


def sequential_scans(plan: Any) -> set[str]:
    """Return the large tables that the plan reads without an index."""
    return {
        node["Relation Name"]
        for node in nodes(plan)
        if node["Node Type"] == "Seq Scan" and node["Relation Name"] in rows_by_table()
    }


def max_sorted(plan: Any) -> int:
    """Return the largest number of rows that one node sorted."""
    sorts = [node for node in nodes(plan) if node["Node Type"] in ("Sort", "Incremental Sort")]
    return max((returned(node["Plans"][0]) for node in sorts), default=0)
