"""Test that records of one name can be told apart wherever the admin shows them."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.messages import get_messages
from django.db.models import Model
from django.test import Client

from assignments.models import ProjectAssignment, ServiceAssignment
from catalog.models import Deal, Project, Service
from productive.accounts.models import Person
from productive.admin.forms import label_of
from tests.support.admin import autocomplete, form_data, staff, url
from tests.support.bulk import preview
from tests.support.bulk import shown as shown_lines
from tests.support.factories import (
    DealFactory,
    OrganizationFactory,
    PersonFactory,
    ProjectFactory,
    ServiceAssignmentFactory,
    ServiceFactory,
)

pytestmark = [pytest.mark.django_db, pytest.mark.any_database, pytest.mark.no_cover]

ANA = "Ana Horvat · ana1@agency.example"
SERVICE = "QA · 2026 · Web · P-1"
LABELS: dict[type[Model], str] = {
    Person: ANA,
    Project: "Web · P-1",
    Deal: "2026 · Web · P-1",
    Service: SERVICE,
}


@pytest.fixture
def records() -> dict[type[Model], Any]:
    """Return a record of each model; another one has the same name."""
    organization = OrganizationFactory()
    own = {"organization": organization}
    found: dict[type[Model], Any] = {}
    for number in (2, 1):
        found[Person] = PersonFactory(
            **own, first_name="Ana", last_name="Horvat", email=f"ana{number}@agency.example"
        )
        found[Project] = ProjectFactory(**own, name="Web", project_number=f"P-{number}")
        found[Deal] = DealFactory(**own, name="2026", project=found[Project])
        found[Service] = ServiceFactory(**own, name="QA", deal=found[Deal])
    return found


@pytest.fixture
def client(records: dict[type[Model], Any]) -> Client:
    return staff(records[Person].organization)


def test_labels_tell_records_apart(records: dict[type[Model], Any]) -> None:
    assert {model: label_of(record) for model, record in records.items()} == LABELS
    organization = records[Person].organization
    without = PersonFactory(organization=organization, first_name="Bo", last_name="B", email=None)
    assert label_of(without) == "Bo B"
    assert label_of(ProjectFactory(organization=organization, name="Shop", project_number="")) == "Shop"


@pytest.mark.parametrize(
    ("field", "term", "model"),
    [
        (ServiceAssignment.person.field, "Horvat", Person),
        (ServiceAssignment.service.field, "QA", Service),
        (ProjectAssignment.project.field, "Web", Project),
        (Service.deal.field, "2026", Deal),
    ],
    ids=str,
)
def test_choices_have_labels(field: Any, term: str, model: type[Model], client: Client) -> None:
    texts = [one["text"] for one in autocomplete(client, field, term).json()["results"]]
    label = LABELS[model]
    assert sorted(texts) == sorted([label, label.replace("1", "2") if model is Person else label[:-1] + "2"])


def test_lists_chips_previews_and_messages_have_labels(
    records: dict[type[Model], Any], client: Client
) -> None:
    person, service = records[Person], records[Service]
    page = preview(client, "assign_to_services", [person], [service])
    assert shown_lines(page) == {"Will be created": [f"{ANA} → {SERVICE}"]}
    ServiceAssignmentFactory(organization=person.organization, person=person, service=service)
    for address in (
        url(ServiceAssignment, "changelist"),
        url(Deal, "change", service.deal_id),
        f"{url(ServiceAssignment, 'changelist')}?person={person.pk}&service={service.pk}",
    ):
        assert ANA in client.get(address).content.decode()
    assert "ana1@agency.example" in client.get(url(Service, "change", service.pk)).content.decode()
    address = url(Service, "change", service.pk)
    response = client.post(address, form_data(client, address))
    [message] = [str(one) for one in get_messages(response.wsgi_request)]
    assert f'">{SERVICE}</a>” was changed successfully.' in message


def test_changes_and_history_have_labels(records: dict[type[Model], Any], client: Client) -> None:
    for model, record in records.items():
        page = client.get(url(model, "history", record.pk))
        assert page.context["title"] == f"History of {LABELS[model]}"
    person = records[Person]
    person.delete()
    page = client.get(url(Person, "history", person.pk or 0))
    assert page.status_code == 302
    changes = client.get("/admin/changes/").content.decode()
    assert ANA in changes
