"""Test the time zone of the admin."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from django.test import Client
from django.utils import timezone

from catalog.models import ServiceType
from productive.accounts.models import User
from tests.support.admin import staff, superuser, url
from tests.support.factories import OrganizationFactory, PersonFactory, ServiceTypeFactory

pytestmark = [pytest.mark.django_db, pytest.mark.any_database]

NOON = datetime(2026, 1, 15, 12, tzinfo=UTC)


def shown_time(client: Client, service_type: ServiceType) -> str:
    page = client.get(url(ServiceType, "change", service_type.pk)).content.decode()
    (time,) = {time for time in ("11:00", "12:00", "13:00", "21:00") if f"15 Jan 2026, {time}" in page}
    return time


def test_staff_see_the_time_of_their_organization() -> None:
    zagreb, tokyo = (OrganizationFactory(time_zone=zone) for zone in ("Europe/Zagreb", "Asia/Tokyo"))
    types = {owner: ServiceTypeFactory(organization=owner, created_at=NOON) for owner in (zagreb, tokyo)}
    assert [shown_time(staff(owner), types[owner]) for owner in (zagreb, tokyo)] == ["13:00", "21:00"]
    assert timezone.get_current_timezone_name() == "UTC"


def test_users_of_several_organizations_see_utc() -> None:
    zagreb, tokyo = (OrganizationFactory(time_zone=zone) for zone in ("Europe/Zagreb", "Asia/Tokyo"))
    service_type = ServiceTypeFactory(organization=tokyo, created_at=NOON)
    both = staff(tokyo)
    PersonFactory(organization=zagreb, user=User.objects.get(pk=both.session["_auth_user_id"]))
    assert [shown_time(client, service_type) for client in (both, superuser())] == ["12:00"] * 2


def test_superuser_sees_the_time_of_a_single_organization() -> None:
    tokyo = OrganizationFactory(time_zone="Asia/Tokyo")
    service_type = ServiceTypeFactory(organization=tokyo, created_at=NOON)
    assert shown_time(superuser(), service_type) == "21:00"
