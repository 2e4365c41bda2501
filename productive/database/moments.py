"""Times at which records were archived, closed or revoked."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.db import models
from django.db.models import Q
from django.utils import timezone


@dataclass(frozen=True, kw_only=True)
class Moment:
    """A nullable DateTimeField: its name, its labels and its methods.

    A model declares it as `moment`. The model's methods, the admin and the API use it.
    """

    field: str
    # The state of a record while the field is set ("archived"), and while it is null ("active").
    done: str
    unset: str
    # The past participle for clearing it: "restored".
    undone: str
    # The model's methods that set and clear it, which are also actions of the API: "archive", "restore".
    verbs: tuple[str, ...]

    @property
    def is_null(self) -> Q:
        return Q((self.field, None))

    def word(self, record: Any) -> str:
        return self.unset if getattr(record, self.field) is None else self.done

    def set(self, record: models.Model) -> None:
        """Set it to now, and save. If it is set already, keep it."""
        if getattr(record, self.field) is None:
            setattr(record, self.field, timezone.now())
            record.save(update_fields=[self.field])

    def clear(self, record: models.Model) -> None:
        if getattr(record, self.field) is not None:
            setattr(record, self.field, None)
            record.save(update_fields=[self.field])

    def set_all(self, rows: Any) -> int:
        """Set it for the rows where it is null. Return their number."""
        return int(rows.filter(self.is_null).update_recorded(**{self.field: timezone.now()}))

    def clear_all(self, rows: Any) -> int:
        return int(rows.exclude(self.is_null).update_recorded(**{self.field: None}))


def moment_of(model: Any) -> Moment | None:
    return getattr(model, "moment", None)
