"""The admin's first page: what needs attention, what was changed, how much there is, where one goes most."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from django.contrib import admin
from django.db import models
from django.http import HttpRequest
from django.urls import reverse
from django.utils import timezone

from assignments.access_check import may_check, own, page_of
from assignments.attention import (
    archived_types_in_use,
    people_trackable_nowhere,
    services_open_to_all,
    services_open_to_nobody,
)
from assignments.models import ProjectAssignment, ServiceAssignment
from catalog.models import Deal, Project, Service, ServiceType
from productive.accounts.models import ApiToken, Person
from productive.admin.changes.change_sets import change_sets, recorded_admins

# Sets of changes, each one request or command.
MOST_CHANGES = 10


@dataclass(frozen=True)
class Number:
    """How many of a list's rows answer a question, and the query that makes the list show exactly these."""

    model: type[models.Model]
    title: str
    query: str
    rows: Callable[[Any], models.QuerySet[Any]]
    why: str = ""


# What should be nought.
ATTENTION = [
    Number(
        Service,
        "Services open to their whole project",
        "access=open_nobody_assigned",
        services_open_to_all,
        "Their budget is restricted by person, but nobody is assigned: everybody on the project may track.",
    ),
    Number(
        Service,
        "Services restricted to nobody",
        "access=restricted_to_nobody",
        services_open_to_nobody,
        "Nobody active is left who may track on them: assign somebody, or lift the restriction.",
    ),
    Number(
        ServiceType,
        "Archived service types still in use",
        "archived=yes&in_use=yes",
        archived_types_in_use,
        "Open budgets still sell them, though no new service can.",
    ),
    Number(
        Person,
        "People on projects who can track nowhere",
        "trackable=nowhere",
        people_trackable_nowhere,
        "They are on active projects, but no service there takes their time or expenses today.",
    ),
    Number(
        ApiToken,
        "API tokens about to expire",
        "state=expiring",
        lambda tokens: tokens.expiring(timezone.now()),
        "Integrations that send them stop working within two weeks, unless they get new ones.",
    ),
]
COUNTS = [
    Number(Person, "Active people", "archived=no", lambda people: people.active()),
    Number(Project, "Active projects", "archived=no", lambda projects: projects.active()),
    Number(Deal, "Open budgets", "closed=no", lambda deals: deals.open()),
    Number(Service, "Services", "", lambda services: services),
    Number(ServiceAssignment, "Service assignments", "", lambda assignments: assignments),
]
QUICK = [
    (Person, "Add a person", "person_add"),
    (ServiceAssignment, "Assign somebody to a service", "assignment_ind"),
    (ProjectAssignment, "Add somebody to a project", "group_add"),
    (Service, "Add a service", "design_services"),
    (Deal, "Add a budget", "account_balance_wallet"),
]


def overview(request: HttpRequest) -> dict[str, Any]:
    """What the first page shows to this user; nothing of what they may not see."""
    return {
        "attention": numbers(request, ATTENTION),
        "counts": numbers(request, COUNTS),
        "quick": quick_actions(request),
        "changes": recent_changes(request),
    }


def numbers(request: HttpRequest, asked: list[Number]) -> list[dict[str, Any]]:
    return [
        {
            "title": each.title,
            "why": each.why,
            "icon": admin_of(each.model).icon,
            "number": each.rows(own(request, each.model)).count(),
            "url": f"{page_of(each.model, 'changelist')}?{each.query}".removesuffix("?"),
        }
        for each in asked
        if admin_of(each.model).has_view_permission(request)
    ]


def admin_of(model: type[models.Model]) -> Any:
    return admin.site.get_model_admin(model)


def quick_actions(request: HttpRequest) -> list[dict[str, str]]:
    check = [{"title": "Check who may track where", "icon": "fact_check", "url": reverse("access_check")}]
    return [
        *(check if may_check(request) else []),
        *(
            {"title": title, "icon": icon, "url": page_of(model, "add")}
            for model, title, icon in QUICK
            if admin_of(model).has_add_permission(request)
        ),
    ]


def recent_changes(request: HttpRequest) -> list[Any]:
    sets, _ = change_sets(request, lambda _, found: found, recorded_admins(request), page_size=MOST_CHANGES)
    return sets
