"""Run bulk actions as a browser does, from the list to the preview and back, and records for them."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from django.contrib.messages import get_messages
from django.db.models import Model
from django.test import Client

from catalog.models import Service
from productive.accounts.models import Person
from tests.support.admin import press, staff, url
from tests.support.factories import (
    DealFactory,
    OrganizationFactory,
    PersonFactory,
    ProjectAssignmentFactory,
    ProjectFactory,
    ServiceAssignmentFactory,
    ServiceFactory,
    ServiceTypeFactory,
)


def start(
    client: Client, action: str, rows: Iterable[Any], *, model: type[Model] | None = None, **data: Any
) -> Any:
    """Choose the action in the list of the rows."""
    rows = list(rows)
    ids = [getattr(row, "pk", row) for row in rows]
    address = url(model or type(rows[0]), "changelist")
    return client.post(address, {"action": action, "index": 0, "_selected_action": ids, **data})


def preview(client: Client, action: str, rows: Iterable[Any], chosen: Iterable[Any] = (), **data: Any) -> Any:
    page = start(client, action, rows, **data)
    if ids := [getattr(row, "pk", row) for row in chosen]:
        page = press(client, page, "preview", chosen=ids)
    assert page.status_code == 200, page
    return page


def shown(page: Any) -> dict[str, list[str]]:
    """Return the groups of a preview that have lines, with these."""
    return {
        group.title: [": ".join([line.text, *line.notes]) for line in group.lines]
        for group in page.context["preview"].groups
        if group.lines
    }


def consequences(page: Any) -> tuple[list[str], list[str]]:
    """Return the sentences and lines of a preview about access."""
    found = page.context["preview"].consequences
    lines = [
        f"{group.title}: " + ": ".join([line.text, *line.notes])
        for group in found.groups
        for line in group.lines
    ]
    return [*found.warnings, *found.sentences], lines


def messages_of(response: Any) -> list[str]:
    """Return the messages of a response, without the link to undo."""
    return [re.sub(" <a .*</a>", "", str(message)) for message in get_messages(response.wsgi_request)]


def apply(client: Client, page: Any) -> list[str]:
    """Apply the preview, and return the messages."""
    response = press(client, page, "apply")
    location = response.headers.get("Location")
    assert (response.status_code, location) == (302, page.wsgi_request.get_full_path())
    messages = messages_of(response)
    client.get(response["Location"])
    return messages


class Agency:
    """Ana, Bo, Cy (archived), and a project whose budget, restricted by person, has QA and Design."""

    def __init__(self) -> None:
        self.organization = OrganizationFactory()
        own = {"organization": self.organization}
        self.ana, self.bo, self.cy = (
            PersonFactory(first_name=first, last_name="Z", email=None, **own) for first in ("Ana", "Bo", "Cy")
        )
        self.cy.archive()
        self.project = ProjectFactory(name="Portal", **own)
        self.deal = DealFactory(name="Budget", project=self.project, person_restricted_tracking=True, **own)
        self.testing, self.drawing = (ServiceTypeFactory(name=name, **own) for name in ("Testing", "Drawing"))
        self.qa, self.design = (
            ServiceFactory(name=name, deal=self.deal, service_type=service_type, **own)
            for name, service_type in (("QA", self.testing), ("Design", self.drawing))
        )

    def join(self, *people: Person) -> None:
        for person in people:
            ProjectAssignmentFactory(person=person, project=self.project, organization=self.organization)

    def assign(self, service: Service, *people: Person) -> None:
        for person in people:
            ServiceAssignmentFactory(person=person, service=service, organization=self.organization)

    def people(self, number: int) -> list[Person]:
        return Person.objects.bulk_create(
            Person(organization=self.organization, first_name=f"P{n:05}", last_name="Z")
            for n in range(number)
        )

    def staff(self, *codenames: str) -> Any:
        return staff(self.organization, *codenames)
