"""Base classes of models whose records belong to an organization."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Self

from django.core.exceptions import ValidationError
from django.db import models
from django.db.models import Q
from django.utils import timezone

from productive.database.constraints import DatabaseCheck, SameOrganization
from productive.database.moments import Moment
from productive.database.owned_rows import OwnedRowsQuerySet
from productive.database.record_merges import RecordMerge
from productive.database.recorded import M_co, Recorded
from productive.database.written_rows import announce


def sort_index(*fields: str, name: str) -> models.Index:
    """Return the index for lists of an organization's records that are sorted by these fields."""
    return models.Index(fields=["organization", *fields, "id"], name=f"%(app_label)s_%(class)s_{name}")


class OrganizationOwnedQuerySet(OwnedRowsQuerySet[M_co]):
    def owned_by(self, organization: models.Model) -> Self:
        return self.filter_organizations([organization.pk], organization=organization)

    def owned_by_any(self, organizations: Iterable[models.Model]) -> Self:
        if isinstance(organizations, models.QuerySet):
            return self.filter(organization__in=organizations)
        ids = [organization.pk for organization in organizations]
        return self.filter_organizations(ids, organization__in=ids)


class OrganizationOwned(Recorded):
    """A record of one organization, invisible to all others.

    Each foreign key to another such model needs a `SameOrganization` constraint.
    """

    # The index of the unique constraint below starts with this column.
    organization = models.ForeignKey(
        "accounts.Organization", models.CASCADE, related_name="+", db_index=False
    )
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    owner = "organization"

    class Meta:
        abstract = True
        ordering = ["id"]
        constraints = [
            models.UniqueConstraint(
                fields=["organization", "id"], name="%(app_label)s_%(class)s_unique_organization_id"
            )
        ]

    def clean(self) -> None:
        """Reject a new link to a record that was merged into another."""
        super().clean()
        errors = {}
        # A merged record that is restored at the same time won't be merged any longer.
        restored: Any = () if self.restoration is None else self.restoration.records
        field: Any
        for field in self._meta.concrete_fields:
            # A record that is not loaded is the one in the database.
            related: Any = field.get_cached_value(self, default=None) if field.is_relation else None
            merged_into = getattr(related, "merged_into_id", None)
            if merged_into is None or self.is_saved_with(field) or (type(related), related.pk) in restored:
                continue
            errors[field.name] = merged_message(merged_into)
        if errors:
            raise ValidationError(errors)

    def is_saved_with(self, field: Any) -> bool:
        """Return whether the saved record has the same value of the field."""
        values = {"pk": self.pk, field.attname: getattr(self, field.attname)}
        return type(self)._base_manager.filter(**values).exists()


class ArchivableQuerySet(OrganizationOwnedQuerySet[M_co]):
    def active(self) -> Self:
        return self.filter(archived_at=None)

    def archive(self) -> int:
        return Archivable.moment.set_all(self)

    def restore(self) -> int:
        return Archivable.moment.clear_all(self)


class Archivable(OrganizationOwned):
    """A record that can be archived and restored, with its relations intact."""

    archived_at = models.DateTimeField(null=True, blank=True, editable=False)

    moment = Moment(
        field="archived_at",
        done="archived",
        unset="active",
        undone="restored",
        verbs=("archive", "restore"),
    )

    class Meta(OrganizationOwned.Meta):
        abstract = True
        indexes = [
            models.Index(fields=["organization", "archived_at"], name="%(app_label)s_%(class)s_archived")
        ]

    def archive(self) -> None:
        """Archive the record. An archived one keeps its `archived_at`."""
        self.moment.set(self)

    def restore(self) -> None:
        """Restore the archived record."""
        self.moment.clear(self)


def merged_message(merged_into: int) -> str:
    return f"has been merged into {merged_into}"


class MergeableQuerySet(ArchivableQuerySet[M_co]):
    def restore(self) -> int:
        """Restore the records, except those that were merged into others."""
        return Archivable.moment.clear_all(self.filter(merged_into=None))


class Mergeable(Archivable):
    """A record that can be merged into another, which gets everything that refers to it.

    It stays archived, so that its id can still be looked up.
    """

    merged_into = models.ForeignKey(
        "self", models.SET_NULL, null=True, blank=True, editable=False, related_name="merged"
    )

    merged_into_id: int | None

    class Meta(Archivable.Meta):
        abstract = True
        constraints = [
            *OrganizationOwned.Meta.constraints,
            SameOrganization("merged_into", name="%(app_label)s_%(class)s_own_merged_into"),
            DatabaseCheck(
                condition=Q(merged_into=None) | Q(archived_at__isnull=False),
                name="%(app_label)s_%(class)s_merged_is_archived",
            ),
        ]

    def clean(self) -> None:
        """Reject changes of a record that was merged into another, unless they undo that."""
        super().clean()
        if self.merged_into_id is not None and self.is_saved_with(self._meta.get_field("merged_into")):
            self.reject_merged()

    def reject_merged(self) -> None:
        if self.merged_into_id is not None:
            raise ValidationError(merged_message(self.merged_into_id))

    def restore(self) -> None:
        """Restore the archived record. One that was merged into another can't be restored."""
        self.reject_merged()
        super().restore()

    def merge(self, into: Self) -> None:
        """Move everything that refers to the record to another one, and archive it.

        Of pairs that both have, one is deleted. Needs a transaction, with both records locked. Raise
        ValidationError if they can't be merged; if they have been, only move what refers to it by now.
        """
        if self.merged_into_id == into.pk:
            # An assignment that was validated before the merge can have been saved after it.
            merge = RecordMerge(into, [self])
            merge.move(merge.moves())
            return
        self.reject_merged()
        if into.pk == self.pk:
            raise ValidationError({"into": "must be another record"})
        if into.merged_into_id is not None:
            raise ValidationError({"into": merged_message(into.merged_into_id)})
        if into.archived_at is not None and self.archived_at is None:
            raise ValidationError({"into": "is archived"})
        self.archived_at = self.archived_at or timezone.now()
        announce(self, "~", ["archived_at"])
        RecordMerge(into, [self]).write()
        self.refresh_from_db()
