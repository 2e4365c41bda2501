"""The server as in production: gunicorn with several processes. What they use is in /proc, so on Linux."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.error import URLError
from urllib.request import urlopen

from tests.benchmarks.load.client import Address
from tests.conftest import ROOT, free_port

PSS = re.compile(r"^Pss: +(\d+) kB$", re.MULTILINE)
TICKS = os.sysconf("SC_CLK_TCK")


@dataclass
class Server:
    process: subprocess.Popen[bytes]
    address: Address
    log: Path

    @property
    def workers(self) -> list[int]:
        """The ids of its worker processes."""
        pid = self.process.pid
        return sorted(map(int, Path(f"/proc/{pid}/task/{pid}/children").read_text().split()))

    def memory(self) -> dict[int, int]:
        """Bytes in memory by worker; what several processes share is divided among them."""
        return {pid: memory_of(pid) for pid in self.workers}

    def cpu_seconds(self) -> float:
        """Of all workers until now."""
        return sum(map(cpu_seconds_of, self.workers))

    def complaints(self) -> list[str]:
        """What it has logged, but for the requests that were refused: that is for who sent them to judge."""
        lines = self.log.read_text(errors="replace").splitlines()
        return [line for line in lines if " WARNING django.request: " not in line]


def memory_of(pid: int) -> int:
    found = PSS.search(Path(f"/proc/{pid}/smaps_rollup").read_text())
    return int(found[1]) * 1024 if found else 0


def cpu_seconds_of(pid: int) -> float:
    # The second field is a name in brackets that may hold blanks.
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def cpu_seconds_of_all() -> float:
    """What all processes of this machine have used, of all cores together."""
    line = Path("/proc/stat").read_text().split("\n", 1)[0].split()
    user, nice, system, _idle, _iowait, irq, softirq, steal = map(int, line[1:9])
    return (user + nice + system + irq + softirq + steal) / TICKS


@contextmanager
def served(database_url: str, workers: int, log: Path) -> Iterator[Server]:
    """It answers and its database answers; ended in the end. The environment is this process's own."""
    port = free_port()
    arguments = ["--config", "python:productive.server", "--log-level", "warning"]
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "gunicorn", *arguments, "--bind", f"127.0.0.1:{port}", "productive.wsgi"],
            cwd=ROOT,
            env={
                **os.environ,
                "DATABASE_URL": database_url,
                "DJANGO_SETTINGS_MODULE": "productive.settings",
                "WEB_CONCURRENCY": str(workers),
                "LOG_LEVEL": "WARNING",
                "LOG_FORMAT": "text",
            },
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    server = Server(process, ("127.0.0.1", port), log)
    try:
        wait_until_ready(server, workers)
        yield server
    finally:
        process.terminate()
        try:
            process.wait(40)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def wait_until_ready(server: Server, workers: int, seconds: float = 30) -> None:
    host, port = server.address
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline and server.process.poll() is None:
        try:
            with urlopen(f"http://{host}:{port}/readyz", timeout=5):
                if len(server.workers) == workers:
                    return
        except (URLError, OSError):
            pass
        time.sleep(0.1)
    raise RuntimeError("The server did not start:\n" + "\n".join(server.complaints()))
