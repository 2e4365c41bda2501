"""Cause faults of an SQLite file: a full disk, another process that writes."""

from __future__ import annotations

import os
import resource
import sqlite3
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from tests.chaos.clients import BUSY, Client, client_of, document, format_statuses
from tests.chaos.findings import Findings
from tests.chaos.ground import Ground
from tests.support.api import Answer
from tests.support.servers import Server

MEGABYTES = 4
OPEN = "service_types?page[size]=1"
MOST_WRITES = 400
# Fills pages soon.
LARGE = "x" * 20_000


@contextmanager
def small_disk(folder: Path) -> Iterator[bool]:
    """Mount a file system of a few megabytes if possible; yield whether it is mounted."""
    mount = ["mount", "-t", "tmpfs", "-o", f"size={MEGABYTES}m", "tmpfs", str(folder)]
    is_mounted = os.geteuid() == 0 and subprocess.run(mount, check=False, capture_output=True).returncode == 0
    try:
        yield is_mounted
    finally:
        if is_mounted:
            subprocess.run(["umount", "--lazy", str(folder)], check=True)


def fill(folder: Path) -> Callable[[], None]:
    """Fill the disk; return a function that frees it."""
    ballast = folder / "ballast"
    with ballast.open("wb", buffering=0) as file:
        try:
            while True:
                file.write(b"\0" * 4096)
        except OSError:
            return ballast.unlink


def limit_files(server: Server) -> Callable[[], None]:
    """Limit the workers' files to a few pages: simulates a full disk without root."""
    limits = {pid: resource.prlimit(pid, resource.RLIMIT_FSIZE) for pid in server.workers}
    for pid, (_, hard) in limits.items():
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (4096, hard))

    def lift() -> None:
        for pid, limit in limits.items():
            resource.prlimit(pid, resource.RLIMIT_FSIZE, limit)

    return lift


def disk_full(ground: Ground, server: Server, *, is_small: bool) -> Findings:
    """Writes are rejected and reads succeed; with free space, everything works again."""
    findings = Findings(f"SQLite: {'the disk is full' if is_small else 'no file may grow'}")
    reader, writer = client_of(ground, server.address), client_of(ground, server.address)
    before = write(writer).status
    free = fill(ground.file.parent) if is_small else limit_files(server)
    try:
        # The write-ahead log may have space in its existing pages.
        for _ in range(MOST_WRITES):
            if write(writer).status == BUSY:
                break
        rejected = [write(writer).status for _ in range(4)]
        read = [reader.get(path).status for path in (OPEN, f"service_types/{ground.service_type}") * 4]
        ready = client_of(ground, server.address).get("/healthz").status
    finally:
        free()
    after = [write(writer).status for _ in range(8)]
    findings.figures |= {
        "writes": format_statuses(writer.statuses),
        "reads": format_statuses(reader.statuses),
        "longest write": f"{writer.longest:.2f} s",
    }
    findings.promise(before == 201, f"a write before: {before}")
    findings.promise(set(rejected) == {BUSY}, f"writes without space: {rejected}")
    findings.promise({*read, ready} == {200}, f"reads: {read}")
    findings.promise(set(after) == {201}, f"writes afterwards: {after}")
    findings.broken += [*reader.faults, *writer.faults, *ground.broken_rules()]
    return findings


def write_locked(ground: Ground, seconds: float = 6, timeout: int = 2) -> Findings:
    """Another process writes longer than the timeout: writes are rejected, reads succeed."""
    findings = Findings(f"SQLite: locked for {seconds:g} s, of which a write waits {timeout}")
    with ground.served(SQLITE_TIMEOUT=str(timeout)) as server:
        # This token was never used: a read updates its last use, if it can.
        reader, writer = (
            Client(ground.tokens[1], address=f"127.0.0.1:{server.address[1]}"),
            client_of(ground, server.address),
        )
        with closing(sqlite3.connect(ground.file, isolation_level=None)) as holder:
            holder.execute("BEGIN EXCLUSIVE")
            end = time.monotonic() + seconds
            while time.monotonic() < end:
                reader.get(OPEN)
                write(writer)
            holder.execute("ROLLBACK")
        findings.figures |= {
            "reads": format_statuses(reader.statuses),
            "writes": format_statuses(writer.statuses),
        }
        findings.promise(set(reader.statuses) == {200}, f"reads: {format_statuses(reader.statuses)}")
        findings.promise(set(writer.statuses) == {BUSY}, f"writes: {format_statuses(writer.statuses)}")
        findings.within(1, reader.longest, "longest read")
        findings.within(timeout + 1.5, writer.longest, "longest write")
        after = write(writer).status
        findings.promise(after == 201, f"a write afterwards: {after}")
    findings.broken += [*reader.faults, *writer.faults, *ground.broken_rules()]
    return findings


def write(client: Client) -> Answer:
    return client.post("service_types", json=document("service_types", name="Large", description=LARGE))
