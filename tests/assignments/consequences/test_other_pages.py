"""Test that deletions, imports and undo show whose access they affect."""

from __future__ import annotations

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.urls import reverse

from assignments.models import ServiceAssignment
from catalog.models import Deal, Project, Service
from productive.accounts.models import Person
from tests.support.admin import form_data, press, save, url
from tests.support.bulk import consequences

pytestmark = [pytest.mark.django_db, pytest.mark.any_database, pytest.mark.no_cover]


def test_deletion_of_person_names_services(client: Client, service: Service, people: list[Person]) -> None:
    Deal.objects.update(person_restricted_tracking=True)
    page = client.get(url(Person, "delete", people[0].pk))
    assert consequences(page) == (
        ["1 person loses access to 1 service.", "1 person gains access to 1 service."],
        [
            "Lose access: Ana Z: QA · Budget · Portal",
            "Services that open to everybody on the project: QA · Budget · Portal",
            "Gain access: Bo Z: QA · Budget · Portal",
        ],
    )
    assert press(client, page, "apply").status_code == 302
    assert not Person.objects.filter(pk=people[0].pk).exists()


def test_deletion_of_project_names_who_loses_access(client: Client, service: Service) -> None:
    page = client.get(url(Project, "delete", service.deal.project_id))
    assert consequences(page)[1] == [
        "Lose access: Ana Z: QA · Budget · Portal",
        "Lose access: Bo Z: QA · Budget · Portal",
    ]


def test_import_shows_consequences(client: Client, service: Service) -> None:
    Deal.objects.update(person_restricted_tracking=True)
    bo = Person.objects.get(first_name="Bo")
    assignment = ServiceAssignment.objects.get()
    text = f"ID,Person,Service\n{assignment.pk},#{bo.pk},#{service.pk}\n"
    upload = SimpleUploadedFile("sheet.csv", text.encode())
    page = client.post(url(ServiceAssignment, "import"), {"file": upload})
    assert consequences(page) == (
        ["1 person loses access to 1 service.", "1 person gains access to 1 service."],
        ["Lose access: Ana Z: QA · Budget · Portal", "Gain access: Bo Z: QA · Budget · Portal"],
    )
    assert ServiceAssignment.objects.get().person_id != bo.pk
    press(client, page, "apply")
    assert ServiceAssignment.objects.get().person_id == bo.pk


def test_undo_shows_consequences(client: Client, service: Service) -> None:
    save(
        client,
        url(Deal, "change", service.deal_id),
        {
            **form_data(client, url(Deal, "change", service.deal_id)),
            "person_restricted_tracking": "on",
        },
    )
    record = Deal.history.first()  # type: ignore[attr-defined]
    page = client.get(reverse("admin:undo", args=[record.change_set]))
    assert consequences(page) == (
        ["1 person gains access to 1 service."],
        [
            "Services that open to everybody on the project: QA · Budget · Portal",
            "Gain access: Bo Z: QA · Budget · Portal",
        ],
    )
