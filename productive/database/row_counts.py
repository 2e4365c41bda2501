"""Exact row counts, maintained by triggers, for totals and far pages.

For each organization and each block of ids, a trigger counts the rows of a table, in the transaction that
writes them. A total is the sum of these counts. The first row of a page with a high number is found by adding
up the counts of the blocks before it. Both cost as much for a thousand rows as for ten million.

To count the rows of a model, add a `RowCount` model and the operation `CreateRowCountTriggers`.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any, ClassVar

from django.db import connections, models
from django.db.backends.base.schema import BaseDatabaseSchemaEditor
from django.db.migrations.operations.base import Operation
from django.db.migrations.state import ProjectState
from django.db.models.expressions import RawSQL

from productive.database.owned_rows import owned_rows, scan_by_id

# 8,192 ids in a block: ten million rows have 1,200 counts (on PostgreSQL, up to SHARDS times as many), and an
# OFFSET in a block is at most 8,192.
BLOCK_BITS = 13
# Up to this offset, OFFSET is as fast.
FAR = 2**BLOCK_BITS
# The number of counts of a block on PostgreSQL. Each transaction uses one that no other has locked, so only
# the seventeenth concurrent writer may wait.
SHARDS = 16


class RowCount(models.Model):
    """The number of rows of an organization in a block of ids.

    A subclass sets `rows`, the counted model, and its migration creates the triggers, which are the only
    writers. They also count rows of bulk_create(), COPY and other programs. The count of a block is the sum
    of its shards.
    """

    rows: ClassVar[type[models.Model]]

    pk = models.CompositePrimaryKey("organization_id", "block", "shard")
    # Not a foreign key, which would cost a check for each write: the counted row already has one.
    organization_id = models.BigIntegerField()
    # id >> BLOCK_BITS.
    block = models.BigIntegerField()
    shard = models.SmallIntegerField()
    number = models.BigIntegerField()

    class Meta:
        abstract = True
        # The admin doesn't show it.
        default_permissions = ()

    def __str__(self) -> str:
        return f"{self.number} rows of organization {self.organization_id} in block {self.block}"


# --- Triggers -------------------------------------------------------------------------------------

FILL = (
    "DELETE FROM %(counts)s",
    """
    INSERT INTO %(counts)s (organization_id, block, shard, number)
    SELECT organization_id, id >> %(bits)s, 0, count(*) FROM %(table)s GROUP BY 1, 2
    """,
)

# For each row, because SQLite has no statement triggers. Without ON CONFLICT, because the conflict clause of
# the statement that fires the trigger would override it.
SQLITE_ADD = """
    INSERT INTO %(counts)s (organization_id, block, shard, number)
    SELECT NEW.organization_id, NEW.id >> %(bits)s, 0, 0 WHERE NOT EXISTS (
        SELECT 1 FROM %(counts)s WHERE organization_id = NEW.organization_id AND block = NEW.id >> %(bits)s
    );
    UPDATE %(counts)s SET number = number + 1
    WHERE organization_id = NEW.organization_id AND block = NEW.id >> %(bits)s;
"""
SQLITE_SUBTRACT = """
    UPDATE %(counts)s SET number = number - 1
    WHERE organization_id = OLD.organization_id AND block = OLD.id >> %(bits)s;
"""
SQLITE_DROP = tuple(f"DROP TRIGGER IF EXISTS %({event})s" for event in ("inserted", "deleted", "moved"))
SQLITE_CREATE = (
    f"CREATE TRIGGER %(inserted)s AFTER INSERT ON %(table)s BEGIN {SQLITE_ADD} END",
    f"CREATE TRIGGER %(deleted)s AFTER DELETE ON %(table)s BEGIN {SQLITE_SUBTRACT} END",
    f"""
    CREATE TRIGGER %(moved)s AFTER UPDATE OF organization_id, id ON %(table)s
    WHEN OLD.organization_id <> NEW.organization_id OR OLD.id <> NEW.id
    BEGIN {SQLITE_SUBTRACT} {SQLITE_ADD} END
    """,
)

# Ordered by the key, so that two concurrent statements never deadlock.
POSTGRESQL_ADD = """
    GROUP BY 1, 2 ORDER BY 1, 2
    ON CONFLICT (organization_id, block, shard) DO UPDATE SET number = counts.number + excluded.number
"""
POSTGRESQL_INSERT = "INSERT INTO %(counts)s AS counts (organization_id, block, shard, number)"
POSTGRESQL_FUNCTION = f"""
CREATE FUNCTION %(function)s() RETURNS trigger LANGUAGE plpgsql
SECURITY DEFINER SET search_path FROM CURRENT AS $$
DECLARE own_shard smallint := pg_backend_pid() & (%(shards)s - 1);
BEGIN
    FOR candidate IN 0 .. %(shards)s - 1 LOOP
        IF pg_try_advisory_xact_lock(TG_RELID::int, candidate) THEN
            own_shard := candidate;
            EXIT;
        END IF;
    END LOOP;
    CASE TG_OP
    WHEN 'INSERT' THEN
        {POSTGRESQL_INSERT}
        SELECT organization_id, id >> %(bits)s, own_shard, count(*) FROM changed {POSTGRESQL_ADD};
    WHEN 'DELETE' THEN
        {POSTGRESQL_INSERT}
        SELECT organization_id, id >> %(bits)s, own_shard, -count(*) FROM changed {POSTGRESQL_ADD};
    WHEN 'UPDATE' THEN
        {POSTGRESQL_INSERT}
        SELECT organization_id, id >> %(bits)s, own_shard, sum(sign)
        FROM (VALUES (OLD.organization_id, OLD.id, -1), (NEW.organization_id, NEW.id, 1))
            AS moved (organization_id, id, sign) {POSTGRESQL_ADD};
    ELSE
        DELETE FROM %(counts)s;
    END CASE;
    RETURN NULL;
END $$
"""  # noqa: S608
POSTGRESQL_DROP = ("DROP FUNCTION IF EXISTS %(function)s CASCADE",)
POSTGRESQL_CREATE = (
    # Lock the table, so that no row is written between creating the triggers and the first count.
    "LOCK TABLE %(table)s IN SHARE ROW EXCLUSIVE MODE",
    POSTGRESQL_FUNCTION,
    """
    CREATE TRIGGER %(inserted)s AFTER INSERT ON %(table)s REFERENCING NEW TABLE AS changed
    FOR EACH STATEMENT EXECUTE FUNCTION %(function)s()
    """,
    """
    CREATE TRIGGER %(deleted)s AFTER DELETE ON %(table)s REFERENCING OLD TABLE AS changed
    FOR EACH STATEMENT EXECUTE FUNCTION %(function)s()
    """,
    """
    CREATE TRIGGER %(moved)s AFTER UPDATE OF organization_id, id ON %(table)s FOR EACH ROW
    WHEN (OLD.organization_id <> NEW.organization_id OR OLD.id <> NEW.id) EXECUTE FUNCTION %(function)s()
    """,
    """
    CREATE TRIGGER %(truncated)s AFTER TRUNCATE ON %(table)s
    FOR EACH STATEMENT EXECUTE FUNCTION %(function)s()
    """,
)
TRIGGER_EVENTS = {
    "sqlite": ("inserted", "deleted", "moved"),
    "postgresql": ("inserted", "deleted", "moved", "truncated"),
}
# The statements that recreate the triggers and the counts, and those that drop the triggers.
CREATE = {
    "sqlite": (*SQLITE_DROP, *SQLITE_CREATE, *FILL),
    "postgresql": (*POSTGRESQL_DROP, *POSTGRESQL_CREATE, *FILL),
}
DROP = {"sqlite": SQLITE_DROP, "postgresql": POSTGRESQL_DROP}


def statements(connection: Any, templates: Sequence[str], rows: Any, counts: Any) -> list[str]:
    """Return the SQL for the tables of two models: the rows and their counts."""
    quote, table = connection.ops.quote_name, counts._meta.db_table
    names = {event: quote(f"{table}_{event}") for event in TRIGGER_EVENTS[connection.vendor]}
    names |= {"table": quote(rows._meta.db_table), "counts": quote(table), "function": quote(table)}
    return [template % {**names, "bits": BLOCK_BITS, "shards": SHARDS} for template in templates]


class CreateRowCountTriggers(Operation):
    """Create the triggers of a `RowCount`, and count the existing rows.

    To alter a table, SQLite creates a new one without the triggers. So a later migration that alters the
    counted model must end with this operation, too. Otherwise, `verify` and test_row_counts fail.
    """

    reduces_to_sql = True

    def __init__(self, model_name: str, row_count_name: str) -> None:
        self.model_name, self.row_count_name = model_name, row_count_name

    def state_forwards(self, app_label: str, state: ProjectState) -> None:
        """Do nothing: the state of the models doesn't change."""

    def database_forwards(
        self, app_label: str, schema_editor: BaseDatabaseSchemaEditor, from_state: Any, to_state: Any
    ) -> None:
        self._execute(CREATE, app_label, schema_editor, to_state)

    def database_backwards(
        self, app_label: str, schema_editor: BaseDatabaseSchemaEditor, from_state: Any, to_state: Any
    ) -> None:
        self._execute(DROP, app_label, schema_editor, from_state)

    def _execute(self, templates: Any, app_label: str, editor: Any, state: Any) -> None:
        rows = state.apps.get_model(app_label, self.model_name)
        counts = state.apps.get_model(app_label, self.row_count_name)
        if self.allow_migrate_model(editor.connection.alias, rows):
            for sql in statements(editor.connection, templates[editor.connection.vendor], rows, counts):
                editor.execute(sql, params=None)

    def describe(self) -> str:
        return f"Create the triggers that count rows of {self.model_name}"

    @property
    def migration_name_fragment(self) -> str:
        return f"{self.model_name.lower()}_row_count_triggers"


def missing_triggers(connection: Any, counts: Any) -> set[str]:
    """Return the names of the triggers that don't exist or are disabled."""
    existing = "SELECT name FROM sqlite_master WHERE type = 'trigger' AND tbl_name = %s"
    table = counts.rows._meta.db_table
    if connection.vendor == "postgresql":
        existing = "SELECT tgname FROM pg_trigger WHERE tgrelid = %s::regclass AND tgenabled IN ('O', 'A')"
        table = connection.ops.quote_name(table)
    with connection.cursor() as cursor:
        cursor.execute(existing, [table])
        found = {name for (name,) in cursor.fetchall()}
    return {f"{counts._meta.db_table}_{event}" for event in TRIGGER_EVENTS[connection.vendor]} - found


# --- Reading --------------------------------------------------------------------------------------


@cache
def row_count_of(model: Any) -> type[RowCount] | None:
    """Return the model that counts the rows of this model, or None."""
    return next((counts for counts in RowCount.__subclasses__() if counts.rows is model), None)


def select_counts(queryset: models.QuerySet[Any, Any], sql: str, *params: int) -> tuple[Any, ...] | None:
    """Return the first row of `sql` on `{counts}`, or None.

    `{counts}` stands for the counts of the queryset's rows. None means that these aren't counted.
    """
    model: Any = queryset.model
    counts, rows = row_count_of(model), owned_rows(queryset)
    if counts is None or rows is None:
        return None
    connection: Any = connections[queryset.db]
    source = connection.ops.quote_name(counts._meta.db_table)
    if rows.organizations is not None:
        placeholders = ", ".join(["%s"] * len(rows.organizations)) or "NULL"
        source += f" WHERE organization_id IN ({placeholders})"
    with connection.cursor() as cursor:
        cursor.execute(sql.format(counts=source), [*(rows.organizations or ()), *params])
        return cursor.fetchone()


def total_expression(model: Any, organization: int) -> RawSQL | None:
    """Return an expression for the number of rows, or None if not counted."""
    counts = row_count_of(model)
    if counts is None:
        return None
    sql = f'SELECT coalesce(sum(number), 0) FROM "{counts._meta.db_table}" WHERE organization_id = %s'  # noqa: S608
    return RawSQL(sql, [organization], output_field=models.BigIntegerField())  # noqa: S611


def count_rows(queryset: models.QuerySet[Any, Any]) -> int:
    """Return `queryset.count()`, from the stored counts if possible."""
    found = select_counts(queryset, "SELECT coalesce(sum(number), 0) FROM {counts}")
    return queryset.count() if found is None else int(found[0])


def read_slice(
    queryset: models.QuerySet[Any, Any], columns: Sequence[str], start: int, stop: int
) -> Sequence[tuple[Any, ...]]:
    """Return `list(queryset.values_list(*columns)[start:stop])`, but faster."""
    model: Any = queryset.model
    rows, after = owned_rows(queryset), None
    if rows is None or not rows.direction:
        return list(queryset.values_list(*columns)[start:stop])
    if start > FAR and row_count_of(model):
        order = "block" if rows.direction > 0 else "block DESC"
        found = select_counts(
            queryset,
            f"""
            SELECT block, upto - number FROM (
                SELECT block, sum(number) AS number, sum(sum(number)) OVER (ORDER BY {order}) AS upto
                FROM {{counts}} GROUP BY block
            ) AS running WHERE upto > %s ORDER BY {order} LIMIT 1
            """,  # noqa: S608
            start,
        )
        if found is None:
            return []
        block, before = map(int, found)
        after = (block << BLOCK_BITS) - 1 if rows.direction > 0 else (block + 1) << BLOCK_BITS
        start, stop = start - before, stop - before
    return list(scan_by_id(queryset, rows.direction, after).values_list(*columns)[start:stop])
