"""Back up the database to a file: a copy of SQLite, or a pg_dump.

A backup is a consistent snapshot; others can write at the same time. A restore is one transaction: readers
see the state before it or after it. Failures raise CommandError.
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

from productive.management.schema import SQLITE_SCHEMA, unknown_code

Applied = set[tuple[str, str]]

# Debian installs PostgreSQL's programs here, by version. Most of them aren't in PATH.
VERSIONS = Path("/usr/lib/postgresql")
# The role that restores owns the tables, and decides on their privileges.
WITHOUT_ROLES = ("--no-owner", "--no-privileges")
# Drop everything in the schema, including tables of a newer release that aren't in the archive. Sequences and
# partitions are dropped with their table.
DROP_EVERYTHING = """
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
# Not backed up: users who have signed out would be signed in again, and positions in the write-ahead log are
# only valid on the same server.
TRANSIENT_TABLES = ("django_session", "accounts_last_write")


class SQLiteFile:
    """A single SQLite file without a write-ahead log."""

    name = "SQLite"
    signature = b"SQLite format 3\0"

    def save(self, path: Path) -> None:
        with command_errors(path), closing(sqlite3.connect(path)) as copy:
            connection.ensure_connection()
            # Copy all pages in one step, because a write between two steps would restart the copy.
            connection.connection.backup(copy)
            copy.execute("PRAGMA journal_mode = DELETE")
            # Overwrite deleted rows, so that they can't be found in free pages.
            copy.execute("PRAGMA secure_delete = ON")
            for (table,) in [*copy.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]:
                if table in TRANSIENT_TABLES:
                    copy.execute(f"DELETE FROM {table}")  # noqa: S608
            copy.commit()

    def check(self, path: Path) -> None:
        with command_errors(path), closing(open_read_only(path)) as copy:
            problems = [row[0] for row in copy.execute("PRAGMA integrity_check")]
        if problems != ["ok"]:
            raise CommandError(f"{path} is damaged: {problems[0]}")

    def check_code(self, path: Path) -> None:
        """Reject triggers and views that this application doesn't create.

        Unknown tables are accepted, because a backup of an older release can have some.
        """
        with command_errors(path), closing(open_read_only(path)) as copy:
            unknown = [*unknown_code(copy.execute(SQLITE_SCHEMA))]
        if unknown:
            raise CommandError(f"{path} is not restored: {', '.join(unknown)}. Nothing was changed.")

    def applied(self, path: Path) -> Applied:
        with command_errors(path), closing(open_read_only(path)) as copy:
            if not [*copy.execute("SELECT 1 FROM sqlite_master WHERE name = 'django_migrations'")]:
                return set()
            return {*copy.execute("SELECT app, name FROM django_migrations")}

    def load(self, path: Path) -> None:
        connection.ensure_connection()
        if path.samefile(connection.settings_dict["NAME"]):
            raise CommandError(f"{path} is the database itself.")
        with command_errors(path), closing(open_read_only(path)) as copy:
            # This is one transaction, so readers keep their snapshot.
            copy.backup(connection.connection)
            # The backup is already restored. If the disk is full, a later checkpoint will succeed.
            with suppress(sqlite3.Error):
                connection.connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")


def open_read_only(path: Path) -> sqlite3.Connection:
    return sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True)


@contextmanager
def command_errors(path: Path) -> Iterator[None]:
    """Raise errors of SQLite as CommandError."""
    try:
        yield
    except sqlite3.Error as error:
        raise CommandError(f"{path}: {error}") from None


class PostgreSQLArchive:
    """A compressed archive in the custom format of pg_dump."""

    name = "PostgreSQL"
    signature = b"PGDMP"

    def save(self, path: Path) -> None:
        without = [f"--exclude-table-data={table}" for table in TRANSIENT_TABLES]
        self.run("pg_dump", "--format=custom", "--no-password", *WITHOUT_ROLES, *without, f"--file={path}")

    def check(self, path: Path) -> None:
        """Read the whole archive, as a restore does."""
        self.run("pg_restore", f"--file={os.devnull}", str(path))

    def check_code(self, path: Path) -> None:
        """Do nothing: `verify`, which `restore` runs, finds unknown triggers and views."""

    def applied(self, path: Path) -> Applied:
        rows = self.run("pg_restore", "--data-only", "--table=django_migrations", "--file=-", str(path))
        found = re.search(r"^COPY \S+ \((.+)\) FROM stdin;\n((?:.+\n)*?)\\\.$", rows, re.MULTILINE)
        if found is None:
            return set()
        columns = found[1].split(", ")
        lines = [dict(zip(columns, line.split("\t"), strict=True)) for line in found[2].splitlines()]
        return {(line["app"], line["name"]) for line in lines}

    def load(self, path: Path) -> None:
        """Replace everything, and commit if the archive was read to its end."""
        restore = [self.program("pg_restore"), *WITHOUT_ROLES, "--file=-", str(path)]
        execute = [self.program("psql"), "--no-psqlrc", "--no-password", "--quiet", "--set=ON_ERROR_STOP=1"]
        with (
            tempfile.TemporaryFile() as read_errors,
            tempfile.TemporaryFile() as write_errors,
            subprocess.Popen(restore, stdout=subprocess.PIPE, stderr=read_errors) as reader,  # noqa: S603
            subprocess.Popen(  # noqa: S603
                execute,
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
                stderr=write_errors,
                env=self.environment(),
            ) as writer,
        ):
            source: Any = reader.stdout
            target: Any = writer.stdin
            with suppress(BrokenPipeError), target:  # psql failed, which is reported below.
                target.write(DROP_EVERYTHING.encode())
                shutil.copyfileobj(source, target)
                if reader.wait() == 0:
                    target.write(b"COMMIT;\n")
            source.close()
            if writer.wait() != 0:
                raise_first_error("psql", content_of(write_errors))
            if reader.wait() != 0:
                raise_first_error("pg_restore", content_of(read_errors))

    def run(self, name: str, *arguments: str) -> str:
        """Return the output of a program, called without secrets as arguments."""
        done = subprocess.run(  # noqa: S603
            [self.program(name), *arguments], env=self.environment(), capture_output=True, check=False
        )
        if done.returncode != 0:
            raise_first_error(name, done.stderr)
        return done.stdout.decode()

    def environment(self) -> dict[str, str]:
        options = connection.get_connection_params()
        names = {each.keyword.decode(): each.envvar for each in Conninfo.get_defaults() if each.envvar}
        parameters = {names[key].decode(): str(value) for key, value in options.items() if key in names}
        return {**os.environ, **parameters}

    def program(self, name: str) -> str:
        """Return the path of the program, preferably of the server's version."""
        version = connection.pg_version // 10_000  # type: ignore[attr-defined]
        package = f"Install postgresql-client-{version}, or name its folder in PATH."
        folders = os.pathsep.join((f"{VERSIONS}/{version}/bin", os.environ.get("PATH", "")))
        found = shutil.which(name, path=folders)
        if found is None:
            raise CommandError(f"There is no {name} on this machine. {package}")
        output = subprocess.run([found, "--version"], capture_output=True, text=True, check=False).stdout  # noqa: S603
        version_of_program = re.search(r"\(PostgreSQL\) (\d+)", output)
        # An older program can't dump the server, and the server can't restore the dump of a newer program.
        if version_of_program is None or int(version_of_program[1]) != version:
            raise CommandError(f"{found} is not of the server's version, PostgreSQL {version}. {package}")
        return found


def content_of(errors: IO[bytes]) -> bytes:
    errors.seek(0)
    return errors.read()


def raise_first_error(name: str, errors: bytes) -> NoReturn:
    """Raise the first error of a program; later ones follow from it."""
    lines = errors.decode(errors="replace").strip().splitlines()
    raise CommandError(f"{name} failed: {lines[0] if lines else 'it was killed'}")


def kind_of_backup() -> SQLiteFile | PostgreSQLArchive:
    if connection.vendor == "sqlite":
        return SQLiteFile()
    if settings.PGBOUNCER:
        # The session settings of pg_dump and psql would persist on a pooled connection.
        raise CommandError("Unset PGBOUNCER, and set DATABASE_URL to the server itself.")
    return PostgreSQLArchive()


def first_bytes(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(16)
    except OSError as error:
        raise CommandError(f"{path}: {error.strerror}") from None


@contextmanager
def atomic_file(path: Path, *, overwrite: bool) -> Iterator[Path]:
    """Yield a temporary file that replaces `path` when it is complete."""
    if path.exists() and not overwrite:
        raise CommandError(f"{path} already exists; --force replaces it.")
    partial = None
    try:
        # Only its owner can read it.
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
