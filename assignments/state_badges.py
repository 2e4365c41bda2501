"""The states of `tracking_today` in the admin: texts, colors and badges."""

from __future__ import annotations

from django.template.loader import render_to_string
from django.utils.formats import date_format

from assignments.tracking_today import (
    NOT_IN_USE,
    TRACKABLE,
    OpenTo,
    PersonState,
    ServiceState,
)
from catalog.models import Service

# State → title in filters and on the overview.
SERVICE_STATES = {
    ServiceState.OPEN: "Everybody on the project",
    ServiceState.OPEN_NOBODY_ASSIGNED: "Everybody, because nobody is assigned",
    ServiceState.RESTRICTED: "Some people",
    ServiceState.BUDGET_NOT_STARTED: "the budget hasn't started",
    ServiceState.BUDGET_ENDED: "the budget has ended",
    ServiceState.TRACKING_DISABLED: "time and expense tracking are off",
    ServiceState.NO_MEMBERS: "nobody active is on the project",
    ServiceState.ASSIGNEES_ARCHIVED: "all assignees are archived",
    ServiceState.ASSIGNEES_NOT_MEMBERS: "no active assignee is on the project",
    ServiceState.TYPE_NOT_HELD: "nobody left holds the service type",
    ServiceState.BUDGET_CLOSED: "the budget is closed",
    ServiceState.PROJECT_ARCHIVED: "the project is archived",
}
PERSON_STATES = {
    PersonState.NO_PROJECT: "on no project",
    PersonState.PROJECTS_ARCHIVED: "all their projects are archived",
    PersonState.NOTHING_OPEN: "nothing is open today on their projects",
    PersonState.NOT_ALLOWED: "not assigned, or without the service type",
}
# The theme's colors of the other states are red.
COLORS = {
    ServiceState.OPEN: "success",
    ServiceState.OPEN_NOBODY_ASSIGNED: "warning",
    ServiceState.RESTRICTED: "info",
    ServiceState.BUDGET_NOT_STARTED: "default",
    ServiceState.BUDGET_ENDED: "warning",
    **dict.fromkeys(NOT_IN_USE, "default"),
}


def state_badge(service: Service, open_to: OpenTo | None) -> str:
    """Return the badge of a service in this state, as safe HTML."""
    if open_to is None:  # deleted since the list was read
        return ""
    context = {
        "title": badge_title(open_to),
        "color": COLORS.get(open_to.state, "danger"),
        "note": badge_note(service, open_to.state),
    }
    return render_to_string("admin/state_badge.html", context)


def badge_title(open_to: OpenTo) -> str:
    if open_to.state is ServiceState.RESTRICTED:
        return "1 person" if open_to.people == 1 else f"{open_to.people:,} people"
    return SERVICE_STATES[ServiceState.OPEN] if open_to.state in TRACKABLE else "Nobody"


def badge_note(service: Service, state: ServiceState) -> str:
    """Return why nobody can track, or the only kind that people can track."""
    if state is ServiceState.BUDGET_NOT_STARTED and service.deal.date is not None:
        return f"the budget starts on {date_format(service.deal.date)}"
    if state is ServiceState.BUDGET_ENDED and service.deal.end_date is not None:
        return f"the budget ended on {date_format(service.deal.end_date)}"
    if state not in TRACKABLE:
        return SERVICE_STATES[state]
    notes = ["nobody is assigned"] if state is ServiceState.OPEN_NOBODY_ASSIGNED else []
    if not service.expense_tracking_enabled:
        notes.append("time only")
    if not service.time_tracking_enabled:
        notes.append("expenses only")
    return ", ".join(notes)
