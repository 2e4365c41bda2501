"""Database constraints that the admin and the API can explain: each blames one field."""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from typing import Any

from django.core.exceptions import ValidationError
from django.db import DEFAULT_DB_ALIAS, models
from django.db.backends.base.schema import BaseDatabaseSchemaEditor
from django.db.models.constraints import BaseConstraint

from productive.prepared import Prepared

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
        """As Django does, but for plain columns with a query that is compiled once."""
        names = tuple(model._meta.get_field(name).attname for name in self.fields)  # type: ignore[union-attr]
        values = [getattr(instance, name) for name in names]
        is_plain = names and self.condition is None and None not in values
        if not is_plain or not set(exclude or ()).isdisjoint(self.fields):
            super().validate(model, instance, exclude, using)
            return
        for (pk,) in rows_with(model, names, *map(type, values)).rows(*values):
            if pk != instance.pk:
                error = ValidationError(self.get_violation_error_message(), code=self.violation_error_code)
                raise ValidationError({self.blame: [error]})


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
    errors: dict[str, Any] = {}
    for model, constraints in record.get_constraints():
        for constraint in constraints:
            if not names_in(constraint).isdisjoint(changed):
                try:
                    constraint.validate(model, record)
                except ValidationError as error:
                    errors = error.update_error_dict(errors)
    if errors:
        raise ValidationError(errors)


def names_in(constraint: BaseConstraint) -> set[str]:
    """The fields that a constraint speaks of."""
    if isinstance(constraint, SameOrganization):
        return {constraint.field}
    if isinstance(constraint, models.CheckConstraint):
        condition: Any = constraint.condition
        return set(condition.referenced_base_fields)
    if isinstance(constraint, models.UniqueConstraint):
        inside = [part for each in constraint.expressions for part in flattened(each)]
        columns = [part.name for part in inside if isinstance(part, models.F)]  # type: ignore[attr-defined]
        return {*constraint.fields, *columns}
    return set()


def flattened(expression: Any) -> Any:
    return [expression] if isinstance(expression, models.F) else list(expression.flatten())
