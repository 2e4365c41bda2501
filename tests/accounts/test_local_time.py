"""Whose clock the admin goes by."""

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


def shown(client: Client, kind: ServiceType) -> str:
    page = client.get(url(ServiceType, "change", kind.pk)).content.decode()
    (time,) = {time for time in ("11:00", "12:00", "13:00", "21:00") if f"15 Jan 2026, {time}" in page}
    return time


def test_staff_read_the_time_where_their_organization_is() -> None:
    zagreb, tokyo = (OrganizationFactory(time_zone=zone) for zone in ("Europe/Zagreb", "Asia/Tokyo"))
    kinds = {one: ServiceTypeFactory(organization=one, created_at=NOON) for one in (zagreb, tokyo)}
    assert [shown(staff(one), kinds[one]) for one in (zagreb, tokyo)] == ["13:00", "21:00"]
    assert timezone.get_current_timezone_name() == "UTC"


def test_who_works_in_several_organizations_reads_utc() -> None:
    zagreb, tokyo = (OrganizationFactory(time_zone=zone) for zone in ("Europe/Zagreb", "Asia/Tokyo"))
    kind = ServiceTypeFactory(organization=tokyo, created_at=NOON)
    both = staff(tokyo)
    PersonFactory(organization=zagreb, user=User.objects.get(pk=both.session["_auth_user_id"]))
    assert [shown(client, kind) for client in (both, superuser())] == ["12:00"] * 2


def test_superuser_of_a_single_organization_reads_its_time() -> None:
    kind = ServiceTypeFactory(organization=OrganizationFactory(time_zone="Asia/Tokyo"), created_at=NOON)
    assert shown(superuser(), kind) == "21:00"
