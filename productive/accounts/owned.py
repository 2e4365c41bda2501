"""Base classes of models whose records belong to an organization."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Self

from django.db import models
from django.utils import timezone

from productive.database.moments import Moment
from productive.database.owned_rows import OwnedRowsQuerySet
from productive.database.recorded import M_co, Recorded


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
