"""Columns of change lists that link to related records."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from django.contrib import admin
from django.contrib.admin.views.main import ChangeList
from django.core import paginator
from django.db.models import Count, IntegerField, Model, OuterRef, QuerySet, Subquery
from django.db.models.functions import Coalesce
from django.http import HttpRequest
from django.utils.functional import cached_property
from django.utils.html import format_html
from django.utils.http import urlencode

from productive.admin.forms import label_of
from productive.admin.urls import admin_url
from productive.database.lookups import searched_columns
from productive.database.row_counts import count_rows, read_slice

LINK = '<a class="text-primary-600 hover:underline dark:text-primary-500" href="{}">{}</a>'


class ListColumn:
    """A column of `list_display` that links to another model's admin."""

    model: type[Model]
    # The columns that replace it for users who may not view the model.
    plain: list[Any] = []

    def __init__(self, name: str, title: str) -> None:
        # The attributes that Django reads from a callable in `list_display`.
        self.__name__, self.short_description = name, title

    def visible_to(self, request: HttpRequest) -> list[Any]:
        may_view = admin.site.get_model_admin(self.model).has_view_permission(request)
        return [self] if may_view else self.plain


class RecordColumn(ListColumn):
    """The target of a foreign key, as a link to its page."""

    def __init__(self, relation: Any, order: str = "name_key", links: bool = True) -> None:
        field = relation.field
        super().__init__(field.name, field.verbose_name)
        self.model, self.admin_order_field, self.links = field.related_model, f"{field.name}__{order}", links
        if links:
            self.plain = [RecordColumn(relation, order, links=False)]

    def visible_to(self, request: HttpRequest) -> list[Any]:
        return super().visible_to(request) if self.links else [self]

    def __call__(self, row: Any) -> str:
        record = getattr(row, self.__name__)
        if record is None or not self.links:
            return label_of(record) if record else ""
        return format_html(LINK, admin_url(self.model, "change", record.pk), label_of(record))


class PageColumn(ListColumn):
    """A link to another page of the row, for users who are `allowed`."""

    def __init__(
        self, title: str, url: Callable[[Any], str], allowed: Callable[[HttpRequest], object]
    ) -> None:
        super().__init__(title.replace(" ", "_").lower(), title)
        self.url, self.allowed = url, allowed

    def visible_to(self, request: HttpRequest) -> list[Any]:
        return [self] if self.allowed(request) else []

    def __call__(self, row: Any) -> str:
        return format_html(LINK, self.url(row), "Open")


class CountColumn(ListColumn):
    """The number of records that refer to the row, as a link to their list.

    `among` filters the counted records, always in the same way; `query` is the same filter as parameters of
    their list. With `through`, a foreign key to the model of `relation`, count the records of that next model
    instead.
    """

    def __init__(
        self,
        name: str,
        relation: Any,
        among: Callable[[Any], QuerySet[Any]] = lambda rows: rows,
        query: dict[str, str] | None = None,
        through: Any = None,
    ) -> None:
        super().__init__(name.replace(" ", "_"), name)
        self.parameter = self.lookup = relation.field.name
        self.model, self.among, self.query = relation.field.model, among, query or {}
        if through is not None:
            self.model, self.lookup = through.field.model, f"{through.field.name}__{self.parameter}"

    @cached_property
    def admin_order_field(self) -> Any:
        """The theme reads it for each cell of a list, and building it takes as long as rendering a cell."""
        return self.count()

    def count(self) -> Any:
        rows = self.among(self.model._default_manager.filter(**{self.lookup: OuterRef("pk")}))
        counts = rows.order_by().values(self.lookup).annotate(count=Count("pk")).values("count")
        return Coalesce(Subquery(counts), 0, output_field=IntegerField())

    def __call__(self, row: Any) -> str:
        query = urlencode({self.parameter: row.pk, **self.query})
        url = f"{admin_url(self.model, 'changelist')}?{query}"
        return format_html(LINK, url, f"{row.counts[self.__name__]:,}")


class Paginator(paginator.Paginator):
    """A paginator that uses stored row counts where there are any."""

    @cached_property
    def count(self) -> int:
        rows: Any = self.object_list
        return count_rows(rows)


class PagedChangeList(ChangeList):
    """A change list that counts related records of its page only, and sorts names by their letters."""

    def get_ordering_field(self, field_name: Callable[..., Any] | str) -> Any:
        """Return the sort key of a name."""
        name = super().get_ordering_field(field_name)
        return searched_columns(self.model, [name])[0] if isinstance(name, str) else name

    def get_results(self, request: HttpRequest) -> None:
        super().get_results(request)
        page: Any = self.result_list
        if self.page_num > 1 and page.query.is_sliced:
            # Skip the rows of earlier pages by id, without joining their related records.
            ids = read_slice(self.queryset, ["pk"], page.query.low_mark, page.query.high_mark)
            page = self.queryset.filter(pk__in=[pk for (pk,) in ids])
        rows = list(page)
        self.result_list = rows
        columns = [column for column in self.list_display if isinstance(column, CountColumn)]
        count_related(self.model, rows, columns)
        self.model_admin.prepare_rows(rows)  # type: ignore[attr-defined]


def count_related(model: Any, rows: Sequence[Any], columns: Sequence[CountColumn]) -> None:
    """Set the counts that the columns show, as `counts` of each row, in one query."""
    if not columns or not rows:
        return
    names = [column.__name__ for column in columns]
    annotations = {f"count_{column.__name__}": column.count() for column in columns}
    counted = model._default_manager.filter(pk__in=[row.pk for row in rows])
    values = counted.annotate(**annotations).values_list("pk", *annotations)
    by_row = {pk: numbers for pk, *numbers in values}
    for row in rows:
        row.counts = dict(zip(names, by_row.get(row.pk, [0] * len(names)), strict=True))
