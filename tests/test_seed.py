"""The seeded agency: all of it valid, the same every time, and with every case of the tracking rule in it."""

from __future__ import annotations

import re
from io import StringIO
from itertools import product
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import IntegrityError, connection, transaction
from django.db.models import Count, F, Q
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from assignments.models import Filter, ProjectAssignment, ServiceAssignment, ServiceTypeAssignment
from assignments.tracking import ALLOWANCES, REFUSALS, Kind, decide_all, trackable_by, with_budget
from catalog.models import Deal, Project, Service, ServiceType
from productive.accounts.models import Organization, Person
from productive.database.row_counts import row_count_of
from productive.management.commands import seed as command
from productive.management.commands.seed import KINDS, RECORDED
from productive.management.loading import Loading, take_ids
from productive.management.rebuilding import rebuilt
from tests.support.factories import OrganizationFactory, PersonFactory, ProjectFactory

pytestmark = pytest.mark.django_db

SMALLEST = {"people": 20, "projects": 6}


class Terminal(StringIO):
    def isatty(self) -> bool:
        return True


class BrokenTerminal(Terminal):
    def write(self, text: str) -> int:
        raise BrokenPipeError


def seed(**options: Any) -> str:
    out = StringIO()
    call_command("seed", stdout=out, stderr=StringIO(), **options)
    return out.getvalue()


def services() -> list[Service]:
    """All of them, with what the rule asks for at hand."""
    return list(
        Service.objects.select_related("organization", "deal__organization", "service_type").prefetch_related(
            "deal__project__project_assignments",
            "service_assignments",
            "service_type__service_type_assignments",
        )
    )


def snapshot() -> dict[str, list[tuple[str, ...]]]:
    """Everything but the ids; a filter's id counts from the first filter on."""
    first_filter = Filter.objects.order_by("id")[0].pk
    content = {}
    for kind in KINDS:
        rows = []
        for row in kind._default_manager.order_by("id"):
            values = {f.name: getattr(row, f.name) for f in kind._meta.concrete_fields if f.name != "id"}
            for name in ("default_filter_id", "budgets_filter_id"):
                if values.get(name) is not None:
                    values[name] -= first_filter
            rows.append(tuple(str(value) for value in values.values()))
        content[kind.__name__] = rows
    return content


def everything_but_rows() -> list[tuple[str, ...]]:
    """Each index, constraint and trigger, as the database itself would write it."""
    queries = ["SELECT name, sql FROM sqlite_master WHERE name NOT LIKE 'sqlite_stat%'"]
    if connection.vendor == "postgresql":
        queries = [
            "SELECT tablename, indexdef FROM pg_indexes WHERE schemaname = 'public'",
            "SELECT conrelid::regclass::text, conname, pg_get_constraintdef(oid) FROM pg_constraint"
            " WHERE connamespace = 'public'::regnamespace AND convalidated",
            "SELECT tgrelid::regclass::text, pg_get_triggerdef(oid) FROM pg_trigger WHERE NOT tgisinternal",
        ]
    with connection.cursor() as cursor:
        rows: list[tuple[str, ...]] = []
        for query in queries:
            cursor.execute(query)
            rows += cursor.fetchall()
    return sorted(rows, key=str)


def test_agency_has_the_promised_size() -> None:
    out = seed()
    counts = {kind.__name__: kind._default_manager.count() for kind in KINDS}
    assert {name: counts[name] for name in ("Person", "ServiceType", "Filter", "Project", "Deal")} == {
        "Person": 48,
        "ServiceType": 15,
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
    *lines, speed = out.splitlines()
    assert lines == [
        f"Studio Maestral (organization {organization.pk})",
        *(
            f"{counts[kind.__name__]:>9,} {words}"
            for kind, words in zip(
                KINDS,
                (
                    "people",
                    "service types",
                    "service type assignments",
                    "filters",
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
    total = re.escape(f"{sum(counts.values()):>9,} rows")
    assert re.fullmatch(total + r" in [\d,]+\.\d s, [\d,]+ a second", speed)


@pytest.mark.any_database
def test_every_row_passes_full_clean() -> None:
    seed()
    Organization.objects.get().full_clean()
    rows = [
        *Person.objects.select_related("organization"),
        *ServiceType.objects.select_related("organization"),
        *ServiceTypeAssignment.objects.select_related("organization", "person", "service_type"),
        *Filter.objects.select_related("organization"),
        *Project.objects.select_related("organization"),
        *ProjectAssignment.objects.select_related("organization", "person", "project"),
        *Deal.objects.select_related("organization", "project"),
        *Service.objects.select_related("organization", "deal", "service_type"),
        *ServiceAssignment.objects.select_related("organization", "person", "service"),
    ]
    for row in rows:
        row.full_clean()
    assert len(rows) == sum(kind._default_manager.count() for kind in KINDS)


@pytest.mark.parametrize("kind", ["time", "expense"])
@pytest.mark.parametrize("options", [{}, SMALLEST, SMALLEST | {"random_seed": 2}, {"random_seed": 3}])
def test_every_reason_stands_alone_somewhere(options: dict[str, int], kind: str) -> None:
    seed(**options)
    today = Organization.objects.get().today()
    pairs = list(product(Person.objects.all(), with_budget(Service.objects.all())))
    alone = {
        decision.reasons[0].code
        for decision in decide_all(pairs, today, Kind(kind))
        if len(decision.reasons) == 1
    }
    other = "expense" if kind == "time" else "time"
    assert alone == {*REFUSALS, *ALLOWANCES} - {f"{other}_tracking_disabled"}


def test_somebody_is_on_projects_and_may_track_nowhere() -> None:
    seed()
    today = Organization.objects.get().today()
    members = Person.objects.active().filter(project_assignments__isnull=False).distinct()
    tracked = [
        trackable_by(Service.objects.all(), person.pk, today, Kind.TIME).exists() for person in members
    ]
    assert set(tracked) == {True, False}
    assert Person.objects.active().filter(project_assignments=None).exists()


def test_budgets_come_in_every_state() -> None:
    seed()
    today = Organization.objects.get().today()
    states = {
        "open": Q(closed_at=None),
        "closed": Q(closed_at__isnull=False),
        "closed before its end": Q(closed_at__isnull=False, end_date__gt=today),
        "not yet started": Q(date__gt=today),
        "ended by date": Q(closed_at=None, end_date__lt=today),
        "without dates": Q(date=None, end_date=None),
        "only a start": Q(date__isnull=False, end_date=None),
        "only an end": Q(date=None, end_date__isnull=False),
    }
    restrictions = {
        (person, service_type): Q(
            person_restricted_tracking=person, service_type_restricted_tracking=service_type
        )
        for person in (False, True)
        for service_type in (False, True)
    }
    current = Deal.objects.open().exclude(date__gt=today).exclude(end_date__lt=today)
    assert [state for state, query in states.items() if not Deal.objects.filter(query).exists()] == []
    assert [both for both, query in restrictions.items() if not current.filter(query).exists()] == []


@pytest.mark.parametrize("options", [{}, SMALLEST])
def test_services_come_with_every_oddity(options: dict[str, int]) -> None:
    seed(**options)
    restricted = Service.objects.filter(deal__closed_at=None, deal__person_restricted_tracking=True)
    active = ServiceAssignment.objects.filter(person__archived_at=None)
    oddities = {
        "no time": Service.objects.filter(time_tracking_enabled=False, expense_tracking_enabled=True),
        "no expenses": Service.objects.filter(time_tracking_enabled=True, expense_tracking_enabled=False),
        "neither": Service.objects.filter(time_tracking_enabled=False, expense_tracking_enabled=False),
        "nobody assigned": restricted.filter(service_assignments=None),
        "only archived people assigned": restricted.filter(service_assignments__isnull=False).exclude(
            service_assignments__in=active
        ),
        "archived type on an open budget": Service.objects.filter(
            deal__closed_at=None, service_type__archived_at__isnull=False
        ),
        "archived project": Service.objects.filter(
            deal__closed_at=None, deal__project__archived_at__isnull=False
        ),
    }
    assert [name for name, queryset in oddities.items() if not queryset.exists()] == []
    assert ServiceType.objects.archived().count() == 3


def test_default_filters_are_saved_filters() -> None:
    seed()
    chosen = ProjectAssignment.objects.exclude(default_filter_id=None)
    assert chosen.filter(favorite_filter__name__isnull=False).count() == chosen.count() > 25


def test_moments_are_plausible() -> None:
    seed()
    today = timezone.now().replace(hour=0, minute=0, second=0, microsecond=0)
    assert [kind for kind in KINDS if kind._default_manager.filter(created_at__gte=today).exists()] == []
    wrong = {
        "archived before created": [
            *Person.objects.filter(archived_at__lte=F("created_at")),
            *Project.objects.filter(archived_at__lte=F("created_at")),
            *ServiceType.objects.filter(archived_at__lte=F("created_at")),
            *Deal.objects.filter(closed_at__lte=F("created_at")),
        ],
        "older than what it belongs to": [
            *Deal.objects.filter(created_at__lte=F("project__created_at")),
            *Service.objects.filter(created_at__lte=F("deal__created_at")),
            *Service.objects.filter(created_at__lte=F("service_type__created_at")),
            *ProjectAssignment.objects.filter(created_at__lte=F("project__created_at")),
            *ProjectAssignment.objects.filter(created_at__lte=F("person__created_at")),
            *ServiceAssignment.objects.filter(created_at__lte=F("service__created_at")),
            *ServiceAssignment.objects.filter(created_at__lte=F("person__created_at")),
            *ServiceTypeAssignment.objects.filter(created_at__lte=F("person__created_at")),
        ],
        "after somebody left or something was put away": [
            *ProjectAssignment.objects.filter(created_at__gte=F("person__archived_at")),
            *ServiceAssignment.objects.filter(created_at__gte=F("person__archived_at")),
            *ServiceAssignment.objects.filter(created_at__gte=F("service__deal__closed_at")),
            *ServiceTypeAssignment.objects.filter(created_at__gte=F("service_type__archived_at")),
            *Service.objects.filter(created_at__gte=F("service_type__archived_at")),
            *Service.objects.filter(created_at__gte=F("deal__project__archived_at")),
        ],
    }
    assert [(complaint, rows) for complaint, rows in wrong.items() if rows] == []


@pytest.mark.any_database
def test_same_options_give_the_same_agency() -> None:
    snapshots = []
    for number in (7, 7, 8):
        seed(random_seed=number)
        snapshots.append(snapshot())
        for kind in reversed(KINDS):
            kind._default_manager.all().delete()
        Organization.objects.all().delete()
    assert snapshots[0] == snapshots[1]
    assert snapshots[0] != snapshots[2]


@pytest.mark.any_database
def test_second_run_changes_nothing() -> None:
    seed()
    before, organization = snapshot(), Organization.objects.get()
    out = seed(scale=2, random_seed=9)
    assert out == f"Studio Maestral exists already (organization {organization.pk}): nothing was changed.\n"
    assert snapshot() == before


def test_other_organizations_are_left_alone() -> None:
    person = PersonFactory()
    seed(organization_name="Elsewhere", **SMALLEST)
    assert list(Person.objects.owned_by(person.organization)) == [person]
    assert {
        kind.__name__: kind._default_manager.exclude(organization__name="Elsewhere").count() for kind in KINDS
    } == {kind.__name__: int(kind is Person) for kind in KINDS}


def test_scale_multiplies_people_and_projects_and_the_rest_follows() -> None:
    seed(scale=3)
    counts = {kind.__name__: kind._default_manager.count() for kind in KINDS}
    assert {name: counts[name] for name in ("Person", "ServiceType", "Filter", "Project", "Deal")} == {
        "Person": 144,
        "ServiceType": 45,
        "Filter": 36,
        "Project": 75,
        "Deal": 105,
    }
    assert ServiceType.objects.values("name").distinct().count() == 45
    assert Project.objects.values("project_number").distinct().count() == 75


def test_addresses_stay_unique_beyond_the_stock_of_names() -> None:
    seed(people=4000, projects=6)
    addresses = list(Person.objects.exclude(email=None).values_list("email", flat=True))
    assert len({address.casefold() for address in addresses}) == len(addresses) > 3800
    assert [address for address in addresses if not address.endswith("@agency.example")] == []


def test_assignments_choose_the_scale() -> None:
    seed(assignments=1000)
    counts = {kind: kind._default_manager.count() for kind in KINDS}
    assert (counts[Person], counts[Project]) == (105, 55)
    assert 950 < counts[ProjectAssignment] + counts[ServiceAssignment] < 1050


def test_nobody_and_nothing_has_more_assignments_in_a_larger_agency() -> None:
    seed(scale=10)
    most = {
        "a person's projects": Person.objects.annotate(n=Count("project_assignments")),
        "a person's services": Person.objects.annotate(n=Count("service_assignments")),
        "a person's types": Person.objects.annotate(n=Count("service_type_assignments")),
        "a project's people": Project.objects.annotate(n=Count("project_assignments")),
        "a service's people": Service.objects.annotate(n=Count("service_assignments")),
        "a type's people": ServiceType.objects.annotate(n=Count("service_type_assignments")),
    }
    assert [what for what, rows in most.items() if rows.order_by("-n")[0].n > 60] == []


def test_small_batches_make_the_same_sizes_and_every_row_valid(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(command, "PEOPLE_AT_ONCE", 7)
    monkeypatch.setattr(command, "PROJECTS_AT_ONCE", 4)
    monkeypatch.setattr("productive.management.loading.ROWS_AT_ONCE", 5)
    test_agency_has_the_promised_size()
    for kind in KINDS:
        for row in kind._default_manager.all():
            row.full_clean()


def test_every_row_has_its_first_record() -> None:
    seed(**SMALLEST)
    for kind in (Organization, *KINDS):
        rows = kind.objects.values_list("id", "created_at")
        records = kind.history.values_list("id", "history_date").filter(history_type="+")
        assert sorted(rows) == sorted(records)
        assert kind.history.count() == len(rows) > 0


def test_rows_made_afterwards_have_the_next_ids() -> None:
    seed(**SMALLEST)
    last = {kind: kind._default_manager.order_by("id").last() for kind in KINDS}
    for kind, row in last.items():
        assert list(take_ids(kind, 3)) == [row.pk + 1, row.pk + 2, row.pk + 3]
    project = ProjectFactory(organization=Organization.objects.get())
    assert project.pk == last[Project].pk + 4


def test_first_ids_of_all_are_taken_in_order() -> None:
    first = take_ids(Filter, 2)
    assert list(take_ids(Filter, 2)) == [first[0] + 2, first[1] + 2]


def test_large_agency_is_the_same_and_leaves_the_tables_as_they_were(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Row by row, and with indexes and keys made at the end."""
    before = everything_but_rows()
    snapshots = []
    for large in (command.LARGE, 1):
        monkeypatch.setattr(command, "LARGE", large)
        seed(**SMALLEST)
        snapshots.append(snapshot())
        for kind in reversed(KINDS):
            kind._default_manager.all().delete()
            kind.history.all().delete()
        Organization.objects.all().delete()
    assert snapshots[0] == snapshots[1]
    assert everything_but_rows() == before


def test_empty_tables_are_filled_without_their_indexes() -> None:
    before = everything_but_rows()
    with transaction.atomic(), rebuilt(RECORDED):
        within = everything_but_rows()
    taken_away = [row for row in before if row not in within]
    # On SQLite, the indexes that are no constraints.
    assert len(taken_away) > (140 if connection.vendor == "postgresql" else 60)
    assert [row for row in within if row not in before] == []
    assert everything_but_rows() == before


@pytest.mark.postgresql
def test_comments_come_back_with_what_they_are_on() -> None:
    told = """
        SELECT obj_description(conindid, 'pg_class'), obj_description(pg_constraint.oid, 'pg_constraint')
          FROM pg_constraint WHERE conname = 'accounts_person_unique_user'
        UNION ALL
        SELECT obj_description('accounts_person_by_email'::regclass, 'pg_class'), NULL
    """
    with connection.cursor() as cursor:
        cursor.execute(
            "COMMENT ON CONSTRAINT accounts_person_unique_user ON accounts_person IS 'the DBA''s note'; "
            "COMMENT ON INDEX accounts_person_by_email IS 'asked for by \"people\"'"
        )
        cursor.execute(told)
        before = cursor.fetchall()
        assert before == [(None, "the DBA's note"), ('asked for by "people"', None)]
        with transaction.atomic(), rebuilt(RECORDED):
            pass
        cursor.execute(told)
        assert cursor.fetchall() == before


@pytest.mark.postgresql
def test_tables_that_are_not_filled_stay_readable() -> None:
    """Those of organizations and users: whoever signs in reads them."""
    locked = """
        SELECT DISTINCT relation::regclass::text FROM pg_locks
         WHERE pid = pg_backend_pid() AND mode = 'AccessExclusiveLock'
           AND relation::regclass::text
               IN ('accounts_organization', 'accounts_user', 'accounts_apitoken', 'accounts_person')
    """
    with connection.cursor() as cursor, transaction.atomic(), rebuilt(RECORDED):
        cursor.execute(locked)
        assert cursor.fetchall() == [("accounts_person",)]


@pytest.mark.parametrize("make", [PersonFactory, lambda: seed(**SMALLEST)])
def test_tables_with_rows_keep_their_indexes(make: Any) -> None:
    make()
    before = everything_but_rows()
    with rebuilt(RECORDED):
        assert everything_but_rows() == before
    assert everything_but_rows() == before


def test_rows_that_break_a_rule_are_refused_when_it_is_back() -> None:
    before, loading = everything_but_rows(), Loading(OrganizationFactory())
    person = ("Ana", "Horvat", "ana@agency.example", "2026-11-23 09:30:00")
    with pytest.raises(IntegrityError), transaction.atomic(), rebuilt([Person]):
        loading.load(Person, ("first_name", "last_name", "email", "created_at"), [person, person])
    assert Person.objects.count() == 0
    assert everything_but_rows() == before


@pytest.mark.postgresql
def test_keys_are_checked_when_they_are_back() -> None:
    before, loading = everything_but_rows(), Loading(OrganizationFactory())
    with pytest.raises(IntegrityError), transaction.atomic(), rebuilt([Project, Deal]):
        deal = (1, "Of no project", True, False, False, "2026-11-23 09:30:00")
        names = ("project", "name", "budget", "person_restricted_tracking")
        loading.load(Deal, (*names, "service_type_restricted_tracking", "created_at"), [deal])
    assert everything_but_rows() == before


@pytest.mark.postgresql
def test_each_kind_is_copied_by_one_statement() -> None:
    with CaptureQueriesContext(
        connection,
    ) as queries:
        seed(**SMALLEST)
    copied = [query["sql"].split('"')[1] for query in queries if query["sql"].startswith("COPY")]
    assert sorted(copied) == sorted(kind._meta.db_table for kind in KINDS)
    inserted = [query["sql"].split('"')[1] for query in queries if query["sql"].startswith("INSERT")]
    records = [kind.history.model._meta.db_table for kind in (Organization, *KINDS)]
    assert sorted(inserted) == sorted([Organization._meta.db_table, *records])


@pytest.mark.postgresql
@pytest.mark.django_db(transaction=True)
def test_plans_know_the_rows_at_once() -> None:
    seed()
    with connection.cursor() as cursor:
        for kind in RECORDED:
            cursor.execute(
                "SELECT reltuples FROM pg_class WHERE relname = %s",
                [kind._meta.db_table],
            )
            assert cursor.fetchone() == (kind._default_manager.count(),)
        for counts in filter(None, map(row_count_of, KINDS)):
            table = counts._meta.db_table
            cursor.execute("SELECT reltuples FROM pg_class WHERE relname = %s", [table])
            assert cursor.fetchone()[0] > 0


@pytest.mark.skipif(connection.vendor != "sqlite", reason="PostgreSQL looks by itself, too")
def test_plans_of_sqlite_know_the_rows_and_their_numbers() -> None:
    seed(**SMALLEST)
    with connection.cursor() as cursor:
        cursor.execute("SELECT DISTINCT tbl FROM sqlite_stat1")
        known = {row[0] for row in cursor.fetchall()}
    filled = {kind._meta.db_table for kind in RECORDED}
    assert known >= filled | {counts._meta.db_table for counts in filter(None, map(row_count_of, KINDS))}


@pytest.mark.parametrize(
    "option",
    [
        {"people": 19},
        {"projects": 5},
        {"scale": 0},
        {"people": -1},
        {"assignments": 150},
        {"projects": -1, "assignments": 999},
    ],
)
def test_agency_too_small_to_show_every_case_is_refused(option: dict[str, int]) -> None:
    with pytest.raises(CommandError) as caught:
        seed(**option)
    assert str(caught.value) == (
        "At least --people 20 --projects 6 --scale 1, or --assignments 200: "
        "a smaller agency cannot show every case."
    )
    assert Organization.objects.count() == 0


def test_blank_name_is_refused() -> None:
    with pytest.raises(CommandError) as caught:
        seed(organization_name=" ")
    assert str(caught.value) == "name: This field cannot be blank."


def test_progress_is_for_terminals() -> None:
    terminal, log = Terminal(), StringIO()
    call_command("seed", stdout=StringIO(), stderr=terminal, no_color=True, **SMALLEST)
    call_command("seed", stdout=StringIO(), stderr=log, organization_name="Another", **SMALLEST)
    assert terminal.getvalue() == "\rpeople: 20 of 20\n\rprojects: 6 of 6\n"
    assert log.getvalue() == ""


def test_interrupted_seed_leaves_nothing() -> None:
    organization = OrganizationFactory()
    with pytest.raises(BrokenPipeError):
        call_command("seed", stdout=StringIO(), stderr=BrokenTerminal(), no_color=True)
    assert list(Organization.objects.all()) == [organization]
    assert Person.objects.count() == 0
