"""Test that a compiled query returns the rows of its queryset."""

from __future__ import annotations

import gc
from threading import Barrier, Thread
from typing import Any
from weakref import ref

import pytest
from django.db import connections, models
from django.db.models import ExpressionWrapper, Q, Value
from django.db.models.functions import Coalesce, Concat, TruncDate

from assignments.models import ProjectAssignment
from productive.accounts.models import Person
from productive.database.query_cache import CompiledQuery, from_json, padded
from tests.support.factories import PersonFactory, ProjectAssignmentFactory

pytestmark = pytest.mark.django_db


def named(organization: int, title: str) -> models.QuerySet[Person, Any]:
    people = Person.objects.filter(organization=organization, title=title).order_by("last_name")
    return people.values_list("pk", "created_at", "archived_at", Concat("first_name", Value("!")))


def test_rows_equal_those_of_the_queryset(django_assert_num_queries: Any) -> None:
    designer, other = PersonFactory(title="Designer"), PersonFactory(title="Designer")
    PersonFactory(organization=designer.organization, title="Developer")
    query = CompiledQuery(Person, named, 1, "")
    for person in (designer, other, designer):
        with django_assert_num_queries(1):
            rows = query.rows(person.organization_id, "Designer")
        assert [tuple(row) for row in rows] == list(named(person.organization_id, "Designer"))
        assert [row[0] for row in rows] == [person.pk]
    assert query.rows(designer.organization_id, "nobody's") == []
    assert query.rows(designer.organization_id, "' OR 1=1 --") == []


def test_datetimes_and_json_are_converted() -> None:
    row = ProjectAssignmentFactory(preferences={"a": [1, None]}, watched=True)

    def one(pk: int) -> models.QuerySet[ProjectAssignment, Any]:
        return ProjectAssignment.objects.filter(pk=pk).values_list("created_at", "preferences", "watched")

    ((moment, preferences, watched),) = CompiledQuery(ProjectAssignment, one, 1).rows(row.pk)
    row.refresh_from_db()
    assert (moment, preferences, watched) == (row.created_at, {"a": [1, None]}, True)


def test_json_that_only_python_reads_is_converted() -> None:
    """As the ORM does; no validated value is such JSON."""
    value = from_json('[NaN, 1, "a"]', None, None)
    assert (str(value[0]), value[1:]) == ("nan", [1, "a"])
    assert [from_json(text, None, None) for text in ("{}", "null", '"a"')] == [{}, None, "a"]


def test_values_of_expressions_are_converted_as_by_the_orm() -> None:
    """SQLite returns the values of expressions as text and numbers."""
    person = PersonFactory(archived_at="2026-01-01T00:00Z")

    def one(pk: int) -> models.QuerySet[Person, Any]:
        first = Coalesce("archived_at", "created_at")
        is_archived = ExpressionWrapper(Q(archived_at__isnull=False), models.BooleanField())
        return Person.objects.filter(pk=pk).values_list(first, TruncDate("created_at"), is_archived)

    (row,) = CompiledQuery(Person, one, 1).rows(person.pk)
    (expected,) = one(person.pk)
    assert [*map(repr, row)] == [*map(repr, expected)]


def test_query_that_changes_a_value_is_rejected() -> None:
    """The compiled SQL would have the changed placeholder."""

    def changed(pk: int) -> models.QuerySet[Person, Any]:
        return Person.objects.filter(pk=pk + 1).values_list("pk")

    with pytest.raises(ValueError, match="unchanged"):
        CompiledQuery(Person, changed, 1).rows(1)


@pytest.mark.parametrize("values", [(), (1,), (1, "a", "b"), ("1", "a"), (1, 2), (True, "a"), (1, None)])
def test_values_of_other_types_than_the_examples_are_rejected(values: Any) -> None:
    query = CompiledQuery(Person, named, 1, "")
    with pytest.raises(ValueError, match=r"takes values of the types \(int, str\), not"):
        query.rows(*values)


@pytest.mark.django_db(transaction=True)
def test_query_has_no_reference_to_a_connection() -> None:
    """Several threads compile it at the same time, and end."""
    person = PersonFactory(title="Designer", archived_at="2026-01-01T00:00Z")
    query, barrier = CompiledQuery(Person, named, 1, ""), Barrier(4)
    found: list[Any] = []
    compiled_for: list[Any] = []

    def run() -> None:
        connection = connections["default"]
        compiled_for.append(ref(connection))
        barrier.wait(10)
        try:
            found.extend(map(tuple, query.rows(person.organization_id, "Designer")))
        finally:
            connections.close_all()

    threads = [Thread(target=run) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    gc.collect()
    assert [connection() for connection in compiled_for] == [None] * 4
    rows = [tuple(row) for row in query.rows(person.organization_id, "Designer")]
    assert found == rows * 4 == [*named(person.organization_id, "Designer")] * 4


def test_padded_ids_are_the_same_ids_in_few_lengths() -> None:
    lists = [padded(range(count)) for count in range(200)]
    assert [{*ids} for ids in lists] == [{*range(count)} for count in range(200)]
    assert {len(ids) for ids in lists} == {0, 1, 2, 4, 8, 16, 32, 64, 128, 256}
