"""Start the application in separate processes, as in production."""

from __future__ import annotations

import atexit
import os
import re
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from urllib.error import URLError
from urllib.request import urlopen

from django.conf import settings
from django.db import connection

ROOT = Path(__file__).parents[2]
# Seconds. Generous, because a busy machine is slow: nothing that takes longer will ever happen.
PATIENCE = 120
# Log warnings and errors only, for `complaints`.
WARNINGS = {"LOG_LEVEL": "WARNING", "LOG_FORMAT": "text", "GUNICORN_CMD_ARGS": "--log-level warning"}
PSS = re.compile(r"^Pss: +(\d+) kB$", re.MULTILINE)
TICKS = os.sysconf("SC_CLK_TCK")

_reserved = ExitStack()
atexit.register(_reserved.close)


def free_port() -> int:
    """Return a port of 127.0.0.1 that nothing else on this machine gets until this process ends.

    The socket stays bound and doesn't listen. A server can still bind the port, as servers set SO_REUSEADDR.
    """
    reserved = _reserved.enter_context(socket.socket())
    reserved.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    reserved.bind(("127.0.0.1", 0))
    port: int = reserved.getsockname()[1]
    return port


def wait_until(condition: Callable[[], object], seconds: float = PATIENCE) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"not within {seconds} seconds"
        time.sleep(0.02)


def listens(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), 1).close()
    except OSError:
        return False
    return True


def wait_for_port(port: int) -> None:
    wait_until(lambda: listens(port))


def stop(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(PATIENCE)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def database_url_of_tests() -> str:
    """Return the DATABASE_URL of the database that the tests of this process use."""
    database = connection.settings_dict
    if connection.vendor == "sqlite":
        return f"sqlite:///{database['NAME']}"
    user, host, port = database["USER"], database["HOST"], database["PORT"]
    return f"postgres://{user}@{host}:{port}/{database['NAME']}"


def empty_environment(folder: Path) -> dict[str, str]:
    """Return the variables of a process that starts with no .env file and a new database in the folder."""
    return {
        "PATH": os.environ["PATH"],
        "ENV_FILE": os.devnull,
        "SECRET_KEY": settings.SECRET_KEY,
        "DATABASE_URL": f"sqlite:///{folder}/empty.sqlite3",
    }


@dataclass
class Server:
    """A running gunicorn. It reads the resource usage of workers from /proc, so it needs Linux."""

    process: subprocess.Popen[bytes]
    address: tuple[str, int]
    log: Path

    @property
    def netloc(self) -> str:
        """Return host:port."""
        return "{}:{}".format(*self.address)

    @property
    def workers(self) -> list[int]:
        """Return the ids of the worker processes."""
        pid = self.process.pid
        return sorted(map(int, Path(f"/proc/{pid}/task/{pid}/children").read_text().split()))

    def memory(self) -> dict[int, int]:
        """Return the bytes in memory by worker; shared memory is divided among the processes."""
        return {pid: memory_of(pid) for pid in self.workers}

    def cpu_seconds(self) -> float:
        """Return the CPU time of all workers so far."""
        return sum(map(cpu_seconds_of, self.workers))

    def complaints(self) -> list[str]:
        """Return the lines of the log. Rejected requests have none, because the client checks them."""
        return self.log.read_text(errors="replace").splitlines()

    def is_ready(self, workers: int) -> bool:
        assert self.process.poll() is None, "The server did not start:\n" + "\n".join(self.complaints())
        try:
            with urlopen(f"http://{self.netloc}/healthz", timeout=PATIENCE):
                return len(self.workers) == workers
        except (URLError, OSError):
            return False


def memory_of(pid: int) -> int:
    found = PSS.search(Path(f"/proc/{pid}/smaps_rollup").read_text())
    return int(found[1]) * 1024 if found else 0


def cpu_seconds_of(pid: int) -> float:
    # The second field is a name in parentheses that may contain spaces.
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def cpu_seconds_of_all() -> float:
    """Return the CPU time of all processes of this machine, on all cores."""
    line = Path("/proc/stat").read_text().split("\n", 1)[0].split()
    user, nice, system, _idle, _iowait, irq, softirq, steal = map(int, line[1:9])
    return (user + nice + system + irq + softirq + steal) / TICKS


@contextmanager
def gunicorn(environment: Mapping[str, str], log: Path, *options: str, workers: int = 1) -> Iterator[Server]:
    """Serve the application on a free port, with its output in `log`, and stop it at the end."""
    port = free_port()
    command = [sys.executable, "-m", "gunicorn", "--config", "python:productive.server"]
    with log.open("ab") as output:
        process = subprocess.Popen(
            [*command, "--bind", f"127.0.0.1:{port}", *options, "productive.wsgi"],
            cwd=ROOT,
            env={**environment, "WEB_CONCURRENCY": str(workers)},
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    server = Server(process, ("127.0.0.1", port), log)
    try:
        wait_until(lambda: server.is_ready(workers))
        yield server
    finally:
        stop(process)


@dataclass
class Installation:
    """The application with its own environment variables: its commands and its server."""

    folder: Path
    environment: dict[str, str] = field(default_factory=dict)

    def variables(self) -> dict[str, str]:
        return {
            **empty_environment(self.folder),
            "HTTPS": "false",
            "ALLOWED_HOSTS": "127.0.0.1",
            # Requests are counted as in production, but the limits are never reached.
            "RATE_LIMIT_TOKEN": "1000000/10s",
            "RATE_LIMIT_ORGANIZATION": "1000000/10s",
            "RATE_LIMIT_FAILED_AUTHENTICATION": "1000000/10s",
            "RATE_LIMIT_SIGN_IN": "1000000/10s",
            **self.environment,
        }

    def manage(self, *arguments: str) -> str:
        """Run a command of manage.py and return its output."""
        command = [sys.executable, "manage.py", *arguments]
        done = subprocess.run(
            command, cwd=ROOT, env=self.variables(), capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    @contextmanager
    def served(self, name: str = "web", *, workers: int = 1, **environment: str) -> Iterator[Server]:
        """Serve the application, with its log in a file in the folder."""
        variables = {**self.variables(), **environment}
        with gunicorn(variables, self.folder / f"{name}.log", workers=workers) as server:
            yield server
