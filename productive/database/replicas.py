"""Read from a replica of the database, named by REPLICA_URL, without showing anybody stale data.

All writes, and all reads but those of the API's lists and records, go to the primary. A list or record is
read from the replica once the replica has replayed everything that the request's organization wrote. How far
that is, is a position in the primary's write-ahead log: it is noted after each commit with a change in the
history, before the client gets its response, and the query for the API token fetches it.

A note is missing if the process ends between the commit and the note, and lost if the primary's machine fails
within a second of it: until the replica has caught up, a request can then return the state before.

Notes stay true when a replica is promoted: a note lies behind its change in the log, so a server without the
change has no note of it. In a dump that is restored into another server they mean nothing
(docs/growing.md).

`connect()` plugs all of this in; no other module knows of it.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, nullcontext
from contextvars import ContextVar
from threading import Lock
from time import monotonic
from typing import Any, TypeVar
from weakref import WeakKeyDictionary

from django.conf import settings
from django.db import (
    DEFAULT_DB_ALIAS,
    DataError,
    Error,
    OperationalError,
    connections,
    models,
    transaction,
)
from django.db.models.expressions import RawSQL

from productive.database import reads, signals

logger = logging.getLogger(__name__)
T = TypeVar("T")

PRIMARY, REPLICA = DEFAULT_DB_ALIAS, "replica"
# How long the circuit breaker stays open after a failure; then one request of each process tries the replica.
OPEN_SECONDS = 5
STATEMENT_TIMEOUT, UNDEFINED_TABLE = "57014", "42P01"

# Where the next record of the log goes: behind every commit, including those not yet flushed to disk.
INSERT_POSITION = "pg_wal_lsn_diff(pg_current_wal_insert_lsn(), '0/0')::bigint"
# Null on a server that isn't a replica, or was promoted.
REPLAY_POSITION = """
SELECT CASE WHEN pg_is_in_recovery() THEN pg_wal_lsn_diff(pg_last_wal_replay_lsn(), '0/0')::bigint END
"""
# In order, so that two of these never deadlock. The update computes the position again once it holds the lock
# of the row, so that the last writer's is never the smaller one. The commit doesn't wait for the disk.
SAVE_POSITIONS = f"""
WITH settings AS MATERIALIZED (SELECT set_config('synchronous_commit', 'off', true))
INSERT INTO accounts_last_write (organization_id, position)
SELECT organization_id, {INSERT_POSITION} FROM unnest(%s::bigint[]) AS organization_id, settings ORDER BY 1
ON CONFLICT (organization_id) DO UPDATE SET position = {INSERT_POSITION}
"""  # noqa: S608
LAST_WRITE_POSITION = (
    "(SELECT position FROM accounts_last_write WHERE organization_id = accounts_apitoken.organization_id)"
)

# Where the request of this thread reads, and the organizations whose next commit has to be noted.
_reads_from: ContextVar[str] = ContextVar("reads_from", default=PRIMARY)
_unsaved: ContextVar[set[int] | None] = ContextVar("unsaved", default=None)


def is_configured() -> bool:
    return REPLICA in settings.DATABASES


def connect() -> None:
    """Connect the signals, and set the read hooks if there is a replica. Called once at start."""
    if connections[PRIMARY].vendor == "postgresql":
        # Also without REPLICA_URL: a backup can be restored by a process that lacks it.
        signals.restored.connect(save_positions_on_commit, dispatch_uid=__name__)
    if is_configured():
        signals.changed.connect(save_positions_on_commit, dispatch_uid=__name__)
        reads.hooks.token_annotations["last_write_position"] = last_write_position()
        reads.hooks.run = read_from_replica


def sqlstate(error: Error) -> str | None:
    return getattr(error.__cause__, "sqlstate", None)


class ReplicaRouter:
    """Route reads within `Replica.reading()` and outside of transactions to the replica."""

    def db_for_read(self, model: type[models.Model], **hints: Any) -> str:
        return PRIMARY if connections[PRIMARY].in_atomic_block else _reads_from.get()

    def db_for_write(self, model: type[models.Model], **hints: Any) -> str:
        return PRIMARY

    def allow_relation(self, one: models.Model, other: models.Model, **hints: Any) -> bool:
        return True

    def allow_migrate(self, db: str, app_label: str, **hints: Any) -> bool:
        return db != REPLICA


# --- Noting what was written ----------------------------------------------------------------------


def save_positions_on_commit(organizations: Iterable[int], **kwargs: Any) -> None:
    """Note the position of these organizations as soon as the transaction is committed."""
    unsaved = _unsaved.get()
    if unsaved is None:
        _unsaved.set(unsaved := set())
    unsaved.update(organizations)
    transaction.on_commit(save_positions)


def save_positions() -> None:
    """Note all changes of a commit at once: the first call leaves nothing to the others.

    Raise OperationalError if it fails: the client must not take the change for done, because other clients
    may not see it yet. The original error is not raised, because it can look like a lost race, and the
    request would be tried again.
    """
    unsaved = _unsaved.get()
    if not unsaved:
        return
    organizations = sorted(unsaved)
    unsaved.clear()
    try:
        with connections[PRIMARY].cursor() as cursor:
            cursor.execute(SAVE_POSITIONS, [organizations])
    except Error as error:
        if sqlstate(error) == UNDEFINED_TABLE:  # in a migration before the one that creates the table
            return
        raise OperationalError(f"Committed, but not noted for readers of the replica: {error}") from None


def last_write_position() -> RawSQL:
    """Return an annotation of API tokens: the position of the token's organization, or null."""
    return RawSQL(LAST_WRITE_POSITION, [], output_field=models.BigIntegerField(null=True))  # noqa: S611


# --- Reading --------------------------------------------------------------------------------------


class Replica:
    """What this process knows of the replica, with a circuit breaker for its failures."""

    def __init__(self) -> None:
        # The furthest position seen on each connection. A replica never goes back, but its address can lead
        # to another server, or to a new one: a connection can't.
        self.replayed: WeakKeyDictionary[Any, int] = WeakKeyDictionary()
        # The position when this process started. All earlier writes lie before it, noted or not.
        self.start: int | None = None
        self.open_until: float | None = None
        self.lock = Lock()

    def is_available(self) -> bool:
        """Return whether to try the replica. After a failure, only one thread tries at a time."""
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
        """Read from the replica within it, if the replica has the position; yield whether it has.

        Behind PgBouncer each transaction can run on another server, so all of it is one transaction.
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
    """Read from the replica if it is up to date for the token's organization, else from the primary.

    A replica that fails (it is down, it cancels a query that its replay conflicts with, it lacks a migration)
    fails no request: the primary reads again. A statement timeout alone is final.
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
