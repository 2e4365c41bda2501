"""A backup is one file: for SQLite a database like the live one, for PostgreSQL an archive of pg_dump's.

Both are taken and put back while others are at work with the database: a backup is one moment of it, and who
reads sees the state before a restore or the one after, nothing between. What fails raises CommandError.
"""

from __future__ import annotations

import os
import re
import shutil
import sqlite3
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import IO, Any, NoReturn

from django.conf import settings
from django.core.management.base import CommandError
from django.db import connection
from psycopg.pq import Conninfo

Applied = set[tuple[str, str]]

# Where Debian has PostgreSQL's programs by version, most of them out of the path.
VERSIONS = Path("/usr/lib/postgresql")
# Whose tables they become, and who else may read them, is for the server that they are restored into.
TABLES_ALONE = ("--no-owner", "--no-privileges")
# What the archive doesn't know goes, too: a newer release's tables would be in the way of the old ones. With
# a table go its sequences and partitions.
EMPTIED = """
SET client_min_messages = warning;
SET statement_timeout = 0;
SET lock_timeout = 0;
BEGIN;
DO $$
DECLARE commands text;
BEGIN
    WITH parts AS (SELECT classid, objid FROM pg_depend WHERE deptype IN ('a', 'e', 'i'))
    SELECT string_agg(command, '; ') INTO commands FROM (
        SELECT format(
                   'DROP %s IF EXISTS %s CASCADE',
                   CASE relkind
                       WHEN 'v' THEN 'VIEW'
                       WHEN 'm' THEN 'MATERIALIZED VIEW'
                       WHEN 'S' THEN 'SEQUENCE'
                       ELSE 'TABLE'
                   END,
                   oid::regclass
               ) AS command
          FROM pg_class
         WHERE relnamespace = current_schema()::regnamespace AND relkind IN ('r', 'p', 'v', 'm', 'S')
           AND ('pg_class'::regclass, oid) NOT IN (SELECT classid, objid FROM parts)
        UNION ALL
        SELECT format('DROP ROUTINE IF EXISTS %s CASCADE', oid::regprocedure)
          FROM pg_proc
         WHERE pronamespace = current_schema()::regnamespace
           AND ('pg_proc'::regclass, oid) NOT IN (SELECT classid, objid FROM parts)
    ) AS drops;
    EXECUTE coalesce(commands, '');
END $$;
"""


# Left out: who has signed out since must not be signed in again; and a replica's log is another one by then.
OF_ITS_TIME = ("django_session", "accounts_last_write")


class SQLiteFile:
    """A database in a file of its own, without others beside it."""

    name = "SQLite"
    begins = b"SQLite format 3\0"

    def save(self, path: Path) -> None:
        with told(path), closing(sqlite3.connect(path)) as copy:
            connection.ensure_connection()
            # All pages in one step: between two of them a writer would make it begin again.
            connection.connection.backup(copy)
            copy.execute("PRAGMA journal_mode = DELETE")
            # Nor are they to be found in what is left of their pages.
            copy.execute("PRAGMA secure_delete = ON")
            for (table,) in [*copy.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]:
                if table in OF_ITS_TIME:
                    copy.execute(f"DELETE FROM {table}")  # noqa: S608
            copy.commit()

    def check(self, path: Path) -> None:
        with told(path), closing(opened(path)) as copy:
            found = [row[0] for row in copy.execute("PRAGMA integrity_check")]
        if found != ["ok"]:
            raise CommandError(f"{path} is damaged: {found[0]}")

    def applied(self, path: Path) -> Applied:
        with told(path), closing(opened(path)) as copy:
            if not [*copy.execute("SELECT 1 FROM sqlite_master WHERE name = 'django_migrations'")]:
                return set()
            return {*copy.execute("SELECT app, name FROM django_migrations")}

    def load(self, path: Path) -> None:
        connection.ensure_connection()
        if path.samefile(connection.settings_dict["NAME"]):
            raise CommandError(f"{path} is the database itself.")
        with told(path), closing(opened(path)) as copy:
            # One transaction of the live database: whoever reads goes on with what they began to read.
            copy.backup(connection.connection)
            # It is restored by now; where the disk is full, the log is taken over later.
            with suppress(sqlite3.Error):
                connection.connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")


def opened(path: Path) -> sqlite3.Connection:
    return sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True)


@contextmanager
def told(path: Path) -> Iterator[None]:
    """What SQLite says of a file, to the one who asked for it."""
    try:
        yield
    except sqlite3.Error as error:
        raise CommandError(f"{path}: {error}") from None


class PostgreSQLArchive:
    """Everything in the database, compressed, as pg_dump's custom format has it."""

    name = "PostgreSQL"
    begins = b"PGDMP"

    def save(self, path: Path) -> None:
        without = [f"--exclude-table-data={table}" for table in OF_ITS_TIME]
        self.run("pg_dump", "--format=custom", "--no-password", *TABLES_ALONE, *without, f"--file={path}")

    def check(self, path: Path) -> None:
        """Read all of it, as restoring it would."""
        self.run("pg_restore", f"--file={os.devnull}", str(path))

    def applied(self, path: Path) -> Applied:
        rows = self.run("pg_restore", "--data-only", "--table=django_migrations", "--file=-", str(path))
        found = re.search(r"^COPY \S+ \((.+)\) FROM stdin;\n((?:.+\n)*?)\\\.$", rows, re.MULTILINE)
        if found is None:
            return set()
        columns = found[1].split(", ")
        lines = [dict(zip(columns, line.split("\t"), strict=True)) for line in found[2].splitlines()]
        return {(line["app"], line["name"]) for line in lines}

    def load(self, path: Path) -> None:
        """In one transaction that ends well only when the archive was read to its end."""
        restore = [self.program("pg_restore"), *TABLES_ALONE, "--file=-", str(path)]
        execute = [self.program("psql"), "--no-psqlrc", "--no-password", "--quiet", "--set=ON_ERROR_STOP=1"]
        with (
            tempfile.TemporaryFile() as read_errors,
            tempfile.TemporaryFile() as write_errors,
            subprocess.Popen(restore, stdout=subprocess.PIPE, stderr=read_errors) as reads,  # noqa: S603
            subprocess.Popen(  # noqa: S603
                execute,
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
                stderr=write_errors,
                env=self.environment(),
            ) as writes,
        ):
            source: Any = reads.stdout
            target: Any = writes.stdin
            with suppress(BrokenPipeError), target:  # psql has ended, and said why
                target.write(EMPTIED.encode())
                shutil.copyfileobj(source, target)
                if reads.wait() == 0:
                    target.write(b"COMMIT;\n")
            source.close()
            if writes.wait() != 0:
                fail("psql", said(write_errors))
            if reads.wait() != 0:
                fail("pg_restore", said(read_errors))

    def run(self, name: str, *arguments: str) -> str:
        """What the program writes. Who connects, and with which password, is never on its command line."""
        done = subprocess.run(  # noqa: S603
            [self.program(name), *arguments], env=self.environment(), capture_output=True, check=False
        )
        if done.returncode != 0:
            fail(name, done.stderr)
        return done.stdout.decode()

    def environment(self) -> dict[str, str]:
        given = connection.get_connection_params()
        names = {each.keyword.decode(): each.envvar for each in Conninfo.get_defaults() if each.envvar}
        parameters = {names[key].decode(): str(value) for key, value in given.items() if key in names}
        return {**os.environ, **parameters}

    def program(self, name: str) -> str:
        """Where it is: rather that of the server's own version than the first in the path."""
        version = connection.pg_version // 10_000  # type: ignore[attr-defined]
        package = f"Install postgresql-client-{version}, or name its folder in PATH."
        folders = os.pathsep.join((f"{VERSIONS}/{version}/bin", os.environ.get("PATH", "")))
        found = shutil.which(name, path=folders)
        if found is None:
            raise CommandError(f"There is no {name} on this machine. {package}")
        says = subprocess.run([found, "--version"], capture_output=True, text=True, check=False).stdout  # noqa: S603
        own = re.search(r"\(PostgreSQL\) (\d+)", says)
        # An older one can't read the server, and no older server reads what a newer one writes.
        if own is None or int(own[1]) != version:
            raise CommandError(f"{found} is not of the server's version, PostgreSQL {version}. {package}")
        return found


def said(errors: IO[bytes]) -> bytes:
    errors.seek(0)
    return errors.read()


def fail(name: str, errors: bytes) -> NoReturn:
    """With the first of what a program had to say: what follows it follows from it."""
    lines = errors.decode(errors="replace").strip().splitlines()
    raise CommandError(f"{name} failed: {lines[0] if lines else 'it was ended'}")


def kind_of_backup() -> SQLiteFile | PostgreSQLArchive:
    if connection.vendor == "sqlite":
        return SQLiteFile()
    if settings.PGBOUNCER:
        # What pg_dump and psql set for their session would stay with a connection that others get next.
        raise CommandError("Unset PGBOUNCER, and lead DATABASE_URL to the server itself.")
    return PostgreSQLArchive()


def first_bytes(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(16)
    except OSError as error:
        raise CommandError(f"{path}: {error.strerror}") from None


@contextmanager
def published(path: Path, *, overwrite: bool) -> Iterator[Path]:
    """A file to write to that nobody else reads, which gets its name once it is whole and on the disk."""
    if path.exists() and not overwrite:
        raise CommandError(f"{path} exists already: with --force it is replaced.")
    partial = None
    try:
        # Readable for its owner alone.
        descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f"{path.name}.", suffix=".partial")
        os.close(descriptor)
        partial = Path(name)
        yield partial
        sync(partial)
        partial.replace(path)
        sync(path.parent)
    except OSError as error:
        raise CommandError(f"{path}: {error.strerror}") from None
    finally:
        if partial is not None:
            partial.unlink(missing_ok=True)


def sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
