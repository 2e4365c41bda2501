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
    """A statement, the values that never change by their place, and what makes Python values of columns."""

    sql: str
    params: Sequence[Any]
    places: Mapping[int, int]
    converters: Mapping[int, tuple[Sequence[Callable[..., Any]], Any]]


class Prepared:
    """A query in which only some values differ from one time to the next.

    `build` makes the queryset, of `values_list`, from as many values as there are `examples`. A value is of
    its example's type, int or str, and never None, which would be another query.
    """

    def __init__(self, model: type[models.Model], build: Callable[..., Rows], *examples: int | str) -> None:
        self.model, self.build = model, build
        self.stand_ins = [
            NUMBER + i if isinstance(example, int) else TEXT.format(i) for i, example in enumerate(examples)
        ]
        self.compiled: dict[str, Compiled] = {}

    def rows(self, *values: int | str, part: slice | None = None) -> list[Sequence[Any]]:
        """The rows for these values, or a part of them, from the database that the router names."""
        connection: Any = connections[router.db_for_read(self.model)]
        compiled = self.compiled.get(connection.vendor)
        if compiled is None:
            compiled = self.compiled[connection.vendor] = self.compile(connection)
        params = list(compiled.params)
        for place, i in compiled.places.items():
            params[place] = values[i]
        sql = compiled.sql
        if part is not None:
            sql, params = f"{sql} LIMIT %s OFFSET %s", [*params, part.stop - part.start, part.start]
        with connection.cursor() as cursor:
            cursor.execute(sql, params)
            rows: list[Sequence[Any]] = cursor.fetchall()
        if not compiled.converters:
            return rows
        converters = [(place, *each) for place, each in compiled.converters.items()]
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
        columns = [expression for expression, *_ in compiler.select[: compiler.col_count]]
        return Compiled(sql, params, places, compiler.get_converters(columns))


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
