"""Test that other accounts of the machine can't read the files of SQLite."""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from stat import S_IMODE

import pytest

from productive.database.private_files import PrivateConnection
from tests.support.api import SocketApi
from tests.support.servers import ROOT, Installation, empty_environment

pytestmark = [pytest.mark.any_database, pytest.mark.no_cover]


@pytest.fixture(autouse=True)
def permissive_umask() -> Iterator[None]:
    before = os.umask(0)
    yield
    os.umask(before)


def modes(folder: Path, pattern: str = "*.sqlite3*") -> dict[str, str]:
    return {path.name: oct(S_IMODE(path.stat().st_mode)) for path in folder.glob(pattern)}


def test_commands_and_the_server_create_private_files(tmp_path: Path) -> None:
    installation = Installation(tmp_path)
    installation.manage("migrate", "--verbosity", "0")
    assert modes(tmp_path) == {"empty.sqlite3": "0o600"}
    installation.manage("backup", str(tmp_path / "backup"))
    (tmp_path / "empty.sqlite3").unlink()
    installation.manage("restore", str(tmp_path / "backup"), "--yes")
    assert modes(tmp_path) == {"empty.sqlite3": "0o600"}
    with installation.served() as server:
        assert SocketApi("wrong", address=server.netloc).get("people").status == 401
        names = [
            f"empty{limits}.sqlite3{suffix}" for limits in ("", "-limits") for suffix in ("", "-wal", "-shm")
        ]
        assert modes(tmp_path) == dict.fromkeys(names, "0o600")


def test_file_of_an_open_connection_stays_locked(tmp_path: Path) -> None:
    """A process loses its locks on a file if it closes any descriptor of the file."""
    path = tmp_path / "x.sqlite3"
    connect = "import sqlite3, sys; sqlite3.connect(sys.argv[1], timeout=0).execute('BEGIN EXCLUSIVE')"
    with closing(sqlite3.connect(path, factory=PrivateConnection)) as first:
        first.execute("BEGIN EXCLUSIVE")
        with closing(sqlite3.connect(path, factory=PrivateConnection)):
            process = subprocess.run([sys.executable, "-c", connect, path], capture_output=True, check=False)
    assert b"database is locked" in process.stderr


def test_existing_files_and_databases_in_memory_are_opened(tmp_path: Path) -> None:
    path = tmp_path / "x.sqlite3"
    path.touch(0o640)
    for name in (path, str(path), ":memory:", f"file:{path}"):
        with closing(sqlite3.connect(name, uri=True, factory=PrivateConnection)) as opened:
            opened.execute("CREATE TABLE IF NOT EXISTS x (y)")
    assert modes(tmp_path, "*") == {"x.sqlite3": "0o640"}
    with pytest.raises(sqlite3.OperationalError, match="unable to open"):
        sqlite3.connect(tmp_path / "missing" / "x.sqlite3", factory=PrivateConnection)


@pytest.mark.parametrize(("before", "after"), [(None, "0o700"), (0o755, "0o750"), (0o700, "0o700")])
@pytest.mark.parametrize("url", ["", "postgres://user@127.0.0.1/name"])
def test_data_directory_is_private(tmp_path: Path, url: str, before: int | None, after: str) -> None:
    shutil.copytree(ROOT / "productive", tmp_path / "productive")
    if before is not None:
        (tmp_path / "var").mkdir(before)
    environment = {**empty_environment(tmp_path), "DATABASE_URL": url}
    if not url:
        del environment["DATABASE_URL"]
    script = "import productive.settings"
    subprocess.run([sys.executable, "-c", script], cwd=tmp_path, env=environment, check=True)
    assert modes(tmp_path, "var") == {"var": after}
