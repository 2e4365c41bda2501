"""Run commands of manage.py."""

from __future__ import annotations

import os
import subprocess
import sys
from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from tests.support.servers import ROOT


def run(command: str, *arguments: Any) -> tuple[str, str]:
    """Return what the command wrote to stdout and stderr."""
    out, err = StringIO(), StringIO()
    call_command(command, *map(str, arguments), stdout=out, stderr=err, no_color=True)
    return out.getvalue(), err.getvalue()


def command_error(command: str, *arguments: Any) -> str:
    with pytest.raises(CommandError) as caught:
        run(command, *arguments)
    return str(caught.value)


def seed(**options: Any) -> str:
    """Create a sample agency, and return what the command wrote to stdout."""
    out = StringIO()
    call_command("seed", stdout=out, stderr=StringIO(), **options)
    return out.getvalue()


GOOD_KEY = "a key of more than fifty characters, only for the tests"


def manage(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    kept = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    return subprocess.run(
        [sys.executable, "manage.py", *arguments],
        cwd=ROOT,
        env={**kept, "ENV_FILE": os.devnull, **environment},
        capture_output=True,
        text=True,
        check=False,
    )
