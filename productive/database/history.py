"""Record who changed what, when and through what; simple_history stores the entries.

An entry is written in the transaction of its change, outlives the object and contains no secret. Recorded
models inherit from `Recorded` (recorded.py). simple_history alone writes one INSERT for each row of a
cascade, doesn't record rows whose foreign key is set to null, and records saves that change nothing.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
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

MAX_VIA_LENGTH = 300
ENTRIES_PER_INSERT = 1000

# --- Who made a change, and what belongs together -------------------------------------------------


def current_change_set() -> UUID:
    """Return the id that all changes of the current request, or of the thread's commands, share."""
    state = current_state()
    if state.change_set is None:
        state.change_set = uuid4()
    return state.change_set


@contextmanager
def change_set() -> Iterator[UUID]:
    """Record the changes within it as one change set. A request has one anyway."""
    state = current_state()
    before, state.change_set = state.change_set, uuid4()
    try:
        yield state.change_set
    finally:
        state.change_set = before


def current_user(**kwargs: Any) -> Any:
    """Return the user of the current request; None for a command or an anonymous request."""
    user = getattr(current_state().request, "user", None)
    return user if user is not None and user.is_authenticated else None


def current_via() -> str:
    """Return where a change comes from: the admin, the named API token, or a user's command line."""
    request = current_state().request
    if request is None:
        return command_line()
    token = getattr(request, "auth", None)
    return "admin" if token is None else f"API: {token.name}"


@cache
def command_line() -> str:
    try:
        user = getuser()
    except (KeyError, OSError):  # a user id without a name, as in a container
        return "command line"
    # The name comes from the environment and can contain any bytes.
    return f"command line ({user.encode(errors='replace').decode()})"[:MAX_VIA_LENGTH]


# --- Entries --------------------------------------------------------------------------------------


class Change(HistoricalChanges, models.Model):
    """Base of all entries: what they have besides the columns of their model."""

    # Shared by the changes of one request or command, so that they are shown and undone together.
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
        """Compare all fields by default, also those that aren't editable, such as `archived_at`."""
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
            # Describes what no column shows, such as the permissions of a user.
            history_change_reason_field=models.TextField(null=True),
            # A change is recorded even if its user is deleted at the same time.
            user_db_constraint=False,
        )
        # Change overrides a method of HistoricalChanges, which the option `bases` would put before it.
        self.bases = (Change,)

    def fields_included(self, model: Any) -> list[models.Field]:
        """Return the columns only: a join by other columns stores nothing of its own."""
        return [field for field in super().fields_included(model) if field.concrete]

    def copy_fields(self, model: Any) -> dict[str, Any]:
        """Copy the fields without the model's indexes, and editable, which `diff_against` requires."""
        fields: dict[str, Any] = super().copy_fields(model)
        for field in fields.values():
            field.db_index, field.editable = False, True
        return fields

    def get_meta_options(self, model: Any) -> dict[str, Any]:
        """Index entries by object, organization and date, newest first, and by change set."""
        by_date = ["history_date", "history_id"]
        owners = dict.fromkeys(["id", model.owner or "id"])
        indexes = [*([owner, *by_date] for owner in owners), by_date, ["change_set"]]
        return {
            **super().get_meta_options(model),
            "indexes": [models.Index(fields=fields) for fields in indexes],
            # A user who can view an object can view its history; nobody can change it.
            "default_permissions": (),
        }

    def post_save(
        self, instance: Any, created: bool, using: Any = None, update_fields: Any = None, **kwargs: Any
    ) -> None:
        if created or is_changed(instance, self.fields_included(instance), update_fields):
            super().post_save(instance, created, using=using, **kwargs)

    def create_historical_record(self, instance: Any, history_type: str, using: Any = None) -> None:
        record(type(instance), [instance], history_type)

    def pre_delete(self, instance: Any, origin: Any = None, **kwargs: Any) -> None:
        """Gather the row, and the rows whose foreign key to it is set to null."""
        super().pre_delete(instance, **kwargs)
        deletion = deletion_of(origin) or Deletion()
        deletion.add(instance, "-")
        for relation in type(instance)._meta.related_objects:
            if relation.on_delete is models.SET_NULL and is_recorded(relation.related_model):
                name = relation.field.name
                for row in relation.related_model._default_manager.filter(**{name: instance}):
                    setattr(row, name, None)
                    deletion.add(row, "~")
        if deletion is not deletion_of(origin):
            # Deleted by a manager that doesn't gather: by one of Django's, or of a model that isn't recorded.
            deletion.record()

    def post_delete(self, instance: Any, origin: Any = None, **kwargs: Any) -> None:
        """Record the whole deletion with its first row: Django sends all `pre_delete` before any of these."""
        if deletion := deletion_of(origin):
            deletion.record()


def is_recorded(model: Any) -> bool:
    return hasattr(model._meta, "simple_history_manager_attribute")


def history_of(model: Any) -> Any:
    """Return the model of the entries. `model.history.model` builds a manager class each time."""
    return vars(model)["history"].model


def is_changed(instance: Any, fields: Iterable[Any], update_fields: frozenset[str] | None) -> bool:
    """Return whether the saved ones of these fields differ from the latest entry."""
    saved = [
        field
        for field in fields
        if update_fields is None or not update_fields.isdisjoint((field.name, field.attname))
    ]
    if not saved:
        return False
    names = tuple(field.attname for field in saved)
    for latest in latest_entry(history_of(type(instance)), names).rows(instance.pk, part=slice(0, 1)):
        return any(
            comparable(field, getattr(instance, field.attname)) != comparable(field, value)
            for field, value in zip(saved, latest, strict=True)
        )
    return True


@lru_cache(maxsize=512)
def latest_entry(history: Any, names: tuple[str, ...]) -> CompiledQuery:
    """Return the query for these columns of an object's entries, latest first."""
    return CompiledQuery(history, lambda pk: history._default_manager.filter(id=pk).values_list(*names), 1)


def comparable(field: Any, value: Any) -> Any:
    """Return the value as the database would return it. JSON tells true from 1, which Python doesn't."""
    if isinstance(field, models.JSONField):
        return json.dumps(value, sort_keys=True)
    return field.to_python(value)


# --- Recording ------------------------------------------------------------------------------------


class Deletion:
    """What one call of delete() deletes ("-") and sets to null ("~")."""

    def __init__(self) -> None:
        self.rows: dict[tuple[Any, str], dict[Any, models.Model]] = defaultdict(dict)

    def add(self, row: models.Model, history_type: str) -> None:
        self.rows[type(row), history_type][row.pk] = row

    def record(self) -> None:
        """Write one INSERT for each model. A cascade can delete thousands of rows."""
        for (model, history_type), rows in self.rows.items():
            record(model, rows.values(), history_type)
        self.rows.clear()


def deletion_of(origin: Any) -> Deletion | None:
    """Return the deletion that `origin`, the argument of Django's signals, has begun."""
    deletion: Deletion | None = getattr(origin, "deletion", None)
    return deletion


def record(model: Any, rows: Iterable[Any], history_type: str) -> None:
    """Record rows in their state in memory: "+" created, "~" changed, "-" deleted."""
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
    if len(entries) == 1:  # by far the most frequent
        insert(entries[0])
    else:
        history._default_manager.bulk_create(entries, batch_size=ENTRIES_PER_INSERT)
    if model.owner:
        owner = model._meta.get_field(model.owner).attname
        changed.send(model, organizations={getattr(entry, owner) for entry in entries})


def record_rows(rows: models.QuerySet[Any], history_type: str, *, date: Any, **values: Any) -> None:
    """Record rows in their state in the database, in one INSERT … SELECT.

    `date` is a moment, or F() of the column that has it. `values` replaces columns.
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
    columns |= {name: Value(value, opts.get_field(name)) for name, value in constants.items()}
    columns["history_date"] = date if isinstance(date, F) else Value(date, opts.get_field("history_date"))
    select, params = rows.order_by("pk").values_list(*columns.values()).query.sql_with_params()
    connection = connections[rows.db]
    quote = connection.ops.quote_name
    names = ", ".join(quote(opts.get_field(name).column) for name in columns)
    with connection.cursor() as cursor:
        # Names from the models, and the ORM's own statement: no part of it comes from outside.
        cursor.execute(f"INSERT INTO {quote(opts.db_table)} ({names}) {select}", params)
    if model.owner and changed.has_listeners(model):
        owners = rows.order_by().values_list(model.owner, flat=True).distinct()
        changed.send(model, organizations=owners)
