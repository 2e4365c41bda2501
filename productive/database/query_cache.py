"""Queries that are asked all the time, compiled once: writing one takes Django longer than running it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cache
from typing import Any, NamedTuple

from django.db import connections, models, router

Rows = models.QuerySet[Any, tuple[Any, ...]]

# What stands for a value while the SQL is written. Nothing else in a query is as large, or reads like this.
NUMBER, TEXT = 2**62, "stands for value {}"


class Compiled(NamedTuple):
    """A statement, the values that never change, and, by their places, the others and what converts columns.

    Nothing in it belongs to the connection that it was compiled for: its own converters have to be asked for.
    """

    sql: str
    params: Sequence[Any]
    places: Mapping[int, int]
    converters: Mapping[int, tuple[Any, Sequence[Callable[..., Any]]]]


class Prepared:
    """A query in which only some values differ from one time to the next.

    `build` makes the queryset, of `values_list`, from as many values as there are `examples`. A value is of
    its example's type, int or str, and never None, which would be another query.
    """

    def __init__(self, model: type[models.Model], build: Callable[..., Rows], *examples: int | str) -> None:
        self.model, self.build = model, build
        self.types = [*map(type, examples)]
        self.stand_ins = [
            NUMBER + i if isinstance(example, int) else TEXT.format(i) for i, example in enumerate(examples)
        ]
        self.compiled: dict[str, Compiled] = {}

    def rows(self, *values: int | str, part: slice | None = None) -> list[Sequence[Any]]:
        """The rows for these values, or a part of them, from the database that the router names.

        Raise ValueError for values that aren't as many, or of the types, as the examples were.
        """
        if [*map(type, values)] != self.types:
            takes, given = (", ".join(t.__name__ for t in types) for types in (self.types, map(type, values)))
            raise ValueError(f"The query takes values of the types ({takes}), not ({given})")
        connection: Any = connections[router.db_for_read(self.model)]
        compiled = self.compiled.get(connection.alias)
        if compiled is None:
            # Two threads may both do so; either's will do.
            compiled = self.compiled[connection.alias] = self.compile(connection)
        params = list(compiled.params)
        for place, i in compiled.places.items():
            params[place] = values[i]
        sql = compiled.sql
        if part is not None:
            sql, params = f"{sql} LIMIT %s OFFSET %s", [*params, part.stop - part.start, part.start]
        with connection.cursor() as cursor:
            cursor.execute(sql, params)
            rows: list[Sequence[Any]] = cursor.fetchall()
        if not compiled.converters or not rows:
            return rows
        of_connection = connection.ops.get_db_converters
        converters = [
            (place, (*of_connection(expression), *functions), expression)
            for place, (expression, functions) in compiled.converters.items()
        ]
        converted: list[Sequence[Any]] = []
        for row in map(list, rows):
            for place, functions, expression in converters:
                for function in functions:
                    row[place] = function(row[place], expression, connection)
            converted.append(row)
        return converted

    def compile(self, connection: Any) -> Compiled:
        compiler = self.build(*self.stand_ins).query.get_compiler(connection=connection)
        sql, params = compiler.as_sql()
        places = {
            place: self.stand_ins.index(value)
            for place, value in enumerate(params)
            if value in self.stand_ins
        }
        if set(places.values()) != set(range(len(self.stand_ins))):
            raise ValueError("The query doesn't use each of its values as it is")
        converters = {}
        for place, (expression, *_) in enumerate(compiler.select[: compiler.col_count]):
            functions = expression.get_db_converters(connection)
            if functions or connection.ops.get_db_converters(expression):
                converters[place] = expression, functions
        return Compiled(sql, params, places, converters)


def insert(row: models.Model) -> None:
    """Write a row that is new, as it is: without signals, and without learning its id."""
    model: Any = type(row)
    connection: Any = connections[router.db_for_write(model)]
    sql, fields = insert_statement(model)
    with connection.cursor() as cursor:
        cursor.execute(
            sql, [field.get_db_prep_save(getattr(row, field.attname), connection) for field in fields]
        )


@cache
def insert_statement(model: Any) -> tuple[str, list[Any]]:
    fields = [field for field in model._meta.concrete_fields if not field.primary_key]
    columns = ", ".join(f'"{field.column}"' for field in fields)
    values = ", ".join(["%s"] * len(fields))
    return f'INSERT INTO "{model._meta.db_table}" ({columns}) VALUES ({values})', fields  # noqa: S608
