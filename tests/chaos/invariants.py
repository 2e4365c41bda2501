"""Check by SQL what must be true of the rows after any fault."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

Query = Callable[[str], Sequence[Sequence[Any]]]

# table: the tables of its foreign keys, by column
RELATIONS = {
    "catalog_deal": {"project_id": "catalog_project"},
    "catalog_service": {"deal_id": "catalog_deal", "service_type_id": "catalog_servicetype"},
    "assignments_serviceassignment": {"service_id": "catalog_service", "person_id": "accounts_person"},
    "assignments_projectassignment": {"project_id": "catalog_project", "person_id": "accounts_person"},
    "assignments_servicetypeassignment": {
        "service_type_id": "catalog_servicetype",
        "person_id": "accounts_person",
    },
}
PAIRS = [table for table in RELATIONS if table.startswith("assignments_")]
RECORDED = ["accounts_person", "catalog_servicetype", "catalog_project", *RELATIONS]
COUNTED = ["assignments_serviceassignment", "assignments_projectassignment"]
# Tables whose latest history record must have the row's name.
NAMED = ["catalog_servicetype", "catalog_project", "catalog_deal", "catalog_service"]


def rules() -> Iterator[tuple[str, str]]:
    """Yield rules, each with a query that must return zero. All names are from above."""
    for table, relations in RELATIONS.items():
        for column, other in relations.items():
            yield (
                f"{table}.{column} leads to no row of the same organization",
                f"SELECT count(*) FROM {table} a LEFT JOIN {other} b ON b.id = a.{column}"
                " AND b.organization_id = a.organization_id WHERE b.id IS NULL",
            )
    for table in PAIRS:
        first, second = RELATIONS[table]
        yield (
            f"pairs that are in {table} twice",
            f"SELECT count(*) FROM (SELECT 1 FROM {table} GROUP BY {first}, {second} HAVING count(*) > 1) d",
        )
    for table in RECORDED:
        app, model = table.split("_")
        history = f"{app}_historical{model}"
        for word, mark in (("created", "+"), ("deleted", "-")):
            yield (
                f"rows of {table} that were {word} twice",
                f"SELECT count(*) FROM (SELECT 1 FROM {history} WHERE history_type = '{mark}'"
                " GROUP BY id HAVING count(*) > 1) d",
            )
        yield (
            f"rows of {table} without a history record",
            f"SELECT count(*) FROM {table} a WHERE NOT EXISTS"
            f" (SELECT 1 FROM {history} h WHERE h.id = a.id AND h.history_type = '+')"
            f" OR EXISTS (SELECT 1 FROM {history} h WHERE h.id = a.id AND h.history_type = '-')",
        )
        yield (
            f"history records of {table} whose row is gone without a record",
            f"SELECT count(*) FROM {history} h WHERE h.history_type = '+'"
            f" AND NOT EXISTS (SELECT 1 FROM {table} a WHERE a.id = h.id)"
            f" AND NOT EXISTS (SELECT 1 FROM {history} d WHERE d.id = h.id AND d.history_type = '-')",
        )
        if table in NAMED:
            yield (
                f"rows of {table} that differ from their latest history record",
                f"SELECT count(*) FROM {table} a JOIN {history} h ON h.history_id ="
                f" (SELECT max(history_id) FROM {history} WHERE id = a.id) WHERE h.name <> a.name",
            )
    for table in COUNTED:
        yield (
            f"organizations whose number of {table} is wrong",
            "SELECT count(*) FROM (SELECT 1 FROM"
            f" (SELECT organization_id, number AS n FROM {table}rowcount UNION ALL"
            f" SELECT organization_id, -count(*) FROM {table} GROUP BY 1) u"
            " GROUP BY organization_id HAVING sum(n) <> 0) d",
        )
    yield (
        "services that took a type after it was archived",
        "SELECT count(*) FROM catalog_historicalservice h JOIN catalog_servicetype t"
        " ON t.id = h.service_type_id WHERE h.history_type = '+' AND h.history_date > t.archived_at",
    )


def broken_rules(query: Query, *, is_sqlite: bool) -> list[str]:
    """Return a line for each broken rule."""
    found = [f"{number} {what}" for what, sql in rules() if (number := query(sql)[0][0])]
    if is_sqlite and (problems := query("PRAGMA integrity_check")) != [("ok",)]:
        found.append(f"SQLite's integrity check: {problems}")
    return found
