"""Test that deletions are recorded, with the rows that depend on them."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from assignments.models import ServiceAssignment
from catalog.models import Project
from productive.accounts.models import ApiToken, Organization, Person, User
from tests.support import factories
from tests.support.admin import create_row, delete, form_data, superuser, url
from tests.support.factories import (
    OrganizationFactory,
    PersonFactory,
    ServiceAssignmentFactory,
    ServiceFactory,
    UserFactory,
)
from tests.support.history import RECORDED, Records, change_sets, user_of

pytestmark = [pytest.mark.django_db, pytest.mark.no_cover]


def test_deletion_records_cascades_in_few_statements(
    django_assert_num_queries: Any, records: Records
) -> None:
    person = PersonFactory()
    services = ServiceFactory.create_batch(30, organization=person.organization)
    rows = [
        ServiceAssignmentFactory(person=person, service=service, organization=person.organization)
        for service in services
    ]
    records()
    with CaptureQueriesContext(connection) as queries:
        person.delete()
    inserts = [query["sql"].split('"')[1] for query in queries if query["sql"].startswith("INSERT")]
    assert sorted({*inserts}) == ["accounts_historicalperson", "assignments_historicalserviceassignment"]
    # In batches as large as the database allows.
    assert len(inserts) <= 3
    assert [(model, pk, kind) for model, pk, kind, *_ in records()] == [
        (Person, rows[0].person_id, "-"),
        *((ServiceAssignment, row.pk, "-") for row in rows),
    ]
    assert len({*change_sets()[-31:]}) == 1


def test_deletion_with_default_manager_is_recorded_per_row(records: Records) -> None:
    assignment = ServiceAssignmentFactory()
    records()
    Person._base_manager.filter(pk=assignment.person_id).delete()
    assert [record[:3] for record in records()] == [
        (Person, assignment.person_id, "-"),
        (ServiceAssignment, assignment.pk, "-"),
    ]


def test_history_remains_after_deletion_of_organization() -> None:
    organization = OrganizationFactory()
    rows = {model: create_row(model, organization).pk for model in RECORDED}
    token = ApiToken.objects.get(pk=rows[ApiToken])
    organization.delete()
    for model in RECORDED:
        kinds = model.history.filter(id=rows[model]).values_list("history_type", flat=True)
        deleted = ["-"] if model is not User else []
        assert list(kinds) == [*deleted, "+"], model
        assert {*model.history.filter(id=rows[model]).values_list("id", flat=True)} == {rows[model]}
    assert token.history.first().organization_id == rows[Organization]


def test_deletion_of_user_is_recorded_for_its_person(records: Records) -> None:
    person = PersonFactory()
    person.user = UserFactory()
    person.save()
    login, client = person.user_id, superuser()
    records()
    assert delete(client, User.objects.get(pk=login)).status_code == 302
    by = (user_of(client), "admin")
    assert [record for record in records() if record[:2] == (Person, person.pk)] == [
        (Person, person.pk, "~", *by)
    ]
    assert person.history.first().user_id is None


@pytest.mark.django_db(transaction=True)
def test_deleted_user_stays_author_of_changes() -> None:
    client, other = superuser(), superuser()
    own = user_of(client)
    project = factories.ProjectFactory()
    change = url(Project, "change", project.pk)
    assert client.post(change, {**form_data(client, change), "name": "New name"}).status_code == 302
    assert project.history.first().history_user_id == own
    # Nobody deletes their own user in the admin.
    assert delete(other, User.objects.get(pk=own)).status_code == 302
    deleted = User.history.get(id=own, history_type="-")
    assert (deleted.history_user_id, deleted.via) == (user_of(other), "admin")
    history = other.get(url(Project, "history", project.pk))
    assert next(entry.author for entry in history.context["entries"]) == deleted.username
    assert f"by {deleted.username} (admin)" in history.content.decode()
    found = other.get("/admin/changes/", {"who": deleted.username, "model": "catalog.project"})
    assert [one.author for one in found.context["sets"]] == [deleted.username]
