"""Check that a large agency is as valid as the one it was copied from."""

from __future__ import annotations

from io import StringIO

import pytest
from django.core.management import call_command
from django.db.models import Count

from assignments.models import Filter, ProjectAssignment, ServiceAssignment
from productive.accounts.models import Person
from productive.management.commands.seed import MODELS
from productive.management.invariants import violations
from tests.benchmarks.large_agency import ASSIGNMENTS_OF_SEED, create
from tests.support.factories import ProjectAssignmentFactory

pytestmark = [pytest.mark.django_db, pytest.mark.any_database, pytest.mark.no_cover]


def test_agency_has_every_row_as_often_as_copies() -> None:
    call_command("seed", organization_name="Small", stdout=StringIO())
    counts = {model: model.objects.count() for model in MODELS}
    organization = create("Large", 7)
    assert {model: model.objects.owned_by(organization).count() for model in MODELS} == {
        model: count if model is Filter else 7 * count for model, count in counts.items()
    }
    assert counts[ProjectAssignment] + counts[ServiceAssignment] == ASSIGNMENTS_OF_SEED


def test_every_row_is_valid_and_recorded() -> None:
    organization = create("Large", 3)
    for model in MODELS:
        rows = model.objects.owned_by(organization).select_related()
        for row in rows:
            row.full_clean()
        assert [*model.history.order_by("id").values_list("id", "history_date", "history_type")] == [
            (row.pk, row.created_at, "+") for row in rows.order_by("id")
        ]
    assert list(violations()) == []


def test_links_lead_to_every_copy() -> None:
    """Each person has as many assignments as the one they are a copy of."""
    organization = create("Large", 5)
    for name in ("project_assignments", "service_assignments", "service_type_assignments"):
        people = Person.objects.owned_by(organization).annotate(number=Count(name)).order_by("id")
        numbers = list(people.values_list("number", flat=True))
        assert numbers == numbers[:48] * 5


def test_later_rows_get_the_next_ids() -> None:
    organization = create("Large", 2)
    last = ProjectAssignment.objects.latest("id")
    added = ProjectAssignmentFactory(organization=organization, project=last.project)
    assert added.pk == last.pk + 1
