"""Read from a replica of the database without returning stale data.

REPLICA_URL names the replica. All writes, and all reads but those of the API's lists and records, use the
primary. A list or record is read from the replica if the replica has replayed all writes of the request's
organization. After each commit with a change in the history, and before the client gets its response, the
position of the primary's write-ahead log is saved for the organization. The query for the API token fetches
this position.

The position is missing if the process ends between the commit and saving it, and lost if the primary's
machine fails within a second of saving it. Until the replica has caught up, a request can then return stale
data.

Positions stay valid when a replica is promoted, because a position comes after its change in the log: a
server that lacks the change lacks the position, too. A dump that is restored into another server must not
contain positions (docs/growing.md).

`connect()` is the only function that other modules call.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, nullcontext
from contextvars import ContextVar
from functools import partial
from threading import Lock
from time import monotonic
from typing import Any, TypeVar
from weakref import WeakKeyDictionary

from django.conf import settings
from django.db import DEFAULT_DB_ALIAS, DataError, Error, OperationalError, connections, models, transaction
from django.db.models.expressions import RawSQL

from productive.database import reads, signals

logger = logging.getLogger(__name__)
T = TypeVar("T")

PRIMARY, REPLICA = DEFAULT_DB_ALIAS, "replica"
# How long the circuit breaker stays open after a failure; then one request of each process tries the replica.
OPEN_SECONDS = 5
STATEMENT_TIMEOUT, UNDEFINED_TABLE = "57014", "42P01"

# The end of the log: after every commit, including those not yet flushed to disk.
INSERT_POSITION = "pg_wal_lsn_diff(pg_current_wal_insert_lsn(), '0/0')::bigint"
# Null on a server that isn't a replica, or no longer one.
REPLAY_POSITION = """
SELECT CASE WHEN pg_is_in_recovery() THEN pg_wal_lsn_diff(pg_last_wal_replay_lsn(), '0/0')::bigint END
"""
# Ordered, so that two of these statements never deadlock. The update computes the position again after it
# has locked the row, so that a position never decreases. The commit doesn't wait for the disk.
SAVE_POSITIONS = f"""
WITH settings AS MATERIALIZED (SELECT set_config('synchronous_commit', 'off', true))
INSERT INTO accounts_last_write (organization_id, position)
SELECT organization_id, {INSERT_POSITION} FROM unnest(%s::bigint[]) AS organization_id, settings ORDER BY 1
ON CONFLICT (organization_id) DO UPDATE SET position = {INSERT_POSITION}
"""  # noqa: S608
LAST_WRITE_POSITION = (
    "(SELECT position FROM accounts_last_write WHERE organization_id = accounts_apitoken.organization_id)"
)

# The alias of the database that this thread reads from.
_reads_from: ContextVar[str] = ContextVar("reads_from", default=PRIMARY)
# The organizations whose position has been saved since the last change.
_saved: ContextVar[frozenset[int]] = ContextVar("saved", default=frozenset())


def connect() -> None:
    """Connect the signals, and set the read hooks if there is a replica."""
    if connections[PRIMARY].vendor == "postgresql":
        # Also without REPLICA_URL: a backup can be restored by a process that lacks it.
        signals.restored.connect(save_positions_on_commit, dispatch_uid=__name__)
    if REPLICA in settings.DATABASES:
        signals.changed.connect(save_positions_on_commit, dispatch_uid=__name__)
        # The position of the token's organization, or null.
        position = RawSQL(LAST_WRITE_POSITION, [], output_field=models.BigIntegerField(null=True))  # noqa: S611
        reads.hooks.token_annotations["last_write_position"] = position
        reads.hooks.run = read_from_replica


def sqlstate(error: Error) -> str | None:
    return getattr(error.__cause__, "sqlstate", None)


class ReplicaRouter:
    """Route reads within `Replica.reading()`, but outside of transactions."""

    def db_for_read(self, model: type[models.Model], **hints: Any) -> str:
        return PRIMARY if connections[PRIMARY].in_atomic_block else _reads_from.get()

    def db_for_write(self, model: type[models.Model], **hints: Any) -> str:
        return PRIMARY

    def allow_relation(self, one: models.Model, other: models.Model, **hints: Any) -> bool:
        return True

    def allow_migrate(self, db: str, app_label: str, **hints: Any) -> bool:
        return db != REPLICA


# --- Saving positions -----------------------------------------------------------------------------


def save_positions_on_commit(organizations: Iterable[int], **kwargs: Any) -> None:
    """Save the positions of organizations when the transaction commits."""
    _saved.set(frozenset())
    transaction.on_commit(partial(save_positions, frozenset(organizations)))


def save_positions(organizations: frozenset[int]) -> None:
    """Save the positions of organizations, unless this commit has saved them.

    Raise OperationalError on failure: the client must not get a success, because other clients may not see
    the change yet. The original error is not raised, because it can look like a lost race, which is retried.
    """
    unsaved = organizations - _saved.get()
    if not unsaved:
        return
    try:
        with connections[PRIMARY].cursor() as cursor:
            cursor.execute(SAVE_POSITIONS, [sorted(unsaved)])
    except Error as error:
        if sqlstate(error) == UNDEFINED_TABLE:  # A migration runs before the one that creates the table.
            return
        raise OperationalError(
            f"Committed, but the position for the replica was not saved: {error}"
        ) from None
    _saved.set(_saved.get() | unsaved)


# --- Reading --------------------------------------------------------------------------------------


class Replica:
    """The state of the replica in this process, with a circuit breaker."""

    def __init__(self) -> None:
        # The highest position read on each connection, not on the replica: its address can change to
        # another server, which may be behind.
        self.replayed: WeakKeyDictionary[Any, int] = WeakKeyDictionary()
        # The position when this process started. It covers all earlier writes, whether saved or not.
        self.start: int | None = None
        self.open_until: float | None = None
        self.lock = Lock()

    def is_available(self) -> bool:
        """Return whether to try the replica; after a failure, in one thread."""
        if self.open_until is None:
            return True
        with self.lock:
            if self.open_until is not None and monotonic() < self.open_until:
                return False
            self.open_circuit()
            return True

    def open_circuit(self) -> None:
        self.open_until = monotonic() + OPEN_SECONDS

    def has(self, position: int | None) -> bool:
        """Return whether the replica has replayed the log up to the position.

        Raise a database error if the replica doesn't respond.
        """
        needed = max(self.start_position(), position or 0)
        connection = connections[REPLICA]
        connection.ensure_connection()
        replayed = -1 if settings.PGBOUNCER else self.replayed.get(connection.connection, -1)
        if replayed < needed:
            with connection.cursor() as cursor:
                cursor.execute(REPLAY_POSITION)
                (row,) = cursor.fetchone()
            replayed = self.replayed[connection.connection] = -1 if row is None else row
        self.open_until = None
        return replayed >= needed

    def start_position(self) -> int:
        if self.start is None:
            with connections[PRIMARY].cursor() as cursor:
                cursor.execute(f"SELECT {INSERT_POSITION}")
                (self.start,) = cursor.fetchone()
        return self.start

    @contextmanager
    def reading(self, position: int | None) -> Iterator[bool]:
        """Read from the replica in this context if it has the position.

        Yield whether it does. Behind PgBouncer, each transaction can run on another server, so the context is
        one transaction.
        """
        with transaction.atomic(using=REPLICA) if settings.PGBOUNCER else nullcontext():
            if not self.has(position):
                yield False
                return
            before = _reads_from.set(REPLICA)
            try:
                yield True
            finally:
                _reads_from.reset(before)


the_replica = Replica()


def read_from_replica(token: Any, read: Callable[[], T]) -> T:
    """Read from the replica if it is up to date, else from the primary.

    If the replica fails, read again from the primary. It can be down, lack a migration, or cancel a query
    that conflicts with its replay. Raise only statement timeouts.
    """
    if the_replica.is_available():
        try:
            with the_replica.reading(token.last_write_position) as is_current:
                if is_current:
                    return read()
        except Error as error:
            if sqlstate(error) == STATEMENT_TIMEOUT:
                raise
            if not isinstance(error, DataError):
                the_replica.open_circuit()
                logger.warning("The replica is not used for %s seconds: %s", OPEN_SECONDS, error)
    return read()
