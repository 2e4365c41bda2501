"""Model fields that several apps use."""

from __future__ import annotations

from typing import Any

from django.core.exceptions import ValidationError
from django.core.validators import MinValueValidator
from django.db import models
from django.db.models import Value
from django.db.models.functions import Concat, Left

from productive.database import (
    lookups,  # noqa: F401 (registers the lookups that a SortKeyField has)
    text,
)
from productive.database.functions import SortKey
from productive.database.validators import validate_portable_json

MAX_TAGS, MAX_TAG_LENGTH = 100, 255


class CleanedField(models.Field):
    """Mixin: store texts in the normal form that `clean_value` returns.

    All ways to write a row use it: forms, the API, imports, bulk_create() and update().
    """

    clean_value = staticmethod(text.clean_text)

    def to_python(self, value: Any) -> Any:
        value = super().to_python(value)
        return self.clean_value(value) if isinstance(value, str) else value

    def get_prep_value(self, value: Any) -> Any:
        """Return a text as it is, because lookups are exact."""
        return value if isinstance(value, str) else super().get_prep_value(value)

    def pre_save(self, model_instance: models.Model, add: bool) -> Any:
        """Clean the attribute too, which the history records."""
        value = super().pre_save(model_instance, add)
        if isinstance(value, str) and (cleaned := self.clean_value(value)) != value:
            setattr(model_instance, self.attname, cleaned)
            return cleaned
        return value

    def get_db_prep_save(self, value: Any, connection: Any) -> Any:
        cleaned = self.clean_value(value) if isinstance(value, str) else value
        return super().get_db_prep_save(cleaned, connection)

    def deconstruct(self) -> tuple[str, str, Any, Any]:
        """Return Django's class: the column is the same, so migrations don't change."""
        name, _, args, kwargs = super().deconstruct()
        django_class = next(each for each in type(self).__mro__ if each.__module__.startswith("django."))
        return name, f"django.db.models.{django_class.__name__}", args, kwargs


class LineField(CleanedField, models.CharField):
    """One line of text without invisible characters: see `text.clean_line`."""

    clean_value = staticmethod(text.clean_line)


class EmailField(CleanedField, models.EmailField):
    """An e-mail address without invisible characters."""

    clean_value = staticmethod(text.clean_line)


class TextField(CleanedField, models.TextField):
    """Text of several lines."""


class SortKeyField(models.GeneratedField):
    """A generated column by which names sort, and in which they are found.

    It has the sort keys of the `sources`, the names of other fields. The database writes it in every INSERT
    and UPDATE, whichever program sends them.
    """

    expression: Any

    def __init__(self, *sources: str, **kwargs: Any) -> None:
        self.sources = sources
        expression: Any = SortKey(sources[0])
        if len(sources) > 1:
            # All parts together must not be longer than one key can be.
            length = text.MAX_SORT_KEY // len(sources) - 1
            parts: list[Any] = []
            for name in sources:
                parts += [
                    Value(text.PART, models.TextField()),
                    Left(SortKey(name), length, output_field=models.TextField()),
                ]
            expression = Concat(*parts[1:])
        super().__init__(expression=expression, output_field=models.TextField(), db_persist=True, **kwargs)

    def db_parameters(self, connection: Any) -> Any:
        """Compare by code points, whatever the collation of the cluster, as SQLite does."""
        collation = "C" if connection.vendor == "postgresql" else None
        return {**super().db_parameters(connection), "collation": collation}

    def deconstruct(self) -> tuple[str, str, Any, Any]:
        name, path, _, kwargs = super().deconstruct()
        for argument in ("expression", "output_field", "db_persist"):
            del kwargs[argument]
        return name, path, self.sources, kwargs


def soft_reference() -> models.PositiveBigIntegerField:
    """Return a field for an id without a foreign key.

    It need not exist here: predefined views have ids of their own.
    """
    return models.PositiveBigIntegerField(null=True, blank=True, validators=[MinValueValidator(1)])


def validate_tags(value: Any) -> None:
    if (
        not isinstance(value, list)
        or len(value) > MAX_TAGS
        or not all(isinstance(tag, str) and 0 < len(tag) <= MAX_TAG_LENGTH for tag in value)
    ):
        raise ValidationError("is not a list of tags", code="invalid")


class TagsField(models.JSONField):
    """A list of tags, which is empty by default."""

    default_validators = [validate_portable_json, validate_tags]

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**{"default": list, "db_default": [], "blank": True, **kwargs})


def field_names(model: type[models.Model]) -> list[str]:
    """Return the names of the fields that the model declares itself, in their order.

    For an abstract base class, these are the fields that it adds.
    """
    return [field.name for field in model._meta.local_fields]
