"""What was changed, when, by whom and through which door: one record for each change of each object.

A record is written in the transaction of its change. It outlives the object, and knows no secret.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from functools import cache, lru_cache, wraps
from getpass import getuser
from typing import Any, ClassVar
from uuid import UUID, uuid4

from django.db import connections, models, transaction
from django.db.models import F, Value
from django.utils import timezone
from simple_history.models import HistoricalChanges, HistoricalRecords, ModelDelta
from simple_history.utils import get_change_reason_from_object

from productive.database.query_cache import Prepared, insert
from productive.database.signals import changed
from productive.web.request_state import current_state

LONGEST_VIA = 300
BATCH = 1000
# Where a deletion keeps, on the object or queryset it began with, what is to be recorded.
GATHERED = "_gathered_for_history"


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
    except (KeyError, OSError):  # an id without a name, as in a container
        return "command line"
    # It comes from the environment, where bytes may be anything.
    return f"command line ({user.encode(errors='replace').decode()})"[:LONGEST_VIA]


class Change(HistoricalChanges, models.Model):
    """What each record has besides the columns of its model."""

    # One request or command, so that what was changed together is seen, and undone, together.
    change_set = models.UUIDField(default=current_change_set, editable=False)
    via = models.CharField(max_length=LONGEST_VIA, default=current_via, editable=False)

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
        """Also of what no form offers, such as `archived_at`. No query, unless objects are asked for."""
        if included_fields is None:
            included_fields = [field.name for field in self.tracked_fields]
        return super().diff_against(old_history, excluded_fields, included_fields, **kwargs)


class History(HistoricalRecords):
    """The history of a model: `history = History()`.

    A save that changes nothing that is recorded leaves no record. What it costs: one INSERT for a new or a
    deleted object, a SELECT of the latest record and an INSERT for a changed one.
    """

    def __init__(self, excluded_fields: Iterable[str] = ()) -> None:
        super().__init__(
            excluded_fields=list(excluded_fields),
            get_user=current_user,
            history_id_field=models.BigAutoField(),
            # What no column shows, such as the rights of a user before and after.
            history_change_reason_field=models.TextField(null=True),
            # A user who is deleted at this very moment is no reason to refuse a change.
            user_db_constraint=False,
        )
        self.bases = (Change,)

    # --- the table ---

    def fields_included(self, model: Any) -> list[models.Field]:
        """Columns alone: a join by other columns has nothing of its own to keep."""
        return [field for field in super().fields_included(model) if field.concrete]

    def copy_fields(self, model: Any) -> dict[str, Any]:
        """Without the model's indexes, which answer other questions; all of them open to `diff_against`."""
        fields: dict[str, Any] = super().copy_fields(model)
        for field in fields.values():
            field.db_index, field.editable = False, True
        return fields

    # The indexes below begin with what is asked for, and end in the date.
    _date_indexing = False

    def get_meta_options(self, model: Any) -> dict[str, Any]:
        """Indexes: an object's records, an organization's, everybody's, newest first; and a change set's."""
        by_date = ["history_date", "history_id"]
        owner = ["organization"] if "organization" in {field.name for field in model._meta.fields} else []
        questions = [["id", *by_date], *([[*owner, *by_date]] if owner else []), by_date, ["change_set"]]
        return {
            **super().get_meta_options(model),
            "indexes": [models.Index(fields=fields) for fields in questions],
            # Whoever may see an object may see its history; nobody is given a right to change it.
            "default_permissions": (),
        }

    # --- recording ---

    def add_extra_methods(self, cls: Any) -> None:
        """A change and its record are one transaction, also where nobody began one."""
        super().add_extra_methods(cls)
        save_base = cls.save_base

        @wraps(save_base)
        def save_with_record(self: models.Model, *args: Any, **kwargs: Any) -> None:
            with transaction.atomic(using=kwargs.get("using"), savepoint=False):
                save_base(self, *args, **kwargs)

        cls.save_base = save_with_record

    def post_save(
        self, instance: Any, created: bool, using: Any = None, update_fields: Any = None, **kwargs: Any
    ) -> None:
        if created or self.is_changed(instance, update_fields):
            super().post_save(instance, created, using=using, **kwargs)

    def is_changed(self, instance: Any, update_fields: frozenset[str] | None) -> bool:
        """Whether what was saved differs from the latest record."""
        saved = [
            field
            for field in self.fields_included(instance)
            if update_fields is None or not update_fields.isdisjoint((field.name, field.attname))
        ]
        if not saved:
            return False
        names = tuple(field.attname for field in saved)
        for latest in latest_record(history_of(type(instance)), names).rows(instance.pk, part=slice(0, 1)):
            return any(
                comparable(field, getattr(instance, field.attname)) != comparable(field, value)
                for field, value in zip(saved, latest, strict=True)
            )
        return True

    def create_historical_record(self, instance: Any, history_type: str, using: Any = None) -> None:
        record(type(instance), [instance], history_type)

    def pre_delete(self, instance: Any, origin: Any = None, **kwargs: Any) -> None:
        """Gather what goes with `origin`: Django announces all of it before it deletes any of it."""
        super().pre_delete(instance, **kwargs)
        gather(origin, instance, "-")
        for relation in type(instance)._meta.related_objects:
            if relation.on_delete is models.SET_NULL and is_recorded(relation.related_model):
                name = relation.field.name
                for row in relation.related_model._default_manager.filter(**{name: instance}):
                    setattr(row, name, None)
                    gather(origin, row, "~")

    def post_delete(self, instance: Any, origin: Any = None, **kwargs: Any) -> None:
        """Record all that was gathered with the first of it: a cascade may take thousands of rows."""
        gathered = origin.__dict__.pop(GATHERED, {})
        for (model, history_type), rows in gathered.items():
            record(model, rows.values(), history_type)


def gather(origin: Any, row: models.Model, history_type: str) -> None:
    gathered = origin.__dict__.setdefault(GATHERED, {})
    gathered.setdefault((type(row), history_type), {})[row.pk] = row


def is_recorded(model: Any) -> bool:
    return hasattr(model._meta, "simple_history_manager_attribute")


def history_of(model: Any) -> Any:
    """The model of the records. `model.history` has it too, but builds a manager class at every look."""
    return vars(model)["history"].model


@lru_cache(maxsize=512)
def latest_record(history: Any, names: tuple[str, ...]) -> Prepared:
    """The query for the columns of an object's records, of the latest first."""
    return Prepared(history, lambda pk: history._default_manager.filter(id=pk).values_list(*names), 1)


def comparable(field: Any, value: Any) -> Any:
    """A column's value as the database would give it back; true is not 1, as it is to Python."""
    if isinstance(field, models.JSONField):
        return json.dumps(value, sort_keys=True)
    return field.to_python(value)


def record(model: Any, rows: Iterable[Any], history_type: str) -> None:
    """Record rows, which are as they are in memory: "+" made, "~" changed, "-" deleted."""
    history = history_of(model)
    now, names = timezone.now(), [field.attname for field in history.tracked_fields]
    records = [
        history(
            history_type=history_type,
            history_date=getattr(row, "_history_date", now),
            history_user=history.get_default_history_user(row),
            history_change_reason=get_change_reason_from_object(row),
            **{name: getattr(row, name) for name in names},
        )
        for row in rows
    ]
    if len(records) == 1:  # by far the most frequent
        insert(records[0])
    else:
        history._default_manager.bulk_create(records, batch_size=BATCH)
    if owner := owner_of(model):
        changed.send(model, organizations={getattr(record, owner) for record in records})


def owner_of(model: Any) -> str | None:
    """The column that has the id of the organization that a row belongs to, or is; None for the users."""
    if model._meta.label_lower == "accounts.organization":
        return "id"
    return next((f.attname for f in model._meta.concrete_fields if f.name == "organization"), None)


def record_all(
    rows: models.QuerySet[Any], history: type[models.Model], *, made_at: str, via: str | None = None
) -> None:
    """Give each of the rows its first record, of the moment in its column `made_at`, in one statement.

    For rows that no save() made: those of bulk_create, and those that are older than their history.
    """
    opts: Any = history._meta
    kept = {field.attname for field in rows.model._meta.concrete_fields}
    values: dict[str, Any] = {name: F(name) for name in kept & {field.attname for field in opts.fields}}
    values["history_date"] = F(made_at)
    own = {"history_type": "+", "change_set": current_change_set(), "via": via or current_via()}
    values |= {name: Value(value, opts.get_field(name)) for name, value in own.items()}
    select, params = rows.order_by("pk").values_list(*values.values()).query.sql_with_params()
    connection = connections[rows.db]
    quote = connection.ops.quote_name
    columns = ", ".join(quote(opts.get_field(name).column) for name in values)
    with connection.cursor() as cursor:
        # Names from the models, and the ORM's own statement: nothing of it comes from outside.
        cursor.execute(f"INSERT INTO {quote(opts.db_table)} ({columns}) {select}", params)
    if changed.has_listeners(rows.model) and (owner := owner_of(rows.model)):
        changed.send(rows.model, organizations=rows.order_by().values_list(owner, flat=True).distinct())
