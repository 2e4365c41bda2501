"""A model admin with import and export."""

from __future__ import annotations

import re
from contextlib import closing
from typing import Any

from django.contrib import messages
from django.contrib.admin.options import IncorrectLookupParameters
from django.core.exceptions import PermissionDenied, ValidationError
from django.http import FileResponse, HttpRequest, HttpResponse, HttpResponseRedirect
from django.http.response import HttpResponseBase
from django.template.response import TemplateResponse
from django.urls import path, reverse
from django.utils import timezone

from productive.admin.operations import BusyError, carry_out, respond
from productive.admin.spreadsheets import files
from productive.admin.spreadsheets.archives import MEGABYTE
from productive.admin.spreadsheets.imports import Import
from productive.admin.spreadsheets.tables import Table
from productive.admin.spreadsheets.uploads import UploadForm, UploadNotFoundError, Uploads
from productive.admin.theme import ModelAdmin


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
            "export": self.export_view,
        }
        urls = [
            path(f"{page}/", self.admin_site.admin_view(view), name=self.url_name(page))
            for page, view in pages.items()
        ]
        return [*urls, *super().get_urls()]

    def url_name(self, page: str) -> str:
        return f"{self.opts.app_label}_{self.opts.model_name}_{page}"

    def get_url(self, page: str) -> str:
        return reverse(f"{self.admin_site.name}:{self.url_name(page)}")

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
        form = UploadForm(request.POST or None, request.FILES or None)
        if form.is_valid():
            upload = form.cleaned_data["file"]
            # One byte more than allowed; then `read_sheet` rejects the file.
            data = upload.read(files.MAX_MEGABYTES * MEGABYTE + 1)
            try:
                return self.carry_out_import(request, upload.name, data)
            except ValidationError as error:
                form.add_error("file", error)
        title = f"Import {self.opts.verbose_name_plural}"
        table = self.table(request)
        return self.render_page(request, "admin/spreadsheets/import.html", title, form=form, table=table)

    def confirm_import_view(self, request: HttpRequest) -> HttpResponse:
        """Import the previewed file."""
        if not self.has_import_permission(request):
            raise PermissionDenied
        if request.method != "POST":
            return HttpResponseRedirect(self.get_url("import"))
        try:
            name, data = self.uploads(request).pop(request.POST.get("token", ""))
        except UploadNotFoundError:
            message = "The file has already been imported or has expired. Choose the file again."
            self.message_user(request, message, messages.WARNING)
            return HttpResponseRedirect(self.get_url("import"))
        try:
            return self.carry_out_import(request, name, data)
        except ValidationError as error:  # for example, the user has lost access to an organization
            message = " ".join(error.messages)
        except BusyError:
            message = "Another user is changing the same records."
        self.message_user(
            request, f"Nothing was imported. {message} Choose the file again.", messages.WARNING
        )
        return HttpResponseRedirect(self.get_url("import"))

    def carry_out_import(self, request: HttpRequest, name: str, data: bytes) -> HttpResponse:
        result = carry_out(request, Import(self.table(request), files.read_sheet(name, data)))
        can_confirm = result.preview.can_apply and not result.is_applied
        context = {
            "title": f"Import {self.opts.verbose_name_plural}",
            "intro": f"This imports {name}.",
            "opts": self.opts,
            "action": self.get_url("process_import"),
            "fields": [("token", self.uploads(request).store(name, data))] if can_confirm else [],
            "back": self.get_url("import"),
            "back_label": "Choose another file",
        }
        return respond(request, result, success_url=self.get_url("changelist"), context=context)

    def uploads(self, request: HttpRequest) -> Uploads:
        return Uploads(request, self.opts.label_lower)

    # --- Export ---

    def export_view(self, request: HttpRequest) -> HttpResponseBase:
        """Export the list as it is filtered, or show a choice of formats."""
        if not self.has_export_permission(request):
            raise PermissionDenied
        query = request.GET.copy()
        extension = query.pop("format", [""])[-1]
        request.GET = query  # type: ignore[assignment]
        try:
            listed = self.get_changelist_instance(request).queryset
        except IncorrectLookupParameters:
            return HttpResponseRedirect(f"{self.get_url('changelist')}?e=1")
        table = self.table(request)
        rows = table.rows().filter(pk__in=listed.order_by().values("pk")).order_by("pk")
        if extension in files.CONTENT_TYPES:
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
            file = files.write_sheet(extension, table.headings(), exported)
        name = re.sub(r"\W+", "_", str(self.opts.verbose_name_plural))
        return FileResponse(
            file,
            as_attachment=True,
            filename=f"{name}-{timezone.localdate()}.{extension}",
            content_type=files.CONTENT_TYPES[extension],
        )
