"""The foundation's constraints hold in the database itself, whichever door is taken."""

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


def test_pair_is_unique_in_the_database_and_blamed_on_one_field() -> None:
    first = ServiceAssignmentFactory()
    second = ServiceAssignment(organization=first.organization, person=first.person, service=first.service)

    with pytest.raises(ValidationError) as caught:
        second.full_clean()
    assert caught.value.message_dict == {
        "service": ["only one assignment per service, per person is allowed"]
    }

    with pytest.raises(IntegrityError), transaction.atomic():
        ServiceAssignment.objects.bulk_create([second])


def test_link_across_organizations_is_refused_by_model_and_database() -> None:
    service, stranger = ServiceFactory(), PersonFactory()
    assignment = ServiceAssignment(organization=service.organization, person=stranger, service=service)

    with pytest.raises(ValidationError) as caught:
        assignment.full_clean()
    assert caught.value.message_dict == {"person": ["belongs to another organization"]}

    with pytest.raises(IntegrityError), transaction.atomic():
        ServiceAssignment.objects.bulk_create([assignment])
        connection.check_constraints()


def test_moving_a_record_to_another_organization_is_refused_by_the_database() -> None:
    assignment, elsewhere = ServiceAssignmentFactory(), OrganizationFactory()
    with pytest.raises(IntegrityError), transaction.atomic():
        ServiceAssignment.objects.filter(pk=assignment.pk).update(organization=elsewhere)
        connection.check_constraints()


def test_check_is_blamed_on_its_field() -> None:
    deal = DealFactory(date="2026-02-01")
    deal.end_date = "2026-01-31"
    with pytest.raises(ValidationError) as caught:
        deal.full_clean()
    assert caught.value.message_dict == {"end_date": ["must not be before the start date"]}


def test_change_is_asked_only_what_it_may_break(django_assert_num_queries: Any) -> None:
    """The pair's uniqueness is one query; what a name means to the others none."""
    assignment, taken = ServiceAssignmentFactory(), ServiceAssignmentFactory()
    assignment = ServiceAssignment.objects.select_related("service").get(pk=assignment.pk)
    for changed, queries in ((["created_at"], 0), (["service"], 1)):
        with django_assert_num_queries(queries):
            validate_change(assignment, changed)
    assignment.service, assignment.person = taken.service, taken.person
    with pytest.raises(ValidationError) as caught:
        validate_change(assignment, ["service", "person"])
    refusals = {
        "person": ["belongs to another organization"],
        "service": [
            "belongs to another organization",
            "only one assignment per service, per person is allowed",
        ],
    }
    assert caught.value.message_dict == refusals
    with pytest.raises(ValidationError) as caught:
        assignment.validate_constraints(exclude={"id"})
    assert caught.value.message_dict == refusals


def test_columns_that_a_constraint_speaks_of() -> None:
    found = {
        each.name: columns_in(model, each) for model in (Person, Deal) for each in model._meta.constraints
    }
    assert found == {
        "accounts_person_unique_organization_id": {"organization_id", "id"},
        "accounts_person_unique_email": {"organization_id", "email"},
        "accounts_person_unique_user": {"user_id", "organization_id"},
        "catalog_deal_unique_organization_id": {"organization_id", "id"},
        "catalog_deal_own_project": {"organization_id", "project_id"},
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
def test_columns_of_conditions_and_expressions_count(constraint: Any, columns: set[str]) -> None:
    assert columns_in(Person, constraint) == columns


@isolate_apps("productive.accounts")
def test_change_that_only_a_condition_speaks_of_is_judged() -> None:
    class Active(models.Model):
        organization_id = models.BigIntegerField()
        email = models.CharField(max_length=200)
        archived_at = models.DateTimeField(null=True)

        class Meta:
            app_label, managed, db_table = "accounts", False, Person._meta.db_table
            constraints = (unique(fields=["email"], condition=Q(archived_at=None)),)

        def __str__(self) -> str:
            return self.email

    gone = PersonFactory(email="a@example.com", archived_at="2026-01-01T00:00Z")
    PersonFactory(email="a@example.com")
    record = Active._default_manager.get(pk=gone.pk)
    record.archived_at = None
    validate_change(record, ["organization_id"])
    with pytest.raises(ValidationError) as caught:
        validate_change(record, ["archived_at"])
    assert list(caught.value.message_dict) == ["email"]


@pytest.mark.parametrize(
    ("attribute", "told"), [("service", 1), ("service_id", 1), ("person_id", 1), ("created_at", 0)]
)
def test_change_is_told_by_field_or_by_column(
    attribute: str, told: int, django_assert_num_queries: Any
) -> None:
    row = ServiceAssignmentFactory()
    assignment = ServiceAssignment.objects.select_related("service", "person").get(pk=row.pk)
    with django_assert_num_queries(told):
        validate_change(assignment, [attribute])


def validate_pair(assignment: ServiceAssignment) -> None:
    (pair,) = (each for each in ServiceAssignment._meta.constraints if isinstance(each, UniqueTogether))
    pair.validate(ServiceAssignment, assignment)


@pytest.mark.parametrize("kind", [str, Decimal, float, bool])
def test_value_of_another_type_finds_the_row_as_the_right_one_does(kind: Any) -> None:
    """It isn't given to the database as it is: PostgreSQL compares no number with a text or a boolean."""
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


def test_new_record_with_the_id_of_its_like_is_refused() -> None:
    first = ServiceAssignmentFactory()
    second = ServiceAssignment(
        pk=first.pk, organization=first.organization, person=first.person, service=first.service
    )
    with pytest.raises(ValidationError, match="only one assignment"):
        validate_pair(second)
    validate_pair(first)
