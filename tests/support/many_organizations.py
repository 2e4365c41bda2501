"""Fill PostgreSQL with the rows of forty organizations, so that it plans as with large tables."""

from __future__ import annotations

from typing import Any

from django.core.management.color import no_style
from django.db import connection

from productive.accounts.models import ApiToken, Organization
from tests.support.factories import ApiTokenFactory
from tests.support.resources import OWNED, RESOURCES, model_of

ORGANIZATIONS, OWN = 40, 20

# The id of a record of the organization in each table. The next id is 100 higher.
RECORD = 57 * 100 + OWN
# Higher than all ids of the forty organizations.
FIRST = 10_000_000

# Table → the number of rows of an organization, their columns and values. `o` is the organization, and `n` is
# the number of the row in it. Ids are n * 100 + o, so that rows of all organizations alternate.
ROWS = {
    "accounts_person": (
        150,
        """first_name, last_name, email, archived_at""",
        """'First' || n % 70, 'Last' || n % 90, CASE WHEN n % 3 > 0 THEN o || '.' || n || '@example.com' END,
        CASE WHEN n % 5 = 0 THEN now() END""",
    ),
    "catalog_servicetype": (
        60,
        "name, description, archived_at",
        "'Type ' || n % 50, CASE WHEN n % 2 = 0 THEN 'About ' || n END, CASE WHEN n % 5 = 0 THEN now() END",
    ),
    "catalog_project": (
        100,
        "name, project_number, archived_at",
        "'Project ' || n % 80, n::text, CASE WHEN n % 5 = 0 THEN now() END",
    ),
    "catalog_deal": (
        150,
        """name, project_id, budget, person_restricted_tracking, service_type_restricted_tracking, closed_at,
        date, end_date""",
        """'Budget ' || n % 120, (1 + n % 100) * 100 + o, true, n % 2 = 0, n % 3 = 0,
        CASE WHEN n % 5 = 0 THEN now() END, '2026-01-01', '2027-12-31'""",
    ),
    "catalog_service": (
        400,
        "name, deal_id, service_type_id, time_tracking_enabled, expense_tracking_enabled",
        "'Service ' || n % 300, (1 + n % 150) * 100 + o, (1 + n % 60) * 100 + o, n % 9 > 0, n % 2 = 0",
    ),
    "assignments_filter": (60, "name, params", "'Filter ' || n % 50, '{}'"),
    "assignments_servicetypeassignment": (
        300,
        "person_id, service_type_id",
        "(1 + n % 150) * 100 + o, (1 + (n % 60 + n / 150 * 7) % 60) * 100 + o",
    ),
    "assignments_projectassignment": (
        400,
        "person_id, project_id",
        "(1 + n % 150) * 100 + o, (1 + (n % 100 + n / 150 * 7) % 100) * 100 + o",
    ),
    "assignments_serviceassignment": (
        900,
        "person_id, service_id",
        "(1 + n % 150) * 100 + o, (1 + (n % 400 + n / 150 * 7) % 400) * 100 + o",
    ),
}


def fill() -> str:
    with connection.cursor() as cursor:
        # On a busy machine, filling the tables may exceed the timeout for requests.
        cursor.execute("SET LOCAL statement_timeout = 0")
        # These tables are so small that PostgreSQL scans them by default. With a low cost of random reads, it
        # chooses the plans that it uses for large tables.
        cursor.execute("SET LOCAL random_page_cost = 1.1")
        cursor.execute(
            "INSERT INTO accounts_organization (id, name, time_zone, created_at)"
            " SELECT o, 'Organization ' || o, 'UTC', now() FROM generate_series(1, %s) o",
            [ORGANIZATIONS],
        )
        for table, (count, columns, values) in rows_by_table().items():
            statement = f"""
                INSERT INTO {table} (id, organization_id, created_at, {columns})
                SELECT n * 100 + o, o, now() - n % 200 * interval '1 hour', {values}
                FROM generate_series(1, {ORGANIZATIONS}) o,
                    generate_series(1, CASE WHEN o = {OWN} THEN {4 * count} ELSE {count} END) n
            """  # noqa: S608
            cursor.execute(statement)
            analyze(cursor)
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        # Other tests create rows with higher ids.
        for statement in connection.ops.sequence_reset_sql(no_style(), [Organization, *OWNED]):
            cursor.execute(statement)
        token = ApiTokenFactory(organization=Organization.objects.get(pk=OWN))
        token.touch(token.created_at)
    return token.name


def rows_by_table() -> dict[str, tuple[int, str, str]]:
    """Return ROWS, with generated rows for the models that ROWS lacks."""
    rows = dict(ROWS)
    for model in map(model_of, RESOURCES):
        if model is not Organization and model._meta.db_table not in rows:
            values = {
                field.column: value(field)
                for field in model._meta.concrete_fields
                if not (field.null or field.primary_key or field.generated)
                and field.name not in {"organization", "created_at"}
            }
            rows[model._meta.db_table] = (100, ", ".join(values), ", ".join(values.values()))
    return rows


def value(field: Any) -> str:
    """Return the SQL of a field's value in row `n` of organization `o`."""
    if field.is_relation:
        return f"(1 + n % {ROWS[field.related_model._meta.db_table][0]}) * 100 + o"
    kind = field.get_internal_type()
    return {"BooleanField": "true", "DateField": "'2026-01-01'", "JSONField": "'{}'"}.get(kind, "n::text")


def analyze(cursor: Any) -> None:
    """Analyze our tables.

    Foreign keys to new rows would otherwise be checked with a plan for an almost empty table. A transaction
    that analyzes shared catalogs blocks other workers.
    """
    cursor.execute(f"ANALYZE {', '.join(model._meta.db_table for model in [Organization, ApiToken, *OWNED])}")
