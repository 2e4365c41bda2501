"""The foundation's constraints hold in the database itself, whichever door is taken."""

import pytest
from django.core.exceptions import ValidationError
from django.db import IntegrityError, connection, transaction

from assignments.models import ServiceAssignment
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
