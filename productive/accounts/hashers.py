"""Hash passwords without slowing other requests."""

from __future__ import annotations

import json
import subprocess
import sys
from base64 import b64encode
from logging import getLogger
from pathlib import Path
from typing import Any

from django.contrib.auth.hashers import PBKDF2PasswordHasher
from django.utils.encoding import force_bytes

logger = getLogger(__name__)

PROGRAM = Path(__file__).with_name("pbkdf2.py")


class NicePasswordHasher(PBKDF2PasswordHasher):
    """Hash in a process of low priority.

    A hash takes a third of a second of a core, which other requests would wait for. Under hostile sign-ins,
    the 95th percentile of API requests is 3.4 times its quiet value with normal priority, and 1.6 with this
    one. A thread of low priority was tried, too: 2.3 (`tests/benchmarks/sign_ins`).
    """

    def encode(self, password: str, salt: Any, iterations: int | None = None) -> str:
        """Return what Django's hasher returns."""
        self._check_encode_args(password, salt)  # type: ignore[attr-defined]
        iterations = iterations or self.iterations
        arguments = [self.digest().name, force_bytes(password).hex(), force_bytes(salt).hex(), iterations]
        try:
            # Isolated and without site-packages, it starts faster. Others see its arguments, not its input.
            done = subprocess.run(  # noqa: S603, the program is a constant
                [sys.executable, "-I", "-S", PROGRAM],
                input=json.dumps(arguments),
                capture_output=True,
                text=True,
                check=True,
            )
        except (OSError, subprocess.CalledProcessError):
            logger.warning("Can't hash a password in another process", exc_info=True)
            return super().encode(password, salt, iterations)
        encoded = b64encode(bytes.fromhex(done.stdout)).decode()
        return f"{self.algorithm}${iterations}${salt}${encoded}"
