"""The admin's site: its menu, its command palette, and what its pages share."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import reduce, wraps
from logging import getLogger
from operator import or_
from typing import Any

from django.apps import apps
from django.contrib.admin.views.autocomplete import AutocompleteJsonView
from django.core.exceptions import PermissionDenied
from django.db import IntegrityError, OperationalError
from django.db.models import BooleanField, Case, Q, QuerySet, Value, When
from django.db.models.fields.related import RelatedField
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.template.response import TemplateResponse
from django.urls import reverse

from productive.admin.bulk.rows import DELETE
from productive.admin.changes import views as change_pages
from productive.admin.forms import label_of, marked_label_of
from productive.admin.theme import AdminSite

logger = getLogger(__name__)

GROUPS = ("Catalog", "Assignments", "People", "Administration")
NEVER = Q(pk__in=())
# Of each kind of record; whoever finds more should type more.
MOST_FOUND = 8


@dataclass(frozen=True)
class MenuItem:
    title: str
    icon: str
    url: str


@dataclass(frozen=True)
class Found:
    """What the command palette found: a page, or a record with what tells it from its equals."""

    title: str
    hint: str
    icon: str
    url: str
    # How the record was put away, as "archived"; nothing for one in use.
    ended: str = ""


class RelationAutocomplete(AutocompleteJsonView):
    """Django's, which takes the other end of a relation for one, and knows one name for a record."""

    def serialize_result(self, obj: Any, to_field_name: str) -> dict[str, str]:
        return {**super().serialize_result(obj, to_field_name), "text": marked_label_of(obj)}

    def process_request(self, request: HttpRequest) -> Any:
        term, model_admin, field, to_field = super().process_request(request)
        if not isinstance(field, RelatedField):
            raise PermissionDenied
        return term, model_admin, field, to_field


class Site(AdminSite):
    """The theme's; a room adds its models by their admins' `menu`, and its pages by `add_page`."""

    index_title = "Overview"
    site_title = site_header = "Productive"
    # "View site" would lead back here.
    site_url = None

    def __init__(self, name: str = "admin") -> None:
        super().__init__(name)
        self.add_action(DELETE, DELETE.name)
        self.pages: list[tuple[str, MenuItem, Callable[[HttpRequest], bool]]] = []
        self.add_page("Administration", "Changes", "history", "admin:changes", change_pages.may_see_changes)
        # What the first page shows: the uppermost room knows, and says so.
        self.overview: Callable[[HttpRequest], dict[str, Any]] = lambda request: {}

    def get_urls(self) -> list[Any]:
        return [*change_pages.urls(self), *super().get_urls()]

    def admin_view(self, view: Callable[..., Any], cacheable: bool = False) -> Any:
        """Django's; what is left of a race, when nothing else could be done about it, is told on a page."""
        answer = super().admin_view(view, cacheable)

        @wraps(answer)
        def answer_or_tell(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
            try:
                return answer(request, *args, **kwargs)
            except (IntegrityError, OperationalError) as error:
                logger.exception("Nothing done at %r", request.path)
                status = 409 if isinstance(error, IntegrityError) else 503
                return render(request, "admin/busy.html", status=status)

        return answer_or_tell

    @property
    def registry(self) -> dict[Any, Any]:
        return self._registry

    def add_page(
        self, group: str, title: str, icon: str, url_name: str, allowed: Callable[[HttpRequest], bool]
    ) -> None:
        """List a page that belongs to no model in the menu's group, for whom it answers."""
        self.pages.append((group, MenuItem(title, icon, url_name), allowed))

    def index(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> TemplateResponse:
        return super().index(request, {**self.overview(request), **(extra_context or {})})

    def autocomplete_view(self, request: HttpRequest) -> Any:
        return RelationAutocomplete.as_view(admin_site=self)(request)

    def get_menu(self, request: HttpRequest) -> dict[str, list[MenuItem]]:
        """Return what the user may open, by group: by `place`, then in the order of apps and models."""
        menu: dict[str, list[MenuItem]] = defaultdict(list)
        order = {model: number for number, model in enumerate(apps.get_models())}
        admins: list[Any] = sorted(
            self._registry.values(), key=lambda each: (getattr(each, "place", 0), order[each.model])
        )
        for each in admins:
            if each.has_view_permission(request) and getattr(each, "menu", ""):
                title = each.menu_title or str(each.opts.verbose_name_plural)
                url = self.url_of(each, "changelist")
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

    def url_of(self, model_admin: Any, page: str, *args: Any) -> str:
        options = model_admin.opts
        return reverse(f"{self.name}:{options.app_label}_{options.model_name}_{page}", args=args)

    def search(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        """The command palette: pages by their title, then records by what their lists search."""
        term = request.GET.get("s", "").strip()
        found = [*self.found_pages(request, term), *self.found_records(request, term)] if term else []
        return TemplateResponse(request, "admin/palette_results.html", {"term": term, "found": found})

    def found_pages(self, request: HttpRequest, term: str) -> Iterator[Found]:
        for group, items in self.get_menu(request).items():
            for item in items:
                if f" {term}".casefold() in f" {item.title}".casefold():
                    yield Found(item.title, group, item.icon, item.url)

    def found_records(self, request: HttpRequest, term: str) -> list[Found]:
        """The best of every kind; those in use first, and of these those that begin with the term."""
        admins: list[Any] = sorted(
            (
                each
                for each in self._registry.values()
                if getattr(each, "in_palette", False) and each.has_view_permission(request)
            ),
            key=lambda each: each.palette_place,
        )
        found = [one for each in admins for one in self.found_of(each, request, term)]
        return sorted(found, key=lambda one: (bool(one.ended), not begins(one.title, term)))

    def found_of(self, model_admin: Any, request: HttpRequest, term: str) -> Iterator[Found]:
        kind, (_, ended) = str(model_admin.opts.verbose_name), model_admin.ended
        hints = model_admin.get_hints(request)
        relations = [name for name in hints if model_admin.opts.get_field(name).is_relation]
        for row in best_of(model_admin, request, term).prefetch_related(*relations)[:MOST_FOUND]:
            hint = " · ".join([kind, *(str(told) for told in (getattr(row, name) for name in hints) if told)])
            url = self.url_of(model_admin, "change", row.pk)
            yield Found(label_of(row), hint, model_admin.icon, url, ended if row.has_ended else "")


def best_of(model_admin: Any, request: HttpRequest, term: str) -> QuerySet[Any]:
    """What the list would find: those in use first, and of these those that begin with the first word."""
    rows, _ = model_admin.get_search_results(request, model_admin.get_queryset(request), term)
    word, *_ = term.split()
    ended, _ = model_admin.ended
    own = [name.lstrip("=^") for name in model_admin.get_search_fields(request) if "__" not in name]
    beginning = [Q((f"{name}__istartswith", word)) for name in own]
    ordering = model_admin.get_ordering(request)
    return rows.annotate(
        has_ended=whether(Q((f"{ended}__isnull", False)) if ended else NEVER),
        has_beginning=whether(reduce(or_, beginning, NEVER)),
    ).order_by("has_ended", "-has_beginning", *ordering)


def whether(condition: Q) -> Case:
    return Case(When(condition, then=Value(True)), default=Value(False), output_field=BooleanField())


def begins(text: str, term: str) -> bool:
    return text.casefold().startswith(term.casefold())
