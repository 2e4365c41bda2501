"""The service catalog: service types, companies, projects, budgets and services."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from django.core.exceptions import ValidationError
from django.db import IntegrityError, models, router, transaction
from django.db.models import F, Q

from catalog.details import CompanyDetails, DealDetails, ProjectDetails, ServiceDetails
from productive.accounts.models import Person
from productive.accounts.owned import (
    Archivable,
    ArchivableQuerySet,
    Mergeable,
    MergeableQuerySet,
    OrganizationOwned,
    OrganizationOwnedQuerySet,
    sort_index,
)
from productive.database.constraints import Check, SameOrganization
from productive.database.fields import LineField, SortKeyField, TextField
from productive.database.history import History, current_user
from productive.database.moments import Moment


class ServiceType(Mergeable):
    """A kind of work that the company offers: design, development, QA."""

    name = LineField(max_length=255)
    name_key = SortKeyField("name")
    description = TextField(null=True, blank=True)
    assignees = models.ManyToManyField(
        Person, through="assignments.ServiceTypeAssignment", related_name="service_types"
    )

    objects = MergeableQuerySet["ServiceType"].as_manager()
    history = History()

    class Meta(Mergeable.Meta):
        ordering = ["name_key", "id"]
        indexes = [
            *Archivable.Meta.indexes,
            sort_index("name", name="by_name"),
            sort_index("name_key", name="by_key"),
        ]

    def __str__(self) -> str:
        return self.name


class Company(Archivable, CompanyDetails):
    """A client, for whom projects are done."""

    name = LineField(max_length=255)
    name_key = SortKeyField("name")
    company_code = LineField("code", max_length=50, null=True, blank=True)
    billing_name = LineField(max_length=255, null=True, blank=True)
    vat = LineField("VAT number", max_length=50, null=True, blank=True)
    domain = LineField(max_length=255, null=True, blank=True)

    objects = ArchivableQuerySet["Company"].as_manager()
    history = History()

    class Meta(Archivable.Meta):
        verbose_name_plural = "companies"
        indexes = [
            *Archivable.Meta.indexes,
            sort_index("name", name="by_name"),
            sort_index("name_key", name="by_key"),
            sort_index("created_at", name="by_created_at"),
        ]

    def __str__(self) -> str:
        return self.name


class Project(Archivable, ProjectDetails):
    """Work for a client. Its budgets have the services that are sold."""

    name = LineField(max_length=255)
    name_key = SortKeyField("name")
    project_number = LineField(max_length=50, null=True, blank=True)
    company = models.ForeignKey(Company, models.RESTRICT, null=True, blank=True, related_name="projects")
    project_manager = models.ForeignKey(
        Person, models.SET_NULL, null=True, blank=True, related_name="managed_projects"
    )

    objects = ArchivableQuerySet["Project"].as_manager()
    history = History()

    class Meta(Archivable.Meta):
        constraints = [
            *OrganizationOwned.Meta.constraints,
            SameOrganization("company", name="%(app_label)s_%(class)s_own_company"),
            SameOrganization("project_manager", name="%(app_label)s_%(class)s_own_project_manager"),
        ]
        indexes = [
            *Archivable.Meta.indexes,
            sort_index("name", name="by_name"),
            sort_index("name_key", name="by_key"),
            sort_index("created_at", name="by_created_at"),
            sort_index("project_number", name="by_number"),
        ]

    def __str__(self) -> str:
        return self.name


class DealQuerySet(OrganizationOwnedQuerySet["Deal"]):
    def open(self) -> DealQuerySet:
        return self.filter(closed_at=None)

    def of_companies(self, companies: Collection[int]) -> DealQuerySet:
        """Filter the budgets of these companies: their own or, without one, that of their project."""
        own = Deal.objects.filter(company__in=companies)
        inherited = Deal.objects.filter(company=None, project__company__in=companies)
        # An index can't be used for OR across two tables.
        ids = own.order_by().values("pk").union(inherited.order_by().values("pk"))
        return self.filter(pk__in=ids)

    def close(self) -> int:
        return Deal.moment.set_all(self)

    def reopen(self) -> int:
        return Deal.moment.clear_all(self)


class Deal(OrganizationOwned, DealDetails):
    """A budget: services that are sold on a project, within its dates.

    `assignments.tracking` applies its restrictions.
    """

    project = models.ForeignKey(Project, models.CASCADE, related_name="deals")
    company = models.ForeignKey(
        Company,
        models.RESTRICT,
        null=True,
        blank=True,
        related_name="deals",
        help_text="Without one, the budget is for the company of its project.",
    )
    responsible = models.ForeignKey(
        Person,
        models.SET_NULL,
        null=True,
        blank=True,
        related_name="deals",
        verbose_name="responsible person",
    )
    creator = models.ForeignKey(Person, models.SET_NULL, null=True, blank=True, related_name="created_deals")
    name = LineField(max_length=255)
    name_key = SortKeyField("name")
    budget = models.BooleanField(default=True)
    date = models.DateField("start date", null=True, blank=True)
    end_date = models.DateField(null=True, blank=True)
    closed_at = models.DateTimeField(null=True, blank=True, editable=False)
    person_restricted_tracking = models.BooleanField(
        "restricted by person",
        default=False,
        help_text="Only the people assigned to a service may track on it.",
    )
    service_type_restricted_tracking = models.BooleanField(
        "restricted by service type",
        default=False,
        help_text="Only people who hold a service's type may track on it.",
    )

    moment = Moment(field="closed_at", done="closed", unset="open", undone="opened", verbs=("close", "open"))
    objects = DealQuerySet.as_manager()
    history = History()

    class Meta(OrganizationOwned.Meta):
        verbose_name = "budget"
        constraints = [
            *OrganizationOwned.Meta.constraints,
            SameOrganization("project", name="%(app_label)s_%(class)s_own_project"),
            SameOrganization("company", name="%(app_label)s_%(class)s_own_company"),
            SameOrganization("responsible", name="%(app_label)s_%(class)s_own_responsible"),
            SameOrganization("creator", name="%(app_label)s_%(class)s_own_creator"),
            Check(
                condition=Q(budget=True),
                name="%(app_label)s_%(class)s_is_budget",
                blame="budget",
                violation_error_message="must be true: only budgets are kept",
            ),
            Check(
                condition=Q(date=None) | Q(end_date=None) | Q(end_date__gte=F("date")),
                name="%(app_label)s_%(class)s_ends_after_start",
                blame="end_date",
                violation_error_message="must not be before the start date",
            ),
        ]
        indexes = [
            sort_index("closed_at", name="closed"),
            sort_index("name", name="by_name"),
            sort_index("name_key", name="by_key"),
            sort_index("date", name="by_date"),
            sort_index("end_date", name="by_end"),
            sort_index("created_at", name="by_created_at"),
        ]

    def __str__(self) -> str:
        return self.name

    def save(self, *args: Any, **kwargs: Any) -> None:
        """Save the budget. The creator of a new one is the person as whom the current user acts, if any."""
        user = current_user() if self._state.adding and self.creator_id is None else None
        if user is not None:
            self.creator = Person.objects.filter(organization=self.organization_id, user=user.pk).first()
        super().save(*args, **kwargs)

    def people_to_ask(self) -> list[Person]:
        """Return who is responsible for the budget and for its project, in this order."""
        people = [self.responsible, self.project.project_manager]
        return list(dict.fromkeys(person for person in people if person is not None))

    def close(self) -> None:
        """Close the budget. A closed one keeps its `closed_at`."""
        self.moment.set(self)

    def open(self) -> None:
        """Reopen the closed budget."""
        self.moment.clear(self)


class Service(OrganizationOwned, ServiceDetails):
    """A line of a budget, on which people track time and log expenses."""

    deal = models.ForeignKey(Deal, models.CASCADE, related_name="services", verbose_name="budget")
    service_type = models.ForeignKey(ServiceType, models.RESTRICT, related_name="services")
    person = models.ForeignKey(
        Person,
        models.SET_NULL,
        null=True,
        blank=True,
        related_name="services",
        verbose_name="responsible person",
    )
    name = LineField(max_length=255)
    name_key = SortKeyField("name")
    time_tracking_enabled = models.BooleanField(default=True)
    expense_tracking_enabled = models.BooleanField(default=True)

    objects = OrganizationOwnedQuerySet["Service"].as_manager()
    history = History()

    class Meta(OrganizationOwned.Meta):
        constraints = [
            *OrganizationOwned.Meta.constraints,
            SameOrganization("deal", name="%(app_label)s_%(class)s_own_deal"),
            SameOrganization("service_type", name="%(app_label)s_%(class)s_own_service_type"),
            SameOrganization("person", name="%(app_label)s_%(class)s_own_person"),
        ]
        indexes = [
            sort_index("name", name="by_name"),
            sort_index("name_key", name="by_key"),
        ]

    def __str__(self) -> str:
        return self.name

    def clean(self) -> None:
        """Reject an archived service type, unless the service has it already."""
        super().clean()
        if self.service_type_id is None or self.service_type.archived_at is None:
            return
        if self.restoration is not None and self.service_type.archived_at <= self.restoration.changed_at:
            return
        if not self.is_saved_with(Service.service_type.field):
            raise ValidationError({"service_type": "is archived"})

    def save(self, *args: Any, **kwargs: Any) -> None:
        """Lock the service type while the service is saved.

        Raise IntegrityError if it has been archived since `clean()`. When the caller tries again, `clean()`
        rejects it. The lock takes a query, unless `update_fields` leaves out the service type.
        """
        fields = kwargs.get("update_fields")
        with transaction.atomic(router.db_for_write(Service), savepoint=False):
            if fields is None or not {"service_type", "service_type_id"}.isdisjoint(fields):
                self.lock_service_type()
            super().save(*args, **kwargs)

    def lock_service_type(self) -> None:
        connection = transaction.get_connection(router.db_for_write(Service))
        # A shared lock, which Django doesn't support: services of the same type don't wait for each other.
        # SQLite needs none, because it has one writing transaction at a time.
        lock = " FOR SHARE" if connection.features.has_select_for_update else ""
        sql = f"SELECT archived_at FROM catalog_servicetype WHERE id = %s{lock}"  # noqa: S608
        with connection.cursor() as cursor:
            cursor.execute(sql, [self.service_type_id])
            row = cursor.fetchone()
        if row is not None and row[0] is not None and not self.is_saved_with(Service.service_type.field):
            raise IntegrityError("The service type has been archived")
