"""Test that PostgreSQL uses indexes for all requests.

The requests are generated from the router, the filter sets and the sorts, so that new ones are covered. A
test sends each of them, and runs its SELECTs again with EXPLAIN ANALYZE.

A text search (`contains`, `query` and their negations) may read all rows of the organization, by an index
that begins with the organization. So may a filter that most rows match.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import pytest
from django.db import connection, transaction

from assignments.access import Access
from assignments.activities import ITEMS, Item
from assignments.filters import ItemTypeFilter
from assignments.tracking import Kind
from assignments.tracking_filters import (
    AccessFilter,
    DayFilter,
    KindFilter,
    Qualifier,
    TrackableByFilter,
    TrackingFilter,
)
from catalog.filters import CompanyFilter
from productive.accounts.authentication import TOKENS
from productive.accounts.models import Organization
from productive.database.lookups import ALL_ROWS, NO_ROWS
from productive.jsonapi.date_filters import DateFilter
from productive.jsonapi.filter_operations import NEGATIONS, NUMBER_OPERATIONS, OperationFilter
from productive.jsonapi.filters import (
    TEXT_OPERATIONS,
    ChoiceFilter,
    EmptyFilter,
    IdFilter,
    OwnIdFilter,
    TextFilter,
)
from productive.jsonapi.records import by_id, in_order
from tests.support.api import Api
from tests.support.factories import ApiTokenFactory, ProjectFactory
from tests.support.many_organizations import FIRST, OWN, RECORD, analyze, fill, rows_by_table
from tests.support.query_plans import max_sorted, nodes, plans, rows_read, sequential_scans
from tests.support.resources import RESOURCES, SERVED, model_of

pytestmark = [pytest.mark.postgresql, pytest.mark.django_db]

OPERATIONS = dict.fromkeys([*TEXT_OPERATIONS, *NUMBER_OPERATIONS, *NEGATIONS])
SIZE, MAX_SORTED = 10, 250

# Request → tables that it may scan sequentially. It joins most of the organization's services with their
# budgets, which are most budgets in the table, so a scan is cheaper.
SEQUENTIAL = {
    "services?filter[project_id][not_eq]": {"catalog_deal"},
    "services?filter[responsible_id][not_eq]": {"catalog_deal"},
    "services?filter[budget_status]": {"catalog_deal"},
    "services?filter[after]": {"catalog_deal"},
    "services?filter[before]": {"catalog_deal"},
    "services?filter[access][eq]": {"catalog_deal", "catalog_service"},
    "services?filter[access][not_eq]": {"catalog_deal", "catalog_service"},
}
# Requests that may sort all rows, because states of access that many services have can't use an index.
SORTED = "services?filter[access]"


@pytest.fixture(scope="module")
def secret(django_db_setup: None, django_db_blocker: Any) -> Iterator[str]:
    """Return a token of the largest of forty organizations.

    It has four times as many rows as the others.
    """
    with django_db_blocker.unblock(), transaction.atomic():
        yield fill()
        transaction.set_rollback(True)


@pytest.fixture
def api(secret: str, db: None) -> Api:
    return Api(secret)


# --- Requests -------------------------------------------------------------------------------------


def orders(resource: str, *, related: bool = False) -> Iterator[str]:
    """Yield the default order, and each sort by own or by related columns, in both directions."""
    view = RESOURCES[resource]
    if not related:
        yield resource
    for sort, columns in {"id": ("id",), **view.sorts}.items():
        if view.sort_expressions.keys().isdisjoint(columns) is not related:
            yield f"{resource}?sort={sort}"
            yield f"{resource}?sort=-{sort}"


def filters(resource: str) -> Iterator[str]:
    """Yield each filter with each operation, and values of existing records."""
    declared = SERVED[resource].filterset_class.base_filters
    tracking_filter = next(
        (name for name, each in declared.items() if isinstance(each, TrackingFilter)), "person_id"
    )
    for name, each in declared.items():
        prefix = f"filter[{tracking_filter}]={RECORD}&" if isinstance(each, Qualifier) else ""
        for operation in filter(each.takes, OPERATIONS):
            for value in values_for(name, each):
                if isinstance(each, ChoiceFilter) and (operation, each.conditions[value][1]) == (
                    "not_eq",
                    ALL_ROWS,
                ):
                    continue  # No query is necessary.
                yield f"{resource}?{prefix}filter[{name}][{operation}]={value}"


def values_for(name: str, each: OperationFilter) -> list[Any]:
    match each:
        case ChoiceFilter():
            # No query is necessary for a condition that no record meets.
            return [value for value, (_, condition) in each.conditions.items() if condition != NO_ROWS]
        case ItemTypeFilter():
            return ["person"]
        case EmptyFilter():
            return []
        case AccessFilter():
            return [*Access]
        case DayFilter() | DateFilter():
            return ["2026-11-23"]
        case KindFilter():
            return [*Kind]
        case TextFilter():
            return ["Budget 7"]
        case TrackableByFilter():
            return [RECORD]
        case IdFilter():
            return [RECORD, f"{RECORD},{RECORD + 100}"]
    raise NotImplementedError(f"a value for the filter {name}")


def groups(resource: str) -> Iterator[str]:
    """Yield all filters by ids, one or the other, without and with others around them."""
    declared = SERVED[resource].filterset_class.base_filters
    names = [name for name, each in declared.items() if type(each) in (IdFilter, OwnIdFilter, CompanyFilter)]
    numbered = "&".join(f"filter[{n}][{name}]={RECORD}" for n, name in enumerate(names))
    yield f"{resource}?filter[$op]=or&{numbered}"
    nested = numbered.replace("filter", "filter[1]")
    yield f"{resource}?filter[0][id][gt]=0&filter[1][$op]=or&{nested}"


def records() -> Iterator[str]:
    for resource in RESOURCES:
        yield f"{resource}/{OWN if resource == 'organizations' else RECORD}"
    yield f"tracking_decisions/{RECORD}-{RECORD}-time-2026-11-23"


# --- Tests ----------------------------------------------------------------------------------------


def test_filters_and_records_use_an_index(api: Api) -> None:
    """Only the selected rows are sorted: the index has another order.

    Sorting up to two hundred rows of a small table is cheap.
    """
    found = {}
    paths = (path for resource in SERVED for path in filters(resource))
    for path in (*records(), *paths, *(path for resource in RESOURCES for path in groups(resource))):
        page, *others = plans(api, path)
        scanned = set[str]().union(*map(sequential_scans, (page, *others)))
        scanned -= next((tables for start, tables in SEQUENTIAL.items() if path.startswith(start)), set())
        rows = 0 if path.startswith(SORTED) else max_sorted(page)
        if scanned or rows > MAX_SORTED:
            found[path] = scanned, rows
    assert found == {}


def test_page_in_any_order_reads_only_its_rows(api: Api) -> None:
    """Test the first two pages by cursor, and a later one."""
    found = {}
    for path in (path for name in RESOURCES if name != "organizations" for path in orders(name)):
        first = f"{path}{'&' if '?' in path else '?'}page[size]={SIZE}"
        after = following(api, first)
        far = first
        for _ in range(10):
            far = following(api, far)
        for page in (first, f"{first}&page[after]=", after, far):
            plan = plans(api, page)[0]
            rows = max(
                rows_read(node) for node in nodes(plan) if node.get("Relation Name") in rows_by_table()
            )
            if rows > SIZE + 1 or max_sorted(plan):
                found[page] = rows, max_sorted(plan)
    assert found == {}


def test_sorts_by_related_names_read_only_own_rows(api: Api) -> None:
    """They sort all rows of the organization, which they find by an index."""
    found, sorts = {}, 0
    for resource in RESOURCES:
        for path in orders(resource, related=True):
            own = 4 * rows_by_table()[model_of(resource)._meta.db_table][0]
            first = f"{path}&page[size]={SIZE}"
            for page in (first, following(api, first)):
                for plan in plans(api, page)[:1]:
                    rows = max(rows_read(node) for node in nodes(plan) if "Relation Name" in node)
                    if sequential_scans(plan) or rows > own:
                        found[page] = sequential_scans(plan), rows
                sorts += 1
    assert found == {}
    assert sorts


def test_activities_read_only_their_page(api: Api) -> None:
    """Each table of the history is read in the order of its index, and no further than the page needs."""
    tables = {item.history._meta.db_table for item in ITEMS}
    with connection.cursor() as cursor:
        for item in ITEMS:
            copy_to_history(cursor, item)
    first = f"activities?page[size]={SIZE}"
    after = following(api, first)
    # Page → the number of rows of each table that may be read to find its entries.
    pages = {
        f"{first}&page[after]=": SIZE + 1,
        after: SIZE + 1,
        f"{first}&page[number]=3": 3 * SIZE,
        f"{first}&filter[after]=2020-01-01&page[after]=": SIZE + 1,
        f"{first}&filter[item_type]=person&filter[item_id]={RECORD}&page[after]=": SIZE + 1,
        f"activities/{api.get(after).ids[0]}": 1,
    }
    for page, rows in pages.items():
        found = plans(api, page)
        assert max(rows_read(node) for node in nodes(found[0]) if "Relation Name" in node) <= rows, page
        for plan in found:
            scans = [node["Relation Name"] for node in nodes(plan) if node["Node Type"] == "Seq Scan"]
            assert tables.isdisjoint(scans), page
            assert sequential_scans(plan) == set(), page


def copy_to_history(cursor: Any, item: Item) -> None:
    """Record that each row was created, as `seed` does."""
    table, rows = item.history._meta.db_table, item.model._meta.db_table
    fields = ", ".join(f'"{field.column}"' for field in item.history.tracked_fields)
    statement = f"""
        INSERT INTO {table} ({fields}, history_date, history_type, change_set, via)
        SELECT {fields}, created_at, '+', gen_random_uuid(), '' FROM {rows}
    """  # noqa: S608
    cursor.execute(statement)
    cursor.execute(f"ANALYZE {table}")


@pytest.mark.parametrize(
    ("other_ids", "own_ids"),
    [((1, 1000), (1001, 30000)), ((29001, 30000), (1, 29000))],
    ids=["last", "first"],
)
def test_page_reads_no_rows_of_other_organizations(
    db: None, other_ids: tuple[int, int], own_ids: tuple[int, int]
) -> None:
    """Test rows of another organization before and after its own."""
    own, other = ApiTokenFactory(), ApiTokenFactory()
    own.touch(own.created_at)
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL random_page_cost = 1.1")
        for token, ids in ((own, own_ids), (other, other_ids)):
            owner = token.organization_id
            cursor.execute(
                f"""
                INSERT INTO accounts_person (id, organization_id, created_at, first_name, last_name)
                SELECT {FIRST} + n, %s, now(), 'First', 'Last' FROM generate_series(%s::int, %s::int) n
                """,  # noqa: S608
                [owner, *ids],
            )
            analyze(cursor)
            project = ProjectFactory(organization=token.organization).pk
            cursor.execute(
                f"""
                INSERT INTO assignments_projectassignment
                    (id, organization_id, created_at, person_id, project_id)
                SELECT {FIRST} + n, %s, now(), {FIRST} + n, %s FROM generate_series(%s::int, %s::int) n
                """,  # noqa: S608
                [owner, project, *ids],
            )
        analyze(cursor)
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
    api = Api(own.name)
    found = {}
    for sort in ("id", "-id"):
        first = f"project_assignments?sort={sort}&page[size]={SIZE}"
        for page in (first, f"{first}&page[number]=9", f"{first}&page[after]=", following(api, first)):
            plan = plans(api, page)[0]
            rows = [rows_read(node) for node in nodes(plan) if node.get("Relation Name") in rows_by_table()]
            if max(rows) > 9 * SIZE or max_sorted(plan):
                found[page] = rows, max_sorted(plan)
    assert found == {}


@pytest.mark.parametrize("resource", [name for name in RESOURCES if name != "organizations"])
def test_generic_plan_uses_an_index(resource: str, api: Api) -> None:
    """PostgreSQL may plan a prepared statement without its values."""
    model = model_of(resource)
    queries = [TOKENS, by_id(model, Organization, ("id",)), in_order(model, Organization, ("id",))]
    for query in queries:
        statement = query.compile(connection)
        sql = f"{statement.sql} LIMIT %s OFFSET %s"
        values = [*statement.params, SIZE, 0]
        for place in statement.values:
            values[place] = "no digest" if query is TOKENS else OWN
        with connection.cursor() as cursor:
            cursor.execute("SET LOCAL plan_cache_mode = force_generic_plan")
            first, *parts = sql.split("%s")
            numbered = first + "".join(f"${number}{part}" for number, part in enumerate(parts, 1))
            cursor.execute(f"PREPARE statement AS {numbered}")
            execute = f"EXECUTE statement({', '.join(['%s'] * len(values))})"
            # The server doesn't accept parameters of EXECUTE.
            execute = connection.ops.compose_sql(execute, values)  # type: ignore[attr-defined]
            cursor.execute(f"EXPLAIN (ANALYZE, TIMING OFF, FORMAT JSON) {execute}")
            ((plan,),) = cursor.fetchone()
            cursor.execute("DEALLOCATE statement")
        assert (sequential_scans(plan["Plan"]), max_sorted(plan["Plan"]) <= MAX_SORTED) == (set(), True), sql


def following(api: Api, path: str) -> str:
    """Return the next page by cursor."""
    path = path if "page[after]" in path or "page%5Bafter%5D" in path else f"{path}&page[after]="
    address = urlsplit(api.get(path).json["links"]["next"])
    return f"{address.path}?{address.query}"
