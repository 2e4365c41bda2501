"""Create an agency of any size: `python -m tests.benchmarks.large_agency NAME --assignments N`.

The command `seed` creates a small agency, and the database copies its rows as often as needed. A copied row
has the next ids, and its links lead to rows of the same copy. Only people are assigned across copies: where
people join one project after the other, a person's assignments lie all over the table, too.
"""

from __future__ import annotations

import argparse
import os
import sys
from io import StringIO
from time import perf_counter
from typing import Any

from django.db import connection, transaction
from django.db.models import F

# As in manage.py: no time limits of web requests.
os.environ.setdefault("STATEMENT_TIMEOUT_MS", "0")
os.environ.setdefault("LOCK_TIMEOUT_MS", "0")

# Sets Django up, for the models that are imported next.
import productive.wsgi  # noqa: F401

# isort: split
from django.core.management import call_command
from django.core.management.color import no_style

from assignments.models import Filter, ProjectAssignment, ServiceAssignment, ServiceTypeAssignment
from catalog.models import Project, ServiceType
from productive.accounts.models import Organization, Person
from productive.database.history import change_set, record_rows
from productive.management.commands.seed import MODELS

# All copies share the saved filters.
COPIED = [model for model in MODELS if model is not Filter]
SCATTERED = (ProjectAssignment, ServiceAssignment, ServiceTypeAssignment)
# To projects and services.
ASSIGNMENTS_OF_SEED = 425
# Columns that tell copies apart. An email must be unique in its organization.
TEXTS = {
    (Person, "last_name"): "last_name || ' ' || copy",
    (Person, "email"): "replace(email, '@', copy || '@')",
    (Project, "name"): "name || ' ' || copy",
    (ServiceType, "name"): "name || ' ' || copy",
}
# Of one statement. PostgreSQL keeps each row in memory until the statement's foreign keys are checked.
ROWS_AT_ONCE = 100_000
COPY = """
WITH RECURSIVE copies (copy) AS (
    SELECT CAST(%(first)s AS bigint) UNION ALL SELECT copy + 1 FROM copies WHERE copy < %(last)s
)
INSERT INTO {table} ({columns})
SELECT {values} FROM copies CROSS JOIN {table}
 WHERE organization_id = %(organization)s AND id <= %(highest)s
 ORDER BY copy, id
"""


def create(name: str, copies: int) -> Organization:
    """Create an agency that is `copies` times as large as that of `seed`, in one transaction."""
    with transaction.atomic(), change_set():
        call_command("seed", organization_name=name, stdout=StringIO())
        organization = Organization.objects.get(name=name)
        if copies > 1:
            multiply(organization, copies)
    call_command("refresh_statistics")
    return organization


def multiply(organization: Organization, copies: int) -> None:
    """Copy the rows until there are `copies` times as many. Their ids must be the highest of their tables."""
    spans: dict[Any, int] = {}
    if connection.vendor == "postgresql":
        # Foreign keys would otherwise be checked at the commit, and all rows kept in memory until then.
        run("SET CONSTRAINTS ALL IMMEDIATE")
    for model in COPIED:
        rows = model.objects.owned_by(organization)
        ids = list(rows.order_by("id").values_list("id", flat=True))
        spans[model] = ids[-1] - ids[0] + 1
        at_once = max(ROWS_AT_ONCE // len(ids), 1)
        quote = connection.ops.quote_name
        fields = [field for field in model._meta.concrete_fields if not field.generated]
        statement = COPY.format(
            table=quote(model._meta.db_table),
            columns=", ".join(quote(field.column) for field in fields),
            values=", ".join(value_of(model, field, spans, copies) for field in fields),
        )
        for first in range(1, copies, at_once):
            last = min(first + at_once, copies) - 1
            run(statement, organization=organization.pk, highest=ids[-1], first=first, last=last)
        record_rows(rows.filter(id__gt=ids[-1]), "+", date=F("created_at"))
    for statement in connection.ops.sequence_reset_sql(no_style(), COPIED):
        run(statement)


def value_of(model: Any, field: Any, spans: dict[Any, int], copies: int) -> str:
    """Return the SQL expression for a column of a copied row; `copy` is the number of the copy."""
    copied = model if field.primary_key else field.related_model
    if copied not in spans:
        return TEXTS.get((model, field.name)) or connection.ops.quote_name(field.column)
    copy = "copy"
    if copied is Person and model in SCATTERED:
        # A different permutation of the copies for each row.
        copy = f"(1 + (copy - 1 + id * 7919) %% {copies - 1})"
    return f"{field.column} + {copy} * {spans[copied]}"


def run(statement: str, **params: int) -> None:
    with connection.cursor() as cursor:
        cursor.execute(statement, params or None)


def read_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.large_agency", description=__doc__)
    parser.add_argument("name", help="of the organization; nothing is created if it exists")
    size = parser.add_mutually_exclusive_group(required=True)
    size.add_argument("--copies", type=int, metavar="N", help="times the agency of `seed`")
    size.add_argument(
        "--assignments", type=int, metavar="N", help="of people to projects and services, about"
    )
    return parser.parse_args()


def main() -> None:
    arguments = read_arguments()
    if Organization.objects.filter(name=arguments.name).exists():
        sys.stdout.write(f"{arguments.name} exists already: nothing was created.\n")
        return
    begun = perf_counter()
    organization = create(
        arguments.name, arguments.copies or max(round(arguments.assignments / ASSIGNMENTS_OF_SEED), 1)
    )
    seconds = perf_counter() - begun
    total = sum(model.objects.owned_by(organization).count() for model in MODELS)
    sys.stdout.write(f"{total:,} rows in {seconds:,.1f} s, {total / seconds:,.0f} a second\n")


if __name__ == "__main__":
    main()
