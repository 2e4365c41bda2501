"""Collect the rows that are written in a context, for code that compares their effects.

The history calls `collect()` for each write that it records; the models that it records call `announce()`
before they are saved or deleted.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from productive.database.current_request import current_state


@dataclass(frozen=True, slots=True)
class WrittenRows:
    """Rows of one model that were created ("+"), changed ("~") or deleted ("-").

    `rows` are these rows or their historical records: in both, `id` is that of the row, and the other columns
    have the values after the write or before the deletion. `columns` are the names of the changed columns;
    None if they are unknown.
    """

    model: type[Any]
    history_type: str
    rows: Sequence[Any]
    columns: frozenset[str] | None = None


@contextmanager
def collect_written_rows(*, is_trial: bool = False) -> Iterator[list[WrittenRows]]:
    """Yield a list that gets all rows written in this context.

    A trial is rolled back, so it needs no historical records. To write them takes longer than the rows.
    """
    state = current_state()
    outer, outer_trial = state.written_rows, state.is_trial
    written: list[WrittenRows] = []
    state.written_rows, state.is_trial = written, is_trial
    try:
        yield written
    finally:
        state.written_rows, state.is_trial = outer, outer_trial
        if outer is not None:
            outer += written


def is_collecting() -> bool:
    return current_state().written_rows is not None


def is_trial() -> bool:
    return current_state().is_trial


def collect(
    model: type[Any], history_type: str, rows: Sequence[Any], fields: Collection[str] | None = None
) -> None:
    """Add rows to the list of the context, if there is one.

    `fields` are the names of the changed fields, or of their columns.
    """
    written = current_state().written_rows
    if written is not None and rows:
        written.append(WrittenRows(model, history_type, rows, columns_of(model, fields)))


def columns_of(model: type[Any], fields: Collection[str] | None) -> frozenset[str] | None:
    return None if fields is None else frozenset(model._meta.get_field(name).attname for name in fields)


@contextmanager
def before_writes(call: Callable[[WrittenRows], None]) -> Iterator[None]:
    """Call a function with each record in this context that is about to be saved or deleted.

    What a deletion deletes as well is not announced.
    """
    state = current_state()
    outer, state.before_write = state.before_write, call
    try:
        yield
    finally:
        state.before_write = outer


def announce(record: Any, history_type: str, fields: Collection[str] | None = None) -> None:
    """Call the function of the context with a record, if there is one."""
    call = current_state().before_write
    if call is not None:
        model = type(record)
        call(WrittenRows(model, history_type, [record], columns_of(model, fields)))
