"""Create SQLite files that only their owner can read."""

from __future__ import annotations

import os
import sqlite3
from contextlib import suppress
from typing import Any


class PrivateConnection(sqlite3.Connection):
    """A connection that creates its file with mode 0600, whatever the umask.

    SQLite gives the write-ahead log and the shared memory the mode of the file. Django and sqlite3 call this
    class if it is their `factory`.
    """

    def __init__(self, database: Any, *args: Any, **kwargs: Any) -> None:
        # Other names are in memory, or are URLs that only a command can have.
        if not str(database).startswith((":", "file:")):
            # Don't open an existing file: to close it would release all locks of this process on it.
            with suppress(OSError):
                os.close(os.open(database, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
        super().__init__(database, *args, **kwargs)
