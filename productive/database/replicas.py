"""Reading from a replica of the database, named by REPLICA_URL, only where nobody can tell that it is one.

Everything is written and read on the primary, except for what an API request lists or retrieves. That comes
from the replica as soon as the replica has all that the request's organization has written. How far that is,
is a position in the primary's log: it is noted after each commit that left a record in the history, before
whoever made the change hears of it, and the query that looks up the token brings it along.

A note is left out where a process ends between a commit and its note, and lost where the primary's machine
fails within a second of it: until the replica has caught up, a reader may then see the state before.

What is noted stays true when a replica becomes the primary. Notes lie in the log behind what they tell of, so
it has none of anything that it doesn't have. In a dump that is restored into another server they mean nothing
(docs/growing.md).
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, nullcontext
from contextvars import ContextVar
from functools import wraps
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

logger = logging.getLogger(__name__)
T = TypeVar("T")

PRIMARY, REPLICA = DEFAULT_DB_ALIAS, "replica"
# How long a replica that has failed is left alone; one request of each process then tries it again.
REST_SECONDS = 5
STATEMENT_TIMEOUT, UNDEFINED_TABLE = "57014", "42P01"

# What would be written next: behind every commit, also behind one that isn't on the disk yet.
WRITTEN = "pg_wal_lsn_diff(pg_current_wal_insert_lsn(), '0/0')::bigint"
# Null on a server that is no replica, or no longer.
REPLAYED = """
SELECT CASE WHEN pg_is_in_recovery() THEN pg_wal_lsn_diff(pg_last_wal_replay_lsn(), '0/0')::bigint END
"""
# In order, so that two of these never deadlock. The position is taken anew once the row is locked, so that
# whoever writes last is never behind. Nobody waits for the disk.
NOTE = f"""
WITH unhurried AS MATERIALIZED (SELECT set_config('synchronous_commit', 'off', true))
INSERT INTO accounts_last_write (organization_id, position)
SELECT organization_id, {WRITTEN} FROM unnest(%s::bigint[]) AS organization_id, unhurried ORDER BY 1
ON CONFLICT (organization_id) DO UPDATE SET position = {WRITTEN}
"""  # noqa: S608
NOTED = "(SELECT position FROM accounts_last_write WHERE organization_id = accounts_apitoken.organization_id)"

# The thread's own: where the request that it answers reads, and for whom a commit has yet to be noted.
_reads_from: ContextVar[str] = ContextVar("reads_from", default=PRIMARY)
_unnoted: ContextVar[set[int] | None] = ContextVar("unnoted", default=None)


def is_configured() -> bool:
    return REPLICA in settings.DATABASES


def sqlstate(error: Error) -> str | None:
    return getattr(error.__cause__, "sqlstate", None)


class Router:
    """Sends to the replica what is read within `from_replica`, outside transactions; nothing else."""

    def db_for_read(self, model: type[models.Model], **hints: Any) -> str:
        return PRIMARY if connections[PRIMARY].in_atomic_block else _reads_from.get()

    def db_for_write(self, model: type[models.Model], **hints: Any) -> str:
        return PRIMARY

    def allow_relation(self, one: models.Model, other: models.Model, **hints: Any) -> bool:
        return True

    def allow_migrate(self, db: str, app_label: str, **hints: Any) -> bool:
        return db != REPLICA


# --- Noting what was written ----------------------------------------------------------------------


def note_when_committed(organizations: Iterable[int]) -> None:
    """Note, as soon as the transaction is committed, how far a replica must be to have its changes."""
    unnoted = _unnoted.get()
    if unnoted is None:
        _unnoted.set(unnoted := set())
    unnoted.update(organizations)
    transaction.on_commit(note)


def note() -> None:
    """Of all changes of one commit at once: the first call leaves nothing to the others.

    Raise OperationalError where it can't be noted: whoever made the change must not take it for done, as
    others may not see it yet. Never the error itself, which may look like a lost race and be tried again.
    """
    unnoted = _unnoted.get()
    if not unnoted:
        return
    organizations = sorted(unnoted)
    unnoted.clear()
    try:
        with connections[PRIMARY].cursor() as cursor:
            cursor.execute(NOTE, [organizations])
    except Error as error:
        if sqlstate(error) == UNDEFINED_TABLE:  # a migration that is older than the notes: nobody reads yet
            return
        raise OperationalError(f"Committed, but not noted for readers of the replica: {error}") from None


def noted_position() -> RawSQL:
    """For a query of tokens: the position noted for each token's organization, null where none is."""
    return RawSQL(NOTED, [], output_field=models.BigIntegerField(null=True))  # noqa: S611


# --- Reading --------------------------------------------------------------------------------------


class Replica:
    """What this process knows of the replica."""

    def __init__(self) -> None:
        # By connection, the furthest that the replica was seen: what it has, it keeps. Only a server that is
        # made anew goes back, and several may stand behind one address: no connection survives the one, or
        # leads to two of the others.
        self.replayed: WeakKeyDictionary[Any, int] = WeakKeyDictionary()
        # The position when this process began: whatever was written before, noted or not, lies behind it.
        self.begun: int | None = None
        self.rests_until: float | None = None
        self.lock = Lock()

    def may_be_asked(self) -> bool:
        """Whether it isn't left alone. Afterwards it is one thread that tries, and the others that wait."""
        if self.rests_until is None:
            return True
        with self.lock:
            if self.rests_until is not None and monotonic() < self.rests_until:
                return False
            self.rest()
            return True

    def rest(self) -> None:
        self.rests_until = monotonic() + REST_SECONDS

    def has(self, position: int | None) -> bool:
        """Whether it has everything up to a position of the log. Raise a database error if nobody answers."""
        needed = max(self.first_position(), position or 0)
        connection = connections[REPLICA]
        connection.ensure_connection()
        there = -1 if settings.PGBOUNCER else self.replayed.get(connection.connection, -1)
        if there < needed:
            with connection.cursor() as cursor:
                cursor.execute(REPLAYED)
                (answer,) = cursor.fetchone()
            there = self.replayed[connection.connection] = -1 if answer is None else answer
        self.rests_until = None
        return there >= needed

    def first_position(self) -> int:
        if self.begun is None:
            with connections[PRIMARY].cursor() as cursor:
                cursor.execute(f"SELECT {WRITTEN}")
                (self.begun,) = cursor.fetchone()
        return self.begun

    @contextmanager
    def reading(self, position: int | None) -> Iterator[bool]:
        """Within it, reads go to the replica if it has everything up to the position: that is what it yields.

        Behind PgBouncer each transaction may reach another server: then all of it is one.
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


def from_replica(read: Callable[..., T]) -> Callable[..., T]:
    """For a view's method that only reads: run it on the replica where that is as good, else on the primary.

    A replica that fails (it is gone, it cancels what is in the way of its replay, it lacks a migration) fails
    no request: the method runs once more, on the primary. Only what took too long isn't tried again.
    """

    @wraps(read)
    def read_there(view: Any, *args: Any, **kwargs: Any) -> T:
        if is_configured() and the_replica.may_be_asked():
            try:
                with the_replica.reading(view.request.auth.noted_position) as there:
                    if there:
                        return read(view, *args, **kwargs)
            except Error as error:
                if sqlstate(error) == STATEMENT_TIMEOUT:
                    raise
                if not isinstance(error, DataError):
                    the_replica.rest()
                    logger.warning("The replica is left alone for %s seconds: %s", REST_SECONDS, error)
        return read(view, *args, **kwargs)

    return read_there
