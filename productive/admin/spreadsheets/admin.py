"""A model admin with import and export."""

from __future__ import annotations

from collections.abc import Sequence
from io import BytesIO
from typing import Any

from django.contrib import messages
from django.core.exceptions import PermissionDenied, ValidationError
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.http.response import HttpResponseBase
from django.utils.html import format_html
from django.utils.http import urlencode

from productive.admin.operations import BusyError, Step, carry_out, posted_digest, respond
from productive.admin.preview import RecordOutcome
from productive.admin.spreadsheets import files
from productive.admin.spreadsheets.archives import MEGABYTE
from productive.admin.spreadsheets.exports import ExportAdmin
from productive.admin.spreadsheets.headings import CHOSEN, ColumnsForm, Headings, Match, remember
from productive.admin.spreadsheets.imports import Import
from productive.admin.spreadsheets.records import ImportedRow
from productive.admin.spreadsheets.rejected import quantity_of, rejected_file
from productive.admin.spreadsheets.tables import RemovalScope
from productive.admin.spreadsheets.uploads import UploadForm, UploadNotFoundError, Uploads
from productive.admin.spreadsheets.writing import file_response
from productive.admin.urls import admin_url
from productive.database.moments import moment_of


class SpreadsheetAdmin(ExportAdmin):
    """A model admin whose list can be imported and exported.

    An import needs the permissions to add and change records.
    """

    change_list_template = "admin/spreadsheets/change_list.html"

    def get_urls(self) -> list[Any]:
        return [
            self.url_of("import", self.import_view),
            self.url_of("process_import", self.confirm_import_view),
            self.url_of("import_errors", self.rejected_view),
            *super().get_urls(),
        ]

    def has_import_permission(self, request: HttpRequest) -> bool:
        return bool(self.has_add_permission(request) and self.has_change_permission(request))

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> Any:
        permissions = {
            "has_import_permission": self.has_import_permission(request),
            "has_export_permission": self.has_export_permission(request),
        }
        return super().changelist_view(request, {**permissions, **(extra_context or {})})

    def import_view(self, request: HttpRequest) -> HttpResponse:
        """Show the upload form or, with a file, the preview of its import."""
        if not self.has_import_permission(request):
            raise PermissionDenied
        table = self.table(request)
        form = UploadForm(
            request.POST or None,
            request.FILES or None,
            names=str(self.opts.verbose_name_plural),
            scopes=self.get_scopes(request),
        )
        if form.is_valid():
            upload = form.cleaned_data["file"]
            # One byte more than allowed; then `read_sheet` rejects the file.
            data = upload.read(files.MAX_MEGABYTES * MEGABYTE + 1)
            try:
                return self.carry_out_import(request, upload.name, data, form=form)
            except ValidationError as error:
                form.add_error("file", error)
        title = f"Import {self.opts.verbose_name_plural}"
        return self.render_page(
            request,
            "admin/spreadsheets/import.html",
            title,
            form=form,
            table=table,
            action=admin_url(self.model, "import"),
        )

    def confirm_import_view(self, request: HttpRequest) -> HttpResponse:
        """Import the previewed file, or preview it with another choice."""
        if not self.has_import_permission(request):
            raise PermissionDenied
        if request.method != "POST":
            # After Back. Without a redirect, which would lose its state, the browser sends the form again.
            return self.import_view(request)
        token = request.POST.get("token", "")
        is_confirmed = bool(posted_digest(request))
        try:
            name, data = self.uploads(request).read(token, delete=is_confirmed)
        except UploadNotFoundError:
            message = "The file has already been imported or has expired. Choose the file again."
            self.message_user(request, message, messages.WARNING)
            return HttpResponseRedirect(admin_url(self.model, "import"))
        try:
            return self.carry_out_import(request, name, data, token="" if is_confirmed else token)
        except ValidationError as error:  # for example, the user has lost access to an organization
            message = " ".join(error.messages)
        except BusyError:
            message = "Another user is changing the same records."
        self.message_user(
            request, f"Nothing was imported. {message} Choose the file again.", messages.WARNING
        )
        return HttpResponseRedirect(admin_url(self.model, "import"))

    def carry_out_import(
        self, request: HttpRequest, name: str, data: bytes, *, token: str = "", form: Any = None
    ) -> HttpResponse:
        """Import the file, show the preview, or let the user choose its columns."""
        table, user, label = self.table(request), request.user, self.opts.label_lower
        headings = Headings(table, user.import_headings.get(label, {}))  # type: ignore[union-attr]
        sheet = files.read_sheet(name, data, headings.recognizes)
        match = headings.match(sheet, request.POST)
        if match.problems or request.POST.get("step") == Step.CHOOSE:
            if form is not None:
                form.add_error("file", match.problems)
            token = token or self.uploads(request).store(name, data)
            return self.render_columns(request, sheet, match, token, form=form)
        if CHOSEN in request.POST:
            remember(user, label, headings.choices_to_remember(sheet, match))
        operation = Import(
            table,
            sheet,
            match,
            skips_errors=Step.SKIP in (request.POST.get("step"), request.POST.get("errors")),
            scope=self.posted_scope(request),
        )
        return self.run_import(request, operation, name, data, token)

    def run_import(
        self, request: HttpRequest, operation: Import, name: str, data: bytes, token: str
    ) -> HttpResponse:
        """Import the file, or show the preview."""
        result = carry_out(request, operation)
        rejected = [row for row in operation.rows if row.outcome is RecordOutcome.REJECTED]
        link = self.link_to_rejected(request, name, operation.sheet, rejected) if rejected else ""
        if result.is_applied and link:
            text = '{} with errors left out. <a class="font-semibold underline" href="{}">Download</a>'
            self.message_user(request, format_html(text, quantity_of(rejected), link), messages.WARNING)
        if result.is_applied or not (result.preview.can_apply or rejected):
            token = ""
        elif not token:
            token = self.uploads(request).store(name, data)
        return respond(
            request,
            result,
            success_url=admin_url(self.model, "changelist"),
            context={
                **self.preview_context(operation, token),
                "intro": f"This imports {name}.",
                "rejected": quantity_of(rejected) if rejected else "",
                "rejected_link": link,
                "others": len(operation.rows) - len(rejected),
                "can_skip": rejected and not operation.skips_errors and operation.scope is None,
            },
            template="admin/spreadsheets/preview.html",
        )

    def preview_context(self, operation: Import, token: str) -> dict[str, Any]:
        """Return the context of the preview. Without a token, the file can't be imported."""
        return {
            "title": f"Import {self.opts.verbose_name_plural}",
            "opts": self.opts,
            "action": admin_url(self.model, "process_import"),
            "fields": [("token", token), *self.choices_of(operation)] if token else [],
            "back": admin_url(self.model, "import"),
            "back_label": "Choose another file",
            "choose": "Change columns" if token else "",
            "notes": [*operation.sheet.notes, *operation.match.notes, *operation.notes],
            "step_skip": Step.SKIP,
        }

    def render_columns(
        self, request: HttpRequest, sheet: files.Sheet, match: Match, token: str, *, form: Any
    ) -> HttpResponse:
        """Show the page where the user chooses the columns."""
        fields = [
            (name, value) for name, value in request.POST.items() if name in ("scope", "errors") and value
        ]
        return self.render_page(
            request,
            "admin/spreadsheets/columns.html",
            f"Import {self.opts.verbose_name_plural}",
            form=form,
            problems=match.problems,
            columns=ColumnsForm(self.table(request), sheet, match),
            action=admin_url(self.model, "process_import"),
            back=admin_url(self.model, "import"),
            fields=[("token", token), (CHOSEN, 1), *fields],
            notes=sheet.notes,
        )

    def choices_of(self, operation: Import) -> list[tuple[str, str]]:
        """Return the fields with which the next step repeats the user's choices."""
        choices = operation.match.choices
        if operation.scope:
            choices.append(("scope", operation.scope.name))
        if operation.skips_errors:
            choices.append(("errors", Step.SKIP))
        return choices

    def get_scopes(self, request: HttpRequest) -> Sequence[RemovalScope]:
        """Return what the user may remove with an import."""
        archives = moment_of(self.model) is not None
        is_allowed = self.has_change_permission(request) if archives else self.has_delete_permission(request)
        return self.table_class.scopes if is_allowed else ()

    def posted_scope(self, request: HttpRequest) -> RemovalScope | None:
        name = request.POST.get("scope", "")
        found = next((scope for scope in self.get_scopes(request) if scope.name == name), None)
        if name and found is None:
            raise ValidationError("You don't have permission to remove what isn't in the file.")
        return found

    # --- Rejected rows ---

    def rejected_uploads(self, request: HttpRequest) -> Uploads:
        return Uploads(request, f"{self.opts.label_lower} errors")

    def link_to_rejected(
        self, request: HttpRequest, name: str, sheet: files.Sheet, rejected: Sequence[ImportedRow]
    ) -> str:
        """Store a file with the rejected rows and their errors, and return its URL."""
        stored = self.rejected_uploads(request).store(*rejected_file(name, sheet, rejected))
        return f"{admin_url(self.model, 'import_errors')}?{urlencode({'token': stored})}"

    def rejected_view(self, request: HttpRequest) -> HttpResponseBase:
        """Return the file with the rejected rows of an import."""
        if not self.has_import_permission(request):
            raise PermissionDenied
        try:
            name, data = self.rejected_uploads(request).read(request.GET.get("token", ""))
        except UploadNotFoundError:
            self.message_user(request, "The file has expired. Import it again.", messages.WARNING)
            return HttpResponseRedirect(admin_url(self.model, "import"))
        return file_response(BytesIO(data), f"{self.file_name()}-{name}")

    def uploads(self, request: HttpRequest) -> Uploads:
        return Uploads(request, self.opts.label_lower)
