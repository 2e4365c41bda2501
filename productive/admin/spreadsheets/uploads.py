"""Upload form, and storage of files until they are confirmed."""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Sequence
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
from django.utils.text import capfirst

from productive.admin.spreadsheets.archives import MEGABYTE
from productive.admin.spreadsheets.files import MAX_MEGABYTES, MAX_ROWS
from productive.admin.spreadsheets.tables import RemovalScope
from productive.admin.theme import FileInput, Select

# The body of a request to any page.
MAX_UPLOAD_BYTES = 4 * MAX_MEGABYTES * MEGABYTE
# Stored files expire after this many seconds.
MAX_AGE = 60 * 60
PREFIX = "productive-import-"
# Stored files of one user, with those of rejected rows; the next one replaces the oldest.
MAX_PENDING = 10


class UploadNotFoundError(Exception):
    """The file belongs to another user, was imported already, or has expired."""


class Uploads:
    """The stored files of one user and model.

    A file in the directory for temporary files, which only the server's user can read, has a random name. The
    browser gets that name in a signed token. Another machine doesn't find the file.
    """

    def __init__(self, request: HttpRequest, model: str) -> None:
        self.user = f"{request.user.pk}-"
        self.signer = signing.TimestampSigner(salt=f"import {model} {request.user.pk}")

    def store(self, name: str, data: bytes) -> str:
        """Store a file, and return its token."""
        remove_expired(self.user)
        key = self.user + token_hex(16)
        with os.fdopen(os.open(upload_path(key), os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(data)
        return self.signer.sign_object({"key": key, "name": name, "data": sha256(data).hexdigest()})

    def read(self, token: str, *, delete: bool = False) -> tuple[str, bytes]:
        """Return the name and content of a file, or raise UploadNotFoundError.

        If it is deleted, that happens once: of two concurrent requests, one raises the error.
        """
        try:
            stored = self.signer.unsign_object(token, max_age=MAX_AGE)
            data = upload_path(stored["key"]).read_bytes()
            if delete:
                upload_path(stored["key"]).unlink()
        except (signing.BadSignature, OSError) as error:
            raise UploadNotFoundError from error
        if sha256(data).hexdigest() != stored["data"]:
            raise UploadNotFoundError
        return stored["name"], data


def upload_path(key: str) -> Path:
    return Path(tempfile.gettempdir()) / f"{PREFIX}{key}"


def remove_expired(user: str) -> None:
    """Delete expired files, and the user's oldest if there are too many."""
    modified: dict[Path, float] = {}
    for path in Path(tempfile.gettempdir()).glob(f"{PREFIX}*"):
        with suppress(OSError):  # another process has deleted it
            modified[path] = path.stat().st_mtime
    oldest = time.time() - MAX_AGE
    own = sorted((path for path in modified if path.name.startswith(PREFIX + user)), key=modified.__getitem__)
    expired = [path for path, moment in modified.items() if moment < oldest]
    for path in {*expired, *own[: 1 - MAX_PENDING]}:
        with suppress(OSError):  # deleted, or owned by another user of the machine
            path.unlink()


class UploadLimit(FileUploadHandler):
    """Reject uploads to any page that could fill the disk.

    `read_sheet` rejects files that are too large for an import.
    """

    def handle_raw_input(
        self,
        input_data: Any,
        META: Any,  # noqa: N803, as Django calls it
        content_length: int,
        boundary: Any,
        encoding: Any = None,
    ) -> None:
        if content_length > MAX_UPLOAD_BYTES:
            raise RequestDataTooBig("The request is larger than any form allows.")

    def receive_data_chunk(self, raw_data: bytes, start: int) -> bytes:
        return raw_data

    def file_complete(self, file_size: int) -> None:
        return None


class UploadForm(forms.Form):
    file = forms.FileField(
        widget=FileInput(attrs={"accept": ".csv,.tsv,.xlsx"}),
        max_length=255,
        help_text=f"CSV in UTF-8 or XLSX, up to {MAX_ROWS:,} rows and {MAX_MEGABYTES} MB. "
        "One sheet of an XLSX is imported: the first visible one with the headings.",
        error_messages={"empty": "The file is empty."},
    )
    scope = forms.ChoiceField(required=False, widget=Select)

    def __init__(self, data: Any, files: Any, *, names: str, scopes: Sequence[RemovalScope]) -> None:
        super().__init__(data, files)
        field: Any = self.fields["scope"]
        field.label = f"{capfirst(names)} that aren't in the file"
        field.choices = [("", "Keep them"), *((scope.name, scope.label) for scope in scopes)]
        if not scopes:
            del self.fields["scope"]
