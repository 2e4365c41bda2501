"""Activities: what was created, changed and deleted, read from the history for the API.

The entries of each model are in a table of their own. A page merges them, newest first.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from django.core.exceptions import EmptyResultSet
from django.db import connections, models
from django.db.models import Case, F, OuterRef, Subquery, Value, When

from assignments.models import Filter, ProjectAssignment, ServiceAssignment, ServiceTypeAssignment
from catalog.models import Company, Deal, Project, Service, ServiceType
from productive.accounts.models import Organization, Person
from productive.database.history import comparable, history_of
from productive.database.owned_rows import compared

EVENTS = {"+": "create", "~": "update", "-": "destroy"}


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


TYPES = tuple(item.type for item in ITEMS)


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


class Key(NamedTuple):
    history_id: int
    code: int


Entries = models.QuerySet[Any, Any]


NEWEST = (
    "SELECT history_id, code FROM ({}) AS entries"
    " ORDER BY history_date DESC, history_id DESC, code DESC LIMIT %s OFFSET %s"
)
COUNT = "SELECT sum(number) FROM ({}) AS numbers"


def entries(item: Item, organization: models.Model) -> Entries:
    """Return the entries of the organization's records of one model."""
    found: Entries = item.history._default_manager.filter(organization_id=organization.pk)
    return found.order_by()


def newest_keys(
    querysets: Sequence[Entries], stop: int, start: int = 0, after: Position | None = None
) -> list[Key]:
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
    return [Key(*row) for row in run(branches, "SELECT * FROM ({}) AS rows_{}", NEWEST, stop - start, start)]


def count_entries(querysets: Sequence[Entries]) -> int:
    rows = [queryset.values_list("history_id") for queryset in querysets]
    ((count,),) = run(rows, "SELECT count(*) AS number FROM ({}) AS rows_{}", COUNT) or [(0,)]
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


# --- Reading entries ------------------------------------------------------------------------------


def read_entries(keys: Sequence[Key], organization: models.Model) -> list[Any]:
    """Return the entries with these keys, in their order; one query for each model.

    They are annotated with `previous`, the id of the object's entry before, and `deleted_at`, which is null
    unless the object is deleted now.
    """
    found: dict[Key, Any] = {}
    for code, ids in grouped((key.code, key.history_id) for key in keys).items():
        item = BY_CODE[code]
        same = item.history._default_manager.filter(id=OuterRef("id"))
        same = same.order_by("-history_date", "-history_id")
        place = ("history_date", "history_id")
        earlier = same.filter(compared(place, "<", [OuterRef(column) for column in place]))
        latest = same.annotate(deleted_at=Case(When(history_type="-", then=F("history_date"))))
        rows = item.history._default_manager.order_by().annotate(
            previous=Subquery(earlier.values("history_id")[:1]),
            deleted_at=Subquery(latest.values("deleted_at")[:1]),
        )
        # Not in the query: SQLite may choose the index of the organization, and read all its entries.
        own = (row for row in rows.filter(pk__in=ids) if row.organization_id == organization.pk)
        found |= {Key(row.pk, code): row for row in own}
    return [found[key] for key in keys if key in found]


def position(entry: Any) -> Position:
    return Position(entry.history_date, entry.history_id, BY_HISTORY[type(entry)].code)


def previous_entries(changed: Iterable[Any]) -> dict[tuple[Any, int], Any]:
    """Return the entries before those of changed objects, by class and id."""
    ids = grouped((type(entry), entry.previous) for entry in changed if entry.previous is not None)
    return {
        (history, pk): entry
        for history, pks in ids.items()
        for pk, entry in history._default_manager.order_by().in_bulk(pks).items()
    }


def grouped(pairs: Iterable[tuple[Any, Any]]) -> dict[Any, set[Any]]:
    groups: dict[Any, set[Any]] = defaultdict(set)
    for key, value in pairs:
        groups[key].add(value)
    return groups


def changeset(
    entry: Any, previous: Any, fields: Sequence[models.Field[Any, Any]], zone: ZoneInfo
) -> list[dict[str, list[Any]]]:
    """Return the changed fields as `{name: [before, after]}`; all that aren't null if created or deleted."""
    if entry.history_type == "~" and previous is None:
        return []
    before = None if entry.history_type == "+" else entry if entry.history_type == "-" else previous
    after = None if entry.history_type == "-" else entry
    changes = []
    for field in fields:
        values = [None if one is None else getattr(one, field.attname) for one in (before, after)]
        old, new = (None if value is None else comparable(field, value) for value in values)
        if old != new:
            changes.append({field.attname: [in_zone(value, zone) for value in values]})
    return changes


def in_zone(value: Any, zone: ZoneInfo) -> Any:
    return value.astimezone(zone).isoformat(timespec="milliseconds") if isinstance(value, datetime) else value


# --- Names ----------------------------------------------------------------------------------------


class Related:
    """The records that items belong to and are named after, without a query for each.

    A deleted record is as its last entry was.
    """

    def __init__(self, found: Sequence[Any], organization: models.Model) -> None:
        ids: dict[Any, set[Any]] = grouped(
            (field.related_model, getattr(entry, field.attname))
            for entry in found
            for field in links(BY_HISTORY[type(entry)])
        )
        self.rows = {model: read_related(model, pks - {None}, organization) for model, pks in ids.items()}

    def name(self, entry: Any) -> str:
        state = recorded(entry)
        for field in links(BY_HISTORY[type(entry)]):
            field.set_cached_value(state, self.rows[field.related_model].get(getattr(entry, field.attname)))
        return str(state)

    def parent_and_root(self, entry: Any) -> tuple[Any, Any]:
        """Return the record that the item belongs to, and the one to which that belongs; None if unknown."""
        first, *others = BY_HISTORY[type(entry)].parents or (None,)
        if first is None:
            return None, None
        field = type(entry).instance_type._meta.get_field(first)
        parent = root = self.rows[field.related_model].get(getattr(entry, field.attname))
        for name in others:
            # A deleted record has no related records in memory.
            root = None if root is None or root._state.adding else getattr(root, name)
        return parent, root


def links(item: Item) -> list[Any]:
    """Return the foreign keys to the record that the item belongs to, and of an assignment to its person."""
    assigned = ("person",) if item.model.__name__.endswith("Assignment") else ()
    return [item.model._meta.get_field(name) for name in (*item.parents[:1], *assigned)]


def read_related(model: Any, pks: set[int], organization: models.Model) -> dict[int, Any]:
    item = BY_MODEL[model]
    rows = model.objects.owned_by(organization)
    path = "__".join(item.parents)
    found: dict[int, Any] = (rows.select_related(path) if path else rows).in_bulk(pks)
    if missing := pks - found.keys():
        for entry in item.history._default_manager.filter(id__in=missing).order_by("history_id"):
            if entry.organization_id == organization.pk:
                found[entry.id] = recorded(entry)
    return found


def recorded(entry: Any) -> Any:
    """Return the object as it was after the change, without its related objects."""
    names = [field.attname for field in entry.tracked_fields]
    return entry.instance_type(**{name: getattr(entry, name) for name in names})
