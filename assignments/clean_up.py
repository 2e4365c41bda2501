"""The admin's Clean-up page: records that are probably the same, or no longer needed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.core.paginator import Paginator
from django.db import models
from django.http import HttpRequest, HttpResponse

from assignments.attention import archived_types_in_use, unused_types
from catalog.look_alikes import similar_people, similar_types
from catalog.models import Service, ServiceType
from productive.accounts.models import Person
from productive.admin.columns import CountColumn, count_related
from productive.admin.forms import label_with_status
from productive.admin.pages import render_page
from productive.admin.permissions import can_view, visible_rows
from productive.admin.urls import admin_url

# Groups or records on one page.
PER_PAGE = 30


def single_groups(rows: Any) -> list[list[int]]:
    """Return the ids of the rows, each in a group of its own."""
    return [[pk] for pk in rows.order_by("name", "pk").values_list("pk", flat=True)]


@dataclass(frozen=True)
class View:
    """A list on the page.

    `find` returns groups of ids, from the rows that the user may see. `action` is a bulk action for the
    checked records; without one, those of a group can be merged.
    """

    name: str
    title: str
    model: type[models.Model]
    find: Callable[[Any], list[list[int]]]
    text: str
    empty: str
    action: str = ""

    @property
    def admin(self) -> Any:
        return admin.site.get_model_admin(self.model)

    def columns(self, request: HttpRequest) -> list[CountColumn]:
        shown = [] if self.model is Person else [CountColumn("services", Service.service_type)]
        listed = [each for each in self.admin.list_display if isinstance(each, CountColumn)]
        return [each for column in [*shown, *listed] for each in column.visible_to(request)]


VIEWS = [
    View(
        "types",
        "Look-alikes",
        ServiceType,
        similar_types,
        "Service types whose names probably mean the same. They differ in case, accents, punctuation, plural,"
        " the order of words or a letter, or one abbreviates the other.",
        "No service types look alike.",
    ),
    View(
        "unused",
        "Unused",
        ServiceType,
        lambda types: single_groups(unused_types(types)),
        "Active service types without services of open budgets.",
        "Open budgets have services of all active service types.",
        "archive",
    ),
    View(
        "half-retired",
        "Half-retired",
        ServiceType,
        lambda types: single_groups(archived_types_in_use(types)),
        "Archived service types of which open budgets have services. Restore them, or open their services in"
        " use and change their type.",
        "Open budgets have no services of archived service types.",
        "restore",
    ),
    View(
        "people",
        "People who look alike",
        Person,
        similar_people,
        "People with the same name or similar addresses.",
        "No people look alike.",
    ),
]


def clean_up_views(request: HttpRequest) -> list[View]:
    """Return the lists that the user may view."""
    return [view for view in VIEWS if can_view(request, view.model)]


def clean_up(request: HttpRequest) -> HttpResponse:
    """Render the page. Raise PermissionDenied without view permissions."""
    views = clean_up_views(request)
    if not views:
        raise PermissionDenied
    names = {view.name: view for view in views}
    view = names.get(request.GET.get("show", ""), views[0])
    page = Paginator(view.find(visible_rows(request, view.model)), PER_PAGE).get_page(request.GET.get("page"))
    columns = view.columns(request)
    context = {
        "title": "Clean-up",
        "views": views,
        "view": view,
        "page": page,
        "columns": [column.short_description for column in columns],
        "groups": groups_of(request, view, columns, list(page)),
        "may_change": view.admin.has_change_permission(request),
        "list_url": admin_url(view.model, "changelist"),
        "merge_url": admin_url(view.model, "merge"),
    }
    return render_page(request, "admin/clean_up.html", context)


def groups_of(
    request: HttpRequest, view: View, columns: Sequence[CountColumn], groups: Sequence[Sequence[int]]
) -> list[list[dict[str, Any]]]:
    """Return the records of the groups for the template, in a constant number of queries."""
    rows = visible_rows(request, view.model).in_bulk([pk for group in groups for pk in group])
    count_related(view.model, [*rows.values()], columns)
    return [
        [
            {
                "pk": pk,
                "label": label_with_status(rows[pk]),
                "url": admin_url(view.model, "change", pk),
                "counts": [column(rows[pk]) for column in columns],
            }
            for pk in group
            if pk in rows
        ]
        for group in groups
    ]
