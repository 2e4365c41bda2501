"""Import and export on the pages of a list: upload, look at what it would do, confirm. Knows no model."""

from __future__ import annotations

import os
import re
import tempfile
import time
from contextlib import closing, suppress
from hashlib import sha256
from pathlib import Path
from secrets import token_hex
from typing import Any

from django import forms
from django.contrib import messages
from django.contrib.admin.options import IncorrectLookupParameters
from django.core import signing
from django.core.exceptions import PermissionDenied, RequestDataTooBig, ValidationError
from django.core.files.uploadhandler import FileUploadHandler
from django.db import IntegrityError, OperationalError, transaction
from django.http import FileResponse, HttpRequest, HttpResponse, HttpResponseRedirect
from django.http.response import HttpResponseBase
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils import timezone
from import_export.admin import ImportExportMixin

from productive.admin.spreadsheets import files as spreadsheets
from productive.admin.spreadsheets.files import MOST_MEGABYTES, MOST_ROWS, Sheet
from productive.admin.spreadsheets.plans import Plan
from productive.admin.spreadsheets.tables import BATCH, Table
from productive.admin.theme import FileInput
from productive.database.history import record

# A file waits for its confirmation in the directory for temporary files, for this many seconds.
KEPT_FOR = 60 * 60
PREFIX = "productive-import-"
# Of one user; with the next, the oldest is forgotten.
MOST_WAITING = 5


class NotWaitingError(Exception):
    """What was to be confirmed isn't this user's, has been imported, or is too old."""


class Waiting:
    """An uploaded file between its preview and its confirmation.

    The browser holds a signed note of whose file it is, for which list, and what the preview said. The file
    itself is under a random name that only the note tells, readable by the server's user alone. All processes
    of one machine find it; another machine answers that it is no longer there.
    """

    def __init__(self, request: HttpRequest, model: str) -> None:
        self.user = f"{request.user.pk}-"
        self.signer = signing.TimestampSigner(salt=f"import {model} {request.user.pk}")

    def keep(self, name: str, data: bytes, plan: Plan) -> str:
        remove_forgotten(self.user)
        key = self.user + token_hex(16)
        with os.fdopen(os.open(path_of(key), os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(data)
        note = {"key": key, "name": name, "data": sha256(data).hexdigest(), "plan": plan.digest()}
        return self.signer.sign_object(note)

    def take(self, token: str) -> tuple[dict[str, str], bytes]:
        """The note and the file, which is gone then: of two clicks at once, one removes it."""
        try:
            note = self.signer.unsign_object(token, max_age=KEPT_FOR)
            data = path_of(note["key"]).read_bytes()
            path_of(note["key"]).unlink()
        except (signing.BadSignature, OSError) as error:
            raise NotWaitingError from error
        if sha256(data).hexdigest() != note["data"]:
            raise NotWaitingError
        return note, data


def path_of(key: str) -> Path:
    return Path(tempfile.gettempdir()) / f"{PREFIX}{key}"


def remove_forgotten(user: str) -> None:
    """Files that nobody confirmed in time; and of the user's, all but as many as leave room for one more."""
    made: dict[Path, float] = {}
    for path in Path(tempfile.gettempdir()).glob(f"{PREFIX}*"):
        with suppress(OSError):  # another process was faster
            made[path] = path.stat().st_mtime
    oldest = time.time() - KEPT_FOR
    own = sorted((path for path in made if path.name.startswith(PREFIX + user)), key=made.__getitem__)
    late = [path for path, moment in made.items() if moment < oldest]
    for path in {*late, *own[: 1 - MOST_WAITING]}:
        with suppress(OSError):  # or it isn't ours
            path.unlink()


class UploadLimit(FileUploadHandler):
    """Refuses what would fill the disk, whoever sends it; what is only too large is told in the form."""

    def handle_raw_input(
        self,
        input_data: Any,
        META: Any,  # noqa: N803, as Django calls it
        content_length: int,
        boundary: Any,
        encoding: Any = None,
    ) -> None:
        if content_length > 4 * MOST_MEGABYTES * spreadsheets.MEGABYTE:
            raise RequestDataTooBig("More than any form here takes.")

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


class ExchangeAdmin(ImportExportMixin):
    """Lists with an import and an export, for those who may add and change, or view, the records."""

    import_export_change_list_template = "admin/exchange/change_list.html"
    import_template_name = "admin/exchange/import.html"
    export_template_name = "admin/exchange/export.html"
    table_class: type[Table]

    def has_import_permission(self, request: HttpRequest) -> bool:
        return bool(self.has_add_permission(request) and self.has_change_permission(request))

    def has_export_permission(self, request: HttpRequest) -> bool:
        return bool(self.has_view_permission(request))

    def table(self, request: HttpRequest) -> Table:
        return self.table_class(**self.ownership(request))

    def waiting(self, request: HttpRequest) -> Waiting:
        return Waiting(request, self.opts.label_lower)

    def address(self, page: str) -> str:
        return reverse(f"{self.admin_site.name}:{self.opts.app_label}_{self.opts.model_name}_{page}")

    def page(self, request: HttpRequest, template: str, title: str, **context: Any) -> HttpResponse:
        request.current_app = self.admin_site.name
        shared = {**self.admin_site.each_context(request), "opts": self.opts, "title": title}
        return TemplateResponse(request, template, {**shared, **context})

    # --- Import ---

    def import_action(self, request: HttpRequest, **kwargs: Any) -> HttpResponse:
        """The form; once a file is there, what importing it would do."""
        if not self.has_import_permission(request):
            raise PermissionDenied
        form = UploadForm(request.POST or None, request.FILES or None)
        context: dict[str, Any] = {}
        if form.is_valid():
            upload = form.cleaned_data["file"]
            try:
                # One byte more than is allowed tells that there are too many.
                data = upload.read(MOST_MEGABYTES * spreadsheets.MEGABYTE + 1)
                table = self.table(request)
                plan = table.plan(spreadsheets.read(upload.name, data))
            except ValidationError as error:
                form.add_error("file", error)
            else:
                context = self.preview(request, upload.name, data, plan)
        return self.import_page(request, form, **context)

    def import_page(self, request: HttpRequest, form: forms.Form, **context: Any) -> HttpResponse:
        title = f"Import {self.opts.verbose_name_plural}"
        return self.page(
            request, self.import_template_name, title, form=form, table=self.table(request), **context
        )

    def preview(self, request: HttpRequest, name: str, data: bytes, plan: Plan) -> dict[str, Any]:
        can_be_done = plan.does_something and not plan.is_faulty
        token = self.waiting(request).keep(name, data, plan) if can_be_done else ""
        return {"plan": plan, "file_name": name, "token": token}

    def process_import(self, request: HttpRequest, **kwargs: Any) -> HttpResponse:
        """Do what the preview said, all of it or nothing."""
        if not self.has_import_permission(request):
            raise PermissionDenied
        if request.method != "POST":
            return HttpResponseRedirect(self.address("import"))
        try:
            note, data = self.waiting(request).take(request.POST.get("token", ""))
        except NotWaitingError:
            said = "Nothing is left to confirm: it is imported, or an hour has passed. Choose the file again."
            self.message_user(request, said, messages.WARNING)
            return HttpResponseRedirect(self.address("import"))
        return self.confirm(request, note, data)

    def confirm(self, request: HttpRequest, note: dict[str, str], data: bytes) -> HttpResponse:
        try:
            plan = self.write(request, spreadsheets.read(note["name"], data), note["plan"])
        except ValidationError as error:  # the user's rights to an organization, say, have changed
            said = " ".join(error.messages)
        except (IntegrityError, OperationalError):
            said = "Somebody changed the same records at this very moment."
        else:
            if plan.digest() == note["plan"]:
                self.message_user(request, f"Imported: {told(plan)}.", messages.SUCCESS)
                return HttpResponseRedirect(self.address("changelist"))
            said = "The records have changed since the preview. Look at it again."
            self.message_user(request, f"Nothing was imported. {said}", messages.WARNING)
            return self.import_page(request, UploadForm(), **self.preview(request, note["name"], data, plan))
        self.message_user(request, f"Nothing was imported. {said} Choose the file again.", messages.WARNING)
        return HttpResponseRedirect(self.address("import"))

    def write(self, request: HttpRequest, sheet: Sheet, agreed: str) -> Plan:
        """Plan once more, with the records locked; write if that is what was agreed to."""
        with transaction.atomic():
            table = self.table(request)
            plan = table.plan(sheet, lock=True)
            if plan.digest() != agreed:
                return plan
            made, changed = table.create_instances, table.update_instances
            self.model._default_manager.bulk_create(made, batch_size=BATCH)
            if changed:
                fields = table.changed_fields()
                self.model._default_manager.bulk_update(changed, fields, batch_size=BATCH)
            record(self.model, made, "+")
            record(self.model, changed, "~")
        return plan

    # --- Export ---

    def export_action(self, request: HttpRequest) -> HttpResponseBase:
        """The list as it is filtered and searched, as a file; without a known format, which one to take."""
        if not self.has_export_permission(request):
            raise PermissionDenied
        asked = request.GET.copy()
        extension = asked.pop("format", [""])[-1]
        request.GET = asked  # type: ignore[assignment]
        try:
            listed = self.get_changelist_instance(request).queryset
        except IncorrectLookupParameters:
            return HttpResponseRedirect(f"{self.address('changelist')}?e=1")
        table = self.table(request)
        rows = table.rows().filter(pk__in=listed.order_by().values("pk")).order_by("pk")
        if extension in spreadsheets.CONTENT_TYPES:
            try:
                return self.download(table, rows, extension)
            except ValidationError as error:
                self.message_user(request, error.messages[0], messages.ERROR)
        title = f"Export {self.opts.verbose_name_plural}"
        carried = [(name, value) for name, values in asked.lists() for value in values]
        return self.page(
            request, self.export_template_name, title, count=rows.count(), query=carried, table=table
        )

    def download(self, table: Table, rows: Any, extension: str) -> FileResponse:
        # Where a row can't be written, the database isn't left with a result that nobody reads to its end.
        with closing(table.written(rows)) as written:
            file = spreadsheets.write(extension, table.headers(), written)
        name = re.sub(r"\W+", "_", str(self.opts.verbose_name_plural))
        return FileResponse(
            file,
            as_attachment=True,
            filename=f"{name}-{timezone.localdate()}.{extension}",
            content_type=spreadsheets.CONTENT_TYPES[extension],
        )


def told(plan: Plan) -> str:
    """How many there were of each, the empty ones left out."""
    return ", ".join(f"{count:,} {status}" for status, count in plan.counts().items() if count)
