"""Import and export from the pages of a list. Knows no model."""

from __future__ import annotations

import re
from contextlib import closing
from typing import Any

from django import forms
from django.contrib import messages
from django.contrib.admin.options import IncorrectLookupParameters
from django.core.exceptions import PermissionDenied, ValidationError
from django.http import FileResponse, HttpRequest, HttpResponse, HttpResponseRedirect
from django.http.response import HttpResponseBase
from django.template.response import TemplateResponse
from django.urls import path, reverse
from django.utils import timezone

from productive.admin.preview import BusyError, carry_out, respond
from productive.admin.spreadsheets import files
from productive.admin.spreadsheets.imports import Import
from productive.admin.spreadsheets.tables import Table
from productive.admin.spreadsheets.uploads import NotWaitingError, UploadForm, Uploads
from productive.admin.theme import ModelAdmin


class SpreadsheetAdmin(ModelAdmin):
    """A list with an import and an export.

    Users import who may add and change its records; users export who may view them.
    """

    change_list_template = "admin/spreadsheets/change_list.html"
    table_class: type[Table]
    # A method that returns the arguments of the table; another base class defines it.
    get_table_kwargs: Any

    def get_urls(self) -> list[Any]:
        pages = {
            "import": self.import_view,
            "process_import": self.confirm_import_view,
            "export": self.export_view,
        }
        own = [
            path(f"{page}/", self.admin_site.admin_view(view), name=self.url_name(page))
            for page, view in pages.items()
        ]
        return [*own, *super().get_urls()]

    def url_name(self, page: str) -> str:
        return f"{self.opts.app_label}_{self.opts.model_name}_{page}"

    def address(self, page: str) -> str:
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

    def page(self, request: HttpRequest, template: str, title: str, **context: Any) -> HttpResponse:
        shared = {**self.admin_site.each_context(request), "opts": self.opts, "title": title}
        return TemplateResponse(request, template, {**shared, **context})

    # --- Import ---

    def import_view(self, request: HttpRequest) -> HttpResponse:
        """Show the form, or, with a file, the preview of its import."""
        if not self.has_import_permission(request):
            raise PermissionDenied
        form = UploadForm(request.POST or None, request.FILES or None)
        if form.is_valid():
            upload = form.cleaned_data["file"]
            # One byte more than is allowed is enough to find out that the file is too large.
            data = upload.read(files.MOST_MEGABYTES * files.MEGABYTE + 1)
            try:
                return self.carry_out_import(request, upload.name, data)
            except ValidationError as error:
                form.add_error("file", error)
        return self.import_page(request, form)

    def import_page(self, request: HttpRequest, form: forms.Form) -> HttpResponse:
        title = f"Import {self.opts.verbose_name_plural}"
        table = self.table(request)
        return self.page(request, "admin/spreadsheets/import.html", title, form=form, table=table)

    def confirm_import_view(self, request: HttpRequest) -> HttpResponse:
        """Import the previewed file, all of it or nothing."""
        if not self.has_import_permission(request):
            raise PermissionDenied
        if request.method != "POST":
            return HttpResponseRedirect(self.address("import"))
        try:
            name, data = self.uploads(request).take(request.POST.get("token", ""))
        except NotWaitingError:
            message = (
                "Nothing is left to confirm: it is imported, or an hour has passed. Choose the file again."
            )
            self.message_user(request, message, messages.WARNING)
            return HttpResponseRedirect(self.address("import"))
        try:
            return self.carry_out_import(request, name, data, request.POST.get("digest", ""))
        except ValidationError as error:  # the user has lost access to an organization, say
            message = " ".join(error.messages)
        except BusyError:
            message = "Another user is changing the same records."
        self.message_user(
            request, f"Nothing was imported. {message} Choose the file again.", messages.WARNING
        )
        return HttpResponseRedirect(self.address("import"))

    def carry_out_import(
        self, request: HttpRequest, name: str, data: bytes, agreed: str = ""
    ) -> HttpResponse:
        operation = Import(self.table(request), files.read(name, data))
        result = carry_out(operation, agreed)
        waits = result.preview.can_apply and not result.is_applied
        page = {
            "title": f"Import {self.opts.verbose_name_plural}",
            "intro": f"This imports {name}.",
            "opts": self.opts,
            "action": self.address("process_import"),
            "fields": [("token", self.uploads(request).keep(name, data))] if waits else [],
            "back": self.address("import"),
            "back_label": "Choose another file",
        }
        return respond(request, result, done=self.address("changelist"), page=page)

    def uploads(self, request: HttpRequest) -> Uploads:
        return Uploads(request, self.opts.label_lower)

    # --- Export ---

    def export_view(self, request: HttpRequest) -> HttpResponseBase:
        """Export the list as it is filtered and searched, or ask for the format."""
        if not self.has_export_permission(request):
            raise PermissionDenied
        query = request.GET.copy()
        extension = query.pop("format", [""])[-1]
        request.GET = query  # type: ignore[assignment]
        try:
            listed = self.get_changelist_instance(request).queryset
        except IncorrectLookupParameters:
            return HttpResponseRedirect(f"{self.address('changelist')}?e=1")
        table = self.table(request)
        rows = table.rows().filter(pk__in=listed.order_by().values("pk")).order_by("pk")
        if extension in files.CONTENT_TYPES:
            try:
                return self.download(table, rows, extension)
            except ValidationError as error:
                self.message_user(request, error.messages[0], messages.ERROR)
        title = f"Export {self.opts.verbose_name_plural}"
        fields = [(name, value) for name, values in query.lists() for value in values]
        return self.page(
            request,
            "admin/spreadsheets/export.html",
            title,
            count=rows.count(),
            fields=fields,
            table=table,
        )

    def download(self, table: Table, rows: Any, extension: str) -> FileResponse:
        # Closed, so that a row that can't be written leaves no query open.
        with closing(table.export(rows)) as exported:
            file = files.write(extension, table.headings(), exported)
        name = re.sub(r"\W+", "_", str(self.opts.verbose_name_plural))
        return FileResponse(
            file,
            as_attachment=True,
            filename=f"{name}-{timezone.localdate()}.{extension}",
            content_type=files.CONTENT_TYPES[extension],
        )
