"""A model admin with export."""

from __future__ import annotations

import re
from collections.abc import Callable
from contextlib import closing
from typing import Any

from django.contrib import messages
from django.contrib.admin.options import IncorrectLookupParameters
from django.core.exceptions import PermissionDenied, ValidationError
from django.http import FileResponse, HttpRequest, HttpResponse, HttpResponseRedirect
from django.http.response import HttpResponseBase
from django.urls import URLPattern, path
from django.utils import timezone

from productive.admin.pages import render_page
from productive.admin.spreadsheets.tables import Table
from productive.admin.spreadsheets.writing import CONTENT_TYPES, file_response, write_sheet
from productive.admin.theme import ModelAdmin
from productive.admin.urls import admin_url


class ExportAdmin(ModelAdmin):
    """A model admin whose list can be exported with the permission to view it."""

    table_class: type[Table]
    # A method of the class that this one is combined with.
    get_table_kwargs: Any

    def get_urls(self) -> list[Any]:
        return [self.url_of("export", self.export_view), *super().get_urls()]

    def url_of(self, page: str, view: Callable[..., HttpResponseBase]) -> URLPattern:
        name = f"{self.opts.app_label}_{self.opts.model_name}_{page}"
        return path(f"{page}/", self.admin_site.admin_view(view), name=name)

    def has_export_permission(self, request: HttpRequest) -> bool:
        return bool(self.has_view_permission(request))

    def table(self, request: HttpRequest) -> Table:
        return self.table_class(**self.get_table_kwargs(request))

    def render_page(self, request: HttpRequest, template: str, title: str, **context: Any) -> HttpResponse:
        return render_page(request, template, {"opts": self.opts, "title": title, **context})

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
