"""Constraints whose violation is reported at one field of the record."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from django.core.exceptions import ValidationError
from django.db import DEFAULT_DB_ALIAS, models, router
from django.db.backends.base.schema import BaseDatabaseSchemaEditor
from django.db.models.constraints import BaseConstraint

from productive.database.query_cache import CompiledQuery


class Blame:
    """Mixin: report a violation at the field `blame`, not at the record."""

    def __init__(self, *args: Any, blame: str, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.blame = blame

    def validate(self, *args: Any, **kwargs: Any) -> None:
        """Raise ValidationError for the field `blame`."""
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
    """A UniqueConstraint whose violation is reported at the field `blame`."""

    def validate(
        self,
        model: type[models.Model],
        instance: models.Model,
        exclude: Any = None,
        using: str = DEFAULT_DB_ALIAS,
    ) -> None:
        """Look for another row with the same values.

        Use cached SQL if all of them are plain columns. Otherwise, and to raise the error, call Django's own
        validation.
        """
        fields: list[Any] = [model._meta.get_field(name) for name in self.fields]
        values = [getattr(instance, field.attname) for field in fields]
        if (
            fields
            and self.condition is None
            and set(self.fields).isdisjoint(exclude or ())
            and using == router.db_for_read(model)
            and all(map(is_stored_unchanged, fields, values))
        ):
            found = rows_with(model, tuple(field.attname for field in fields), *map(type, values))
            # A record that is being added has no row yet, so a row with its id is another record.
            if all(pk == instance.pk and not instance._state.adding for (pk,) in found.rows(*values)):
                return
        super().validate(model, instance, exclude, using)


def unique_together(model: Any) -> list[UniqueTogether]:
    """Return the model's constraints of this class."""
    return [rule for rule in model._meta.constraints if isinstance(rule, UniqueTogether)]


# Model field → the Python type that it stores without conversion. Smaller integers are missing, because the
# placeholder of `CompiledQuery` doesn't fit them.
STORED_TYPES = {
    models.BigAutoField: int,
    models.BigIntegerField: int,
    models.CharField: str,
    models.EmailField: str,
    models.TextField: str,
}


def is_stored_unchanged(field: Any, value: Any) -> bool:
    """Return whether the value has the column's own type."""
    stored = STORED_TYPES.get(type(field.target_field if field.is_relation else field))
    return type(value) is stored  # True and "1" are not int.


@lru_cache(maxsize=256)
def rows_with(model: Any, names: tuple[str, ...], *types: type) -> CompiledQuery:
    """Return the query for the ids of the rows that have these values."""

    def build(*values: Any) -> models.QuerySet[Any, Any]:
        named = dict(zip(names, values, strict=True))
        return model._base_manager.filter(**named).order_by().values_list("pk")

    return CompiledQuery(model, build, *(each() for each in types))


class Check(Blame, models.CheckConstraint):
    """A CheckConstraint whose violation is reported at the field `blame`."""


class DatabaseCheck(models.CheckConstraint):
    """A CheckConstraint that only the database checks, because `clean()` has rejected what violates it.

    Django's validation takes a query and a savepoint for each new record.
    """

    def validate(self, *args: Any, **kwargs: Any) -> None:
        """Do nothing."""


class SameOrganization(BaseConstraint):
    """Restrict a foreign key to rows of the record's own organization.

    This is a second foreign key in the database, (organization, field) → (organization, id). It rejects links
    across organizations from any program, including bulk_create() and update().

    PostgreSQL checks it immediately, so that save() raises IntegrityError, and can be retried, if the parent
    was deleted in the meantime. Django's own foreign keys are checked at commit. SQLite checks this one at
    commit, too, because a flush empties tables in any order; it never has two writers at the same time.
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
        """Raise ValidationError if the related row has another organization."""
        if exclude and self.field in exclude:
            return
        if None in (instance.organization_id, getattr(instance, f"{self.field}_id")):  # type: ignore[attr-defined]
            return
        related = getattr(instance, self.field)
        if related.organization_id != instance.organization_id:  # type: ignore[attr-defined]
            error = ValidationError(self.get_violation_error_message(), code=self.violation_error_code)
            raise ValidationError({self.field: error})

    def constraint_sql(self, model: type[models.Model], schema_editor: BaseDatabaseSchemaEditor) -> str:  # type: ignore[override]
        quote = schema_editor.quote_name
        field: Any = model._meta.get_field(self.field)
        parent = field.related_model
        checked = "IMMEDIATE" if schema_editor.connection.vendor == "postgresql" else "DEFERRED"
        return (
            f"CONSTRAINT {quote(self.name)}"
            f" FOREIGN KEY ({quote('organization_id')}, {quote(field.column)})"
            f" REFERENCES {quote(parent._meta.db_table)} ({quote('organization_id')}, {quote('id')})"
            f" DEFERRABLE INITIALLY {checked}"
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
