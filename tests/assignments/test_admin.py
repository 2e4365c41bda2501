"""Test concurrent changes in the admin."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import OperationalError, connection, transaction

from assignments.models import ProjectAssignment, ServiceAssignment, ServiceTypeAssignment
from productive.accounts.models import Person, User
from tests.support.admin import form_data, staff, url
from tests.support.concurrency import before_next_save
from tests.support.factories import (
    OrganizationFactory,
    PersonFactory,
    ProjectFactory,
    ServiceFactory,
    ServiceTypeFactory,
)

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.postgresql]


@pytest.mark.parametrize(
    ("model", "name", "factory", "errors"),
    [
        (
            ServiceAssignment,
            "service",
            ServiceFactory,
            {"service": ["only one assignment per service, per person is allowed"]},
        ),
        (
            ProjectAssignment,
            "project",
            ProjectFactory,
            {"person": ["has already been assigned to that project"]},
        ),
        (
            ServiceTypeAssignment,
            "service_type",
            ServiceTypeFactory,
            {"service_type": ["only one assignment per service type, per person is allowed"]},
        ),
    ],
)
def test_concurrent_duplicate_shows_the_form_again(
    model: type[Any], name: str, factory: Any, errors: dict[str, list[str]]
) -> None:
    person = PersonFactory()
    pair = {"person": person, name: factory(organization=person.organization)}
    client = staff(person.organization)
    before_next_save(model, lambda: model.objects.create(organization=person.organization, **pair))
    response = client.post(url(model, "add"), {key: row.pk for key, row in pair.items()})
    assert (response.status_code, response.context["adminform"].form.errors) == (200, errors)
    assert model.objects.count() == 1


def test_person_deleted_concurrently_is_an_invalid_choice() -> None:
    person = PersonFactory()
    project = ProjectFactory(organization=person.organization)
    client = staff(person.organization)
    before_next_save(ProjectAssignment, Person.objects.filter(pk=person.pk).delete)
    response = client.post(url(ProjectAssignment, "add"), {"person": person.pk, "project": project.pk})
    assert list(response.context["adminform"].form.errors) == ["person"]


def test_concurrent_username_shows_the_form_again() -> None:
    organization = OrganizationFactory()
    client = staff(organization)
    before_next_save(User, lambda: User.objects.create(username="ana"))
    person = PersonFactory(organization=organization)
    data = {"person": person.pk, "username": "ana", "usable_password": "false"}
    response = client.post(url(User, "add"), data)
    assert response.context["adminform"].form.errors == {
        "username": ["A user with that username already exists."]
    }


def archive_before_the_next_save_of(person: Person) -> list[Person]:
    """Return a list with the person once archiving has waited for the save."""
    waited = []

    def archive() -> None:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("SET LOCAL lock_timeout = 100")
            with pytest.raises(OperationalError, match="lock timeout"):
                Person.objects.get(pk=person.pk).archive()
            waited.append(person)
            transaction.set_rollback(True)

    before_next_save(Person, archive)
    return waited


def test_row_is_locked_while_its_form_is_saved() -> None:
    """Archiving waits, so saving the form doesn't undo it."""
    person = PersonFactory()
    client = staff(person.organization)
    change = url(Person, "change", person.pk)
    data = {**form_data(client, change), "first_name": "Ana", "last_name": "B"}
    waited = archive_before_the_next_save_of(person)
    assert client.post(change, data).status_code == 302
    assert waited == [person]
