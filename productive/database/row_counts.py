"""How many rows an organization has, and where its n-th row is, without counting them.

The database itself keeps the numbers: triggers add up, within each transaction, how many rows every
organization has in every block of ids. A total is then the sum of some numbers, and a page far down begins
in a block that is found by adding up those before it. Both are exact, and cost as much for a thousand rows as
for ten million.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any, NamedTuple

from django.db import DEFAULT_DB_ALIAS, connections, models
from django.db.backends.base.schema import BaseDatabaseSchemaEditor
from django.db.backends.ddl_references import Statement, Table
from django.db.models.constraints import BaseConstraint
from django.db.models.expressions import RawSQL

from productive.database.owned_rows import along, owned_rows

# 8,192 ids a block: for ten million 1,200 numbers to add up, on PostgreSQL up to SHARDS times as many. In one
# block there are at most 8,192 rows to skip.
BLOCK_BITS = 13
# Up to here it is as fast to walk.
FAR = 2**BLOCK_BITS
# On PostgreSQL, how many numbers a block may have: each transaction takes one that no other has in hand, so
# that only the seventeenth writer at once may have to wait.
SHARDS = 16

TABLE = """
CREATE TABLE IF NOT EXISTS %(counts)s (
    organization_id bigint NOT NULL, block bigint NOT NULL, shard smallint NOT NULL, number bigint NOT NULL,
    PRIMARY KEY (organization_id, block, shard)
)
"""
FILL = (
    "DELETE FROM %(counts)s",
    """
    INSERT INTO %(counts)s (organization_id, block, shard, number)
    SELECT organization_id, id >> %(bits)s, 0, count(*) FROM %(table)s GROUP BY 1, 2
    """,
)

# Row by row, as there are no statement triggers. ON CONFLICT in one would give way to that of the statement.
SQLITE_MORE = """
    INSERT INTO %(counts)s SELECT NEW.organization_id, NEW.id >> %(bits)s, 0, 0 WHERE NOT EXISTS (
        SELECT 1 FROM %(counts)s WHERE organization_id = NEW.organization_id AND block = NEW.id >> %(bits)s
    );
    UPDATE %(counts)s SET number = number + 1
    WHERE organization_id = NEW.organization_id AND block = NEW.id >> %(bits)s;
"""
SQLITE_FEWER = """
    UPDATE %(counts)s SET number = number - 1
    WHERE organization_id = OLD.organization_id AND block = OLD.id >> %(bits)s;
"""
SQLITE = (
    TABLE,
    f"CREATE TRIGGER %(inserted)s AFTER INSERT ON %(table)s BEGIN {SQLITE_MORE} END",
    f"CREATE TRIGGER %(deleted)s AFTER DELETE ON %(table)s BEGIN {SQLITE_FEWER} END",
    f"""
    CREATE TRIGGER %(moved)s AFTER UPDATE OF organization_id, id ON %(table)s
    WHEN OLD.organization_id <> NEW.organization_id OR OLD.id <> NEW.id BEGIN {SQLITE_FEWER} {SQLITE_MORE} END
    """,
    *FILL,
)

# In the order of the key, so that two statements that meet wait for each other and don't deadlock.
POSTGRESQL_ADD = """
    GROUP BY 1, 2 ORDER BY 1, 2
    ON CONFLICT (organization_id, block, shard) DO UPDATE SET number = counts.number + excluded.number
"""
POSTGRESQL_FUNCTION = f"""
CREATE FUNCTION %(function)s() RETURNS trigger LANGUAGE plpgsql
SECURITY DEFINER SET search_path FROM CURRENT AS $$
DECLARE mine smallint := pg_backend_pid() & (%(shards)s - 1);
BEGIN
    FOR free IN 0 .. %(shards)s - 1 LOOP
        IF pg_try_advisory_xact_lock(TG_RELID::int, free) THEN
            mine := free;
            EXIT;
        END IF;
    END LOOP;
    CASE TG_OP
    WHEN 'INSERT' THEN
        INSERT INTO %(counts)s AS counts
        SELECT organization_id, id >> %(bits)s, mine, count(*) FROM changed {POSTGRESQL_ADD};
    WHEN 'DELETE' THEN
        INSERT INTO %(counts)s AS counts
        SELECT organization_id, id >> %(bits)s, mine, -count(*) FROM changed {POSTGRESQL_ADD};
    WHEN 'UPDATE' THEN
        INSERT INTO %(counts)s AS counts
        SELECT organization_id, id >> %(bits)s, mine, sum(sign)
        FROM (VALUES (OLD.organization_id, OLD.id, -1), (NEW.organization_id, NEW.id, 1))
            AS moved (organization_id, id, sign) {POSTGRESQL_ADD};
    ELSE
        DELETE FROM %(counts)s;
    END CASE;
    RETURN NULL;
END $$
"""  # noqa: S608
POSTGRESQL = (
    # Nobody writes between the triggers and the first count.
    "LOCK TABLE %(table)s IN SHARE ROW EXCLUSIVE MODE",
    TABLE,
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
    CREATE TRIGGER %(emptied)s AFTER TRUNCATE ON %(table)s
    FOR EACH STATEMENT EXECUTE FUNCTION %(function)s()
    """,
    *FILL,
)
POSTGRESQL_REMOVED = ("DROP FUNCTION %(function)s CASCADE", "DROP TABLE %(counts)s")
EVENTS = ("inserted", "deleted", "moved", "emptied")


class CountedRows(BaseConstraint):
    """A table whose numbers of rows, by organization, the database keeps in the table `name` beside it.

    No model stands for that table: whoever loads rows has them counted.
    """

    def validate(
        self,
        model: type[models.Model],
        instance: models.Model,
        exclude: Any = None,
        using: str = DEFAULT_DB_ALIAS,
    ) -> None:
        """Any row may be counted."""

    def statements(
        self, model: type[models.Model], editor: BaseDatabaseSchemaEditor, templates: Sequence[str]
    ) -> list[Statement]:
        quote = editor.quote_name
        parts: dict[str, Any] = {name: quote(f"{self.name}_{name}") for name in EVENTS}
        parts |= {"counts": quote(self.name), "function": quote(self.name)}
        parts |= {"bits": BLOCK_BITS, "shards": SHARDS}
        # More than a name: where SQLite makes the table anew and renames it, these follow.
        table: Any = Table(model._meta.db_table, quote)
        return [Statement(template, table=table, **parts) for template in templates]

    def made(self, model: type[models.Model], editor: BaseDatabaseSchemaEditor) -> list[Statement]:
        """What makes it, for a table that is there already and may have rows."""
        if editor.connection.vendor == "postgresql":
            return self.statements(model, editor, POSTGRESQL)
        return self.statements(model, editor, SQLITE)

    def constraint_sql(self, model: type[models.Model], schema_editor: BaseDatabaseSchemaEditor) -> None:  # type: ignore[override]
        """Nothing within CREATE TABLE: triggers can only be made afterwards."""
        schema_editor.deferred_sql.extend(self.made(model, schema_editor))

    def create_sql(self, model: type[models.Model], schema_editor: BaseDatabaseSchemaEditor) -> None:  # type: ignore[override]
        """PostgreSQL alone asks this; SQLite makes the whole table anew."""
        for statement in self.made(model, schema_editor):
            schema_editor.execute(statement, params=None)

    def remove_sql(self, model: type[models.Model], schema_editor: BaseDatabaseSchemaEditor) -> None:  # type: ignore[override]
        for statement in self.statements(model, schema_editor, POSTGRESQL_REMOVED):
            schema_editor.execute(statement, params=None)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, CountedRows) and self.name == other.name

    __hash__ = None  # type: ignore[assignment]


# --- reading --------------------------------------------------------------------------------------


class Counted(NamedTuple):
    """A list of which the database keeps the number, in a table."""

    connection: Any
    table: str
    organizations: list[int] | None

    def ask(self, sql: str, *params: int) -> Any:
        """The first row of a statement on `{numbers}`, those of the list (block, number), or None."""
        numbers = self.table
        if self.organizations is not None:
            places = ", ".join(["%s"] * len(self.organizations)) or "NULL"
            numbers = f"{self.table} WHERE organization_id IN ({places})"
        with self.connection.cursor() as cursor:
            cursor.execute(sql.format(numbers=numbers), [*(self.organizations or ()), *params])
            return cursor.fetchone()


@cache
def counts_of(model: Any) -> str | None:
    """The table of numbers that the database keeps for the model, if it does."""
    kept = [constraint for constraint in model._meta.constraints if isinstance(constraint, CountedRows)]
    return kept[0].name if kept else None


def counted(queryset: models.QuerySet[Any, Any]) -> Counted | None:
    """The numbers that tell how many rows the queryset has; None where they have to be counted."""
    model: Any = queryset.model
    table, rows = counts_of(model), owned_rows(queryset)
    if table is None or rows is None:
        return None
    connection: Any = connections[queryset.db]
    return Counted(connection, connection.ops.quote_name(table), rows.organizations)


def number_of(model: Any, organization: int) -> RawSQL | None:
    """For a query of an organization's rows: how many it has, in one look for all of them."""
    table = counts_of(model)
    if table is None:
        return None
    # A name from the model.
    sql = f'SELECT coalesce(sum(number), 0) FROM "{table}" WHERE organization_id = %s'  # noqa: S608
    return RawSQL(sql, [organization], output_field=models.BigIntegerField())  # noqa: S611


def total(queryset: models.QuerySet[Any, Any]) -> int:
    """`queryset.count()`, without counting where the database keeps the number."""
    kept = counted(queryset)
    if kept is None:
        return queryset.count()
    (number,) = kept.ask("SELECT coalesce(sum(number), 0) FROM {numbers}")
    return int(number)


def part(
    queryset: models.QuerySet[Any, Any], columns: Sequence[str], start: int, stop: int
) -> Sequence[tuple[Any, ...]]:
    """`list(queryset.values_list(*columns)[start:stop])`, without passing over all rows before `start`."""
    rows = owned_rows(queryset)
    if rows is None or not rows.direction:
        return list(queryset.values_list(*columns)[start:stop])
    kept = counted(queryset) if start > FAR else None
    if kept is None:
        return list(along(queryset, rows.direction).values_list(*columns)[start:stop])
    order = "block" if rows.direction > 0 else "block DESC"
    found = kept.ask(
        f"""
        SELECT block, upto - number FROM (
            SELECT block, sum(number) AS number, sum(sum(number)) OVER (ORDER BY {order}) AS upto
            FROM {{numbers}} GROUP BY block
        ) AS running WHERE upto > %s ORDER BY {order} LIMIT 1
        """,  # noqa: S608
        start,
    )
    if found is None:
        return []
    block, before = map(int, found)
    first = block << BLOCK_BITS if rows.direction > 0 else ((block + 1) << BLOCK_BITS) - 1
    found_rows = along(queryset, rows.direction, first).values_list(*columns)
    return list(found_rows[start - before : stop - before])
