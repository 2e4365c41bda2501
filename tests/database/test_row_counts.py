"""Test that row counts are exact, and that their triggers exist."""

from __future__ import annotations

import random
from typing import Any

import pytest
from django.core.management import call_command
from django.db import connection, transaction
from django.db.migrations.executor import MigrationExecutor
from django.db.models import F, Q, QuerySet, Sum

from assignments.models import ProjectAssignment, ServiceAssignment
from productive.accounts.models import Organization
from productive.database.owned_rows import owned_rows
from productive.database.row_counts import (
    BLOCK_BITS,
    CreateRowCountTriggers,
    RowCount,
    count_rows,
    missing_triggers,
    read_slice,
    row_count_of,
)
from productive.jsonapi.records import read_rows
from tests.support.factories import (
    OrganizationFactory,
    PersonFactory,
    ProjectAssignmentFactory,
    ProjectFactory,
    ServiceAssignmentFactory,
    ServiceFactory,
)

pytestmark = [pytest.mark.django_db, pytest.mark.each_database]

COUNTED = [ProjectAssignment, ServiceAssignment]


def stored(model: Any) -> dict[tuple[int, int], int]:
    """Return the stored numbers by (organization, block), without zeros."""
    counts: Any = row_count_of(model)
    rows = counts.objects.values_list("organization_id", "block").annotate(Sum("number"))
    return {(owner, block): number for owner, block, number in rows if number}


def counted(model: Any) -> dict[tuple[int, int], int]:
    numbers: dict[tuple[int, int], int] = {}
    for owner, pk in model.objects.values_list("organization_id", "id"):
        key = owner, pk >> BLOCK_BITS
        numbers[key] = numbers.get(key, 0) + 1
    return numbers


def create(organization: Organization, *ids: int) -> None:
    """Create project assignments with these ids."""
    project = ProjectFactory(organization=organization)
    ProjectAssignment.objects.bulk_create(
        ProjectAssignment(
            id=pk,
            organization=organization,
            project=project,
            person=PersonFactory(organization=organization),
        )
        for pk in ids
    )


def block(number: int, offset: int = 0) -> int:
    return (number << BLOCK_BITS) + offset


@pytest.mark.parametrize("model", COUNTED)
def test_every_write_is_counted(model: Any) -> None:
    factory: Any = ProjectAssignmentFactory if model is ProjectAssignment else ServiceAssignmentFactory
    own, other = OrganizationFactory(), OrganizationFactory()
    rows = [factory(organization=own) for _ in range(5)] + factory.create_batch(3, organization=other)
    assert sum(stored(model).values()) == 8
    assert stored(model) == counted(model)
    rows[0].delete()
    model.objects.filter(pk=rows[1].pk).update(person=PersonFactory(organization=own))
    model.objects.filter(pk__in=[rows[2].pk, rows[6].pk]).delete()
    rows[3].person.delete()
    assert [count_rows(model.objects.owned_by(each)) for each in (own, other)] == [2, 2]
    assert stored(model) == counted(model)
    with connection.cursor() as cursor:
        cursor.execute(f"DELETE FROM {model._meta.db_table} WHERE id = %s", [rows[7].pk])  # noqa: S608
    assert stored(model) == counted(model)
    own.delete()
    assert stored(model) == counted(model) == {(other.pk, rows[5].pk >> BLOCK_BITS): 1}


def test_rows_that_are_rolled_back_are_not_counted() -> None:
    organization = OrganizationFactory()
    create(organization, 1)
    with pytest.raises(RuntimeError), transaction.atomic():
        create(organization, block(1), block(2))
        raise RuntimeError
    assert stored(ProjectAssignment) == {(organization.pk, 0): 1}


def test_ignored_conflict_is_not_counted() -> None:
    organization = OrganizationFactory()
    row = ProjectAssignmentFactory(organization=organization)
    same = ProjectAssignment(organization=organization, project=row.project, person=row.person)
    ProjectAssignment.objects.bulk_create([same], ignore_conflicts=True)
    assert stored(ProjectAssignment) == counted(ProjectAssignment)
    assert count_rows(ProjectAssignment.objects.all()) == 1


def test_row_with_a_new_id_moves_to_its_block() -> None:
    organization = OrganizationFactory()
    create(organization, 1, 2, block(1))
    ProjectAssignment.objects.filter(pk=2).update(id=block(3))
    assert stored(ProjectAssignment) == {
        (organization.pk, 0): 1,
        (organization.pk, 1): 1,
        (organization.pk, 3): 1,
    }


@pytest.mark.django_db(transaction=True)
def test_flush_resets_the_counts() -> None:
    create(OrganizationFactory(), 1, block(1))
    call_command("flush", interactive=False, verbosity=0)
    assert stored(ProjectAssignment) == {}


def run(operation: CreateRowCountTriggers, *, backwards: bool = False) -> None:
    state = MigrationExecutor(connection).loader.project_state()
    with connection.schema_editor() as editor:
        migrate = operation.database_backwards if backwards else operation.database_forwards
        migrate("assignments", editor, state, state)


TRIGGERS = CreateRowCountTriggers("ProjectAssignment", "ProjectAssignmentRowCount")


@pytest.mark.django_db(transaction=True)
def test_migration_counts_the_existing_rows() -> None:
    """Rows that are written without the triggers are counted later."""
    organization = OrganizationFactory()
    create(organization, 1, block(1))
    run(TRIGGERS, backwards=True)
    try:
        create(organization, 2)
        assert stored(ProjectAssignment) == {(organization.pk, 0): 1, (organization.pk, 1): 1}
    finally:
        run(TRIGGERS)
    assert stored(ProjectAssignment) == counted(ProjectAssignment)
    create(organization, 3)
    assert stored(ProjectAssignment) == {(organization.pk, 0): 3, (organization.pk, 1): 1}


@pytest.mark.parametrize("counts", RowCount.__subclasses__())
def test_migrations_keep_every_trigger(counts: Any) -> None:
    """A migration that alters the table must recreate SQLite's triggers."""
    assert missing_triggers(connection, counts) == set()


@pytest.mark.skipif(connection.vendor != "sqlite", reason="how SQLite alters tables")
@pytest.mark.django_db(transaction=True)
def test_triggers_are_recreated_after_a_table_was_rebuilt() -> None:
    organization = OrganizationFactory()
    create(organization, 1)
    with connection.schema_editor() as editor:
        editor._remake_table(ProjectAssignment)  # type: ignore[attr-defined]
    assert len(missing_triggers(connection, row_count_of(ProjectAssignment))) == 3
    run(TRIGGERS)
    create(organization, 2, block(1))
    assert stored(ProjectAssignment) == {(organization.pk, 0): 2, (organization.pk, 1): 1}


@pytest.mark.parametrize(
    ("narrow", "is_known"),
    [
        (lambda rows, own: rows, True),
        (lambda rows, own: rows.owned_by(own), True),
        (lambda rows, own: rows.owned_by_any([own]), True),
        (lambda rows, own: rows.owned_by_any([]), True),
        (lambda rows, own: rows.owned_by_any(Organization.objects.filter(pk=own.pk)), False),
        (lambda rows, own: rows.owned_by(own).order_by("-id").select_related("person").all(), True),
        (lambda rows, own: rows.order_by("id").filter(Q()).owned_by(own), True),
        (lambda rows, own: rows.owned_by(own).filter(Q()), True),
        (lambda rows, own: rows.owned_by(own).filter(Q(watched=True)), False),
        (lambda rows, own: rows.filter(watched=None).owned_by(own), False),
        (lambda rows, own: rows.owned_by(own).owned_by(OrganizationFactory()), False),
        (lambda rows, own: rows.owned_by_any([]).owned_by(own), False),
        (lambda rows, own: rows.first().person.project_assignments.owned_by(own), False),
        (lambda rows, own: rows.owned_by(own).complex_filter({"watched": None}), False),
        (lambda rows, own: rows.owned_by(own).extra(where=["id > 3"]), False),
        (lambda rows, own: rows.owned_by(own).order_by().union(rows.filter(pk=4).order_by()), False),
        (lambda rows, own: rows.owned_by(own).reverse(), False),
        (lambda rows, own: rows.exclude(organization=own), False),
        (lambda rows, own: rows.owned_by(own).filter(watched=None), False),
        (lambda rows, own: rows.owned_by(own).filter(pk__gt=3), False),
        (lambda rows, own: rows.owned_by(own) | rows.filter(pk=1), False),
        (lambda rows, own: rows.filter(person__organization=own), False),
        (lambda rows, own: rows.owned_by(own)[:2], False),
        (lambda rows, own: rows.owned_by(own).none(), False),
        (lambda rows, own: rows.owned_by(own).values("project").distinct(), False),
        (lambda rows, own: rows.owned_by(own).annotate(name=F("person__first_name")), False),
    ],
)
def test_count_rows_equals_count(narrow: Any, is_known: bool, django_assert_num_queries: Any) -> None:
    own = OrganizationFactory()
    create(own, 1, 2, 3, block(1))
    create(OrganizationFactory(), 4)
    queryset = narrow(ProjectAssignment.objects, own)
    queryset = queryset if isinstance(queryset, QuerySet) else queryset.all()
    assert (owned_rows(queryset) is not None) is is_known
    assert count_rows(queryset) == queryset.count()


def test_count_rows_reads_no_row(django_assert_num_queries: Any) -> None:
    own = OrganizationFactory()
    create(own, *range(1, 30))
    with django_assert_num_queries(1) as queries:
        assert count_rows(ProjectAssignment.objects.owned_by(own)) == 29
    assert '"assignments_projectassignment"' not in queries[0]["sql"]


@pytest.mark.parametrize("order", ["id", "-id", "pk", "-pk", "-watched"])
def test_read_slice_equals_the_slice(order: str) -> None:
    """Some blocks have few rows, and rows of others are between them."""
    own, other = OrganizationFactory(), OrganizationFactory()
    chosen = random.Random(7)
    ids = [
        block(number, offset) for number in (1, 2, 4, 9) for offset in chosen.sample(range(2**BLOCK_BITS), 4)
    ]
    create(own, *ids)
    create(other, *(pk + 1 for pk in ids if pk + 1 not in ids))
    # Only create the count, because creating so many rows would take long.
    counts: Any = row_count_of(ProjectAssignment)
    counts.objects.create(organization_id=own.pk, block=0, shard=0, number=2 * 2**BLOCK_BITS)
    absent = 2 * 2**BLOCK_BITS
    rows = ProjectAssignment.objects.owned_by(own).order_by(order)
    all_values = list(rows.values_list("id", "person"))
    if order == "-watched":
        assert list(read_slice(rows, ["id", "person"], 3, 9)) == all_values[3:9]
        return
    before = 0 if order.startswith("-") else absent
    for start in range(0, 20, 3):
        for stop in (start + 1, start + 5, start + 30):
            assert (
                list(read_slice(rows, ["id", "person"], before + start, before + stop))
                == all_values[start:stop]
            )


def test_reversed_queryset_begins_with_the_last_rows() -> None:
    own = OrganizationFactory()
    create(own, 3, 5, 8)
    found, _ = read_rows(ProjectAssignment.objects.owned_by(own).reverse(), ("id",), 0, 2)
    assert [row[0] for row in found] == [8, 5]


def test_services_are_not_counted() -> None:
    """A catalog has thousands of rows, and counting slows each write down."""
    organization = OrganizationFactory()
    ServiceFactory.create_batch(2, organization=organization)
    services = ServiceFactory._meta.model.objects.owned_by(organization)
    assert row_count_of(services.model) is None
    assert count_rows(services) == 2
