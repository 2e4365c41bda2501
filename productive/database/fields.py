"""Model fields that several apps use."""

from __future__ import annotations

from typing import Any

from django.core.exceptions import ValidationError
from django.core.validators import MinValueValidator
from django.db import models

from productive.database.validators import validate_portable_json

MAX_TAGS, MAX_TAG_LENGTH = 100, 255


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
