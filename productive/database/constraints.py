"""Database constraints that the admin and the API can explain: each blames one field."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache, lru_cache
from typing import Any

from django.core.exceptions import ValidationError
from django.db import DEFAULT_DB_ALIAS, models, router
from django.db.backends.base.schema import BaseDatabaseSchemaEditor
from django.db.models import Q
from django.db.models.constraints import BaseConstraint
from django.db.models.expressions import Col
from django.db.models.sql.query import Query

from productive.database.query_cache import Prepared

MAX_JSON_DEPTH = 64


def validate_portable_json(value: Any) -> None:
    """Raise ValidationError for JSON that PostgreSQL can't store, or that couldn't be written out again.

    PostgreSQL has no NUL, keeps numbers exactly (1e20 comes back as an integer) and knows no NaN. The JSON
    writer takes integers of 64 bits, well-formed text, and some depth.
    """
    level = [value]
    for _ in range(MAX_JSON_DEPTH):
        children: list[Any] = []
        for item in level:
            if isinstance(item, dict):
                children += [*item.keys(), *item.values()]
            elif isinstance(item, list):
                children += item
            elif not is_portable(item):
                raise ValidationError("attribute is invalid", code="invalid")
        if not children:
            return
        level = children
    raise ValidationError("attribute is invalid", code="invalid")


def is_portable(item: Any) -> bool:
    if isinstance(item, str):
        return "\0" not in item and not any("\ud800" <= character <= "\udfff" for character in item)
    if isinstance(item, int | float) and not isinstance(item, bool):
        return -(2**63) <= item < 2**64
    return True


class Blame:
    """A constraint whose violation is reported at the field `blame`, not at the whole record."""

    def __init__(self, *args: Any, blame: str, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.blame = blame

    def validate(self, *args: Any, **kwargs: Any) -> None:
        """Raise ValidationError({blame: [violation_error_message]}) where the instance breaks it."""
        try:
            super().validate(*args, **kwargs)  # type: ignore[misc]
        except ValidationError as error:
            raise ValidationError({self.blame: error.error_list}) from None

    def deconstruct(self) -> tuple[str, tuple[Any, ...], dict[str, Any]]:
        path, args, kwargs = super().deconstruct()  # type: ignore[misc]
        return path, args, {**kwargs, "blame": self.blame}

    def __eq__(self, other: object) -> bool:
        if isinstance(other, type(self)):
            return super().__eq__(other) and self.blame == other.blame
        return NotImplemented

    __hash__ = None  # type: ignore[assignment]


class UniqueTogether(Blame, models.UniqueConstraint):
    """At most one row with these values; the second one is told so at the field `blame`."""

    def validate(
        self,
        model: type[models.Model],
        instance: models.Model,
        exclude: Any = None,
        using: str = DEFAULT_DB_ALIAS,
    ) -> None:
        """As Django does; that there is no such row, a query says that is compiled once for plain columns."""
        fields: list[Any] = [model._meta.get_field(name) for name in self.fields]
        values = [getattr(instance, field.attname) for field in fields]
        if (
            fields
            and self.condition is None
            and set(self.fields).isdisjoint(exclude or ())
            and using == router.db_for_read(model)
            and all(map(is_kept_as_it_is, fields, values))
        ):
            found = rows_with(model, tuple(field.attname for field in fields), *map(type, values))
            # None of these is the row of a record that is new, not even one with the same id.
            if all(pk == instance.pk and not instance._state.adding for (pk,) in found.rows(*values)):
                return
        super().validate(model, instance, exclude, using)


# What a column keeps as it is given. For the smaller integers' columns, `Prepared` has none that stands in.
KEPT = {
    models.BigAutoField: int,
    models.BigIntegerField: int,
    models.CharField: str,
    models.EmailField: str,
    models.TextField: str,
}


def is_kept_as_it_is(field: Any, value: Any) -> bool:
    """Whether the value is of the column's own type: true is no number, "1" isn't 1, null is nothing."""
    kept = KEPT.get(type(field.target_field if field.is_relation else field))
    return type(value) is kept


@lru_cache(maxsize=256)
def rows_with(model: Any, names: tuple[str, ...], *types: type) -> Prepared:
    """The query for the ids of the rows that have these values."""

    def build(*values: Any) -> models.QuerySet[Any, Any]:
        named = dict(zip(names, values, strict=True))
        return model._base_manager.filter(**named).order_by().values_list("pk")

    return Prepared(model, build, *(each() for each in types))


class Check(Blame, models.CheckConstraint):
    """A condition on one row, reported at the field `blame`."""


class SameOrganization(BaseConstraint):
    """A foreign key that can only point at a row of its own organization.

    A second foreign key in the database, (organization, field) → (organization, id), so that no door
    at all can link across organizations: not the shell, not bulk_create, not another program.

    On PostgreSQL it is checked with the statement, unlike Django's own foreign keys, which wait for the
    commit: a parent that is deleted meanwhile is an IntegrityError where the row is saved. On SQLite,
    where a flush empties tables in any order, it waits for the commit; writers there never overlap.
    """

    default_violation_error_message = "belongs to another organization"

    def __init__(self, field: str, *, name: str) -> None:
        super().__init__(name=name, violation_error_code="invalid")
        self.field = field

    def validate(
        self,
        model: type[models.Model],
        instance: models.Model,
        exclude: Any = None,
        using: str = DEFAULT_DB_ALIAS,
    ) -> None:
        """Raise ValidationError at the field where the related row is another organization's."""
        if exclude and self.field in exclude:
            return
        if None in (instance.organization_id, getattr(instance, f"{self.field}_id")):  # type: ignore[attr-defined]
            return
        related = getattr(instance, self.field)
        if related.organization_id != instance.organization_id:  # type: ignore[attr-defined]
            raise ValidationError(
                {
                    self.field: ValidationError(
                        self.get_violation_error_message(), code=self.violation_error_code
                    )
                }
            )

    def constraint_sql(self, model: type[models.Model], schema_editor: BaseDatabaseSchemaEditor) -> str:  # type: ignore[override]
        quote = schema_editor.quote_name
        field: Any = model._meta.get_field(self.field)
        parent = field.related_model
        waits = "IMMEDIATE" if schema_editor.connection.vendor == "postgresql" else "DEFERRED"
        return (
            f"CONSTRAINT {quote(self.name)}"
            f" FOREIGN KEY ({quote('organization_id')}, {quote(field.column)})"
            f" REFERENCES {quote(parent._meta.db_table)} ({quote('organization_id')}, {quote('id')})"
            f" DEFERRABLE INITIALLY {waits}"
        )

    def create_sql(self, model: type[models.Model], schema_editor: BaseDatabaseSchemaEditor) -> str:  # type: ignore[override]
        table = schema_editor.quote_name(model._meta.db_table)
        return f"ALTER TABLE {table} ADD {self.constraint_sql(model, schema_editor)}"

    def remove_sql(self, model: type[models.Model], schema_editor: BaseDatabaseSchemaEditor) -> str:  # type: ignore[override]
        quote = schema_editor.quote_name
        return f"ALTER TABLE {quote(model._meta.db_table)} DROP CONSTRAINT {quote(self.name)}"

    def deconstruct(self) -> tuple[str, tuple[Any, ...], dict[str, Any]]:
        path, _, _ = super().deconstruct()
        return path, (self.field,), {"name": self.name}

    def __eq__(self, other: object) -> bool:
        if isinstance(other, SameOrganization):
            return (self.name, self.field) == (other.name, other.field)
        return NotImplemented

    __hash__ = None  # type: ignore[assignment]


def validate_change(record: models.Model, changed: Iterable[str]) -> None:
    """`validate_constraints` of a record that was valid, of which only the fields `changed` are others.

    Raise ValidationError, as it does. What speaks of none of these fields still holds, and isn't asked again.
    """
    changed, errors = set(changed), dict[str, Any]()
    for model, _ in record.get_constraints():
        columns = columns_of(model, changed)
        for constraint, spoken_of in columns_by_constraint(model):
            if not spoken_of.isdisjoint(columns):
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
    """The columns that a constraint speaks of, also in a condition; one of an unknown kind, of all."""
    if isinstance(constraint, SameOrganization):
        return columns_of(model, ("organization", constraint.field))
    if isinstance(constraint, models.CheckConstraint):
        return columns_read(model, constraint.condition)
    if isinstance(constraint, models.UniqueConstraint):
        read = columns_read(model, *constraint.expressions, constraint.condition or Q())
        return columns_of(model, constraint.fields) | read
    return {field.attname for field in model._meta.concrete_fields}


def columns_of(model: type[models.Model], names: Iterable[str]) -> set[str]:
    """By the names of fields or columns: a service may be said to change as `service` and as `service_id`."""
    fields: list[Any] = [model._meta.get_field(name) for name in names]
    return {part.attname for field in fields for part in getattr(field, "local_related_fields", (field,))}


def columns_read(model: type[models.Model], *expressions: Any) -> set[str]:
    """The columns that the expressions become in SQL, wherever in them."""
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
