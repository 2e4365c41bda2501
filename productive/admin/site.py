"""The admin site, with a menu and a command palette."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import reduce, wraps
from logging import getLogger
from math import ceil
from operator import or_
from typing import Any

from django.apps import apps
from django.contrib.admin.views.autocomplete import AutocompleteJsonView
from django.core.exceptions import FieldDoesNotExist, PermissionDenied
from django.db import IntegrityError, OperationalError
from django.db.models import BooleanField, Case, Model, Q, QuerySet, Value, When
from django.db.models.fields.related import RelatedField
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.template.defaultfilters import pluralize
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.decorators import method_decorator
from django.views.decorators.cache import never_cache
from django.views.decorators.gzip import gzip_page

from productive.admin.bulk.rows import DELETE
from productive.admin.changes import views as change_views
from productive.admin.changes.change_sets import recorded_admins
from productive.admin.forms import label_of, label_with_status
from productive.admin.theme import AdminSite
from productive.admin.urls import admin_url
from productive.admin.watch import Watch
from productive.database.lookups import NO_ROWS
from productive.database.text import fold, search_words
from productive.limits.limiter import TooManySignInsError

logger = getLogger(__name__)

GROUPS = ("Catalog", "Assignments", "People", "Administration")
# Search results of each model.
MAX_RESULTS = 8


@dataclass(frozen=True)
class MenuItem:
    title: str
    icon: str
    url: str


@dataclass(frozen=True)
class SearchResult:
    """A page or a record that the command palette found."""

    title: str
    # For a page, the group of the menu; for a record, the model and the fields in `hints`.
    hint: str
    icon: str
    url: str
    # The status of an inactive record, such as "archived".
    status: str = ""


@dataclass(frozen=True)
class RecordPage:
    """A page of each record of a model, which the palette finds by a word and the record: "board spring"."""

    word: str
    title: str
    icon: str
    model: type[Model]
    url: Callable[[Any], str]
    allowed: Callable[[HttpRequest], object]


class AutocompleteView(AutocompleteJsonView):
    """An autocomplete view that shows the status of records.

    It rejects reverse relations, and relations of several columns, for which Django's view fails.
    """

    def serialize_result(self, obj: Any, to_field_name: str) -> dict[str, str]:
        return {**super().serialize_result(obj, to_field_name), "text": label_with_status(obj)}

    def process_request(self, request: HttpRequest) -> Any:
        try:
            term, model_admin, field, to_field = super().process_request(request)
        except FieldDoesNotExist as error:
            raise PermissionDenied from error
        if not isinstance(field, RelatedField):
            raise PermissionDenied
        return term, model_admin, field, to_field


class Site(AdminSite):
    """The admin site of the project.

    Model admins with a `menu` are in its menu; `add_page` adds other pages.
    """

    index_title = "Overview"

    def __init__(self, name: str = "admin") -> None:
        super().__init__(name)
        self.add_action(DELETE, DELETE.name)
        self.pages: list[tuple[str, MenuItem, Callable[[HttpRequest], object]]] = []
        self.add_page("Administration", "Changes", "history", "admin:changes", recorded_admins)
        self.record_pages: list[RecordPage] = []
        # An app sets these, because this package imports no app: a function that returns the context of the
        # index page, and what finds the consequences of every write.
        self.overview: Callable[[HttpRequest], dict[str, Any]] = lambda request: {}
        self.watch = Watch()

    def get_urls(self) -> list[Any]:
        return [*change_views.change_urls(self), *super().get_urls()]

    def admin_view(self, view: Callable[..., Any], cacheable: bool = False) -> Any:
        """Compress pages, and show one for unhandled database errors of concurrent requests."""
        wrapped = gzip_page(super().admin_view(view, cacheable))

        @wraps(wrapped)
        def inner(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
            try:
                return wrapped(request, *args, **kwargs)
            except (IntegrityError, OperationalError) as error:
                logger.exception("Database error at %r", request.path)
                status = 409 if isinstance(error, IntegrityError) else 503
                return render(request, "admin/busy.html", status=status)

        return inner

    def add_page(
        self, group: str, title: str, icon: str, url_name: str, allowed: Callable[[HttpRequest], object]
    ) -> None:
        """Add a page to a group of the menu, for users who are `allowed`."""
        self.pages.append((group, MenuItem(title, icon, url_name), allowed))

    @method_decorator(never_cache)
    def login(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        try:
            return super().login(request, extra_context)
        except TooManySignInsError as error:
            text = "Too many sign-ins from your network have failed, or many users are signing in now."
            minutes = ceil(error.wait / 60)
            wait = "a moment" if error.wait == 1 else f"{minutes} minute{pluralize(minutes)}"
            context = {"title": "Too many sign-ins", "text": f"{text} Wait {wait}, then try again."}
            response = render(request, "error.html", context, status=429)
            response.headers["Retry-After"] = str(error.wait)
            return response

    def index(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> TemplateResponse:
        return super().index(request, {**self.overview(request), **(extra_context or {})})

    def autocomplete_view(self, request: HttpRequest) -> Any:
        return AutocompleteView.as_view(admin_site=self)(request)

    def get_app_list(self, request: HttpRequest, app_label: str | None = None) -> list[Any]:
        """Return an app for its own page only: no other page lists apps, and Django calls this on each."""
        return super().get_app_list(request, app_label) if app_label else []

    def get_menu(self, request: HttpRequest) -> dict[str, list[MenuItem]]:
        """Return the items that the user may open, by group, in `menu_order`."""
        menu: dict[str, list[MenuItem]] = defaultdict(list)
        order = {model: number for number, model in enumerate(apps.get_models())}
        admins: list[Any] = sorted(
            self._registry.values(), key=lambda each: (getattr(each, "menu_order", 0), order[each.model])
        )
        for each in admins:
            if each.has_view_permission(request) and getattr(each, "menu", ""):
                title = each.menu_title or str(each.opts.verbose_name_plural)
                url = admin_url(each.model, "changelist")
                menu[each.menu].append(MenuItem(title[0].upper() + title[1:], each.icon, url))
        for group, item, allowed in self.pages:
            if allowed(request):
                menu[group].append(MenuItem(item.title, item.icon, reverse(item.url)))
        return {group: menu[group] for group in GROUPS if menu[group]}

    def get_sidebar_list(self, request: HttpRequest) -> list[dict[str, Any]]:
        home = MenuItem("Overview", "space_dashboard", reverse(f"{self.name}:index"))
        groups = {"": [home], **self.get_menu(request)}
        return [
            {
                "title": group,
                "separator": bool(group),
                "items": [
                    {
                        "title": item.title,
                        "icon": item.icon,
                        "link": item.url,
                        "active": request.path == item.url
                        or (item is not home and request.path.startswith(item.url)),
                        "has_permission": True,
                    }
                    for item in items
                ],
            }
            for group, items in groups.items()
        ]

    def search(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        """Return the results of the command palette: pages by title, and records."""
        term = request.GET.get("s", "").strip()
        searches = (self.search_pages, self.search_record_pages, self.search_records) if fold(term) else ()
        results = [result for search in searches for result in search(request, term)]
        return TemplateResponse(request, "admin/palette_results.html", {"term": term, "results": results})

    def search_pages(self, request: HttpRequest, term: str) -> Iterator[SearchResult]:
        for group, items in self.get_menu(request).items():
            for item in items:
                if f" {fold(term)}" in f" {fold(item.title)}":
                    yield SearchResult(item.title, group, item.icon, item.url)

    def search_record_pages(self, request: HttpRequest, term: str) -> Iterator[SearchResult]:
        words = fold(term).split()
        for page in self.record_pages:
            rest = " ".join(word for word in words if word != page.word)
            if rest and page.word in words and page.allowed(request):
                for row, result in self.search_model(self.get_model_admin(page.model), request, rest):
                    title = f"{page.title}: {result.title}"
                    yield replace(result, title=title, icon=page.icon, url=page.url(row))

    def search_records(self, request: HttpRequest, term: str) -> list[SearchResult]:
        """Return active records first, then labels that start with the term."""
        admins: list[Any] = sorted(
            (
                each
                for each in self._registry.values()
                if getattr(each, "in_palette", False) and each.has_view_permission(request)
            ),
            key=lambda each: each.palette_order,
        )
        results = [result for each in admins for _, result in self.search_model(each, request, term)]
        prefix = fold(term)
        return sorted(results, key=lambda one: (bool(one.status), not fold(one.title).startswith(prefix)))

    def search_model(
        self, model_admin: Any, request: HttpRequest, term: str
    ) -> Iterator[tuple[Any, SearchResult]]:
        name, (_, status) = str(model_admin.opts.verbose_name), model_admin.inactive
        hints = model_admin.get_hints(request)
        relations = [hint for hint in hints if model_admin.opts.get_field(hint).is_relation]
        for row in best_matches(model_admin, request, term).prefetch_related(*relations)[:MAX_RESULTS]:
            values = [getattr(row, hint) for hint in hints]
            text = " · ".join([name, *(str(value) for value in values if value)])
            url = admin_url(model_admin.model, "change", row.pk)
            status_of_row = status if row.is_inactive else ""
            yield row, SearchResult(label_of(row), text, model_admin.icon, url, status_of_row)


def best_matches(model_admin: Any, request: HttpRequest, term: str) -> QuerySet[Any]:
    """Return search results of the list, the best first.

    Active rows come first, then those that start with the first word.
    """
    rows, _ = model_admin.get_search_results(request, model_admin.get_queryset(request), term)
    word, *_ = search_words(term)
    inactive, _ = model_admin.inactive
    own = [name for name in model_admin.get_search_fields(request) if "__" not in name]
    starts = reduce(or_, [Q((f"{name}__folded_startswith", word)) for name in own], NO_ROWS)
    ordering = model_admin.get_ordering(request)
    return rows.annotate(
        is_inactive=boolean_case(Q((f"{inactive}__isnull", False)) if inactive else NO_ROWS),
        starts_with_word=boolean_case(starts),
    ).order_by("is_inactive", "-starts_with_word", *ordering)


def boolean_case(condition: Q) -> Case:
    return Case(When(condition, then=Value(True)), default=Value(False), output_field=BooleanField())
