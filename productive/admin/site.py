"""The admin's site: its menu, its command palette, and what its pages share."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from django.contrib.admin.views.autocomplete import AutocompleteJsonView
from django.core.exceptions import PermissionDenied
from django.db.models.fields.related import RelatedField
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import reverse

from productive.admin.forms import label_of
from productive.admin.theme import AdminSite, SearchResult

GROUPS = ("Catalogue", "Assignments", "People", "Administration")
# Of each kind of record; whoever finds more should type more.
MOST_FOUND = 8


@dataclass(frozen=True)
class MenuItem:
    title: str
    icon: str
    url: str


class RelationAutocomplete(AutocompleteJsonView):
    """Django's, which takes the other end of a relation for one, and knows one name for a record."""

    def serialize_result(self, obj: Any, to_field_name: str) -> dict[str, str]:
        return {**super().serialize_result(obj, to_field_name), "text": label_of(obj)}

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
        self.pages: list[tuple[str, MenuItem, Callable[[HttpRequest], bool]]] = []

    @property
    def registry(self) -> dict[Any, Any]:
        return self._registry

    def add_page(
        self, group: str, title: str, icon: str, url_name: str, allowed: Callable[[HttpRequest], bool]
    ) -> None:
        """List a page that belongs to no model in the menu's group, for whom it answers."""
        self.pages.append((group, MenuItem(title, icon, url_name), allowed))

    def autocomplete_view(self, request: HttpRequest) -> Any:
        return RelationAutocomplete.as_view(admin_site=self)(request)

    def get_menu(self, request: HttpRequest) -> dict[str, list[MenuItem]]:
        """By group, what the user may open."""
        menu: dict[str, list[MenuItem]] = defaultdict(list)
        for model, model_admin in self.registry.items():
            if model_admin.has_view_permission(request) and model_admin.menu:
                name = f"{self.name}:{model._meta.app_label}_{model._meta.model_name}_changelist"
                title = str(model._meta.verbose_name_plural)
                menu[model_admin.menu].append(
                    MenuItem(title[0].upper() + title[1:], model_admin.icon, reverse(name))
                )
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
        """The command palette: pages by their title, then records by what their lists search."""
        term = request.GET.get("s", "").strip()
        if not term:
            return HttpResponse()
        found = [*self.found_pages(request, term), *self.found_records(request, term)]
        context = {
            "results": found,
            "page_obj": {"count": len(found)},
            "page_counter": 0,
            "execution_time": 0,
        }
        return TemplateResponse(request, "unfold/helpers/command_results.html", context)

    def found_pages(self, request: HttpRequest, term: str) -> Iterator[SearchResult]:
        for group, items in self.get_menu(request).items():
            for item in items:
                if term.casefold() in item.title.casefold():
                    yield SearchResult(item.title, group, item.url, item.icon)

    def found_records(self, request: HttpRequest, term: str) -> Iterator[SearchResult]:
        for model, model_admin in self.registry.items():
            if not model_admin.in_palette or not model_admin.has_view_permission(request):
                continue
            rows, _ = model_admin.get_search_results(request, model_admin.get_queryset(request), term)
            options = model._meta
            for row in rows.order_by(*model_admin.get_ordering(request))[:MOST_FOUND]:
                url = reverse(f"{self.name}:{options.app_label}_{options.model_name}_change", args=[row.pk])
                yield SearchResult(label_of(row), str(options.verbose_name), url, model_admin.icon)
