"""Find rows that violate constraints of the database.

Such rows can exist if the checks were switched off, or if the database is damaged.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

from django.apps import apps
from django.db import connection, models, transaction
from django.db.models import Count, Exists, F, OuterRef

from productive.database.constraints import SameOrganization, UniqueTogether
from productive.database.fields import SortKeyField
from productive.database.row_counts import CREATE, FILL, RowCount, missing_triggers, statements
from productive.management.schema import unknown_objects

# The stored and the real number of rows of each organization with a wrong count in any block of ids.
MISCOUNTED = """
SELECT organization_id, sum(kept), sum(found) FROM (
    SELECT organization_id, block, sum(kept) AS kept, sum(found) AS found FROM (
        SELECT organization_id, block, number AS kept, 0 AS found FROM %(counts)s
        UNION ALL
        SELECT organization_id, id >> %(bits)s, 0, count(*) FROM %(table)s GROUP BY 1, 2
    ) AS both_ways GROUP BY 1, 2
) AS blocks GROUP BY 1 HAVING sum(abs(kept - found)) > 0 ORDER BY 1
"""
LOCK = "LOCK TABLE %(table)s IN SHARE ROW EXCLUSIVE MODE"


class Miscounted(NamedTuple):
    """A wrong row count of an organization in a table."""

    rows: str
    organization: int
    kept: int
    found: int

    def __str__(self) -> str:
        whose = f"{self.rows} of organization {self.organization}"
        if self.kept == self.found:
            return f"the {self.found:,} {whose} are counted at wrong ids"
        return f"there are {self.found:,} {whose}, counted as {self.kept:,}"


def violations() -> Iterator[str]:
    """Yield a line for each constraint that is violated."""
    for model in apps.get_models(include_auto_created=True):
        if model._meta.managed and not model._meta.proxy:
            yield from dangling_links(model)
            yield from links_across_organizations(model)
            yield from duplicates(model)
            yield from stale_sort_keys(model)
            if issubclass(model, RowCount):
                yield from missing_triggers_of(model)
                yield from map(str, miscounted(model))
    yield from unknown_objects()


def dangling_links(model: Any) -> Iterator[str]:
    for field in model._meta.concrete_fields:
        if field.many_to_one and field.db_constraint:
            targets = all_rows(field.related_model).filter(
                **{field.target_field.attname: OuterRef(field.attname)}
            )
            linked = all_rows(model).filter(**{f"{field.name}__isnull": False})
            yield from violation(
                linked.exclude(Exists(targets)), f"have a {field.verbose_name} that doesn't exist"
            )


def links_across_organizations(model: Any) -> Iterator[str]:
    for constraint in model._meta.constraints:
        if isinstance(constraint, SameOrganization):
            field: Any = model._meta.get_field(constraint.field)
            others = all_rows(field.related_model).exclude(organization=OuterRef("organization"))
            linked = all_rows(model).filter(Exists(others.filter(pk=OuterRef(field.attname))))
            yield from violation(linked, f"have a {field.verbose_name} of another organization")


def duplicates(model: Any) -> Iterator[str]:
    """Yield duplicates, without the unique index, which may be damaged."""
    for constraint in model._meta.constraints:
        if isinstance(constraint, UniqueTogether):
            parts = constraint.expressions or [F(name) for name in constraint.fields]
            named = {f"part_{number}": part for number, part in enumerate(parts)}
            groups = all_rows(model).values(**named).filter(**{f"{name}__isnull": False for name in named})
            repeated = groups.annotate(times=Count("pk")).filter(times__gt=1)
            yield from violation(repeated, f"are duplicates, against {constraint.name}")


def stale_sort_keys(model: Any) -> Iterator[str]:
    """Yield sort keys that the functions of this release don't return, which sort and find names wrongly.

    A damaged file can have some, or a release that changes the functions without writing the rows again.
    """
    for field in model._meta.concrete_fields:
        if isinstance(field, SortKeyField):
            stale = all_rows(model).exclude(**{field.name: field.expression})
            yield from violation(stale, "have a sort key that isn't that of their name")


def all_rows(model: Any) -> models.QuerySet[Any, Any]:
    return model._base_manager.order_by()


def violation(queryset: models.QuerySet[Any, Any], what: str) -> Iterator[str]:
    if count := queryset.count():
        yield f"{count:,} {queryset.model._meta.verbose_name_plural} {what}"


def missing_triggers_of(counts: Any) -> Iterator[str]:
    if missing_triggers(connection, counts):
        yield f"the triggers that count {counts.rows._meta.verbose_name_plural} are missing"


def miscounted(counts: Any) -> list[Miscounted]:
    """Compare in one statement, because its snapshot has a row with its count."""
    with connection.cursor() as cursor:
        (sql,) = statements(connection, [MISCOUNTED], counts.rows, counts)
        cursor.execute(sql)
        rows = cursor.fetchall()
    return [Miscounted(str(counts.rows._meta.verbose_name_plural), *map(int, row)) for row in rows]


def recount() -> Iterator[str]:
    """Correct row counts, recreate triggers, and yield the errors.

    Other writers of the table wait.
    """
    for counts in RowCount.__subclasses__():
        with transaction.atomic(), connection.cursor() as cursor:
            if connection.vendor == "postgresql":
                cursor.execute(*statements(connection, [LOCK], counts.rows, counts))
            missing, wrong = [*missing_triggers_of(counts)], [*map(str, miscounted(counts))]
            repair = CREATE[connection.vendor] if missing else FILL if wrong else ()
            for sql in statements(connection, repair, counts.rows, counts):
                cursor.execute(sql)
        yield from (*missing, *wrong)
