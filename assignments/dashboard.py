"""The admin's index page: what needs attention, counts, changes, actions."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from django.contrib import admin
from django.db import models
from django.http import HttpRequest
from django.urls import reverse
from django.utils import timezone

from assignments.access_check import can_check_access
from assignments.attention import archived_types_in_use, ended_deals
from assignments.models import ProjectAssignment, ServiceAssignment
from assignments.state_badges import PERSON_STATES, SERVICE_STATES
from assignments.tracking_today import (
    TRACKABLE_BY_NOBODY,
    ServiceState,
    count_person_states,
    count_service_states,
)
from catalog.models import Deal, Project, Service, ServiceType
from productive.accounts.models import ApiToken, Person
from productive.admin.changes.change_sets import change_sets, recorded_admins
from productive.admin.permissions import can_view, visible_rows
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

    def count(self, rows: Any, counted: dict[Any, Any]) -> dict[str, Any]:
        """Return the number of rows, and the numbers by reason."""
        return {"number": self.filter_rows(rows).count(), "reasons": []}


@dataclass(frozen=True)
class StateCount:
    """The number of rows in some states of today, also by state.

    `query` and `reason_query` are the query strings of the lists of all these states and of one of them.
    """

    model: type[models.Model]
    title: str
    query: str
    count_states: Callable[[Any], Mapping[Any, int]]
    # State → the reason. A single state needs none.
    reasons: Mapping[Any, str]
    reason_query: str
    why: str

    def count(self, rows: Any, counted: dict[Any, Any]) -> dict[str, Any]:
        """Return the number of rows, and the numbers by reason.

        `counted` has the numbers by state that were counted for others.
        """
        if self.count_states not in counted:
            counted[self.count_states] = self.count_states(rows)
        numbers = counted[self.count_states]
        found = {state: numbers.get(state, 0) for state in self.reasons}
        reasons = [
            {"text": text, "number": found[state], "url": list_url(self.model, self.reason_query + state)}
            for state, text in self.reasons.items()
            if found[state] and len(self.reasons) > 1
        ]
        return {"number": sum(found.values()), "reasons": reasons}


# These counts should be 0.
ATTENTION: list[ListCount | StateCount] = [
    StateCount(
        Service,
        "Services that nobody can track on today",
        "access=nobody",
        count_service_states,
        {state: text for state, text in SERVICE_STATES.items() if state in TRACKABLE_BY_NOBODY},
        "access=",
        "Their budgets are open, but nobody can track time or expenses.",
    ),
    StateCount(
        Service,
        "Services open to their whole project",
        "access=open_nobody_assigned",
        count_service_states,
        {ServiceState.OPEN_NOBODY_ASSIGNED: SERVICE_STATES[ServiceState.OPEN_NOBODY_ASSIGNED]},
        "access=",
        "Their budget is restricted by person, but they have no assignees: the whole project may track.",
    ),
    StateCount(
        Person,
        "People who can't track anywhere today",
        "trackable=nowhere",
        count_person_states,
        PERSON_STATES,
        "trackable=",
        "They are active, but there is no service that they can track on today.",
    ),
    ListCount(
        Deal,
        "Budgets that have ended but are still open",
        "ended=yes",
        ended_deals,
        "Nobody can track on them. Close them, or move their end dates.",
    ),
    ListCount(
        ServiceType,
        "Archived service types still in use",
        "archived=yes&in_use=yes",
        archived_types_in_use,
        "Open budgets have services of these types, but new services cannot use them.",
    ),
    ListCount(
        ApiToken,
        "API tokens about to expire",
        "state=expiring",
        lambda tokens: tokens.expiring(timezone.now()),
        "Integrations that use them stop working within two weeks, unless the tokens are replaced.",
    ),
]
COUNTS: list[ListCount | StateCount] = [
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


def linked_counts(request: HttpRequest, counts: list[ListCount | StateCount]) -> list[dict[str, Any]]:
    counted: dict[Any, Any] = {}
    return [
        {
            "title": count.title,
            "why": count.why,
            "icon": admin_of(count.model).icon,
            "url": list_url(count.model, count.query),
            **count.count(visible_rows(request, count.model), counted),
        }
        for count in counts
        if can_view(request, count.model)
    ]


def list_url(model: type[models.Model], query: str) -> str:
    return f"{admin_url(model, 'changelist')}?{query}".removesuffix("?")


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
    # A round takes a query for each model. After very large change sets, this finds fewer.
    sets, _ = change_sets(request, lambda _, found: found, admins, page_size=MAX_CHANGE_SETS, rounds=2)
    return sets
