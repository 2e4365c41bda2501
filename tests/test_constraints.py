"""The foundation's constraints hold in the database itself, whichever door is taken."""

from typing import Any

import pytest
from django.core.exceptions import ValidationError
from django.db import IntegrityError, connection, transaction

from assignments.models import ServiceAssignment
from catalog.models import Deal
from productive.accounts.models import Person
from productive.constraints import names_in, validate_change
from tests.factories import (
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


def test_fields_that_a_constraint_names() -> None:
    named = {each.name: names_in(each) for model in (Person, Deal) for each in model._meta.constraints}
    assert named == {
        "accounts_person_unique_organization_id": {"organization", "id"},
        "accounts_person_unique_email": {"organization", "email"},
        "accounts_person_unique_user": {"user", "organization"},
        "catalog_deal_unique_organization_id": {"organization", "id"},
        "catalog_deal_own_project": {"project"},
        "catalog_deal_is_budget": {"budget"},
        "catalog_deal_ends_after_start": {"date", "end_date"},
    }
