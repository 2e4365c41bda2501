"""Test the command `seed`."""

from __future__ import annotations

import pytest
from django.core.management import CommandError
from django.db import connection

from assignments.models import Filter
from catalog.models import Project
from productive.accounts.models import Organization, Person
from productive.database.history import history_of
from productive.database.row_counts import row_count_of
from productive.management import agency
from productive.management.commands.seed import MODELS
from tests.support.commands import seed
from tests.support.factories import PersonFactory, ProjectFactory

pytestmark = pytest.mark.django_db

SMALLEST = {"people": 20, "projects": 6}


def snapshot() -> dict[str, list[tuple[str, ...]]]:
    """Return all values but ids; those of filters relative to the first filter."""
    first_filter = Filter.objects.order_by("id")[0].pk
    content = {}
    for model in MODELS:
        rows = []
        for row in model.objects.order_by("id"):
            values = {f.name: getattr(row, f.name) for f in model._meta.concrete_fields if f.name != "id"}
            for name in ("default_filter_id", "budgets_filter_id"):
                if values.get(name) is not None:
                    values[name] -= first_filter
            rows.append(tuple(str(value) for value in values.values()))
        content[model.__name__] = rows
    return content


def test_agency_has_requested_size() -> None:
    out = seed()
    counts = {model.__name__: model.objects.count() for model in MODELS}
    assert {name: counts[name] for name in ("Person", "ServiceType", "Filter", "Project", "Deal")} == {
        "Person": 48,
        "ServiceType": 19,
        "Filter": 12,
        "Project": 25,
        "Deal": 35,
    }
    assert counts["Service"] >= 120
    assert counts["ProjectAssignment"] >= 200
    assert counts["ServiceAssignment"] >= 150
    assert counts["ServiceTypeAssignment"] >= 150
    organization = Organization.objects.get()
    assert (organization.name, organization.time_zone) == ("Studio Maestral", "Europe/Zagreb")
    assert out.splitlines() == [
        f"Studio Maestral (organization {organization.pk})",
        *(
            f"{counts[model.__name__]:>9,} {words}"
            for model, words in zip(
                MODELS,
                (
                    "people",
                    "service types",
                    "service type assignments",
                    "filters",
                    "companies",
                    "projects",
                    "project assignments",
                    "budgets",
                    "services",
                    "service assignments",
                ),
                strict=True,
            )
        ),
    ]


@pytest.mark.any_database
def test_same_options_give_the_same_agency() -> None:
    snapshots = []
    for number in (7, 7, 8):
        seed(**SMALLEST, random_seed=number)
        snapshots.append(snapshot())
        for model in reversed(MODELS):
            model.objects.all().delete()
        Organization.objects.all().delete()
    assert snapshots[0] == snapshots[1]
    assert snapshots[0] != snapshots[2]


@pytest.mark.any_database
def test_second_run_changes_nothing() -> None:
    seed(**SMALLEST)
    before, organization = snapshot(), Organization.objects.get()
    out = seed(people=30, random_seed=9)
    assert out == f"Studio Maestral already exists (organization {organization.pk}): nothing was changed.\n"
    assert snapshot() == before


def test_other_organizations_are_not_changed() -> None:
    person = PersonFactory()
    seed(organization_name="Elsewhere", **SMALLEST)
    assert list(Person.objects.owned_by(person.organization)) == [person]
    assert {
        model.__name__: model.objects.exclude(organization__name="Elsewhere").count() for model in MODELS
    } == {model.__name__: int(model is Person) for model in MODELS}


def test_every_row_has_history_record() -> None:
    seed(**SMALLEST)
    for model in (Organization, *MODELS):
        rows = model.objects.values_list("id", "created_at")
        records = model.history.values_list("id", "history_date").filter(history_type="+")
        assert sorted(rows) == sorted(records)
        assert model.history.count() == len(rows) > 0


def test_later_rows_get_the_next_ids() -> None:
    seed(**SMALLEST)
    last = Project.objects.latest("id")
    assert ProjectFactory(organization=last.organization).pk == last.pk + 1


@pytest.mark.postgresql
@pytest.mark.django_db(transaction=True)
def test_postgresql_has_statistics_of_the_new_rows() -> None:
    seed()
    with connection.cursor() as cursor:
        for model in [*MODELS, *map(history_of, MODELS)]:
            cursor.execute(
                "SELECT reltuples FROM pg_class WHERE relname = %s",
                [model._meta.db_table],
            )
            assert cursor.fetchone() == (model.objects.count(),)
        for counts in filter(None, map(row_count_of, MODELS)):
            table = counts._meta.db_table
            cursor.execute("SELECT reltuples FROM pg_class WHERE relname = %s", [table])
            assert cursor.fetchone()[0] > 0


@pytest.mark.skipif(connection.vendor != "sqlite", reason="reads a table of SQLite")
def test_sqlite_has_statistics_of_the_new_rows() -> None:
    seed(**SMALLEST)
    with connection.cursor() as cursor:
        cursor.execute("SELECT DISTINCT tbl FROM sqlite_stat1")
        known = {row[0] for row in cursor.fetchall()}
    filled = {model._meta.db_table for model in [*MODELS, *map(history_of, MODELS)]}
    assert known >= filled | {counts._meta.db_table for counts in filter(None, map(row_count_of, MODELS))}


@pytest.mark.any_database
@pytest.mark.parametrize(
    "option", [{"people": 19}, {"people": 1001}, {"people": -1}, {"projects": 5}, {"projects": 481}]
)
def test_size_out_of_range_is_rejected(option: dict[str, int]) -> None:
    with pytest.raises(CommandError) as caught:
        seed(**option)
    assert str(caught.value) == "--people must be from 20 to 1,000, --projects from 6 to 480."
    assert Organization.objects.count() == 0


def test_blank_name_is_rejected() -> None:
    with pytest.raises(CommandError) as caught:
        seed(organization_name=" ")
    assert str(caught.value) == "name: This field cannot be blank."


def test_failed_seed_leaves_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(agency, "FILTERS", {"Too long": {"query": object()}})
    with pytest.raises(TypeError):
        seed()
    assert [model.objects.count() for model in (Organization, *MODELS)] == [0] * 11
