"""Uploaded files: their form and limits, and files to be confirmed."""

from __future__ import annotations

import os
import tempfile
import time
from contextlib import suppress
from hashlib import sha256
from pathlib import Path
from secrets import token_hex
from typing import Any

from django import forms
from django.core import signing
from django.core.exceptions import RequestDataTooBig
from django.core.files.uploadhandler import FileUploadHandler
from django.http import HttpRequest

from productive.admin.spreadsheets.files import MEGABYTE, MOST_MEGABYTES, MOST_ROWS
from productive.admin.theme import FileInput

# A file waits in the directory for temporary files, for this many seconds.
KEPT_FOR = 60 * 60
PREFIX = "productive-import-"
# Files of one user; the next one replaces the oldest.
MOST_WAITING = 5


class NotWaitingError(Exception):
    """The file belongs to another user, was imported already, or has expired."""


class Uploads:
    """The files of one user and list between preview and confirmation.

    The browser holds a signed token with the random name of the file, which only the server's user can read.
    All processes of one machine find the file; another machine answers that it is gone.
    """

    def __init__(self, request: HttpRequest, model: str) -> None:
        self.user = f"{request.user.pk}-"
        self.signer = signing.TimestampSigner(salt=f"import {model} {request.user.pk}")

    def keep(self, name: str, data: bytes) -> str:
        """Store the file, and return the token for it."""
        remove_expired(self.user)
        key = self.user + token_hex(16)
        with os.fdopen(os.open(path_of(key), os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(data)
        return self.signer.sign_object({"key": key, "name": name, "data": sha256(data).hexdigest()})

    def take(self, token: str) -> tuple[str, bytes]:
        """Return the name and content of the file, and delete it.

        Of two requests at once, one gets it.
        """
        try:
            stored = self.signer.unsign_object(token, max_age=KEPT_FOR)
            data = path_of(stored["key"]).read_bytes()
            path_of(stored["key"]).unlink()
        except (signing.BadSignature, OSError) as error:
            raise NotWaitingError from error
        if sha256(data).hexdigest() != stored["data"]:
            raise NotWaitingError
        return stored["name"], data


def path_of(key: str) -> Path:
    return Path(tempfile.gettempdir()) / f"{PREFIX}{key}"


def remove_expired(user: str) -> None:
    """Delete expired files, and the user's oldest, to leave room for one more."""
    modified: dict[Path, float] = {}
    for path in Path(tempfile.gettempdir()).glob(f"{PREFIX}*"):
        with suppress(OSError):  # another process deleted it
            modified[path] = path.stat().st_mtime
    oldest = time.time() - KEPT_FOR
    own = sorted((path for path in modified if path.name.startswith(PREFIX + user)), key=modified.__getitem__)
    expired = [path for path, moment in modified.items() if moment < oldest]
    for path in {*expired, *own[: 1 - MOST_WAITING]}:
        with suppress(OSError):  # or it belongs to another user of the machine
            path.unlink()


class UploadLimit(FileUploadHandler):
    """Reject uploads that would fill the disk, on every page.

    The form rejects files that are too large for an import.
    """

    def handle_raw_input(
        self,
        input_data: Any,
        META: Any,  # noqa: N803, as Django calls it
        content_length: int,
        boundary: Any,
        encoding: Any = None,
    ) -> None:
        if content_length > 4 * MOST_MEGABYTES * MEGABYTE:
            raise RequestDataTooBig("The request is larger than any form allows.")

    def receive_data_chunk(self, raw_data: bytes, start: int) -> bytes:
        return raw_data

    def file_complete(self, file_size: int) -> None:
        return None


class UploadForm(forms.Form):
    file = forms.FileField(
        widget=FileInput(attrs={"accept": ".csv,.xlsx"}),
        max_length=255,
        help_text=f"CSV in UTF-8 or XLSX, up to {MOST_ROWS:,} rows and {MOST_MEGABYTES} MB. "
        "Of a spreadsheet, the first sheet is read.",
        error_messages={"empty": "The file is empty."},
    )
