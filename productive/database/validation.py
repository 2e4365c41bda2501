"""Validate a change, without queries for unaffected constraints.

Django's `validate_constraints` checks every constraint: a PATCH of a person took 7.0 ms with it and 2.4 ms
without, and 9 statements instead of 8 (SQLite).
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache
from typing import Any

from django.core.exceptions import ValidationError
from django.db import models
from django.db.models import Q
from django.db.models.constraints import BaseConstraint
from django.db.models.expressions import Col
from django.db.models.sql.query import Query

from productive.database.constraints import SameOrganization


def validate_change(record: models.Model, changed: Iterable[str]) -> None:
    """Validate the constraints on changed fields of a valid record.

    Raise ValidationError, as `validate_constraints` does. `changed` contains names of fields or columns.
    """
    changed, errors = set(changed), dict[str, Any]()
    for model, _ in record.get_constraints():
        columns = field_columns(model, changed)
        for constraint, constrained in columns_by_constraint(model):
            if not constrained.isdisjoint(columns):
                try:
                    constraint.validate(model, record)
                except ValidationError as error:
                    errors = error.update_error_dict(errors)
    if errors:
        raise ValidationError(errors)


@cache
def columns_by_constraint(model: type[models.Model]) -> list[tuple[BaseConstraint, set[str]]]:
    return [(constraint, columns_in(model, constraint)) for constraint in model._meta.constraints]


def columns_in(model: type[models.Model], constraint: BaseConstraint) -> set[str]:
    """Return the columns that the constraint and its condition use.

    For other classes of constraints, return all columns of the model.
    """
    if isinstance(constraint, SameOrganization):
        return field_columns(model, ("organization", constraint.field))
    if isinstance(constraint, models.CheckConstraint):
        return columns_read(model, constraint.condition)
    if isinstance(constraint, models.UniqueConstraint):
        read = columns_read(model, *constraint.expressions, constraint.condition or Q())
        return field_columns(model, constraint.fields) | read
    return {field.attname for field in model._meta.concrete_fields}


def field_columns(model: type[models.Model], names: Iterable[str]) -> set[str]:
    """Return the columns of fields, such as `service` or `service_id`."""
    fields: list[Any] = [model._meta.get_field(name) for name in names]
    return {part.attname for field in fields for part in getattr(field, "local_related_fields", (field,))}


def columns_read(model: type[models.Model], *expressions: Any) -> set[str]:
    """Return the columns that the expressions refer to, however deeply nested."""
    query = Query(model, alias_cols=False)
    parts = [expression.resolve_expression(query, allow_joins=False) for expression in expressions]
    columns = set()
    while parts:
        part = parts.pop()
        if isinstance(part, Col):
            columns.add(part.target.attname)
        elif hasattr(part, "get_source_expressions"):
            parts += part.get_source_expressions()
    return columns
