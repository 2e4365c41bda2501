"""Test the admin of people and organizations."""

from __future__ import annotations

import pytest

from productive.accounts.models import Organization, Person
from tests.support.admin import form_data, form_errors, staff, superuser, url
from tests.support.factories import OrganizationFactory, PersonFactory

pytestmark = [pytest.mark.django_db, pytest.mark.any_database, pytest.mark.no_cover]


@pytest.mark.parametrize("by_superuser", [True, False])
def test_email_of_another_person_is_rejected(by_superuser: bool) -> None:
    colleague = PersonFactory(email="ana@example.com")
    namesake = PersonFactory(organization=colleague.organization)
    client = superuser() if by_superuser else staff(colleague.organization)
    data = {"organization": colleague.organization_id, "first_name": "Ana", "last_name": "B"}
    for address in (url(Person, "add"), url(Person, "change", namesake.pk)):
        response = client.post(address, {**data, "email": "ANA@example.com"})
        assert form_errors(response) == {"email": ["has already been taken"]}


def test_email_of_another_organizations_person_is_accepted() -> None:
    PersonFactory(email="ana@example.com")
    organization = OrganizationFactory()
    client, add = staff(organization), url(Person, "add")
    data = {**form_data(client, add), "first_name": "Ana", "last_name": "B", "email": "ana@example.com"}
    assert client.post(add, data).status_code == 302
    assert Person.objects.get(organization=organization, first_name="Ana").email == "ana@example.com"


def test_unknown_time_zone_is_rejected() -> None:
    response = superuser().post(url(Organization, "add"), {"name": "Agency", "time_zone": "Europe/Nowhere"})
    assert form_errors(response) == {"time_zone": ["is not an IANA time zone, such as Europe/Zagreb"]}
