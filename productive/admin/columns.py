"""Columns of lists that lead on: to the record that is named, or to the list of those that are counted.

Counts are made for the rows of the page alone, in one query, so a long list costs no more than a short one.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.contrib import admin
from django.contrib.admin.views.main import ChangeList
from django.core import paginator
from django.db.models import Count, IntegerField, Model, OuterRef, QuerySet, Subquery
from django.db.models.functions import Coalesce
from django.http import HttpRequest
from django.urls import reverse
from django.utils.functional import cached_property
from django.utils.html import format_html
from django.utils.http import urlencode

from productive.admin.forms import label_of
from productive.database.row_counts import part, total

LINK = '<a class="text-primary-600 hover:underline dark:text-primary-500" href="{}">{}</a>'


def address(model: type[Model], page: str, *args: Any) -> str:
    return reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_{page}", args=args)


class ListColumn:
    """A column of lists; who may not view its model sees `plain` instead, or no such column."""

    model: type[Model]
    plain: list[Any] = []

    def __init__(self, name: str, title: str) -> None:
        # What Django asks of a function that is a column.
        self.__name__, self.short_description = name, title

    def shown_to(self, request: HttpRequest) -> list[Any]:
        may_view = admin.site.get_model_admin(self.model).has_view_permission(request)
        return [self] if may_view else self.plain


class RecordColumn(ListColumn):
    """The record that a foreign key points at, under its label, as a link to its page."""

    def __init__(self, relation: Any, order: str = "name", links: bool = True) -> None:
        field = relation.field
        super().__init__(field.name, field.verbose_name)
        self.model, self.admin_order_field, self.links = field.related_model, f"{field.name}__{order}", links
        if links:
            self.plain = [RecordColumn(relation, order, links=False)]

    def shown_to(self, request: HttpRequest) -> list[Any]:
        return super().shown_to(request) if self.links else [self]

    def __call__(self, row: Any) -> str:
        record = getattr(row, self.__name__)
        if record is None or not self.links:
            return label_of(record) if record else ""
        return format_html(LINK, address(self.model, "change", record.pk), label_of(record))


class CountColumn(ListColumn):
    """How many records refer to the row by their foreign key, as a link to the list of exactly these.

    `among` narrows what is counted; `link` is the same in the words of that list's filters. `through` a
    foreign key to the model of `relation`, the records beyond it are counted.
    """

    def __init__(
        self,
        name: str,
        relation: Any,
        among: Callable[[Any], QuerySet[Any]] = lambda rows: rows,
        link: dict[str, str] | None = None,
        through: Any = None,
    ) -> None:
        super().__init__(name.replace(" ", "_"), name)
        self.asked = self.by = relation.field.name
        self.model, self.among, self.link = relation.field.model, among, link or {}
        if through is not None:
            self.model, self.by = through.field.model, f"{through.field.name}__{self.asked}"

    def count(self) -> Any:
        rows = self.among(self.model._default_manager.filter(**{self.by: OuterRef("pk")}))
        counted = rows.order_by().values(self.by).annotate(count=Count("pk")).values("count")
        return Coalesce(Subquery(counted), 0, output_field=IntegerField())

    def __call__(self, row: Any) -> str:
        query = urlencode({self.asked: row.pk, **self.link})
        return format_html(
            LINK, f"{address(self.model, 'changelist')}?{query}", f"{row.counts[self.__name__]:,}"
        )


class Paginator(paginator.Paginator):
    """Pages whose number is known without counting the rows, where the database keeps it."""

    @cached_property
    def count(self) -> int:
        rows: Any = self.object_list
        return total(rows)


class PagedChangeList(ChangeList):
    """A list that asks for one page's rows first, and then for what its columns count."""

    def get_results(self, request: HttpRequest) -> None:
        super().get_results(request)
        page: Any = self.result_list
        if self.page_num > 1 and page.query.is_sliced:
            # What is skipped to get there is passed over by id, without the records that it refers to.
            found = part(self.queryset, ["pk"], page.query.low_mark, page.query.high_mark)
            page = self.queryset.filter(pk__in=[pk for (pk,) in found])
        rows = list(page)
        self.result_list = rows
        counts = {
            column.__name__: column.count() for column in self.list_display if isinstance(column, CountColumn)
        }
        if counts and rows:
            counted = self.model._default_manager.filter(pk__in=[row.pk for row in rows]).annotate(
                **{f"count_{name}": count for name, count in counts.items()}
            )
            names = [f"count_{name}" for name in counts]
            by_row = {pk: numbers for pk, *numbers in counted.values_list("pk", *names)}
            for row in rows:
                row.counts = dict(zip(counts, by_row.get(row.pk, [0] * len(counts)), strict=True))
        self.model_admin.complete(rows)  # type: ignore[attr-defined]
