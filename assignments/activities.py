"""Activities: what was created, changed and deleted, found in the history for the API.

The entries of each model are in a table of their own. A page merges them, newest first. `activity_rows` reads
them.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, NamedTuple

from django.core.exceptions import EmptyResultSet
from django.db import connections, models
from django.db.models import Value

from assignments.models import Filter, ProjectAssignment, ServiceAssignment, ServiceTypeAssignment
from catalog.models import Company, Deal, Project, Service, ServiceType
from productive.accounts.models import Organization, Person
from productive.database.history import history_of
from productive.database.owned_rows import compared

EVENT_OF_CHANGE = {"+": "create", "~": "update", "-": "destroy"}


class Item(NamedTuple):
    """A model whose entries are activities.

    `code` is part of their ids, so it must not change. `parents` is the path of foreign keys to the record
    that it belongs to, and from there to the root.
    """

    code: int
    model: Any
    parents: tuple[str, ...] = ()

    @property
    def type(self) -> str:
        return type_name(self.model)

    @property
    def history(self) -> Any:
        return history_of(self.model)

    def column(self, name: str) -> str | None:
        """Return the column with the id of a related record, such as "person", or None."""
        columns = {field.attname for field in self.history.tracked_fields}
        return "id" if name == self.type else f"{name}_id" if f"{name}_id" in columns else None


ITEMS = (
    Item(1, Person),
    Item(2, Company),
    Item(3, ServiceType),
    Item(4, Project),
    Item(5, Deal, ("project",)),
    Item(6, Service, ("deal", "project")),
    Item(7, ServiceAssignment, ("service", "deal", "project")),
    Item(8, ProjectAssignment, ("project",)),
    Item(9, ServiceTypeAssignment, ("service_type",)),
    Item(10, Filter),
)
# The id of an activity is that of the entry, times CODES, plus the code of the item.
CODES = 100
BY_HISTORY = {item.history: item for item in ITEMS}
BY_CODE = {item.code: item for item in ITEMS}
BY_MODEL = {item.model: item for item in ITEMS}


def type_name(model: Any) -> str:
    """Return a name such as `service_type`."""
    return "".join(f"_{c.lower()}" if c.isupper() else c for c in model.__name__).lstrip("_")


ITEM_TYPES = tuple(item.type for item in ITEMS)


class Activity(models.Model):
    """Something that was created, changed or deleted, with its values before and after."""

    id = models.PositiveBigIntegerField(primary_key=True)
    event = models.CharField(max_length=7)
    changeset = models.JSONField()
    item_id = models.PositiveBigIntegerField()
    item_type = models.CharField(max_length=50)
    item_name = models.TextField()
    item_deleted_at = models.DateTimeField(null=True)
    parent_id = models.PositiveBigIntegerField(null=True)
    parent_type = models.CharField(max_length=50, null=True)
    parent_name = models.TextField(null=True)
    parent_deleted_at = models.DateTimeField(null=True)
    root_id = models.PositiveBigIntegerField(null=True)
    root_type = models.CharField(max_length=50, null=True)
    root_name = models.TextField(null=True)
    root_deleted_at = models.DateTimeField(null=True)
    deal_is_budget = models.BooleanField()
    task_id = models.PositiveBigIntegerField(null=True)
    deal_id = models.PositiveBigIntegerField(null=True)
    booking_id = models.PositiveBigIntegerField(null=True)
    invoice_id = models.PositiveBigIntegerField(null=True)
    company_id = models.PositiveBigIntegerField(null=True)
    created_at = models.DateTimeField()
    discussion_id = models.PositiveBigIntegerField(null=True)
    engagement_id = models.PositiveBigIntegerField(null=True)
    page_id = models.PositiveBigIntegerField(null=True)
    person_id = models.PositiveBigIntegerField(null=True)
    purchase_order_id = models.PositiveBigIntegerField(null=True)
    made_by_automation = models.BooleanField()
    organization = models.ForeignKey(Organization, models.DO_NOTHING, related_name="+")
    creator = models.ForeignKey(Person, models.DO_NOTHING, null=True, related_name="+")

    class Meta:
        abstract = True


# --- Finding entries ------------------------------------------------------------------------------


class Position(NamedTuple):
    """The place of an entry in the list."""

    date: datetime
    history_id: int
    code: int


class ActivityKey(NamedTuple):
    history_id: int
    code: int


Entries = models.QuerySet[Any, Any]


NEWEST = (
    "SELECT history_id, code FROM ({}) AS entries"
    " ORDER BY history_date DESC, history_id DESC, code DESC LIMIT %s OFFSET %s"
)
COUNT_SQL = "SELECT sum(number) FROM ({}) AS numbers"


def entries(item: Item, organization: models.Model) -> Entries:
    """Return the entries of the organization's records of one model."""
    found: Entries = item.history._default_manager.filter(organization_id=organization.pk)
    return found.order_by()


def newest_keys(
    querysets: Sequence[Entries], stop: int, start: int = 0, after: Position | None = None
) -> list[ActivityKey]:
    """Return a slice of the entries of all querysets, newest first, or of those after a position.

    Each table is read in the order of its index, and no further than to the end of the slice.
    """
    branches = []
    for queryset in querysets:
        code = BY_HISTORY[queryset.model].code
        rows = queryset.annotate(code=Value(code)).order_by("-history_date", "-history_id")
        if after is not None:
            # Of entries with the same date and id, those with higher codes come first.
            operator = "<=" if code < after.code else "<"
            values = [Value(after.date), Value(after.history_id, models.BigIntegerField())]
            rows = rows.filter(compared(("history_date", "history_id"), operator, values))
        branches.append(rows.values_list("history_date", "history_id", "code")[:stop])
    return [
        ActivityKey(*row)
        for row in run(branches, "SELECT * FROM ({}) AS rows_{}", NEWEST, stop - start, start)
    ]


def count_entries(querysets: Sequence[Entries]) -> int:
    rows = [queryset.values_list("history_id") for queryset in querysets]
    ((count,),) = run(rows, "SELECT count(*) AS number FROM ({}) AS rows_{}", COUNT_SQL) or [(0,)]
    return int(count)


def run(querysets: Sequence[Entries], branch: str, statement: str, *params: int) -> list[Any]:
    """Return the rows of a statement on all querysets, each of which is part of a UNION ALL.

    On SQLite, Django's `union()` can't limit each of them.
    """
    branches, values = [], list[Any]()
    for number, queryset in enumerate(querysets):
        try:
            sql, used = queryset.query.get_compiler(queryset.db).as_sql()
        except EmptyResultSet:
            continue
        branches.append(branch.format(sql, number))
        values += used
    if not branches:
        return []
    # Safe from injection: only statements of the ORM.
    with connections[querysets[0].db].cursor() as cursor:
        cursor.execute(statement.format(" UNION ALL ".join(branches)), [*values, *params])
        return list(cursor.fetchall())
