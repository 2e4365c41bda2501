"""Cache the compiled SQL of frequent queries.

The ORM takes 2.4 ms of CPU time to look up a token and 0.8 ms to list 30 assignments. With the SQL cached it
is 0.06 ms and 0.04 ms, and the whole request takes about 1 ms.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import UTC, datetime
from functools import cache
from typing import Any, NamedTuple

import orjson
from django.db import connections, models, router
from django.db.models.expressions import Col

ValuesQuerySet = models.QuerySet[Any, tuple[Any, ...]]
# Takes a value of the database, its expression and the connection, as Django's do.
Converter = Callable[[Any, Any, Any], Any]

# Placeholders for values while the SQL is compiled. No other parameter of a query has these values.
NUMBER_PLACEHOLDER, TEXT_PLACEHOLDER = 2**62, "placeholder of value {}"
# Longer lists of ids are queried without the cache. A page of the API or the admin has fewer.
MAX_COMPILED_IDS = 256


class Statement(NamedTuple):
    """Compiled SQL, and the positions of its values.

    It has no reference to a connection, because the connection ends with its thread.
    """

    sql: str
    params: Sequence[Any]
    # Index in `params` → index of the value to put there.
    values: Mapping[int, int]
    # Index of a column → its expression and its converter. A column can have several.
    converters: Sequence[tuple[int, Any, Converter]]


class CompiledQuery:
    """A query that is compiled once and run with different values.

    `build` takes as many values as there are `examples`, and returns a queryset of `values_list`. A value has
    the type of its example, int or str. It can't be None, for which Django compiles different SQL.
    """

    def __init__(
        self, model: type[models.Model], build: Callable[..., ValuesQuerySet], *examples: int | str
    ) -> None:
        self.model, self.build = model, build
        self.types = [*map(type, examples)]
        self.placeholders = [
            NUMBER_PLACEHOLDER + i if isinstance(example, int) else TEXT_PLACEHOLDER.format(i)
            for i, example in enumerate(examples)
        ]
        # By database alias.
        self.statements: dict[str, Statement] = {}

    def rows(self, *values: int | str, part: slice | None = None) -> list[Sequence[Any]]:
        """Return the rows for these values, or a slice of them.

        Raise ValueError unless the values have the number and types of the examples.
        """
        if [*map(type, values)] != self.types:
            takes, given = (", ".join(t.__name__ for t in types) for types in (self.types, map(type, values)))
            raise ValueError(f"The query takes values of the types ({takes}), not ({given})")
        connection: Any = connections[router.db_for_read(self.model)]
        statement = self.statements.get(connection.alias)
        if statement is None:
            # If two threads compile it at once, the results are equal.
            statement = self.statements[connection.alias] = self.compile(connection)
        sql, params = statement.sql, list(statement.params)
        for place, i in statement.values.items():
            params[place] = values[i]
        if part is not None:
            sql, params = f"{sql} LIMIT %s OFFSET %s", [*params, part.stop - part.start, part.start]
        with connection.cursor() as cursor:
            cursor.execute(sql, params)
            rows: list[Sequence[Any]] = cursor.fetchall()
        return converted(rows, statement, connection) if statement.converters else rows

    def compile(self, connection: Any) -> Statement:
        """Return the statement. Raise ValueError if it changes a value."""
        compiler = self.build(*self.placeholders).query.get_compiler(connection=connection)
        sql, params = compiler.as_sql()
        values = {
            place: self.placeholders.index(value)
            for place, value in enumerate(params)
            if value in self.placeholders
        }
        if set(values.values()) != set(range(len(self.placeholders))):
            raise ValueError("The query doesn't use each of its values unchanged")
        converters = [
            (place, expression, fast_converter(converter, expression, connection))
            for place, (expression, *_) in enumerate(compiler.select[: compiler.col_count])
            for converter in (
                *connection.ops.get_db_converters(expression),
                *expression.get_db_converters(connection),
            )
        ]
        return Statement(sql, params, values, converters)


def padded(ids: Collection[int]) -> list[int]:
    """Repeat an id up to a power of two, so that lists of ids need few compiled queries."""
    padding = (1 << (len(ids) - 1).bit_length()) - len(ids) if ids else 0
    return [*ids, *[next(iter(ids))] * padding] if padding else [*ids]


def converted(rows: Sequence[Sequence[Any]], statement: Statement, connection: Any) -> list[Sequence[Any]]:
    """Return the rows with their values converted to Python, as the ORM does."""
    results = [*map(list, rows)]
    for place, expression, converter in statement.converters:
        for row in results:
            if row[place] is not None:
                row[place] = converter(row[place], expression, connection)
    return [*results]


def fast_converter(converter: Converter, expression: Any, connection: Any) -> Converter:
    """Return a converter that is faster, and has no reference to the connection.

    Django's can be methods of the connection's operations. None isn't converted.
    """
    owner = getattr(converter, "__self__", None)
    if isinstance(owner, models.JSONField) and owner.decoder is None and isinstance(expression, Col):
        return from_json
    if owner is not connection.ops:
        return converter
    name = converter.__name__
    if name in OWN_CONVERTERS:
        return OWN_CONVERTERS[name]
    method: Any = getattr(type(connection.ops), name)
    return lambda value, expression, connection: method(connection.ops, value, expression, connection)


def from_json(value: str, expression: Any, connection: Any) -> Any:
    try:
        return orjson.loads(value)
    except orjson.JSONDecodeError:  # Such as NaN, which Python's parser accepts.
        return json.loads(value)


def as_utc(value: Any, expression: Any, connection: Any) -> Any:
    """Convert a datetime of SQLite, which is text without an offset.

    Django's converter looks up settings for each value, which costs 6 % of an average read of the API.
    """
    try:
        value = datetime.fromisoformat(value) if isinstance(value, str) else value
    except ValueError:
        return connection.ops.convert_datetimefield_value(value, expression, connection)
    return value.replace(tzinfo=UTC) if value.tzinfo is None else value


def as_boolean(value: Any, expression: Any, connection: Any) -> Any:
    return bool(value) if value in (0, 1) else value


# Django's converters for SQLite → faster ones.
OWN_CONVERTERS: Mapping[str, Converter] = {
    "convert_datetimefield_value": as_utc,
    "convert_booleanfield_value": as_boolean,
}


def insert(row: models.Model) -> None:
    """Insert a new row, without signals and without fetching its id."""
    model: Any = type(row)
    connection: Any = connections[router.db_for_write(model)]
    sql, fields = insert_statement(model)
    with connection.cursor() as cursor:
        cursor.execute(
            sql, [field.get_db_prep_save(getattr(row, field.attname), connection) for field in fields]
        )


@cache
def insert_statement(model: Any) -> tuple[str, list[Any]]:
    """Return the INSERT of a row without its id, and its fields."""
    fields = [field for field in model._meta.concrete_fields if not field.primary_key]
    columns = ", ".join(f'"{field.column}"' for field in fields)
    values = ", ".join(["%s"] * len(fields))
    return f'INSERT INTO "{model._meta.db_table}" ({columns}) VALUES ({values})', fields  # noqa: S608
