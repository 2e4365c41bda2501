"""The admin's index page: what needs attention, counts, changes, actions."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from django.contrib import admin
from django.db import models
from django.http import HttpRequest
from django.urls import reverse
from django.utils import timezone

from assignments.access_check import can_check_access, visible_rows
from assignments.attention import (
    archived_types_in_use,
    people_who_cannot_track,
    services_open_to_all,
    services_restricted_to_nobody,
)
from assignments.models import ProjectAssignment, ServiceAssignment
from catalog.models import Deal, Project, Service, ServiceType
from productive.accounts.models import ApiToken, Person
from productive.admin.changes.change_sets import change_sets, recorded_admins
from productive.admin.urls import admin_url

MAX_CHANGE_SETS = 10


@dataclass(frozen=True)
class ListCount:
    """The number of rows in the filtered list of a model.

    `query` is the query string of the list, and `filter_rows` filters its queryset likewise.
    """

    model: type[models.Model]
    title: str
    query: str
    filter_rows: Callable[[Any], models.QuerySet[Any]]
    why: str = ""


# These counts should be 0.
ATTENTION = [
    ListCount(
        Service,
        "Services open to their whole project",
        "access=open_nobody_assigned",
        services_open_to_all,
        "Their budget is restricted by person, but they have no assignees: the whole project may track.",
    ),
    ListCount(
        Service,
        "Services that no one can track on",
        "access=restricted_to_nobody",
        services_restricted_to_nobody,
        "The restrictions leave no active person: assign one, or lift the restriction.",
    ),
    ListCount(
        ServiceType,
        "Archived service types still in use",
        "archived=yes&in_use=yes",
        archived_types_in_use,
        "Open budgets have services of these types, but new services cannot use them.",
    ),
    ListCount(
        Person,
        "People on projects who cannot track anywhere",
        "trackable=nowhere",
        people_who_cannot_track,
        "They are on active projects, but there is no service that they can track on today.",
    ),
    ListCount(
        ApiToken,
        "API tokens about to expire",
        "state=expiring",
        lambda tokens: tokens.expiring(timezone.now()),
        "Integrations that use them stop working within two weeks, unless the tokens are replaced.",
    ),
]
COUNTS = [
    ListCount(Person, "Active people", "archived=no", lambda people: people.active()),
    ListCount(Project, "Active projects", "archived=no", lambda projects: projects.active()),
    ListCount(Deal, "Open budgets", "closed=no", lambda deals: deals.open()),
    ListCount(Service, "Services", "", lambda services: services),
    ListCount(ServiceAssignment, "Service assignments", "", lambda assignments: assignments),
]
QUICK_ACTIONS = [
    (Person, "Add a person", "person_add"),
    (ServiceAssignment, "Assign a person to a service", "assignment_ind"),
    (ProjectAssignment, "Add a person to a project", "group_add"),
    (Service, "Add a service", "design_services"),
    (Deal, "Add a budget", "account_balance_wallet"),
]


def overview(request: HttpRequest) -> dict[str, Any]:
    """Return the context of the index page, as far as the user may view it."""
    return {
        "attention": linked_counts(request, ATTENTION),
        "counts": linked_counts(request, COUNTS),
        "quick": quick_actions(request),
        "changes": recent_changes(request),
    }


def linked_counts(request: HttpRequest, counts: list[ListCount]) -> list[dict[str, Any]]:
    return [
        {
            "title": count.title,
            "why": count.why,
            "icon": admin_of(count.model).icon,
            "number": count.filter_rows(visible_rows(request, count.model)).count(),
            "url": f"{admin_url(count.model, 'changelist')}?{count.query}".removesuffix("?"),
        }
        for count in counts
        if admin_of(count.model).has_view_permission(request)
    ]


def admin_of(model: type[models.Model]) -> Any:
    return admin.site.get_model_admin(model)


def quick_actions(request: HttpRequest) -> list[dict[str, str]]:
    access_check = [{"title": "Check access", "icon": "fact_check", "url": reverse("access_check")}]
    return [
        *(access_check if can_check_access(request) else []),
        *(
            {"title": title, "icon": icon, "url": admin_url(model, "add")}
            for model, title, icon in QUICK_ACTIONS
            if admin_of(model).has_add_permission(request)
        ),
    ]


def recent_changes(request: HttpRequest) -> list[Any]:
    admins = recorded_admins(request)
    sets, _ = change_sets(request, lambda _, found: found, admins, page_size=MAX_CHANGE_SETS)
    return sets
