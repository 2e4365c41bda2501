"""Base classes of models whose changes are recorded in the history."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, ClassVar, TypeVar

from django.db import models, router, transaction
from django.utils import timezone

from productive.database.history import Deletion, current_change_set, history_of, record_rows
from productive.database.written_rows import announce, collect, is_collecting

M_co = TypeVar("M_co", bound=models.Model, covariant=True)


class RecordedQuerySet(models.QuerySet[M_co]):
    """A queryset that records deletions; after bulk writes, call `record()`."""

    deletion: Deletion | None = None

    def delete(self) -> Any:
        """Delete and record the rows, and those that depend on them."""
        self.deletion = Deletion()
        try:
            return super().delete()
        finally:
            self.deletion = None

    # As in Django's queryset: templates can't call it, and managers don't have it.
    delete.alters_data = True  # type: ignore[attr-defined]
    delete.queryset_only = True  # type: ignore[attr-defined]

    def update_recorded(self, **values: Any) -> int:
        """Update and record the rows in two statements; return their number."""
        self._for_write = True
        history, now = history_of(self.model), timezone.now()
        with transaction.atomic(using=self.db, savepoint=False):
            record_rows(self.select_for_update(of=("self",)), "~", date=now, **values)
            # Update the recorded rows, because other rows may match the conditions now.
            entries = history._default_manager.filter(change_set=current_change_set(), history_date=now)
            if is_collecting():
                collect(self.model, "~", list(entries), values)
            return self.model._default_manager.filter(pk__in=entries.values("id")).update(**values)

    update_recorded.alters_data = True  # type: ignore[attr-defined]


@dataclass(frozen=True, slots=True)
class Restoration:
    """The undo of a change: what was allowed before the change is allowed again.

    `changed_at` is the time of the change; `records` are the models and ids of the records that are restored.
    """

    changed_at: datetime
    records: frozenset[tuple[type[models.Model], int]]


class Recorded(models.Model):
    """A model whose changes are recorded, with a `history = History()`."""

    # The field with the id of the organization; None if rows don't belong to one.
    owner: ClassVar[str | None] = None
    deletion: Deletion | None = None
    # Set while the record is validated for the undo of a change.
    restoration: Restoration | None = None

    class Meta:
        abstract = True

    def save(self, *args: Any, **kwargs: Any) -> None:
        """Save and record in one transaction; `History.post_save` records."""
        using = kwargs.get("using") or router.db_for_write(type(self), instance=self)
        with transaction.atomic(using=using, savepoint=False):
            announce(self, "+" if self._state.adding else "~", kwargs.get("update_fields"))
            super().save(*args, **kwargs)

    def delete(self, *args: Any, **kwargs: Any) -> Any:
        """Delete and record the row, and those that depend on it."""
        announce(self, "-")
        self.deletion = Deletion()
        try:
            return super().delete(*args, **kwargs)
        finally:
            self.deletion = None
