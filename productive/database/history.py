"""Record who changed what, when and how, with simple_history.

An entry is written in the transaction of its change, outlives the object and contains no secret. Recorded
models inherit from `Recorded` (recorded.py). Without this module, simple_history writes one INSERT for each
row of a cascade, misses rows whose foreign key is set to null, and records saves that change nothing.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager
from copy import copy
from functools import cache, lru_cache
from getpass import getuser
from typing import Any, ClassVar
from uuid import UUID, uuid4

from django.db import connections, models
from django.db.models import F, Value
from django.utils import timezone
from simple_history.models import HistoricalChanges, HistoricalRecords, ModelDelta
from simple_history.utils import get_change_reason_from_object

from productive.database.current_request import current_state
from productive.database.query_cache import CompiledQuery, insert
from productive.database.signals import changed
from productive.database.written_rows import collect, is_trial

MAX_VIA_LENGTH = 300
ENTRIES_PER_INSERT = 1000

# --- Change sets, users and sources ---------------------------------------------------------------


def current_change_set() -> UUID:
    """Return the id that all changes of the request or command share."""
    state = current_state()
    if state.change_set is None:
        state.change_set = uuid4()
    return state.change_set


@contextmanager
def change_set() -> Iterator[UUID]:
    """Record all changes in this context as one change set."""
    state = current_state()
    before, state.change_set = state.change_set, uuid4()
    try:
        yield state.change_set
    finally:
        state.change_set = before


def current_user(**kwargs: Any) -> Any:
    """Return the signed-in user of the current request, or None."""
    user = getattr(current_state().request, "user", None)
    return user if user is not None and user.is_authenticated else None


def current_via() -> str:
    """Return the source of a change, such as "admin" or "API: <token>"."""
    request = current_state().request
    if request is None:
        return command_line()
    token = getattr(request, "auth", None)
    return "admin" if token is None else f"API: {token.name}"


@cache
def command_line() -> str:
    try:
        user = getuser()
    except (KeyError, OSError):  # The user id has no name, as in a container.
        return "command line"
    # The name comes from the environment and can contain any bytes.
    return f"command line ({user.encode(errors='replace').decode()})"[:MAX_VIA_LENGTH]


# --- Entries --------------------------------------------------------------------------------------


class Change(HistoricalChanges, models.Model):
    """Base class of all entries. They also have the columns of their model."""

    # Changes of one request or command share it, and are shown and undone together.
    change_set = models.UUIDField(default=current_change_set, editable=False)
    via = models.CharField(max_length=MAX_VIA_LENGTH, default=current_via, editable=False)

    tracked_fields: ClassVar[list[models.Field]]

    class Meta:
        abstract = True

    def diff_against(
        self,
        old_history: Change,
        excluded_fields: Iterable[str] | None = None,
        included_fields: Iterable[str] | None = None,
        **kwargs: Any,
    ) -> ModelDelta:
        """Compare all fields by default, also those that aren't editable."""
        if included_fields is None:
            included_fields = [field.name for field in self.tracked_fields]
        return super().diff_against(old_history, excluded_fields, included_fields, **kwargs)


class History(HistoricalRecords):
    """The entries of a `Recorded` model: `history = History()`.

    A save that changes no recorded field leaves no entry. Recording costs one INSERT for a new object, and a
    SELECT of the latest entry and an INSERT for a changed one.
    """

    def __init__(self, excluded_fields: Iterable[str] = ()) -> None:
        super().__init__(
            excluded_fields=list(excluded_fields),
            get_user=current_user,
            history_id_field=models.BigAutoField(),
            # For changes that no column shows, such as the permissions of a user.
            history_change_reason_field=models.TextField(null=True),
            # A change is recorded even if its user is deleted at the same time.
            user_db_constraint=False,
        )
        # Not the option `bases`, which would put HistoricalChanges first; Change overrides its method.
        self.bases = (Change,)

    def _get_history_user_fields(self) -> dict[str, Any]:
        """Keep the id of a deleted user, from which the history has the name.

        simple_history has no option for it.
        """
        fields: dict[str, Any] = super()._get_history_user_fields()
        fields["history_user"].remote_field.on_delete = models.DO_NOTHING
        return fields

    def fields_included(self, model: Any) -> list[models.Field]:
        """Return the fields with a column that is written. A ForeignObject has none."""
        included = super().fields_included(model)
        return [field for field in included if field.concrete and not field.generated]

    def copy_fields(self, model: Any) -> dict[str, Any]:
        """Copy the fields without indexes, and editable for `diff_against`."""
        fields: dict[str, Any] = super().copy_fields(model)
        for field in fields.values():
            field.db_index, field.editable = False, True
        return fields

    def get_meta_options(self, model: Any) -> dict[str, Any]:
        """Index entries by object, organization, date and change set."""
        by_date = ["history_date", "history_id"]
        owners = dict.fromkeys(["id", model.owner or "id"])
        indexes = [*([owner, *by_date] for owner in owners), by_date, ["change_set"]]
        return {
            **super().get_meta_options(model),
            "indexes": [models.Index(fields=fields) for fields in indexes],
            # The permission to view an object includes its history. No permission allows changing it.
            "default_permissions": (),
        }

    def post_save(
        self, instance: Any, created: bool, using: Any = None, update_fields: Any = None, **kwargs: Any
    ) -> None:
        if created:
            super().post_save(instance, created, using=using, **kwargs)
        elif changed_names := changed_fields(instance, self.fields_included(instance), update_fields):
            record(type(instance), [instance], "~", changed_names)

    def create_historical_record(self, instance: Any, history_type: str, using: Any = None) -> None:
        record(type(instance), [instance], history_type)

    def pre_delete(self, instance: Any, origin: Any = None, **kwargs: Any) -> None:
        """Collect the row, and the rows whose foreign key to it is set to null."""
        super().pre_delete(instance, **kwargs)
        shared = getattr(origin, "deletion", None)
        deletion = shared or Deletion()
        deletion.add(instance, "-")
        for relation in type(instance)._meta.related_objects:
            if relation.on_delete is models.SET_NULL and is_recorded(relation.related_model):
                name = relation.field.name
                for row in relation.related_model._default_manager.filter(**{name: instance}):
                    deletion.set_null(row, name)
        if deletion is not shared:
            # The origin is a queryset or a model that isn't recorded, so it has no `deletion`.
            deletion.record()

    def post_delete(self, instance: Any, origin: Any = None, **kwargs: Any) -> None:
        """Record the whole deletion, after all `pre_delete` signals."""
        if deletion := getattr(origin, "deletion", None):
            deletion.record()


def is_recorded(model: Any) -> bool:
    return hasattr(model._meta, "simple_history_manager_attribute")


def history_of(model: Any) -> Any:
    """Return the model of the entries."""
    # `model.history.model` is slow: it creates a manager class.
    return vars(model)["history"].model


def changed_fields(instance: Any, fields: Iterable[Any], update_fields: frozenset[str] | None) -> list[str]:
    """Return the saved fields that differ from the latest entry, or all."""
    saved = [
        field
        for field in fields
        if update_fields is None or not update_fields.isdisjoint((field.name, field.attname))
    ]
    if not saved:
        return []
    names = tuple(field.attname for field in saved)
    for latest in latest_entry(history_of(type(instance)), names).rows(instance.pk, part=slice(0, 1)):
        return [
            field.name
            for field, value in zip(saved, latest, strict=True)
            if comparable(field, getattr(instance, field.attname)) != comparable(field, value)
        ]
    return [field.name for field in saved]


@lru_cache(maxsize=512)
def latest_entry(history: Any, names: tuple[str, ...]) -> CompiledQuery:
    """Return the query for these columns of an object's entries, latest first."""
    return CompiledQuery(history, lambda pk: history._default_manager.filter(id=pk).values_list(*names), 1)


def comparable(field: Any, value: Any) -> Any:
    """Return the value as the database would return it."""
    if isinstance(field, models.JSONField):  # As text, because 1 equals True in Python.
        return json.dumps(value, sort_keys=True)
    return field.to_python(value)


# --- Recording ------------------------------------------------------------------------------------


class Deletion:
    """Rows that a call of delete() deletes ("-") or sets to null ("~")."""

    def __init__(self) -> None:
        self.rows: dict[tuple[Any, str], dict[Any, models.Model]] = defaultdict(dict)

    def add(self, row: models.Model, history_type: str) -> None:
        self.rows[type(row), history_type][row.pk] = row

    def set_null(self, row: models.Model, name: str) -> None:
        """Add a row whose foreign key is set to null. Several of its foreign keys can be."""
        known = self.rows[type(row), "~"].setdefault(row.pk, row)
        setattr(known, name, None)

    def record(self) -> None:
        """Write one INSERT for each model. A cascade can delete thousands of rows."""
        for (model, history_type), rows in self.rows.items():
            record(model, rows.values(), history_type)
        self.rows.clear()


def record(model: Any, rows: Iterable[Any], history_type: str, fields: Collection[str] | None = None) -> None:
    """Record rows in memory as created ("+"), changed ("~") or deleted ("-")."""
    if is_trial():  # Copies, because Django clears the ids of deleted rows.
        collect(model, history_type, [copy(row) for row in rows], fields)
        return
    history = history_of(model)
    now, names = timezone.now(), [field.attname for field in history.tracked_fields]
    entries = [
        history(
            history_type=history_type,
            history_date=getattr(row, "_history_date", now),
            history_user=history.get_default_history_user(row),
            history_change_reason=get_change_reason_from_object(row),
            **{name: getattr(row, name) for name in names},
        )
        for row in rows
    ]
    if len(entries) == 1:  # The most frequent case.
        insert(entries[0])
    else:
        history._default_manager.bulk_create(entries, batch_size=ENTRIES_PER_INSERT)
    collect(model, history_type, entries, fields)
    if model.owner:
        owner = model._meta.get_field(model.owner).attname
        changed.send(model, organizations={getattr(entry, owner) for entry in entries})


def record_rows(rows: models.QuerySet[Any], history_type: str, *, date: Any, **values: Any) -> None:
    """Record rows with their values in the database, in one INSERT … SELECT.

    `date` is a datetime, or F() of a column. `values` overrides columns.
    """
    model: Any = rows.model
    history = history_of(model)
    opts, user = history._meta, current_user()
    constants = {
        "history_type": history_type,
        "history_user_id": user and user.pk,
        "change_set": current_change_set(),
        "via": current_via(),
        **values,
    }
    columns: dict[str, Any] = {field.attname: field.attname for field in history.tracked_fields}
    for name, value in constants.items():
        field = opts.get_field(name)
        columns[field.attname] = Value(value, field)
    columns["history_date"] = date if isinstance(date, F) else Value(date, opts.get_field("history_date"))
    select, params = rows.order_by("pk").values_list(*columns.values()).query.sql_with_params()
    connection = connections[rows.db]
    quote = connection.ops.quote_name
    names = ", ".join(quote(opts.get_field(name).column) for name in columns)
    with connection.cursor() as cursor:
        # Safe from injection: only names of models and a statement of the ORM.
        cursor.execute(f"INSERT INTO {quote(opts.db_table)} ({names}) {select}", params)
    if model.owner and changed.has_listeners(model):
        owners = rows.order_by().values_list(model.owner, flat=True).distinct()
        changed.send(model, organizations=owners)
