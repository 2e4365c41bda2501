"""A model admin with import and export."""

from __future__ import annotations

import re
from collections.abc import Sequence
from contextlib import closing
from io import BytesIO
from typing import Any

from django.contrib import messages
from django.contrib.admin.options import IncorrectLookupParameters
from django.core.exceptions import PermissionDenied, ValidationError
from django.http import FileResponse, HttpRequest, HttpResponse, HttpResponseRedirect
from django.http.response import HttpResponseBase
from django.template.response import TemplateResponse
from django.urls import path
from django.utils import timezone
from django.utils.html import format_html
from django.utils.http import urlencode

from productive.admin.operations import BusyError, Step, carry_out, posted_digest, respond
from productive.admin.preview import RecordOutcome
from productive.admin.spreadsheets import files
from productive.admin.spreadsheets.archives import MEGABYTE
from productive.admin.spreadsheets.headings import CHOSEN, ColumnsForm, Headings, Match, remember
from productive.admin.spreadsheets.imports import Import
from productive.admin.spreadsheets.records import ImportedRow
from productive.admin.spreadsheets.rejected import quantity_of, rejected_file
from productive.admin.spreadsheets.tables import RemovalScope, Table
from productive.admin.spreadsheets.uploads import UploadForm, UploadNotFoundError, Uploads
from productive.admin.spreadsheets.writing import CONTENT_TYPES, file_response, write_sheet
from productive.admin.theme import ModelAdmin
from productive.admin.urls import admin_url
from productive.database.moments import moment_of


class SpreadsheetAdmin(ModelAdmin):
    """A model admin whose list can be imported and exported.

    An import needs the permissions to add and change records, an export the permission to view them.
    """

    change_list_template = "admin/spreadsheets/change_list.html"
    table_class: type[Table]
    # A method of the class that this one is combined with.
    get_table_kwargs: Any

    def get_urls(self) -> list[Any]:
        pages = {
            "import": self.import_view,
            "process_import": self.confirm_import_view,
            "import_errors": self.rejected_view,
            "export": self.export_view,
        }
        urls = [
            path(
                f"{page}/",
                self.admin_site.admin_view(view),
                name=f"{self.opts.app_label}_{self.opts.model_name}_{page}",
            )
            for page, view in pages.items()
        ]
        return [*urls, *super().get_urls()]

    def has_import_permission(self, request: HttpRequest) -> bool:
        return bool(self.has_add_permission(request) and self.has_change_permission(request))

    def has_export_permission(self, request: HttpRequest) -> bool:
        return bool(self.has_view_permission(request))

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> Any:
        permissions = {
            "has_import_permission": self.has_import_permission(request),
            "has_export_permission": self.has_export_permission(request),
        }
        return super().changelist_view(request, {**permissions, **(extra_context or {})})

    def table(self, request: HttpRequest) -> Table:
        return self.table_class(**self.get_table_kwargs(request))

    def render_page(self, request: HttpRequest, template: str, title: str, **context: Any) -> HttpResponse:
        shared = {**self.admin_site.each_context(request), "opts": self.opts, "title": title}
        return TemplateResponse(request, template, {**shared, **context})

    # --- Import ---

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
        result = carry_out(request, operation)
        rejected = [row for row in operation.rows if row.outcome is RecordOutcome.REJECTED]
        link = self.link_to_rejected(request, name, sheet, rejected) if rejected else ""
        if result.is_applied and link:
            text = '{} with errors left out. <a class="font-semibold underline" href="{}">Download</a>'
            self.message_user(request, format_html(text, quantity_of(rejected), link), messages.WARNING)
        fields = []
        if not result.is_applied and (result.preview.can_apply or rejected):
            token = token or self.uploads(request).store(name, data)
            fields = [("token", token), *self.choices_of(operation, match)]
        context = {
            "title": f"Import {self.opts.verbose_name_plural}",
            "intro": f"This imports {name}.",
            "opts": self.opts,
            "action": admin_url(self.model, "process_import"),
            "fields": fields,
            "back": admin_url(self.model, "import"),
            "back_label": "Choose another file",
            "choose": "Change columns" if fields else "",
            "notes": [*sheet.notes, *match.notes, *operation.notes],
            "rejected": quantity_of(rejected) if rejected else "",
            "rejected_link": link,
            "others": len(operation.rows) - len(rejected),
            "can_skip": rejected and not operation.skips_errors and operation.scope is None,
            "step_skip": Step.SKIP,
        }
        return respond(
            request,
            result,
            success_url=admin_url(self.model, "changelist"),
            context=context,
            template="admin/spreadsheets/preview.html",
        )

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

    def choices_of(self, operation: Import, match: Match) -> list[tuple[str, str]]:
        """Return the fields with which the next step repeats the user's choices."""
        choices = [*match.choices]
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

    # --- Export ---

    def export_view(self, request: HttpRequest) -> HttpResponseBase:
        """Export the list as it is filtered and sorted, or show a choice of formats."""
        if not self.has_export_permission(request):
            raise PermissionDenied
        query = request.GET.copy()
        extension = query.pop("format", [""])[-1]
        request.GET = query  # type: ignore[assignment]
        try:
            listed = self.get_changelist_instance(request).queryset
        except IncorrectLookupParameters:
            return HttpResponseRedirect(f"{admin_url(self.model, 'changelist')}?e=1")
        table = self.table(request)
        # Not the list's queryset itself, which joins what its columns show.
        rows = table.rows().filter(pk__in=listed.order_by().values("pk")).order_by(*listed.query.order_by)
        if extension in CONTENT_TYPES:
            try:
                return self.download(table, rows, extension)
            except ValidationError as error:
                self.message_user(request, error.messages[0], messages.ERROR)
        title = f"Export {self.opts.verbose_name_plural}"
        fields = [(name, value) for name, values in query.lists() for value in values]
        return self.render_page(
            request,
            "admin/spreadsheets/export.html",
            title,
            count=rows.count(),
            fields=fields,
            table=table,
        )

    def download(self, table: Table, rows: Any, extension: str) -> FileResponse:
        # Close the generator, and with it the query, even if a row can't be written.
        with closing(table.export(rows)) as exported:
            file = write_sheet(extension, table.headings(), exported)
        return file_response(file, f"{self.file_name()}-{timezone.localdate()}.{extension}")

    def file_name(self) -> str:
        return re.sub(r"\W+", "_", str(self.opts.verbose_name_plural))
