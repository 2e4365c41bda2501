"""Test that the database enforces the constraints, whatever code writes the rows."""

from decimal import Decimal
from typing import Any

import pytest
from django.core.exceptions import ValidationError
from django.db import IntegrityError, connection, models, transaction
from django.db.models import F, Q
from django.db.models.functions import Lower
from django.db.models.lookups import GreaterThan
from django.test.utils import isolate_apps

from assignments.models import ServiceAssignment
from catalog.models import Deal
from productive.accounts.models import Person
from productive.database.constraints import SameOrganization, UniqueTogether
from productive.database.validation import columns_in, validate_change
from tests.support.factories import (
    DealFactory,
    OrganizationFactory,
    PersonFactory,
    ServiceAssignmentFactory,
    ServiceFactory,
)

pytestmark = pytest.mark.django_db


def test_duplicate_pair_is_rejected_with_error_on_one_field() -> None:
    first = ServiceAssignmentFactory()
    second = ServiceAssignment(organization=first.organization, person=first.person, service=first.service)

    with pytest.raises(ValidationError) as caught:
        second.full_clean()
    assert caught.value.message_dict == {
        "service": ["only one assignment per service, per person is allowed"]
    }

    with pytest.raises(IntegrityError), transaction.atomic():
        ServiceAssignment.objects.bulk_create([second])


def test_link_across_organizations_is_rejected_by_model_and_database() -> None:
    service, foreign_person = ServiceFactory(), PersonFactory()
    assignment = ServiceAssignment(organization=service.organization, person=foreign_person, service=service)

    with pytest.raises(ValidationError) as caught:
        assignment.full_clean()
    assert caught.value.message_dict == {"person": ["belongs to another organization"]}

    with pytest.raises(IntegrityError), transaction.atomic():
        ServiceAssignment.objects.bulk_create([assignment])
        connection.check_constraints()


def test_database_rejects_move_to_another_organization() -> None:
    assignment, elsewhere = ServiceAssignmentFactory(), OrganizationFactory()
    with pytest.raises(IntegrityError), transaction.atomic():
        ServiceAssignment.objects.filter(pk=assignment.pk).update(organization=elsewhere)
        connection.check_constraints()


def test_check_constraint_error_is_on_its_field() -> None:
    deal = DealFactory(date="2026-02-01")
    deal.end_date = "2026-01-31"
    with pytest.raises(ValidationError) as caught:
        deal.full_clean()
    assert caught.value.message_dict == {"end_date": ["must not be before the start date"]}


def test_validate_change_checks_only_affected_constraints(django_assert_num_queries: Any) -> None:
    """The uniqueness of the pair takes one query, other fields none."""
    assignment, taken = ServiceAssignmentFactory(), ServiceAssignmentFactory()
    assignment = ServiceAssignment.objects.select_related("service").get(pk=assignment.pk)
    for changed, queries in ((["created_at"], 0), (["service"], 1)):
        with django_assert_num_queries(queries):
            validate_change(assignment, changed)
    assignment.service, assignment.person = taken.service, taken.person
    with pytest.raises(ValidationError) as caught:
        validate_change(assignment, ["service", "person"])
    errors = {
        "person": ["belongs to another organization"],
        "service": [
            "belongs to another organization",
            "only one assignment per service, per person is allowed",
        ],
    }
    assert caught.value.message_dict == errors
    with pytest.raises(ValidationError) as caught:
        assignment.validate_constraints(exclude={"id"})
    assert caught.value.message_dict == errors


def test_columns_in_returns_columns_of_constraint() -> None:
    found = {
        each.name: columns_in(model, each) for model in (Person, Deal) for each in model._meta.constraints
    }
    assert found == {
        "accounts_person_unique_organization_id": {"organization_id", "id"},
        "accounts_person_own_company": {"organization_id", "company_id"},
        "accounts_person_own_manager": {"organization_id", "manager_id"},
        "accounts_person_own_merged_into": {"organization_id", "merged_into_id"},
        "accounts_person_merged_is_archived": {"merged_into_id", "archived_at"},
        "accounts_person_unique_email": {"organization_id", "email"},
        "accounts_person_unique_user": {"user_id", "organization_id"},
        "catalog_deal_unique_organization_id": {"organization_id", "id"},
        "catalog_deal_own_project": {"organization_id", "project_id"},
        "catalog_deal_own_company": {"organization_id", "company_id"},
        "catalog_deal_own_responsible": {"organization_id", "responsible_id"},
        "catalog_deal_own_creator": {"organization_id", "creator_id"},
        "catalog_deal_is_budget": {"budget"},
        "catalog_deal_ends_after_start": {"date", "end_date"},
    }


def unique(*expressions: Any, **options: Any) -> UniqueTogether:
    return UniqueTogether(*expressions, **options, name="unique", blame="email")


@pytest.mark.parametrize(
    ("constraint", "columns"),
    [
        (unique(fields=["email"], condition=Q(archived_at=None)), {"email", "archived_at"}),
        (
            unique(fields=["organization_id"], condition=Q(title=F("email"))),
            {"organization_id", "title", "email"},
        ),
        (unique(fields=["email"], condition=~Q(user__gt=1) | Q(pk__lt=9)), {"email", "user_id", "id"}),
        (unique(Lower("email"), F("title").desc(), condition=Q(user=None)), {"email", "title", "user_id"}),
        (models.CheckConstraint(condition=Q(id__range=(F("user"), 9)), name="check"), {"id", "user_id"}),
        (models.CheckConstraint(condition=GreaterThan(F("id"), F("user")), name="check"), {"id", "user_id"}),
        (SameOrganization("user", name="own"), {"organization_id", "user_id"}),
    ],
)
def test_columns_in_includes_conditions_and_expressions(constraint: Any, columns: set[str]) -> None:
    assert columns_in(Person, constraint) == columns


@isolate_apps("productive.accounts")
def test_validate_change_checks_columns_of_conditions() -> None:
    class Active(models.Model):
        organization_id = models.BigIntegerField()
        email = models.CharField(max_length=200)
        archived_at = models.DateTimeField(null=True)

        class Meta:
            app_label, managed, db_table = "accounts", False, Person._meta.db_table
            constraints = (unique(fields=["email"], condition=Q(archived_at=None)),)

        def __str__(self) -> str:
            return self.email

    archived = PersonFactory(email="a@example.com", archived_at="2026-01-01T00:00Z")
    PersonFactory(email="a@example.com")
    record = Active._default_manager.get(pk=archived.pk)
    record.archived_at = None
    validate_change(record, ["organization_id"])
    with pytest.raises(ValidationError) as caught:
        validate_change(record, ["archived_at"])
    assert list(caught.value.message_dict) == ["email"]


@pytest.mark.parametrize(
    ("attribute", "queries"), [("service", 1), ("service_id", 1), ("person_id", 1), ("created_at", 0)]
)
def test_validate_change_accepts_field_or_column_names(
    attribute: str, queries: int, django_assert_num_queries: Any
) -> None:
    row = ServiceAssignmentFactory()
    assignment = ServiceAssignment.objects.select_related("service", "person").get(pk=row.pk)
    with django_assert_num_queries(queries):
        validate_change(assignment, [attribute])


def validate_pair(assignment: ServiceAssignment) -> None:
    (pair,) = (each for each in ServiceAssignment._meta.constraints if isinstance(each, UniqueTogether))
    pair.validate(ServiceAssignment, assignment)


@pytest.mark.parametrize("kind", [str, Decimal, float, bool])
def test_value_of_another_type_finds_the_row(kind: Any) -> None:
    """It is converted first: PostgreSQL doesn't compare numbers with text or booleans."""
    service = ServiceFactory()
    first = ServiceAssignmentFactory(
        organization=service.organization,
        service=service,
        person=PersonFactory(pk=1, organization=service.organization),
    )
    second = ServiceAssignment(organization=first.organization, person=first.person, service=first.service)
    second.person_id = kind(first.person_id)
    with pytest.raises(ValidationError, match="only one assignment"):
        validate_pair(second)


def test_new_record_with_existing_id_is_rejected() -> None:
    first = ServiceAssignmentFactory()
    second = ServiceAssignment(
        pk=first.pk, organization=first.organization, person=first.person, service=first.service
    )
    with pytest.raises(ValidationError, match="only one assignment"):
        validate_pair(second)
    validate_pair(first)
