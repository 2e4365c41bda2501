"""Test statistics: without them, SQLite scans an organization's rows for those of a project."""

from __future__ import annotations

import pytest
from django.core.management import call_command
from django.db import connection

from assignments.models import ProjectAssignment
from tests.support.factories import OrganizationFactory, PersonFactory, ProjectFactory

pytestmark = pytest.mark.django_db


def test_rows_of_project_are_found_by_its_index() -> None:
    owner = OrganizationFactory()
    people = PersonFactory.create_batch(5, organization=owner)
    projects = ProjectFactory.create_batch(40, organization=owner)
    ProjectAssignment.objects.bulk_create(
        ProjectAssignment(organization=owner, project=project, person=person)
        for project in projects
        for person in people
    )
    call_command("refresh_statistics")
    if connection.vendor == "sqlite":
        rows = ProjectAssignment.objects.owned_by(owner).filter(project=projects[0]).order_by("id")
        assert "(project_id=?)" in rows[:30].explain()
        with connection.cursor() as cursor:
            cursor.execute("SELECT DISTINCT tbl FROM sqlite_stat1")
            known = {row[0] for row in cursor.fetchall()}
        assert known >= {"accounts_person", "assignments_projectassignmentrowcount"}
