"""Test that a change of access is written once it is confirmed, and as it was previewed."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client

from assignments.models import ProjectAssignment, ServiceAssignment
from catalog.models import Deal, Service
from productive.accounts.models import Organization
from tests.support.admin import edit, is_preview, press, url
from tests.support.bulk import consequences, messages_of
from tests.support.concurrency import at_once
from tests.support.factories import PersonFactory, ProjectAssignmentFactory

pytestmark = [pytest.mark.django_db, pytest.mark.any_database, pytest.mark.no_cover]


def test_form_is_shown_again_as_it_was_filled_in(client: Client, service: Service) -> None:
    page = edit(client, service.deal, person_restricted_tracking="on", name="Renamed")
    back = press(client, page, "choose")
    form = back.context["adminform"].form
    assert (form["name"].value(), form["person_restricted_tracking"].value()) == ("Renamed", True)
    assert form.errors == {}
    assert not Deal.objects.filter(name="Renamed").exists()


def test_new_service_is_created_once(client: Client, service: Service) -> None:
    data = {"deal": service.deal_id, "service_type": service.service_type_id, "name": "Audit"}
    data |= {"time_tracking_enabled": "on", "service_assignments-TOTAL_FORMS": 0}
    data |= {"service_assignments-INITIAL_FORMS": 0}
    page = client.post(url(Service, "add"), data)
    assert consequences(page) == (
        ["2 people gain access to 1 service."],
        ["Gain access: Ana Z: Audit · Budget · Portal", "Gain access: Bo Z: Audit · Budget · Portal"],
    )
    assert press(client, page, "apply").status_code == 302
    again = press(client, page, "apply")
    assert (again.status_code, messages_of(again)[-1]) == (302, "This has been done already.")
    assert Service.objects.filter(name="Audit").count() == 1


def test_outdated_preview_of_a_form_is_shown_again(
    client: Client, service: Service, organization: Organization
) -> None:
    page = edit(client, service.deal, person_restricted_tracking="on")
    cy = PersonFactory(first_name="Cy", last_name="Z", email=None, organization=organization)
    ProjectAssignmentFactory(person=cy, project=service.deal.project, organization=organization)
    again = press(client, page, "apply")
    assert b"The records have changed since the preview" in again.content
    assert consequences(again)[0] == ["2 people lose access to 1 service."]
    assert not Deal.objects.get().person_restricted_tracking
    assert press(client, again, "apply").status_code == 302


def test_preview_distinguishes_people_of_the_same_name(
    client: Client, service: Service, organization: Organization
) -> None:
    page = edit(client, service.deal, person_restricted_tracking="on")
    twin = PersonFactory(first_name="Bo", last_name="Z", email=None, organization=organization)
    ProjectAssignment.objects.filter(person__first_name="Bo").update(person=twin)
    assert is_preview(press(client, page, "apply"))


def test_popup_is_closed_after_a_deletion(client: Client, service: Service) -> None:
    page = client.get(url(ServiceAssignment, "delete", ServiceAssignment.objects.get().pk) + "?_popup=1")
    response = press(client, page, "apply")
    assert response.templates[0].name == "admin/popup_response.html"
    assert not ServiceAssignment.objects.exists()


def test_deletion_is_not_confirmed_without_the_digest(client: Client, service: Service) -> None:
    address = url(Service, "delete", service.pk)
    for data in ({"post": "yes"}, {"step": "apply"}, {"step": "apply", "digest": "x", "_preview": "\x00"}):
        assert is_preview(client.post(address, data))
    assert Service.objects.exists()


@pytest.mark.postgresql
@pytest.mark.django_db(transaction=True)
def test_two_clicks_at_once_save_once(client: Client, service: Service) -> None:
    data = {"deal": service.deal_id, "service_type": service.service_type_id, "name": "Audit"}
    data |= {"time_tracking_enabled": "on", "service_assignments-TOTAL_FORMS": 0}
    data |= {"service_assignments-INITIAL_FORMS": 0}
    page = client.post(url(Service, "add"), data)

    def click() -> Any:
        return press(client, page, "apply")

    assert [response.status_code for response in at_once(click, click)] == [302, 302]
    assert Service.objects.filter(name="Audit").count() == 1
