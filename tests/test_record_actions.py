"""Test the buttons on a record's page that archive, restore or close it."""

from __future__ import annotations

from typing import Any

import pytest

from catalog.models import Deal, Project, Service, ServiceType
from productive.accounts.models import ApiToken, Person
from tests.support.admin import create_row, press, staff, url
from tests.support.factories import OrganizationFactory

pytestmark = [pytest.mark.django_db, pytest.mark.any_database, pytest.mark.no_cover]


@pytest.mark.parametrize(
    ("model", "action", "reverse"),
    [
        (Person, "archive", "restore"),
        (Project, "archive", "restore"),
        (ServiceType, "archive", "restore"),
        (Deal, "close", "open"),
    ],
)
def test_record_is_archived_and_restored_from_its_page(model: type[Any], action: str, reverse: str) -> None:
    organization = OrganizationFactory()
    client, row = staff(organization), create_row(model, organization)
    for name, other, is_set in ((action, reverse, True), (reverse, action, False)):
        page = client.get(url(model, "change", row.pk))
        assert [each.name for each in page.context["stamps"]] == [name]
        content = page.content.decode()
        assert (f'form="{name}_form"' in content, f'form="{other}_form"' in content) == (True, False)
        data = {"action": name, "index": "0", "_selected_action": row.pk}
        preview = client.post(url(model, "changelist"), data)
        assert preview.context["preview"].can_apply
        assert press(client, preview, "apply").status_code == 302
        row.refresh_from_db()
        assert (getattr(row, row.moment.field) is not None) == is_set


@pytest.mark.parametrize("model", [Service, ApiToken])
def test_page_has_only_actions_on_its_own_record(model: type[Any]) -> None:
    """A service has an action that closes its budget; a token can be revoked, but not restored."""
    organization = OrganizationFactory()
    page = staff(organization).get(url(model, "change", create_row(model, organization).pk))
    names = [each.name for each in page.context["stamps"]]
    assert names == (["revoke"] if model is ApiToken else [])


def test_user_without_permission_has_no_button() -> None:
    organization = OrganizationFactory()
    client = staff(organization, "view_person")
    page = client.get(url(Person, "change", create_row(Person, organization).pk))
    assert page.context["stamps"] == []
    assert client.get(url(Person, "add")).status_code == 403


def test_form_of_a_new_record_has_no_button() -> None:
    assert staff(OrganizationFactory()).get(url(Person, "add")).context["stamps"] == []
