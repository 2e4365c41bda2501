"""Collect the rows that are written in a context, for code that compares their effects.

The history calls `collect()` for each write that it records.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
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
        columns = None
        if fields is not None:
            columns = frozenset(model._meta.get_field(name).attname for name in fields)
        written.append(WrittenRows(model, history_type, rows, columns))
