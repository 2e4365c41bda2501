"""Assignments of people to services, projects and service types."""

from __future__ import annotations

from collections.abc import Collection

from django.db import models

from catalog.models import Project, Service, ServiceType
from productive.accounts.models import Person
from productive.accounts.owned import OrganizationOwned, OrganizationOwnedQuerySet, sort_index
from productive.database.constraints import SameOrganization, UniqueTogether
from productive.database.fields import LineField, SortKeyField, soft_reference
from productive.database.history import History
from productive.database.row_counts import RowCount
from productive.database.validators import validate_portable_json


class ServiceAssignment(OrganizationOwned):
    """An assignment of a person to a service.

    If the budget is restricted by person, only assigned people may track on the service.
    """

    person = models.ForeignKey(Person, models.CASCADE, related_name="service_assignments")
    # The index of the unique constraint starts with this column. Likewise in the two models below.
    service = models.ForeignKey(Service, models.CASCADE, related_name="service_assignments", db_index=False)

    objects = OrganizationOwnedQuerySet["ServiceAssignment"].as_manager()
    history = History()

    class Meta(OrganizationOwned.Meta):
        constraints = [
            *OrganizationOwned.Meta.constraints,
            SameOrganization("person", name="%(app_label)s_%(class)s_own_person"),
            SameOrganization("service", name="%(app_label)s_%(class)s_own_service"),
            UniqueTogether(
                fields=["service", "person"],
                name="%(app_label)s_%(class)s_unique_service_person",
                blame="service",
                violation_error_message="only one assignment per service, per person is allowed",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.person} on {self.service}"


class ServiceAssignmentRowCount(RowCount):
    rows = ServiceAssignment


class ServiceTypeAssignment(OrganizationOwned):
    """An assignment of a person to a service type.

    If a budget is restricted by service type, only these people may track on its services of the type.
    """

    person = models.ForeignKey(Person, models.CASCADE, related_name="service_type_assignments")
    service_type = models.ForeignKey(
        ServiceType, models.CASCADE, related_name="service_type_assignments", db_index=False
    )

    objects = OrganizationOwnedQuerySet["ServiceTypeAssignment"].as_manager()
    history = History()

    class Meta(OrganizationOwned.Meta):
        constraints = [
            *OrganizationOwned.Meta.constraints,
            SameOrganization("person", name="%(app_label)s_%(class)s_own_person"),
            SameOrganization("service_type", name="%(app_label)s_%(class)s_own_service_type"),
            UniqueTogether(
                fields=["service_type", "person"],
                name="%(app_label)s_%(class)s_unique_service_type_person",
                blame="service_type",
                violation_error_message="only one assignment per service type, per person is allowed",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.person}: {self.service_type}"


class Filter(OrganizationOwned):
    """A saved view of a list."""

    name = LineField(max_length=255)
    name_key = SortKeyField("name")
    params = models.JSONField(default=dict, blank=True, validators=[validate_portable_json])

    objects = OrganizationOwnedQuerySet["Filter"].as_manager()
    history = History()

    class Meta(OrganizationOwned.Meta):
        indexes = [
            sort_index("name", name="by_name"),
            sort_index("name_key", name="by_key"),
        ]

    def __str__(self) -> str:
        return self.name


def saved_filter(id_field: str) -> models.ForeignObject:
    """Return a relation to the saved filter whose id is in `id_field`.

    It joins by organization and id, so it never finds a filter of another organization.
    """
    return models.ForeignObject(
        Filter,
        models.DO_NOTHING,
        from_fields=["organization", id_field],
        to_fields=["organization", "id"],
        null=True,
        related_name="+",
        editable=False,
    )


class ProjectAssignment(OrganizationOwned):
    """A membership of a person in a project, with preferred views."""

    person = models.ForeignKey(Person, models.CASCADE, related_name="project_assignments")
    project = models.ForeignKey(Project, models.CASCADE, related_name="project_assignments", db_index=False)
    default_filter_id = soft_reference()
    tasks_layout_id = soft_reference()
    preferences = models.JSONField(null=True, blank=True, validators=[validate_portable_json])
    budgets_filter_id = soft_reference()
    deals_filter_id = soft_reference()
    invoices_filter_id = soft_reference()
    docs_filter_id = soft_reference()
    watched = models.BooleanField(null=True, blank=True)

    favorite_filter = saved_filter("default_filter_id")
    budgets_favorite_filter = saved_filter("budgets_filter_id")
    deals_favorite_filter = saved_filter("deals_filter_id")
    invoices_favorite_filter = saved_filter("invoices_filter_id")
    docs_favorite_filter = saved_filter("docs_filter_id")

    objects = OrganizationOwnedQuerySet["ProjectAssignment"].as_manager()
    history = History()

    class Meta(OrganizationOwned.Meta):
        constraints = [
            *OrganizationOwned.Meta.constraints,
            SameOrganization("person", name="%(app_label)s_%(class)s_own_person"),
            SameOrganization("project", name="%(app_label)s_%(class)s_own_project"),
            UniqueTogether(
                fields=["project", "person"],
                name="%(app_label)s_%(class)s_unique_project_person",
                blame="person",
                violation_error_message="has already been assigned to that project",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.person} on {self.project}"

    def clean_fields(self, exclude: Collection[str] | None = None) -> None:
        """Exclude the relations to saved filters.

        Cleaning one would set the columns that it joins by.
        """
        joins = {field.name for field in self._meta.fields if not field.concrete}
        super().clean_fields({*(exclude or ()), *joins})


class ProjectAssignmentRowCount(RowCount):
    rows = ProjectAssignment


class TrackingDecision(models.Model):
    """A decision of the tracking rule for the API, which isn't stored."""

    id = models.CharField(primary_key=True, max_length=64)
    allowed = models.BooleanField()
    kind = models.CharField(max_length=7)
    on = models.DateField()
    reasons = models.JSONField()
    person = models.ForeignKey(Person, models.DO_NOTHING, related_name="+")
    service = models.ForeignKey(Service, models.DO_NOTHING, related_name="+")

    class Meta:
        abstract = True
